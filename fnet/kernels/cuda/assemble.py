"""Arrays side by side, and a part among zeros, in one launch: each element of the result looks where it comes from.

Arrays are flat and row-major, of fewer than 2**31 elements. Four neighbours are copied at once where all sizes are
multiples of four, and all arrays begin at multiples of 16 bytes.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.quads import load, store
from fnet.kernels.sizes import Sizes

MOST = 4  # arrays of a launch
FIRST, END0, END1, END2, END3, WIDTH, ROWS = SIZES = Sizes("first end0 end1 end2 end3 width rows")
THREADS = 256


@device_function
def _is_even(sizes):
    return (sizes[FIRST] | sizes[END0] | sizes[END1] | sizes[END2] | sizes[END3] | sizes[WIDTH]) & 3 == 0


@kernel(threads=THREADS)
def concatenate(a, b, c, d, y, sizes):
    """Rows of four arrays side by side, in the columns from `first` on of the rows of y, which have a `width`.

    In these columns, those of a end before `end0`, those of b before `end1`, ...: an array may have none.
    """
    end0, end1, end2, end3 = sizes[END0], sizes[END1], sizes[END2], sizes[END3]
    even = _is_even(sizes) and is_aligned(a) and is_aligned(b) and is_aligned(c) and is_aligned(d) and is_aligned(y)
    unit = 4 if even else 1
    across = np.uint32(end3 // unit)
    count = np.int64(across) * sizes[ROWS]
    i = cuda.grid(1)
    while i < count:
        row = np.uint32(np.uint32(i) // across)
        column = unit * np.int64(np.uint32(np.uint32(i) - row * across))
        line = np.int64(row)
        if column < end0:
            four = load(a, line * end0 + column, even)
        elif column < end1:
            four = load(b, line * (end1 - end0) + column - end0, even)
        elif column < end2:
            four = load(c, line * (end2 - end1) + column - end1, even)
        else:
            four = load(d, line * (end3 - end2) + column - end2, even)
        store(y, line * sizes[WIDTH] + sizes[FIRST] + column, four, even)
        i += cuda.gridsize(1)


@kernel(threads=THREADS)
def place(x, y, size, first, step, count, inner):
    """``y[o, first + step k, i] = x[o, k, i]`` for k below `count`, and 0 elsewhere; y: (outer, size, inner)."""
    even = inner & 3 == 0 and is_aligned(x) and is_aligned(y)
    unit = 4 if even else 1
    width, zero = np.uint32(inner // unit), y.dtype.type(0)
    i = cuda.grid(1)
    while i * unit < y.size:
        line = np.uint32(np.uint32(i) // width)
        column = unit * np.int64(np.uint32(np.uint32(i) - line * width))
        o = np.uint32(line // np.uint32(size))
        gap = np.int64(np.uint32(line - o * np.uint32(size))) - first
        k = gap // step
        four = zero, zero, zero, zero
        if gap >= 0 and k < count and k * step == gap:
            four = load(x, (np.int64(o) * count + k) * inner + column, even)
        store(y, i * unit, four, even)
        i += cuda.gridsize(1)
