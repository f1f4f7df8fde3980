"""Elimination with row exchanges, a block of threads for a matrix; see `fnet.kernels.cpu.lu`.

Threads share the rows below a pivot, and what is right of it, whatever its row.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.scalars import log

THREADS = 256


@device_function
def _find_pivot(factor, at, j, n, sizes, rows):
    """``rows[0]`` becomes the row, j or a later one, whose element in column j is largest, the first of equals."""
    here, row = cuda.threadIdx.x, -1
    largest = factor.dtype.type(-1)
    i = j + here
    while i < n:
        size = abs(factor[at + i * n + j])
        if row < 0 or size > largest:
            row, largest = i, size
        i += cuda.blockDim.x
    sizes[here], rows[here] = largest, row
    cuda.syncthreads()
    if here == 0:
        best = 0
        for t in range(1, min(cuda.blockDim.x, n - j)):
            if sizes[t] > sizes[best] or (sizes[t] == sizes[best] and rows[t] < rows[best]):
                best = t
        rows[0] = rows[best]
    cuda.syncthreads()


@device_function
def _exchange(x, at, i, j, width):
    """Exchange two rows."""
    c = cuda.threadIdx.x
    while c < width:
        kept = x[at + i * width + c]
        x[at + i * width + c] = x[at + j * width + c]
        x[at + j * width + c] = kept
        c += cuda.blockDim.x
    cuda.syncthreads()


@device_function
def _copy(source, target, at, count):
    p = cuda.threadIdx.x
    while p < count:
        target[at + p] = source[at + p]
        p += cuda.blockDim.x
    cuda.syncthreads()


@device_function
def _shares(factor, at, j, n):
    """What each row below the pivot loses of its row."""
    i = j + 1 + cuda.threadIdx.x
    while i < n:
        factor[at + i * n + j] = factor[at + i * n + j] / factor[at + j * n + j]
        i += cuda.blockDim.x
    cuda.syncthreads()


@device_function
def _eliminate(factor, factor_at, x, at, first, width, begin, end, j, n):
    """Rows from begin to end lose their shares, in column j of `factor`, of row j of x, from its column `first` on."""
    wide, p = np.uint32(width - first), np.uint32(cuda.threadIdx.x)
    count = np.uint32((end - begin) * (width - first))
    while p < count:
        row = np.uint32(p // wide)  # a division of 64 bits takes longer than all else here
        i, c = begin + np.int64(row), first + np.int64(np.uint32(p - row * wide))
        x[at + i * width + c] -= factor[factor_at + i * n + j] * x[at + j * width + c]
        p = np.uint32(p + cuda.blockDim.x)
    cuda.syncthreads()


@device_function
def _divide(factor, factor_at, x, at, j, n, k):
    """Row j of x over its pivot."""
    c = cuda.threadIdx.x
    while c < k:
        x[at + j * k + c] = x[at + j * k + c] / factor[factor_at + j * n + j]
        c += cuda.blockDim.x
    cuda.syncthreads()


@kernel(threads=THREADS)
def solve(a, b, x, factor, n, k):
    """``x = a^-1 b``: a, factor: (matrices, n, n), b, x: (matrices, n, k); a block for each matrix."""
    sizes = cuda.shared.array(THREADS, a.dtype)
    rows = cuda.shared.array(THREADS, np.int64)
    at, x_at = cuda.blockIdx.x * n * n, cuda.blockIdx.x * n * k
    _copy(a, factor, at, n * n)
    _copy(b, x, x_at, n * k)
    for j in range(n):
        _find_pivot(factor, at, j, n, sizes, rows)
        row = rows[0]
        if row != j:
            _exchange(factor, at, row, j, n)
            _exchange(x, x_at, row, j, k)
        cuda.syncthreads()
        _shares(factor, at, j, n)
        _eliminate(factor, at, factor, at, j + 1, n, j + 1, n, j, n)
        _eliminate(factor, at, x, x_at, 0, k, j + 1, n, j, n)
    for j in range(n - 1, -1, -1):
        _divide(factor, at, x, x_at, j, n, k)
        _eliminate(factor, at, x, x_at, 0, k, 0, j, j, n)


@kernel(threads=THREADS)
def slogdet(a, sign, size, factor, n):
    """The sign of determinants, and the logarithm of their sizes: a, factor: (matrices, n, n)."""
    sizes = cuda.shared.array(THREADS, a.dtype)
    rows = cuda.shared.array(THREADS, np.int64)
    matrix = cuda.blockIdx.x
    at = matrix * n * n
    _copy(a, factor, at, n * n)
    own_sign, own_size = a.dtype.type(1), a.dtype.type(0)
    for j in range(n):
        _find_pivot(factor, at, j, n, sizes, rows)
        row = rows[0]
        if row != j:
            _exchange(factor, at, row, j, n)
            own_sign = -own_sign
        cuda.syncthreads()
        pivot = factor[at + j * n + j]
        if pivot == 0:
            own_sign = a.dtype.type(0)
        elif pivot != pivot:
            own_sign = pivot
        elif pivot < 0:
            own_sign = -own_sign
        own_size += log(abs(pivot))
        if pivot == 0:
            break
        _shares(factor, at, j, n)
        _eliminate(factor, at, factor, at, j + 1, n, j + 1, n, j, n)
    if cuda.threadIdx.x == 0:
        sign[matrix], size[matrix] = own_sign, own_size


@kernel(threads=THREADS)
def solve_triangular(a, b, x, n, k, lower):
    """``x = a^-1 b`` where only the lower or the upper triangle of a is read; shapes as in `solve`."""
    at, x_at = cuda.blockIdx.x * n * n, cuda.blockIdx.x * n * k
    _copy(b, x, x_at, n * k)
    for step in range(n):
        j = step if lower else n - 1 - step
        _divide(a, at, x, x_at, j, n, k)
        _eliminate(a, at, x, x_at, 0, k, j + 1 if lower else 0, n if lower else j, j, n)
