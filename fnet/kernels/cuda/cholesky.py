"""Solution of a symmetric positive definite system through ``A = L L^T``, by one block of threads.

Columns of L lie side by side in memory. A column loses what those before it contribute, a thread for a row, then is
scaled by its pivot. Source: Golub and Van Loan, Matrix Computations, algorithms 4.2.1 and 3.1.1.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.arithmetic import sqrt
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_sum

THREADS = 256
_NAN = np.float32(np.nan)


@device_function
def _factor(a, factor, tiny, n):
    """``factor[j, i] = L[i, j]`` for i >= j; a pivot that is not above ``tiny a[j, j]`` is NaN."""
    for j in range(n):
        i = j + cuda.threadIdx.x
        while i < n:
            value = a[i * n + j]
            for k in range(j):
                value -= factor[k * n + i] * factor[k * n + j]
            factor[j * n + i] = value
            i += cuda.blockDim.x
        cuda.syncthreads()
        pivot = factor[j * n + j]
        root = sqrt(pivot) if pivot > tiny * abs(a[j * n + j]) else a.dtype.type(_NAN)
        cuda.syncthreads()
        i = j + cuda.threadIdx.x
        while i < n:
            factor[j * n + i] = root if i == j else factor[j * n + i] / root
            i += cuda.blockDim.x
        cuda.syncthreads()


@kernel(threads=THREADS)
def solve_positive(a, b, x, factor, tiny, n):
    """``x = A^-1 b``, x: (n,), NaN throughout where A is not positive definite; only the lower triangle of A is read.

    factor: (n, n) of scratch memory; tiny[0]: what a pivot must exceed, as a share of the diagonal element.
    """
    shared = cuda.shared.array(WARPS, a.dtype)
    _factor(a, factor, tiny[0], n)
    i = cuda.threadIdx.x
    while i < n:
        x[i] = b[i]
        i += cuda.blockDim.x
    cuda.syncthreads()
    for j in range(n):
        solved = x[j] / factor[j * n + j]
        cuda.syncthreads()
        i = j + cuda.threadIdx.x
        while i < n:
            x[i] = solved if i == j else x[i] - factor[j * n + i] * solved
            i += cuda.blockDim.x
        cuda.syncthreads()
    for j in range(n - 1, -1, -1):
        total = a.dtype.type(0)
        i = j + 1 + cuda.threadIdx.x
        while i < n:
            total += factor[j * n + i] * x[i]
            i += cuda.blockDim.x
        total = row_sum(total, shared)
        if cuda.threadIdx.x == 0:
            x[j] = (x[j] - total) / factor[j * n + j]
        cuda.syncthreads()
