"""Eigenvalues and eigenvectors of symmetric matrices by Jacobi's rotations, one matrix after another.

Sweeps go over all pairs, row by row, until no element besides the diagonal is larger than rounding.
Source: Golub and Van Loan, Matrix Computations, algorithm 8.5.3.
"""

from __future__ import annotations

import math

from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar

SWEEPS = 40  # at most: about ten are enough


@scalar
def _turn_rows(x, i, j, n, cosine, sine):
    for k in range(n):
        first, second = x[i * n + k], x[j * n + k]
        x[i * n + k] = cosine * first - sine * second
        x[j * n + k] = sine * first + cosine * second


@scalar
def _rotate(x, vectors, i, j, n):
    """Make element (i, j) of the symmetric x zero by a rotation, which the rows of `vectors` take part in."""
    pivot, low, high = x[i * n + j], x[i * n + i], x[j * n + j]
    ratio = (high - low) / (2.0 * pivot)
    tangent = math.copysign(1.0, ratio) / (abs(ratio) + math.sqrt(1.0 + ratio * ratio))
    cosine = 1.0 / math.sqrt(1.0 + tangent * tangent)
    sine = tangent * cosine
    _turn_rows(x, i, j, n, cosine, sine)
    _turn_rows(vectors, i, j, n, cosine, sine)
    x[i * n + i], x[j * n + j] = low - tangent * pivot, high + tangent * pivot
    x[i * n + j] = x[j * n + i] = 0
    for k in range(n):
        x[k * n + i], x[k * n + j] = x[i * n + k], x[j * n + k]


@kernel
def _eigh_one(task, a, values, vectors, work, tiny, n):
    values, vectors = at(values, task * n), at(vectors, task * n * n)
    x, rows = at(work, task * 2 * n * n), at(work, task * 2 * n * n + n * n)
    largest = 0.0
    for p in range(n * n):
        x[p] = a[task * n * n + p]
        rows[p] = 1 if p // n == p % n else 0
        size = abs(x[p])
        if size > largest or size != size:
            largest = size
    if not largest < math.inf:
        for p in range(n * n):
            vectors[p] = math.nan
        for i in range(n):
            values[i] = math.nan
        return
    least = tiny[0] * largest
    for _ in range(SWEEPS):
        turned = False
        for i in range(n):
            for j in range(i + 1, n):
                if abs(x[i * n + j]) > least:
                    _rotate(x, rows, i, j, n)
                    turned = True
        if not turned:
            break
    for i in range(n):
        value, place = x[i * n + i], 0
        for j in range(n):
            other = x[j * n + j]
            place += other < value or (other == value and j < i)
        values[place] = value
        for k in range(n):
            vectors[k * n + place] = rows[i * n + k]


@kernel
def eigh(a, values, vectors, work, tiny, matrices, n):
    """``a v = v diag(values)``, values ascending: a, vectors: (matrices, n, n), values: (matrices, n).

    work: (matrices, 2 n n) of scratch memory, tiny: the rounding unit. Infinite elements and NaN give NaN alone.
    """
    threads = threads_for(matrices * n * n * n * 8)
    parallel_for(_eigh_one, matrices, threads, a, values, vectors, work, tiny, n)
