"""Matrix products of float32 by way of bfloat16: both operands are rounded to pairs of it, sums stay in float32.

The multiply-adds of pairs do twice the work of those of float32; rounding an operand costs one pass over it.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.bfloat16 import pair_columns, pair_rows
from fnet.kernels.cpu.gemm import A_COL, A_ROW, ACT, B_COL, B_ROW, START, K, M, N, large_product, large_workspace
from fnet.kernels.cpu.runtime.threads import threads_for
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel

SMALLEST = 32  # sizes from which on a product gains by bfloat16


def large_enough(m: int, n: int, k: int) -> bool:
    """Whether the product is large enough to be worth the rounding."""
    return min(m, n, k) >= SMALLEST


def bfloat16_words(m: int, n: int, k: int) -> int:
    """The 32-bit words that the rounded operands take."""
    return (m + n) * -(-k // 2)


def bfloat16_workspace(m: int, n: int, k: int) -> int:
    """The 32-bit words of `work` that `gemm_bfloat16` needs."""
    return large_workspace(m, n, -(-k // 2), np.float32)


@kernel
def gemm_bfloat16(a, b, c, bias, words, work, sizes):
    """``C = act(S + A B)``; arguments as of `gemm`, but that of each operand one stride is 1, and no size is 0.

    words: `bfloat16_words` and work: `bfloat16_workspace` unsigned 32-bit integers.
    """
    m, n, k, a_row, a_col, b_row = sizes[M], sizes[N], sizes[K], sizes[A_ROW], sizes[A_COL], sizes[B_ROW]
    b_col, start, act = sizes[B_COL], sizes[START], sizes[ACT]
    pairs = (k + 1) // 2
    left, right = at(words, 0), at(words, m * pairs)
    if a_col == 1:
        pair_columns(at(a, 0), left, m, k, a_row)
        a_row, a_col = pairs, 1
    else:
        pair_rows(at(a, 0), left, k, m, a_col)
        a_row, a_col = 1, m
    if b_col == 1:
        pair_rows(at(b, 0), right, k, n, b_row)
        b_row, b_col = n, 1
    else:
        pair_columns(at(b, 0), right, n, k, b_col)
        b_row, b_col = 1, pairs
    x, y, w = at(c, 0), at(bias, 0), at(work, 0)
    threads = threads_for(m * n * k // 256)
    large_product(left, right, x, y, w, work.size, threads, m, n, pairs, a_row, a_col, b_row, b_col, start, act)
