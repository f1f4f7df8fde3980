"""Gather and scatter along one axis; an index outside the table gives NaN (0 for integers), never a stray read.

Sums of a scatter are made in the order of the positions, as on the CPU: the first position of a row of the table
belongs to a warp, which looks for the others; for many positions see `fnet.kernels.cuda.sort`.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned, load4, store4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import ALL, WARP, row_of_thread
from fnet.kernels.cuda.sort import COLUMNS, WIDTH

THREADS = 256


@device_function
def _row_of(index, c, size):
    """The row that an index means, or -1."""
    k = index[c]
    k = k + size if k < 0 else k
    return k if 0 <= k < size else -1


@kernel(threads=THREADS)
def take_numbers(x, index, missing, y, outer, size, count, inner):
    """``y[o, c, i] = x[o, index[c], i]``, a thread for an element."""
    n = cuda.grid(1)
    while n < outer * count * inner:
        row = n // inner
        o = row // count
        k = _row_of(index, row - o * count, size)
        y[n] = x[(o * size + k) * inner + (n - row * inner)] if k >= 0 else missing[0]
        n += cuda.gridsize(1)


@kernel(threads=THREADS)
def take_rows(x, index, missing, y, outer, size, count, inner):
    """The same, a warp or a block for a row."""
    row = row_of_thread()
    if row < outer * count:
        o = row // count
        k = _row_of(index, row - o * count, size)
        source, target, j = (o * size + k) * inner, row * inner, cuda.threadIdx.x
        if inner % 4 == 0 and is_aligned(x) and is_aligned(y):
            while j < inner // 4:
                store4(y, target + 4 * j, load4(x, source + 4 * j) if k >= 0 else _four(missing))
                j += cuda.blockDim.x
        else:
            while j < inner:
                y[target + j] = x[source + j] if k >= 0 else missing[0]
                j += cuda.blockDim.x


@device_function
def _four(x):
    return x[0], x[0], x[0], x[0]


@kernel(threads=THREADS)
def scatter_add(g, index, y, outer, size, count, inner):
    """``y[o, index[c], i] += g[o, c, i]`` in the order of c, from zeros; indices outside the table are left out.

    y holds zeros. A warp is for a position and `WIDTH` columns, which are y of the grid.
    """
    task = row_of_thread()
    if task < outer * count:
        o = task // count
        c = task - o * count
        k = _row_of(index, c, size)
        if k >= 0 and _is_first(index, c, size, k):
            _sum_rows(g, index, y, o, c, k, size, count, inner)


@device_function
def _is_first(index, c, size, k):
    """Whether no earlier position means row k; all lanes of a warp ask for the same one."""
    base = 0
    while base < c:
        j = base + cuda.threadIdx.x
        hit = False
        if j < c:
            hit = _row_of(index, j, size) == k
        if cuda.any_sync(ALL, hit):
            return False
        base += WARP
    return True


@device_function
def _sum_rows(g, index, y, o, c, k, size, count, inner):
    """Write the sum of all rows whose position means row k, of which c is the first."""
    first = cuda.blockIdx.y * WIDTH + cuda.threadIdx.x
    sums = cuda.local.array(COLUMNS, g.dtype)
    for n in range(COLUMNS):
        sums[n] = 0
    base = c // WARP * WARP
    while base < count:
        j = base + cuda.threadIdx.x
        hit = False
        if c <= j < count:
            hit = _row_of(index, j, size) == k
        hits = np.uint32(cuda.ballot_sync(ALL, hit))
        lane = 0
        while hits != 0:
            if hits & np.uint32(1):
                row = (o * count + base + lane) * inner
                for n in range(COLUMNS):
                    if first + n * WARP < inner:
                        sums[n] += g[row + first + n * WARP]
            hits = np.uint32(hits >> np.uint32(1))
            lane += 1
        base += WARP
    target = (o * size + k) * inner
    for n in range(COLUMNS):
        if first + n * WARP < inner:
            y[target + first + n * WARP] = sums[n]
