"""What a stable sort of rows needs beside that of small integers (`fnet.kernels.cuda.sort`).

Numbers become integers in the same order, these become keys of 32 bits, and all rows are sorted together: by their
numbers first, then by rows.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.scalars import order_bits

_SIGN = 1 << 31
_MASK = (1 << 32) - 1


@device_function
def _key(bits):
    """The lowest 32 bits of an int64 number, as an int32 number."""
    low = bits & _MASK
    return np.int32(low - (low & _SIGN) - (low & _SIGN))


@kernel(threads=256)
def order_of_floats(x, bits, count):
    """Integers in the order of floating-point numbers, of the same width; NaN is the largest."""
    i = cuda.grid(1)
    while i < count:
        bits[i] = order_bits(x[i])
        i += cuda.gridsize(1)


@kernel(threads=256)
def keys_of_narrow(x, keys, count, flip):
    """Keys of integers of 32 bits or fewer, whose highest bit `flip` turns where they have a sign."""
    i = cuda.grid(1)
    while i < count:
        keys[i] = _key(np.int64(x[i]) ^ flip)
        i += cuda.gridsize(1)


@kernel(threads=256)
def keys_of_wide(x, order, keys, count, high, flip):
    """Keys of the lower halves of integers of 64 bits, or, in the order reached by then, of the `high` ones."""
    i = cuda.grid(1)
    while i < count:
        if high:
            keys[i] = _key(np.int64(x[order[i]] >> x.dtype.type(32)) ^ flip)
        else:
            keys[i] = _key(np.int64(x[i] & x.dtype.type(_MASK)))
        i += cuda.gridsize(1)


@kernel(threads=256)
def keys_of_rows(order, keys, count, columns):
    """Keys of the rows from which elements are."""
    i = cuda.grid(1)
    while i < count:
        keys[i] = np.int32(order[i] // columns)
        i += cuda.gridsize(1)


@kernel(threads=256)
def columns_of_order(order, y, count, columns):
    """``y[i]``: the column of the element that comes i-th."""
    i = cuda.grid(1)
    while i < count:
        y[i] = order[i] % columns
        i += cuda.gridsize(1)
