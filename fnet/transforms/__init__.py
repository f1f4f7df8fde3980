"""Function transforms: tracing, differentiation, compilation; interpreters of one vocabulary of primitives."""
