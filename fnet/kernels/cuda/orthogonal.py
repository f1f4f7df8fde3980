"""Orthonormal rows by Gram-Schmidt, a panel of rows at a time: sums have one order.

A panel loses what it has of the rows before it, twice, by a block for each of its rows; then one block makes its rows
orthonormal among each other. Each row is so projected twice on the complement of those before it, which leaves errors
of the order of the rounding unit. Source: L. Giraud et al., The loss of orthogonality in Gram-Schmidt, 2005.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.arithmetic import sqrt
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARP, WARPS, row_sum

THREADS = 256


@device_function
def _dot(v, first, second, columns, begin, threads):
    """The part of the product of two rows that the columns from `begin` on have, `threads` apart."""
    product = np.float64(0)
    k = begin
    while k < columns:
        product += v[first + k] * v[second + k]
        k += threads
    return product


@kernel(threads=THREADS)
def project_rows(v, products, before, columns):
    """Take what the rows from `before` on have of the first `before` rows away; a block has a row.

    products: (rows, before) of scratch memory. A warp takes a product at a time.
    """
    mine = (before + cuda.blockIdx.x) * columns
    t, own = cuda.threadIdx.x, cuda.blockIdx.x * before
    j = t // WARP
    while j < before:
        product = _dot(v, mine, j * columns, columns, t % WARP, WARP)
        step = WARP // 2
        while step > 0:
            product += cuda.shfl_xor_sync(0xFFFFFFFF, product, step)
            step >>= 1
        if t % WARP == 0:
            products[own + j] = product
        j += THREADS // WARP
    cuda.syncthreads()
    k = t
    while k < columns:
        value = v[mine + k]
        for j in range(before):
            value -= products[own + j] * v[j * columns + k]
        v[mine + k] = value
        k += THREADS


@kernel(threads=THREADS)
def orthonormalize_rows(v, first, rows, columns):
    """Replace `rows` rows of v, from the row `first` on, by an orthonormal basis of their span, rows <= columns."""
    shared = cuda.shared.array(WARPS, v.dtype)
    t, threads = cuda.threadIdx.x, cuda.blockDim.x
    for i in range(first, first + rows):
        mine = i * columns
        for _ in range(2):
            for j in range(first, i):
                product = row_sum(_dot(v, mine, j * columns, columns, t, threads), shared)
                k = t
                while k < columns:
                    v[mine + k] -= product * v[j * columns + k]
                    k += threads
        scale = np.float64(1) / sqrt(row_sum(_dot(v, mine, mine, columns, t, threads), shared))
        k = t
        while k < columns:
            v[mine + k] *= scale
            k += threads
