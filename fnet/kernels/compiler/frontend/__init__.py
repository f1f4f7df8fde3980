"""The short way from generated source to LLVM code: one pass over its syntax, instead of Numba's own front end."""
