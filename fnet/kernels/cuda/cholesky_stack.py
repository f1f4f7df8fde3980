"""Cholesky's factors of stacks of matrices, a block of threads for each; `cholesky` is for one system.

Columns of L lie side by side in scratch memory. A column loses what those before it contribute, a thread for a row,
then is scaled by its pivot. Source: Golub and Van Loan, Matrix Computations, algorithm 4.2.1.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.arithmetic import sqrt
from fnet.kernels.cuda.runtime.kernel import cuda, kernel

THREADS = 256
_NAN = np.float32(np.nan)


@kernel(threads=THREADS)
def factors(a, y, columns, tiny, n):
    """``y``: the factors of matrices, zeros above their diagonals; a, y, columns: (matrices, n, n).

    A pivot that is not above ``tiny[0] a[j, j]`` is NaN.
    """
    at = cuda.blockIdx.x * n * n
    for j in range(n):
        i = j + cuda.threadIdx.x
        while i < n:
            value = a[at + i * n + j]
            for k in range(j):
                value -= columns[at + k * n + i] * columns[at + k * n + j]
            columns[at + j * n + i] = value
            i += cuda.blockDim.x
        cuda.syncthreads()
        pivot = columns[at + j * n + j]
        root = sqrt(pivot) if pivot > tiny[0] * abs(a[at + j * n + j]) else a.dtype.type(_NAN)
        cuda.syncthreads()
        i = j + cuda.threadIdx.x
        while i < n:
            columns[at + j * n + i] = root if i == j else columns[at + j * n + i] / root
            i += cuda.blockDim.x
        cuda.syncthreads()
    p = cuda.threadIdx.x
    while p < n * n:
        i, j = p // n, p % n
        y[at + p] = columns[at + j * n + i] if j <= i else a.dtype.type(0)
        p += cuda.blockDim.x
