"""Orthogonal triangular factors by reflections, one matrix after another, with LAPACK's signs.

Source: Golub and Van Loan, Matrix Computations, algorithms 5.1.1 and 5.2.1.
"""

from __future__ import annotations

import math

from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.row_passes import subtract_row
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar


@scalar
def _reflector(x, j, m, n):
    """Make column j of x the vector v of its reflection ``I - tau v v^T``, below v_j = 1; returns tau.

    What the reflection leaves of the column, its norm with a sign, takes the place of v_j. A column that is zero below
    its diagonal stays as it is: tau is 0.
    """
    first = x[j * n + j]
    scale = 0.0
    for i in range(j, m):
        scale = max(scale, abs(x[i * n + j]))
    if not scale > 0:
        scale = 1.0
    squares = 0.0
    for i in range(j + 1, m):
        part = x[i * n + j] / scale
        squares += part * part
    if squares == 0:
        return 0.0
    norm = scale * math.sqrt(first / scale * (first / scale) + squares)
    left = norm if first < 0 else -norm
    for i in range(j + 1, m):
        x[i * n + j] /= first - left
    x[j * n + j] = left
    return (left - first) / left


@scalar
def _reflect(x, width, begin, reflectors, j, m, n, products, tau):
    """Reflection j of the columns of x from `begin` on; products: width elements of scratch memory."""
    count = width - begin
    for c in range(count):
        products[c] = x[j * width + begin + c]
    for i in range(j + 1, m):
        subtract_row(at(x, i * width + begin), products, -reflectors[i * n + j], count)
    for c in range(count):
        products[c] *= tau
        x[j * width + begin + c] -= products[c]
    for i in range(j + 1, m):
        subtract_row(products, at(x, i * width + begin), reflectors[i * n + j], count)


@kernel
def _qr_one(task, a, q, r, work, m, n, width):
    work = at(work, task * (m * n + n + width))
    taus, products = at(work, m * n), at(work, m * n + n)
    q, r = at(q, task * m * width), at(r, task * width * n)
    for p in range(m * n):
        work[p] = a[task * m * n + p]
    for j in range(n):
        taus[j] = _reflector(work, j, m, n)
        if j + 1 < n:
            _reflect(work, n, j + 1, work, j, m, n, products, taus[j])
    for i in range(width):
        for c in range(n):
            r[i * n + c] = work[i * n + c] if c >= i else 0
    for i in range(m):
        for c in range(width):
            q[i * width + c] = 1 if c == i else 0
    for j in range(n - 1, -1, -1):
        _reflect(q, width, j, work, j, m, n, products, taus[j])


@kernel
def qr(a, q, r, work, matrices, m, n, width):
    """``q r = a``: a: (matrices, m, n) with m >= n, q: (matrices, m, width), r: (matrices, width, n), width: n or m.

    work: (matrices, m n + n + width) of scratch memory.
    """
    threads = threads_for(matrices * n * m * (n + width) // 8)
    parallel_for(_qr_one, matrices, threads, a, q, r, work, m, n, width)
