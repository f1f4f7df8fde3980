"""Places in an order: where a number falls among sorted edges, and the largest elements of a row."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, kernel
from fnet.kernels.cuda.runtime.places import first_places, is_larger
from fnet.kernels.cuda.runtime.rows import WARP, WARPS, row_of_thread

_of_two, _of_warp, _of_row = first_places(is_larger)


@kernel(threads=256)
def searchsorted(edges, x, y, edge_count, count, right):
    """``y[i]``: how many of the sorted edges are below x[i] (or equal to it, if `right`); all of them for NaN."""
    i = cuda.grid(1)
    while i < count:
        value = x[i]
        low, high = 0, edge_count
        while low < high:
            middle = (low + high) >> 1
            edge = edges[middle]
            if (edge <= value if right else edge < value) or value != value:
                low = middle + 1
            else:
                high = middle
        y[i] = low
        i += cuda.gridsize(1)


@kernel(threads=256)
def top_k(x, y, rows, columns, k):
    """y: (rows, k), the columns of the k largest elements of each row of x: (rows, columns), the largest first.

    NaN comes first of all, the first of equals first. A warp or a block takes a row. A thread has a share of it, and
    knows the first in order of what is left there; where that is taken, its warp looks through the share again.
    """
    shared = cuda.shared.array(WARPS, y.dtype)
    row = row_of_thread()
    if row < rows:
        first, here, threads = row * columns, np.int64(cuda.threadIdx.x), np.int64(cuda.blockDim.x)
        place, j = np.int64(-1), here
        while j < columns:
            place = _of_two(x, first, place, j)
            j += threads
        for n in range(k):
            taken = _of_row(x, first, place, shared)
            if here == 0:
                y[row * k + n] = taken
            owner = taken % threads
            if owner // WARP == here // WARP:
                left, j = np.int64(-1), owner + here % WARP * threads
                while j < columns:
                    if j != taken and _of_two(x, first, taken, j) == taken:
                        left = _of_two(x, first, left, j)
                    j += WARP * threads
                left = _of_warp(x, first, left)
                place = left if here == owner else place
