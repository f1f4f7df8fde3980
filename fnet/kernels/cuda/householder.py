"""Orthogonal triangular factors by reflections, a block of threads for a matrix; see `fnet.kernels.cpu.householder`.

Threads share the rows of the column that becomes a reflector, then the columns that it reflects.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.arithmetic import sqrt
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_max, row_sum

THREADS = 256


@device_function
def _reflector(x, at, j, m, n, shared):
    """Make column j of x the vector of its reflection; returns tau."""
    zero = x.dtype.type(0)
    scale, squares = zero, zero
    i = j + cuda.threadIdx.x
    while i < m:
        scale = max(scale, abs(x[at + i * n + j]))
        i += cuda.blockDim.x
    scale = row_max(scale, shared)
    if not scale > zero:
        scale = x.dtype.type(1)
    i = j + 1 + cuda.threadIdx.x
    while i < m:
        part = x[at + i * n + j] / scale
        squares += part * part
        i += cuda.blockDim.x
    squares = row_sum(squares, shared)
    first = x[at + j * n + j]
    cuda.syncthreads()
    tau = zero
    if squares != zero:
        ratio = first / scale
        left = scale * sqrt(ratio * ratio + squares)
        if not first < zero:
            left = -left
        i = j + 1 + cuda.threadIdx.x
        while i < m:
            x[at + i * n + j] = x[at + i * n + j] / (first - left)
            i += cuda.blockDim.x
        if cuda.threadIdx.x == 0:
            x[at + j * n + j] = left
        tau = (left - first) / left
    cuda.syncthreads()
    return tau


@device_function
def _reflect(x, at, width, begin, reflectors, of, j, m, n, tau):
    """Reflection j, which lies from `of` on, of the columns of x from `begin` on: a thread has a column."""
    c = begin + cuda.threadIdx.x
    while c < width:
        product = x[at + j * width + c]
        for i in range(j + 1, m):
            product += reflectors[of + i * n + j] * x[at + i * width + c]
        product *= tau
        x[at + j * width + c] -= product
        for i in range(j + 1, m):
            x[at + i * width + c] -= product * reflectors[of + i * n + j]
        c += cuda.blockDim.x
    cuda.syncthreads()


@kernel(threads=THREADS)
def qr(a, q, r, work, m, n, width):
    """``q r = a``: a: (matrices, m, n) with m >= n, q: (matrices, m, width), r: (matrices, width, n), width: n or m.

    work: (matrices, m n + n) of scratch memory. A block has a matrix.
    """
    shared = cuda.shared.array(WARPS, a.dtype)
    t, threads, matrix = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
    at, of, q_at, r_at = matrix * m * n, matrix * (m * n + n), matrix * m * width, matrix * width * n
    zero, one = a.dtype.type(0), a.dtype.type(1)
    p = t
    while p < m * n:
        work[of + p] = a[at + p]
        p += threads
    cuda.syncthreads()
    for j in range(n):
        tau = _reflector(work, of, j, m, n, shared)
        if t == 0:
            work[of + m * n + j] = tau
        _reflect(work, of, n, j + 1, work, of, j, m, n, tau)
    p = t
    while p < width * n:
        r[r_at + p] = work[of + p] if p % n >= p // n else zero
        p += threads
    p = t
    while p < m * width:
        q[q_at + p] = one if p % width == p // width else zero
        p += threads
    cuda.syncthreads()
    for j in range(n - 1, -1, -1):
        _reflect(q, q_at, width, j, work, of, j, m, n, work[of + m * n + j])
