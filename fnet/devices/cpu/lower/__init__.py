"""The lowering rules of the CPU, one family of primitives a file; a rule has the name of its primitive."""
