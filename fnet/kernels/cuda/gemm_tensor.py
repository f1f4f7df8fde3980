"""Matrix products of float32 by tensor cores: rounded operands ("medium"), or split ones ("high").

Sizes and results are those of `fnet.kernels.cuda.gemm_tiled`; `fnet.kernels.cuda.tensor_tiles` says how.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.block_tile import first_places
from fnet.kernels.cuda.gemm import A_BATCH, A_COLUMN, A_ROW, B_BATCH, B_COLUMN, B_ROW, BIAS, M, N, depth_of
from fnet.kernels.cuda.gemm_tiled import ACT, are_along_k, left_operand, right_operand
from fnet.kernels.cuda.matrix_operand import matrix_four
from fnet.kernels.cuda.register_tiles import THREADS, TILE, evenly
from fnet.kernels.cuda.runtime.access import BYTES, is_aligned
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.tensor_tiles import (
    SPLIT_WORDS_64,
    SPLIT_WORDS_128,
    SUMS_64,
    SUMS_128,
    WORDS_64,
    WORDS_128,
    finish,
    place_in_tile,
    product,
)


@device_function
def _element(made_of, row, column):
    """One element of a product of the stack, in float32."""
    a, b, sizes, sample = made_of
    value = np.float32(0)
    left = sample * sizes[A_BATCH] + row * sizes[A_ROW]
    right = sample * sizes[B_BATCH] + column * sizes[B_COLUMN]
    for _ in range(depth_of(sizes, sample)):
        value += a[np.uint64(left)] * b[np.uint64(right)]
        left += sizes[A_COLUMN]
        right += sizes[B_ROW]
    return value


_sum_products, _finish = product(matrix_four, matrix_four), finish(_element, evenly)


@device_function
def _products(a, b, c, added, sizes, words, sums, parts, products):
    """The tile of a block in its sample, which is z of the grid; see `fnet.kernels.cuda.gemm_tiled`."""
    first_row, first_column = first_places(sizes[M], sizes[N], TILE * parts)
    left_along, right_along = are_along_k(sizes)
    row, left_deep = place_in_tile(left_along, parts, parts)
    column, right_deep = place_in_tile(right_along, parts, parts)
    sample = np.int32(cuda.blockIdx.z)  # each is z of the grid: a loop over them would take registers
    k = depth_of(sizes, sample)
    left = left_operand(a, sizes, sample, k, first_row + row, left_deep, left_along)
    right = right_operand(b, sizes, sample, k, first_column + column, right_deep, right_along)
    _sum_products(left, right, np.int32(k), left_along, right_along, words, sums, parts, parts, products)
    m, n = sizes[M], sizes[N]
    first_row, first_column = first_places(m, n, TILE * parts)  # once more, for the same reason
    result = c, (sample * m * n, n), np.int32(m), np.int32(n), n & 3 == 0 and is_aligned(c)
    bias, made_of = np.int64(sizes[BIAS] - 1), (a, b, sizes, sample)
    _finish(words, sums, result, made_of, first_row, first_column, added, bias, sizes[ACT], parts, parts, products)


@kernel(threads=THREADS, blocks=2)
def medium_64(a, b, c, added, sizes):
    """See `fnet.kernels.cuda.gemm_tiled.gemm_64`; operands are rounded to bfloat16."""
    words = cuda.shared.array(WORDS_64, np.uint32, alignment=BYTES)
    _products(a, b, c, added, sizes, words, cuda.local.array(SUMS_64, np.float32), 1, 1)


@kernel(threads=THREADS, blocks=2)
def medium_128(a, b, c, added, sizes):
    """As `medium_64`, in tiles of 128 x 128."""
    words = cuda.shared.array(WORDS_128, np.uint32, alignment=BYTES)
    _products(a, b, c, added, sizes, words, cuda.local.array(SUMS_128, np.float32), 2, 1)


@kernel(threads=THREADS, blocks=2)
def high_64(a, b, c, added, sizes):
    """As `medium_64`, of operands that are split in two: three products."""
    words = cuda.shared.array(SPLIT_WORDS_64, np.uint32, alignment=BYTES)
    _products(a, b, c, added, sizes, words, cuda.local.array(SUMS_64, np.float32), 1, 3)


@kernel(threads=THREADS, blocks=2)
def high_128(a, b, c, added, sizes):
    """As `high_64`, in tiles of 128 x 128."""
    words = cuda.shared.array(SPLIT_WORDS_128, np.uint32, alignment=BYTES)
    _products(a, b, c, added, sizes, words, cuda.local.array(SUMS_128, np.float32), 2, 3)
