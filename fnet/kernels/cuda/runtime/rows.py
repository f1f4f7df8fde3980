"""Sums and maxima over the lanes of a warp, and over the threads of a block that share a row.

The threads of a row are those of one ``threadIdx.y``: a warp or 2, 4, 8 or 16 of its lanes, with other rows beside them
in the block, or all of a block of one row. Every thread gets the result, the same bits. All of a warp must come.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.kernel import cuda, device_function

WARP = 32
WARPS = 16  # of a block, at most: elements of the shared array that a row of several warps needs
ALL = 0xFFFFFFFF


@device_function
def warp_sum(value):
    """The sum over the lanes of a warp that share a row."""
    step = WARP // 2
    while step > 0:
        if step < cuda.blockDim.x:
            value += cuda.shfl_xor_sync(ALL, value, step)
        step >>= 1
    return value


@device_function
def warp_max(value):
    """The largest over the lanes of a warp that share a row; a NaN counts only where all are NaN."""
    step = WARP // 2
    while step > 0:
        if step < cuda.blockDim.x:
            other = cuda.shfl_xor_sync(ALL, value, step)
            value = other if other > value or value != value else value
        step >>= 1
    return value


@device_function
def row_sum(value, shared):
    """The sum over the threads of a row; shared: `WARPS` elements."""
    value = warp_sum(value)
    if cuda.blockDim.x > WARP:
        if cuda.threadIdx.x % WARP == 0:
            shared[cuda.threadIdx.x // WARP] = value
        cuda.syncthreads()
        value = shared[0]
        for warp in range(1, cuda.blockDim.x // WARP):
            value += shared[warp]
        cuda.syncthreads()
    return value


@device_function
def row_max(value, shared):
    """The largest over the threads of a row, as by `warp_max`; shared: `WARPS` elements."""
    value = warp_max(value)
    if cuda.blockDim.x > WARP:
        if cuda.threadIdx.x % WARP == 0:
            shared[cuda.threadIdx.x // WARP] = value
        cuda.syncthreads()
        value = shared[0]
        for warp in range(1, cuda.blockDim.x // WARP):
            other = shared[warp]
            value = other if other > value or value != value else value
        cuda.syncthreads()
    return value


@device_function
def row_of_thread():
    """The number of the row whose threads this one belongs to."""
    return cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
