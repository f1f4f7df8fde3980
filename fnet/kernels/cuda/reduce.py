"""Positions of extremes along the rows of a matrix; the first wins a tie, and NaN counts as extreme.

A row is the work of a warp, or of a block. Threads exchange places, so elements may be of any type.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import ALL, WARP, WARPS, row_of_thread

THREADS = 256


@kernel(threads=THREADS)
def argmax(x, y, rows, cols):
    """``y[r] = argmax_c x[r, c]`` for x: (rows, cols) row-major, y: (rows,) int64."""
    shared = cuda.shared.array(WARPS, y.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * cols
        place = _any_place(cols)
        j = cuda.threadIdx.x
        while j < cols:
            place = _larger(x, first, place, j)
            j += cuda.blockDim.x
        step = WARP // 2
        while step > 0:
            place = _larger(x, first, place, cuda.shfl_xor_sync(ALL, place, step))
            step >>= 1
        if cuda.blockDim.x > WARP:
            if cuda.threadIdx.x % WARP == 0:
                shared[cuda.threadIdx.x // WARP] = place
            cuda.syncthreads()
            for warp in range(cuda.blockDim.x // WARP):
                place = _larger(x, first, place, shared[warp])
        if cuda.threadIdx.x == 0:
            y[row] = place


@kernel(threads=THREADS)
def argmin(x, y, rows, cols):
    """``y[r] = argmin_c x[r, c]`` for x: (rows, cols) row-major, y: (rows,) int64."""
    shared = cuda.shared.array(WARPS, y.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * cols
        place = _any_place(cols)
        j = cuda.threadIdx.x
        while j < cols:
            place = _smaller(x, first, place, j)
            j += cuda.blockDim.x
        step = WARP // 2
        while step > 0:
            place = _smaller(x, first, place, cuda.shfl_xor_sync(ALL, place, step))
            step >>= 1
        if cuda.blockDim.x > WARP:
            if cuda.threadIdx.x % WARP == 0:
                shared[cuda.threadIdx.x // WARP] = place
            cuda.syncthreads()
            for warp in range(cuda.blockDim.x // WARP):
                place = _smaller(x, first, place, shared[warp])
        if cuda.threadIdx.x == 0:
            y[row] = place


@device_function
def _any_place(cols):
    """A place from which a thread can begin, its own if it has one."""
    return cuda.threadIdx.x if cuda.threadIdx.x < cols else cols - cols


@device_function
def _larger(x, first, place, other):
    """Which of two places holds the larger element."""
    a, b = x[first + place], x[first + other]
    same = a == b or (a != a and b != b)
    return other if b > a or (b != b and a == a) or (same and other < place) else place


@device_function
def _smaller(x, first, place, other):
    """Which of two places holds the smaller element."""
    a, b = x[first + place], x[first + other]
    same = a == b or (a != a and b != b)
    return other if b < a or (b != b and a == a) or (same and other < place) else place
