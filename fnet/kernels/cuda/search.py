"""Places in an order: where a number falls among sorted edges, and the largest elements of a row."""

from __future__ import annotations

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import ALL, WARP, WARPS, row_of_thread


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

    A warp or a block takes a row, and goes over it once for each of the k: NaN first, the first of equals first.
    """
    shared = cuda.shared.array(WARPS, y.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * columns
        last = columns - columns - 1
        for n in range(k):
            last = _next(x, first, columns, last, shared)
            if cuda.threadIdx.x == 0:
                y[row * k + n] = last


@device_function
def _next(x, first, columns, last, shared):
    """The column that comes first in order behind column `last`, or first of all where that is -1."""
    best = columns - columns - 1
    j = cuda.threadIdx.x
    while j < columns:
        if last < 0 or _before(x, first, last, j):
            best = _first_of(x, first, best, j)
        j += cuda.blockDim.x
    step = WARP // 2
    while step > 0:
        best = _first_of(x, first, best, cuda.shfl_xor_sync(ALL, best, step))
        step >>= 1
    if cuda.blockDim.x > WARP:
        if cuda.threadIdx.x % WARP == 0:
            shared[cuda.threadIdx.x // WARP] = best
        cuda.syncthreads()
        for warp in range(cuda.blockDim.x // WARP):
            best = _first_of(x, first, best, shared[warp])
        cuda.syncthreads()
    return best


@device_function
def _first_of(x, first, i, j):
    """Which of two columns comes first in order; -1 is none."""
    if i < 0 or j < 0:
        return max(i, j)
    return j if _before(x, first, j, i) else i


@device_function
def _before(x, first, i, j):
    """Whether column i comes before column j: NaN first, then the larger one, then the first of equals."""
    a, b = x[first + i], x[first + j]
    if a != a or b != b:
        return a != a and (b == b or i < j)
    return a > b or (a == b and i < j)
