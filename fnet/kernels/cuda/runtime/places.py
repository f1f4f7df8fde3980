"""Which element of a row comes first in an order, among the threads that share the row (`runtime.rows`).

Threads exchange places, so elements may be of any type. A place of -1 is none; the first of equal elements is taken.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.kernel import DeviceFunction, cuda, device_function
from fnet.kernels.cuda.runtime.rows import ALL, WARP


@device_function
def is_larger(a, b):
    """The order of numbers from the largest on, NaN first of all."""
    return a > b or (a != a and b == b)


@device_function
def is_smaller(a, b):
    """The order of numbers from the smallest on, NaN first of all."""
    return a < b or (a != a and b == b)


def first_places(before: DeviceFunction) -> tuple[DeviceFunction, DeviceFunction, DeviceFunction]:
    """For an order, ``before(a, b)``: functions that give the first of two places, of a warp's, and of a row's.

    They take x, where the row begins in it, and places: ``of_two(x, first, i, j)``, ``of_warp(x, first, place)`` and
    ``of_row(x, first, place, shared)`` with `rows.WARPS` int64 numbers of shared memory. All threads must come.
    """

    @device_function
    def of_two(x, first, i, j):
        if i < 0 or j < 0:
            return max(i, j)
        a, b = x[first + i], x[first + j]
        return j if before(b, a) or (j < i and not before(a, b)) else i

    @device_function
    def of_warp(x, first, place):
        step = WARP // 2
        while step > 0:
            place = of_two(x, first, place, cuda.shfl_xor_sync(ALL, place, step))
            step >>= 1
        return place

    @device_function
    def of_row(x, first, place, shared):
        place = of_warp(x, first, place)
        if cuda.blockDim.x > WARP:
            if cuda.threadIdx.x % WARP == 0:
                shared[cuda.threadIdx.x // WARP] = place
            cuda.syncthreads()
            place = shared[0]
            for warp in range(1, cuda.blockDim.x // WARP):
                place = of_two(x, first, place, shared[warp])
            cuda.syncthreads()
        return place

    return of_two, of_warp, of_row
