"""Running sums along rows, and sums of weights by index, in an order that does not depend on the card.

Lanes exchange numbers in shared memory, which takes those of any type.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.kernel import cuda, kernel
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

    A warp takes a number k, and looks at all indices.
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
