"""Rows of a matrix that stay in registers between passes, so that memory is read once.

A row is the work of a few neighbouring lanes or of a block (`fnet.kernels.cuda.runtime.rows`). A thread holds `HELD`
of its elements, in quads; what else a row has is read again in every pass. Where the number of columns is a multiple of
four, a quad is four neighbours, which are read at once where addresses allow it; else its elements are as far apart as
a row has threads. So the order of a sum depends on the sizes alone.

A row is described by a tuple: where it begins, how many elements it has (none behind the last row, whose threads come
along for the exchanges between lanes), the distance between elements of a quad, and whether four are accessed at once.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import load4, store4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function
from fnet.kernels.cuda.runtime.rows import row_of_thread

QUADS = 2
HELD = 4 * QUADS
THREADS = 512  # of a block, at most
COLUMNS, STEP = 1, 2  # in the description of a row: how many it has, and the distance between elements of a quad


@device_function
def row_of(rows, cols, aligned):
    """The row of this thread; aligned: whether all arrays begin at a multiple of 16 bytes."""
    row, even = row_of_thread(), cols % 4 == 0
    step = np.int32(1 if even else cuda.blockDim.x)
    return row * cols, np.int32(cols if row < rows else 0), step, even and aligned


@device_function
def quad(row, q):
    """The column where the quad q of this thread begins."""
    return np.int32(4 * q * cuda.blockDim.x + cuda.threadIdx.x * (4 if row[2] == 1 else 1))


@device_function
def next_quad(c):
    """The column where the next quad of this thread begins."""
    return np.int32(c + 4 * cuda.blockDim.x)


@device_function
def is_held(row, q):
    """Whether any thread has something in its quad q."""
    return np.int32(4 * q * cuda.blockDim.x) < row[1]


@device_function
def load_quad(x, row, c, missing):
    """The quad of a row that begins at column c; `missing` where the row has ended."""
    first, cols, step, wide = row
    if wide:
        return load4(x, first + c) if c < cols else (missing, missing, missing, missing)
    d, e, f = np.int32(c + step), np.int32(c + 2 * step), np.int32(c + 3 * step)
    return (
        x[first + c] if c < cols else missing,
        x[first + d] if d < cols else missing,
        x[first + e] if e < cols else missing,
        x[first + f] if f < cols else missing,
    )


@device_function
def store_quad(y, row, c, values):
    """Write a quad, up to where the row ends."""
    first, cols, step, wide = row
    if wide:
        if c < cols:
            store4(y, first + c, values)
    else:
        for i in range(4):
            if c < cols:
                y[first + c] = values[i]
            c = np.int32(c + step)


@device_function
def hold(x, held, row, missing):
    """Read the elements that stay; held: `HELD` elements."""
    for q in range(QUADS):
        put_quad(held, q, load_quad(x, row, quad(row, q), missing))


@device_function
def put_quad(held, q, values):
    """Hold four values as the quad q."""
    held[4 * q], held[4 * q + 1], held[4 * q + 2], held[4 * q + 3] = values


@device_function
def quad_of(held, q):
    """The quad q that is held."""
    return held[4 * q], held[4 * q + 1], held[4 * q + 2], held[4 * q + 3]
