"""Matrix products for large sizes, in tiles of registers; `fnet.kernels.cuda.register_tiles` says how.

Sizes, results and the order of sums are those of `fnet.kernels.cuda.gemm`. A product that is summed in parts is a stack
of their products, each with a part of k.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda import gemm
from fnet.kernels.cuda.block_tile import first_places
from fnet.kernels.cuda.gemm import (
    A_BATCH,
    A_COLUMN,
    A_ROW,
    B_BATCH,
    B_COLUMN,
    B_ROW,
    BATCH,
    BIAS,
    M,
    N,
    depth_of,
)
from fnet.kernels.cuda.matrix_operand import matrix_four, matrix_operand
from fnet.kernels.cuda.register_tiles import (
    SHARED_64,
    SHARED_128,
    SUMS_64,
    SUMS_128,
    THREADS,
    TILE,
    begin,
    evenly,
    finish,
    place_in_tile,
    product,
)
from fnet.kernels.cuda.runtime.access import BYTES, is_aligned
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.sizes import Sizes

(*_, ACT) = SIZES = Sizes(" ".join((*gemm.SIZES.names, "act")))

_add_product, _finish = product(matrix_four, matrix_four), finish(evenly)


@device_function
def left_operand(a, sizes, sample, k, row, deep, along_k):
    """The left operand of a product of the stack, for a thread that begins at this row and at k = `deep`."""
    first, step = sample * sizes[A_BATCH], sizes[A_BATCH]
    return matrix_operand(a, first, row, sizes[M], deep, k, sizes, A_ROW, A_COLUMN, step, along_k)


@device_function
def right_operand(b, sizes, sample, k, column, deep, along_k):
    """The right operand, for a thread that begins at this column and at k = `deep`."""
    first, step = sample * sizes[B_BATCH], sizes[B_BATCH]
    return matrix_operand(b, first, column, sizes[N], deep, k, sizes, B_COLUMN, B_ROW, step, along_k)


@device_function
def are_along_k(sizes):
    """Whether the elements of the operands lie side by side along k."""
    return sizes[A_COLUMN] == 1, sizes[B_ROW] == 1 and sizes[B_COLUMN] != 1


@device_function
def _products(a, b, c, added, sizes, tiles, sums, parts):
    """The tile of a block, in each sample of its own; parts: 64 x 64 elements are so many down and across."""
    first_row, first_column = first_places(sizes[M], sizes[N], TILE * parts)
    left_along, right_along = are_along_k(sizes)
    row, left_deep = place_in_tile(left_along, parts, parts)
    column, right_deep = place_in_tile(right_along, parts, parts)
    sample = np.int32(cuda.blockIdx.z)
    while sample < sizes[BATCH]:
        k = depth_of(sizes, sample)
        left = left_operand(a, sizes, sample, k, first_row + row, left_deep, left_along)
        right = right_operand(b, sizes, sample, k, first_column + column, right_deep, right_along)
        begin(sums, added, np.int64(sizes[BIAS] - 1), first_column, np.int32(sizes[N]), c.dtype.type(0), parts, parts)
        _add_product(left, right, np.int32(k), left_along, right_along, tiles, sums, parts, parts)
        m, n = sizes[M], sizes[N]
        first_row, first_column = first_places(m, n, TILE * parts)  # once more: registers are dear in between
        result = c, (sample * m * n, n), m, n, n & 3 == 0 and is_aligned(c)
        _finish(sums, tiles, result, first_row, first_column, sizes[ACT], parts, parts)
        sample = np.int32(sample + cuda.gridDim.z)


@kernel(threads=THREADS, blocks=3)
def gemm_64(a, b, c, added, sizes):
    """``c = act(a b + added)`` for each sample of a stack, in tiles of 64 x 64; see `fnet.kernels.cuda.gemm.gemm`."""
    tiles = cuda.shared.array(SHARED_64, a.dtype, alignment=BYTES)
    _products(a, b, c, added, sizes, tiles, cuda.local.array(SUMS_64, a.dtype), 1)


@kernel(threads=THREADS, blocks=2)
def gemm_64_f64(a, b, c, added, sizes):
    """As `gemm_64`, for float64, which takes twice the registers."""
    tiles = cuda.shared.array(SHARED_64, a.dtype, alignment=BYTES)
    _products(a, b, c, added, sizes, tiles, cuda.local.array(SUMS_64, a.dtype), 1)


@kernel(threads=THREADS, blocks=2)
def gemm_128(a, b, c, added, sizes):
    """As `gemm_64`, in tiles of 128 x 128."""
    tiles = cuda.shared.array(SHARED_128, a.dtype, alignment=BYTES)
    _products(a, b, c, added, sizes, tiles, cuda.local.array(SUMS_128, a.dtype), 2)
