"""Solution of a symmetric positive definite system through ``A = L L^T``, block by block of columns.

A block first loses what the columns before it contribute, one matrix product, and is then factored row by row.
One thread does it all. Source: Golub and Van Loan, Matrix Computations, algorithms 4.2.2 and 3.1.1.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fnet.kernels.cpu.product import LINEAR, product, product_workspace
from fnet.kernels.cpu.row_passes import combine_row, row_dot
from fnet.kernels.cpu.simd import at
from fnet.kernels.cpu.tiles import FROM_C
from fnet.kernels.policy import kernel

BLOCK = 32  # columns


def cholesky_workspace(n: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `cholesky` needs.

    >>> cholesky_workspace(0, "float32")
    0
    """
    return BLOCK * n + max(
        (product_workspace(n - j, min(BLOCK, n - j), j, dtype) for j in range(0, n, BLOCK)), default=0
    )


@kernel
def cholesky(a, factor, work, n):
    """The lower triangle of `factor` becomes L, of which ``L L^T = A``; only the lower triangle of a: (n, n) is read.

    A pivot that is not above ``n eps a[i, i]`` is NaN, as is all that follows from it: A is then not positive definite,
    or so close to singular that rounding decides.
    """
    tiny = n * np.finfo(a.dtype).eps
    for i in range(n):
        for j in range(i + 1):
            factor[i * n + j] = a[i * n + j]
    for first in range(0, n, BLOCK):
        size = min(BLOCK, n - first)
        if first > 0:
            for j in range(size):
                for p in range(first):
                    work[j * first + p] = -factor[(first + j) * n + p]
            block = at(factor, first * n + first)
            product(
                at(factor, first * n), at(work, 0), block, block, at(work, BLOCK * n),
                n - first, size, first, n, 1, 1, first, n, FROM_C, LINEAR,
            )  # fmt: skip
        for i in range(first, n):
            row = at(factor, i * n + first)
            for j in range(first, min(i + 1, first + size)):
                left = factor[i * n + j]
                if j > first:
                    left -= row_dot(row, at(factor, j * n + first), j - first)
                if j < i:
                    factor[i * n + j] = left / factor[j * n + j]
                else:
                    factor[i * n + j] = math.sqrt(left) if left > tiny * abs(a[i * n + i]) else np.nan


@kernel
def solve_positive(a, b, x, factor, work, n):
    """``x = A^-1 b``, x: (n,), NaN throughout where A is not positive definite; factor: (n, n), see `cholesky`."""
    cholesky(a, factor, work, n)
    for i in range(n):
        left = b[i]
        if i > 0:
            left -= row_dot(at(factor, i * n), at(x, 0), i)
        x[i] = left / factor[i * n + i]
    for i in range(n - 1, -1, -1):
        x[i] /= factor[i * n + i]
        if i > 0:
            combine_row(at(x, 0), at(factor, i * n), at(x, 0), a.dtype.type(1), x[i], i)
