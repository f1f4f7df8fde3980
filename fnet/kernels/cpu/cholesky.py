"""Solution of a symmetric positive definite system through ``A = L L^T``, block by block of columns.

A block first loses what the columns before it contribute, one matrix product. Its square on the diagonal is factored,
transposed, by eliminating row after row; the rows below are solved for with it, as lanes of transposed tiles. Bands of
rows are shared among threads. Source: Golub and Van Loan, Matrix Computations, algorithms 4.2.2 and 3.1.1.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fnet.activation_codes import LINEAR
from fnet.kernels.cpu.product import ROWS, pack_panels, packed_size, product_packed
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.triangular import solve_rows
from fnet.kernels.cpu.vector.row_passes import combine_row, row_dot, scale_row, subtract_row
from fnet.kernels.cpu.vector.row_tiles import COLUMNS
from fnet.kernels.cpu.vector.simd import at, lanes
from fnet.kernels.cpu.vector.tiles import FROM_C
from fnet.kernels.policy import kernel, scalar

BLOCK = COLUMNS  # columns
BAND = 8 * ROWS  # rows of a task


def cholesky_workspace(n: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `cholesky` needs.

    >>> cholesky_workspace(0, "float32")
    1056
    """
    return BLOCK * BLOCK + BLOCK + packed_size(BLOCK, n, dtype)


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
    square, reciprocals, packed = at(work, 0), at(work, BLOCK * BLOCK), at(work, BLOCK * BLOCK + BLOCK)
    for first in range(0, n, BLOCK):
        size = min(BLOCK, n - first)
        below = n - first - size
        rows, corner = at(factor, first * n), at(factor, first * n + first)
        if first > 0:
            pack_panels(rows, packed, size, first, 1, n)
            for p in range(packed_elements(size, first, lanes(packed))):
                packed[p] = -packed[p]
            product_packed(rows, packed, corner, corner, size, size, first, first, n, 1, n, FROM_C, LINEAR)
        _factor_square(corner, at(a, first * n + first), square, reciprocals, n, size, tiny)
        threads = threads_for(below * size * (first + size) // (4 * lanes(packed)))
        parallel_for(
            _solve_band, -(-below // BAND), threads, at(factor, (first + size) * n), corner, packed, reciprocals, n,
            first, size, below,
        )  # fmt: skip


@scalar
def packed_elements(n, k, lanes):
    """The elements that `pack_panels` writes for columns n and rows k."""
    return (n + 2 * lanes - 1) // (2 * lanes) * 2 * lanes * ((k + lanes - 1) // lanes * lanes)


@scalar
def _factor_square(corner, a, square, reciprocals, n, size, tiny):
    """Replace the lower triangle of the square at `corner` by its factor L; `square` becomes ``L^T``."""
    for i in range(size):
        for j in range(i + 1):
            square[j * BLOCK + i] = corner[i * n + j]
    for j in range(size):
        row = at(square, j * BLOCK)
        pivot = row[j]
        root = math.sqrt(pivot) if pivot > tiny * abs(a[j * n + j]) else np.nan
        reciprocals[j] = 1 / root
        row[j] = root
        scale_row(at(row, j + 1), at(row, j + 1), reciprocals[j], size - j - 1)
        for i in range(j + 1, size):
            other = at(square, i * BLOCK + i)
            subtract_row(at(row, i), other, row[i], size - i)
    for i in range(size):
        for j in range(i + 1):
            corner[i * n + j] = square[j * BLOCK + i]


@kernel
def _solve_band(task, rows, corner, packed, reciprocals, n, first, size, below):
    """Rows of L below the square at `corner`, which lies `first` columns behind the left edge."""
    start = task * BAND
    count = min(BAND, below - start)
    left, block = at(rows, start * n), at(rows, start * n + first)
    if first > 0:
        product_packed(left, packed, block, block, count, size, first, first, n, 1, n, FROM_C, LINEAR)
    solve_rows(block, corner, reciprocals, n, size, count)


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


@kernel
def factors(a, y, work, matrices, n):
    """``y``: the factors of matrices, zeros above their diagonals; a, y: (matrices, n, n). NaN throughout as above."""
    for m in range(matrices):
        factor = y[m * n * n : (m + 1) * n * n]
        cholesky(a[m * n * n : (m + 1) * n * n], factor, work, n)
        for i in range(n):
            for j in range(i + 1, n):
                factor[i * n + j] = 0
