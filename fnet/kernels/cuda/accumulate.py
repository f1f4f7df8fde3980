"""Running sums along rows, and sums of weights by index, in an order that does not depend on the card.

Lanes exchange numbers in shared memory, which takes those of any type.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARP, row_of_thread

THREADS = 256


@kernel(threads=THREADS)
def cumsum(x, zero, y, rows, columns, backwards):
    """``y[r, c] = x[r, 0] + ... + x[r, c]``, from the end if `backwards`, added up in the type of ``zero[0]``.

    A warp takes a row, 32 elements at a time: each lane adds up what is before it among them.
    """
    shared = cuda.shared.array(THREADS, zero.dtype)
    row, lane, first = row_of_thread(), cuda.threadIdx.x, cuda.threadIdx.y * WARP
    if row < rows:
        total = zero[0]
        base = 0
        while base < columns:
            i = base + lane
            place = row * columns + (columns - 1 - i if backwards else i)
            value = zero[0]
            if i < columns:
                value += x[place]
            step = 1
            while step < WARP:
                shared[first + lane] = value
                cuda.syncwarp()
                if lane >= step:
                    value += shared[first + lane - step]
                cuda.syncwarp()
                step <<= 1
            value += total
            if i < columns:
                y[place] = value
            shared[first + lane] = value
            cuda.syncwarp()
            total = shared[first + WARP - 1]
            cuda.syncwarp()
            base += WARP


@kernel(threads=THREADS)
def bincount(index, weights, y, count, length):
    """``y[k] = sum of weights[i] where index[i] = k``; an index outside [0, length) is left out.

    A warp takes a number k, and looks at all indices; of many see `sum_bins`.
    """
    shared = cuda.shared.array(THREADS, y.dtype)
    k, lane, first = row_of_thread(), cuda.threadIdx.x, cuda.threadIdx.y * WARP
    if k < length:
        total = y.dtype.type(0)
        i = lane
        while i < count:
            if index[i] == k:
                total += weights[i]
            i += WARP
        shared[first + lane] = total
        cuda.syncwarp()
        if lane == 0:
            for j in range(1, WARP):
                total += shared[first + j]
            y[k] = total


@device_function
def _first_place(keys, count, key):
    """How many of the sorted keys are below this one."""
    low, high = np.int64(0), np.int64(count)
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@kernel(threads=THREADS)
def sum_bins(keys, order, weights, y, count):
    """``y[k] = sum of weights[order[i]] where keys[i] = k``, for sorted keys; a block takes a number k.

    A thread adds up four sums, whose weights are so far apart that it can wait for all at once.
    """
    shared = cuda.shared.array(THREADS, y.dtype)
    k, threads, t = cuda.blockIdx.x, cuda.blockDim.x, cuda.threadIdx.x
    end, zero = _first_place(keys, count, k + 1), y.dtype.type(0)
    i = _first_place(keys, count, k) + t
    a, b, c, d = zero, zero, zero, zero
    while i + 3 * threads < end:
        places = order[i], order[i + threads], order[i + 2 * threads], order[i + 3 * threads]
        a += weights[places[0]]
        b += weights[places[1]]
        c += weights[places[2]]
        d += weights[places[3]]
        i += 4 * threads
    while i < end:
        a += weights[order[i]]
        i += threads
    shared[t] = (a + b) + (c + d)
    cuda.syncthreads()
    step = threads >> 1
    while step > 0:
        if t < step:
            shared[t] += shared[t + step]
        cuda.syncthreads()
        step >>= 1
    if t == 0:
        y[k] = shared[0]
