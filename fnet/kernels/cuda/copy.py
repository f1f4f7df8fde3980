"""Strided copies: transposes, slices, broadcasts, concatenations and padding; and windows filled with one number.

All go over an index space of `DEPTH` axes whose last moves fastest in the target, ``y[y_first + i . y_strides] =
x[x_first + i . x_strides]``, of fewer than 2**31 elements, by the sizes of `SIZES`. They differ in what lies side by
side in memory.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned, load4, store4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.sizes import Sizes

DEPTH = 5
(
    X_FIRST, Y_FIRST, N0, N1, N2, N3, N4, X0, X1, X2, X3, X4, Y0, Y1, Y2, Y3, Y4,
) = SIZES = Sizes("x_first y_first n0 n1 n2 n3 n4 x0 x1 x2 x3 x4 y0 y1 y2 y3 y4")  # fmt: skip

THREADS = 256
TILE, TILE_ROWS = 32, 8  # a tile is TILE x TILE elements, read and written by TILE x TILE_ROWS threads
_PITCH, _TILE_SIZE = TILE + 1, TILE * (TILE + 1)  # a column more, so that columns lie in different banks


@device_function
def places(row, axes, sizes):
    """Where the elements number `row` of the first `axes` axes are, in x and in y."""
    p, q = sizes[X_FIRST], sizes[Y_FIRST]
    rest = np.uint32(row)
    for axis in range(axes - 1, -1, -1):
        size = np.uint32(sizes[N0 + axis])
        i = np.int64(np.uint32(rest % size))
        rest = np.uint32(rest // size)
        p += i * sizes[X0 + axis]
        q += i * sizes[Y0 + axis]
    return p, q


@kernel(threads=THREADS)
def copy_strided(x, y, sizes, n):
    """Element by element; n: of the index space."""
    i, step = cuda.grid(1), cuda.gridsize(1)
    while i < n:
        p, q = places(i, DEPTH, sizes)
        y[np.uint64(q)] = x[np.uint64(p)]
        i += step


@kernel(threads=THREADS)
def copy_rows(x, y, sizes, n):
    """Rows that lie side by side in both, four elements at once where that is possible."""
    columns, step = sizes[N4], cuda.gridsize(1)
    quads = 0
    if _is_even(sizes) and is_aligned(x) and is_aligned(y):
        quads = n // 4
    in_row = np.uint32(columns // 4)
    i = cuda.grid(1)
    while i < quads:
        row = np.uint32(np.uint32(i) // in_row)
        p, q = places(row, DEPTH - 1, sizes)
        column = 4 * np.int64(np.uint32(np.uint32(i) - row * in_row))
        store4(y, np.uint64(q + column), load4(x, np.uint64(p + column)))
        i += step
    i = 4 * quads + cuda.grid(1)
    while i < n:
        p, q = places(i, DEPTH, sizes)
        y[np.uint64(q)] = x[np.uint64(p)]
        i += step


@device_function
def _is_even(sizes):
    """Whether all rows begin at multiples of four, and have so many elements."""
    odd = sizes[X_FIRST] | sizes[Y_FIRST] | sizes[N4]
    for axis in range(DEPTH - 1):
        odd |= sizes[X0 + axis] | sizes[Y0 + axis]
    return odd & 3 == 0


@kernel(threads=TILE * TILE_ROWS)
def copy_transposed(x, y, sizes):
    """Matrices whose columns lie side by side in x, and rows in y, tile by tile through shared memory.

    A block takes a tile of the last two axes of one matrix.
    """
    tile = cuda.shared.array(_TILE_SIZE, x.dtype)
    n3, n4 = sizes[N3], sizes[N4]
    across, down = np.uint32((n4 + TILE - 1) // TILE), np.uint32((n3 + TILE - 1) // TILE)
    block = np.uint32(cuda.blockIdx.x)
    rest = np.uint32(block // across)
    first4 = TILE * np.int64(np.uint32(block - rest * across))
    matrix = np.uint32(rest // down)
    first3 = TILE * np.int64(np.uint32(rest - matrix * down))
    p, q = places(matrix, DEPTH - 2, sizes)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    i3 = first3 + column
    for j in range(0, TILE, TILE_ROWS):
        i4 = first4 + row + j
        if i3 < n3 and i4 < n4:
            tile[(row + j) * _PITCH + column] = x[np.uint64(p + i3 * sizes[X3] + i4 * sizes[X4])]
    cuda.syncthreads()
    i4 = first4 + column
    for j in range(0, TILE, TILE_ROWS):
        i3 = first3 + row + j
        if i3 < n3 and i4 < n4:
            y[np.uint64(q + i3 * sizes[Y3] + i4 * sizes[Y4])] = tile[column * _PITCH + row + j]


@kernel(threads=THREADS)
def fill(y, x, n):
    """``y[i] = x[0]``."""
    value, step = x[0], cuda.gridsize(1)
    quads = n // 4 if is_aligned(y) else 0
    i = cuda.grid(1)
    while i < quads:
        store4(y, np.uint64(4 * i), (value, value, value, value))
        i += step
    i = 4 * quads + cuda.grid(1)
    while i < n:
        y[np.uint64(i)] = value
        i += step
