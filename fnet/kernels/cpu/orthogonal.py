"""Orthonormal rows by Gram-Schmidt: one fixed order of sums, so the same bits on any machine load or thread count."""

from __future__ import annotations

import math

import numpy as np

from fnet.kernels.policy import kernel


@kernel(reassoc=True)
def orthonormalize_rows(v, rows, columns):
    """Replace the rows of ``v: (rows, columns) float64`` by an orthonormal basis of their span, rows <= columns.

    Each row is projected twice on the complement of those before it, which leaves errors of the order of the
    rounding unit. Source: L. Giraud et al., The loss of orthogonality in Gram-Schmidt, 2005.
    """
    rows, columns = np.uintp(rows), np.uintp(columns)
    for i in range(rows):
        mine = i * columns
        for _ in range(2):
            for j in range(i):
                other = j * columns
                product = 0.0
                for k in range(columns):
                    product += v[mine + k] * v[other + k]
                for k in range(columns):
                    v[mine + k] -= product * v[other + k]
        squares = 0.0
        for k in range(columns):
            squares += v[mine + k] * v[mine + k]
        scale = 1.0 / math.sqrt(squares)
        for k in range(columns):
            v[mine + k] *= scale
