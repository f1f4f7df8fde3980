"""How kernels become machine code: front end, passes, linking, calls from Python, and the cache between processes."""
