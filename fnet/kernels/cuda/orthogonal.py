"""Orthonormal rows by Gram-Schmidt, by one block of threads: sums have one order."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.arithmetic import sqrt
from fnet.kernels.cuda.runtime.kernel import cuda, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_sum


@kernel(threads=256)
def orthonormalize_rows(v, rows, columns):
    """Replace the rows of ``v: (rows, columns) float64`` by an orthonormal basis of their span, rows <= columns.

    Each row is projected twice on the complement of those before it, which leaves errors of the order of the
    rounding unit. Source: L. Giraud et al., The loss of orthogonality in Gram-Schmidt, 2005.
    """
    shared = cuda.shared.array(WARPS, v.dtype)
    for i in range(rows):
        mine = i * columns
        for _ in range(2):
            for j in range(i):
                product = np.float64(0)
                k = cuda.threadIdx.x
                while k < columns:
                    product += v[mine + k] * v[j * columns + k]
                    k += cuda.blockDim.x
                product = row_sum(product, shared)
                k = cuda.threadIdx.x
                while k < columns:
                    v[mine + k] -= product * v[j * columns + k]
                    k += cuda.blockDim.x
        squares = np.float64(0)
        k = cuda.threadIdx.x
        while k < columns:
            squares += v[mine + k] * v[mine + k]
            k += cuda.blockDim.x
        scale = np.float64(1) / sqrt(row_sum(squares, shared))
        k = cuda.threadIdx.x
        while k < columns:
            v[mine + k] *= scale
            k += cuda.blockDim.x
