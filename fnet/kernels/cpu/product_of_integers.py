"""The product of matrices of integers, modulo the size of their type as in NumPy: for indices and counts."""

from __future__ import annotations

from fnet.kernels.policy import kernel


@kernel
def product_of_integers(a, b, y, count, m, k, n):
    """``y[s, i, j] = sum_p a[s, i, p] b[s, p, j]``, row-major; `count` products of (m, k) by (k, n)."""
    for i in range(count * m * n):
        y[i] = 0
    for row in range(count * m):
        sample = row // m
        for p in range(k):
            factor = a[row * k + p]
            for j in range(n):
                y[row * n + j] += factor * b[(sample * k + p) * n + j]
