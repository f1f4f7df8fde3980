"""Positions of extremes along the rows of a matrix; the first wins a tie, and NaN counts as extreme.

A row is the work of a warp, or of a block.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.kernel import DeviceFunction, Kernel, cuda, kernel
from fnet.kernels.cuda.runtime.places import first_places, is_larger, is_smaller
from fnet.kernels.cuda.runtime.rows import WARPS, row_of_thread

THREADS = 256


def _first_in_order(name: str, before: DeviceFunction) -> Kernel:
    """The kernel that writes the place of the element of each row which comes before all others."""
    _, _, of_row = first_places(before)

    def first_in_order(x, y, rows, cols):
        shared = cuda.shared.array(WARPS, y.dtype)
        row = row_of_thread()
        if row < rows:
            first = row * cols
            place = cuda.threadIdx.x if cuda.threadIdx.x < cols else cols - cols
            best, j = x[first + place], place + cuda.blockDim.x
            while j < cols:
                value = x[first + j]
                if before(value, best):
                    best, place = value, j
                j += cuda.blockDim.x
            place = of_row(x, first, place, shared)
            if cuda.threadIdx.x == 0:
                y[row] = place

    first_in_order.__name__ = first_in_order.__qualname__ = name
    first_in_order.__doc__ = f"``y[r] = {name}_c x[r, c]`` for x: (rows, cols) row-major, y: (rows,) int64."
    return kernel(first_in_order, threads=THREADS)


argmax = _first_in_order("argmax", is_larger)
argmin = _first_in_order("argmin", is_smaller)
