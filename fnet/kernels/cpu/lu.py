"""Elimination with row exchanges: solutions and determinants of square matrices, one after another.

The row whose element is largest becomes the next pivot. Source: Golub and Van Loan, Matrix Computations, algorithm
3.4.1.
"""

from __future__ import annotations

import math

from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.row_passes import subtract_row
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar


@scalar
def _pivot_row(factor, j, n):
    """The row, j or a later one, whose element in column j is largest."""
    row, largest = j, abs(factor[j * n + j])
    for i in range(j + 1, n):
        size = abs(factor[i * n + j])
        if size > largest:
            row, largest = i, size
    return row


@scalar
def _exchange(x, i, j, width):
    """Exchange two rows."""
    for c in range(width):
        x[i * width + c], x[j * width + c] = x[j * width + c], x[i * width + c]


@kernel
def _solve_one(task, a, b, x, factors, n, k):
    factor, x = at(factors, task * n * n), at(x, task * n * k)
    for p in range(n * n):
        factor[p] = a[task * n * n + p]
    for p in range(n * k):
        x[p] = b[task * n * k + p]
    for j in range(n):
        row = _pivot_row(factor, j, n)
        if row != j:
            _exchange(factor, row, j, n)
            _exchange(x, row, j, k)
        for i in range(j + 1, n):
            share = factor[i * n + j] / factor[j * n + j]
            subtract_row(at(factor, j * n + j + 1), at(factor, i * n + j + 1), share, n - j - 1)
            subtract_row(at(x, j * k), at(x, i * k), share, k)
    for j in range(n - 1, -1, -1):
        for c in range(k):
            x[j * k + c] /= factor[j * n + j]
        for i in range(j):
            subtract_row(at(x, j * k), at(x, i * k), factor[i * n + j], k)


@kernel
def solve(a, b, x, factors, matrices, n, k):
    """``x = a^-1 b``: a, factors: (matrices, n, n), b, x: (matrices, n, k)."""
    threads = threads_for(matrices * n * n * (n + 3 * k) // 8)
    parallel_for(_solve_one, matrices, threads, a, b, x, factors, n, k)


@kernel
def _slogdet_one(task, a, sign, size, factors, n):
    factor = at(factors, task * n * n)
    for p in range(n * n):
        factor[p] = a[task * n * n + p]
    sign[task], size[task] = 1, 0
    for j in range(n):
        row = _pivot_row(factor, j, n)
        if row != j:
            _exchange(factor, row, j, n)
            sign[task] = -sign[task]
        pivot = factor[j * n + j]
        if pivot == 0:
            sign[task], size[task] = 0, -math.inf
            return
        sign[task] = -sign[task] if pivot < 0 else (sign[task] if pivot == pivot else pivot)
        size[task] += math.log(abs(pivot))
        for i in range(j + 1, n):
            share = factor[i * n + j] / pivot
            subtract_row(at(factor, j * n + j + 1), at(factor, i * n + j + 1), share, n - j - 1)


@kernel
def slogdet(a, sign, size, factors, matrices, n):
    """The sign of determinants, and the logarithm of their sizes: a, factors: (matrices, n, n)."""
    parallel_for(_slogdet_one, matrices, threads_for(matrices * n * n * n // 8), a, sign, size, factors, n)


@kernel
def _triangular_one(task, a, b, x, n, k, lower):
    a, x = at(a, task * n * n), at(x, task * n * k)
    for p in range(n * k):
        x[p] = b[task * n * k + p]
    for step in range(n):
        j = step if lower else n - 1 - step
        for c in range(k):
            x[j * k + c] /= a[j * n + j]
        for i in range(j + 1 if lower else 0, n if lower else j):
            subtract_row(at(x, j * k), at(x, i * k), a[i * n + j], k)


@kernel
def solve_triangular(a, b, x, matrices, n, k, lower):
    """``x = a^-1 b`` where only the lower or the upper triangle of a is read; shapes as in `solve`."""
    parallel_for(_triangular_one, matrices, threads_for(matrices * n * n * k // 4), a, b, x, n, k, lower)
