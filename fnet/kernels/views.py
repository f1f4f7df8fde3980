"""Typed one-dimensional views of raw memory, made inside compiled code without reference counting.

`view(dtype)(base, offset, size)` reads `size` elements of a byte array from a byte offset on;
`flat(array)` sees a C-contiguous array of any rank as one dimension.
"""
