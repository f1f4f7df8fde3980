"""Matrix products ``C = act(A B + bias)`` on one thread, built from the FMA tiles of `fnet.kernels.cpu.simd`."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.simd import (
    FROM_BIAS,
    FROM_C,
    FROM_ZERO,
    INSTRUCTION_SET,
    VECTOR_BYTES,
    at,
    dot_tile,
    fma_tile,
    lanes,
    row_copier,
    square_transposer,
)
from fnet.kernels.policy import kernel

# Two vectors of columns, as many rows as leave registers for the operands (32 with AVX-512, 16 otherwise).
VECTORS = 2
ROWS = 14 if INSTRUCTION_SET == "avx512" else 6
TAIL_ROWS = 4
COLUMN_ROWS = 8

K_BLOCK = 256
M_BLOCK = 8 * ROWS
PACK_SIZE = 1 << 15

_tile = fma_tile(ROWS, VECTORS, partial=False)
_row_tail = fma_tile(TAIL_ROWS, VECTORS, partial=True)
_column_tail = fma_tile(COLUMN_ROWS, 1, partial=True)
_wide = fma_tile(1, 8, partial=False)
_dot = dot_tile(8)
_copy = row_copier(VECTORS)
_transpose = square_transposer()


@kernel
def _pack(b, b_row, b_col, panel, k, n):
    width = VECTORS * lanes(panel)
    if b_col == 1:
        _copy(b, b_row, panel, k)
    elif b_row == 1:
        for j in range(0, n, lanes(panel)):
            for p in range(0, k, lanes(panel)):
                _transpose(at(b, j * b_col + p), b_col, at(panel, p * width + j), width, n - j, k - p)
    else:
        for p in range(k):
            for j in range(n):
                panel[p * width + j] = b[p * b_row + j * b_col]


@kernel
def _product(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, start, relu):
    if n == 1 and a_col == 1 and b_row == 1:
        for i in range(0, m, 8):
            _dot(at(a, i * a_row), a_row, b, at(c, i), start, relu, k, m - i)
        return
    if n == 1 and m > 1:
        a, b, m, n, a_row, a_col, b_row, b_col = b, a, 1, m, 0, b_row, a_col, a_row
    c_row = n
    width = VECTORS * lanes(c)
    pack = b_col != 1 or (k * n > PACK_SIZE and m > 4 * ROWS)
    p = 0
    while True:
        size = min(K_BLOCK, k - p)
        first = start if p == 0 else FROM_C
        last = relu if p + size == k else 0
        for i_block in range(0, m, M_BLOCK):
            i_end = min(i_block + M_BLOCK, m)
            j = 0
            if m == 1 and not pack:
                wide = 8 * lanes(c)
                while j + wide <= n:
                    _wide(at(a, p * a_col), a_row, a_col, at(b, p * b_row + j), b_row, at(c, j), c_row, at(bias, j), first, last, size, 1, wide)
                    j += wide
            for j in range(j, n, width):
                columns = min(width, n - j)
                panel, panel_row = at(b, p * b_row + j * b_col), b_row
                if pack and (b_col != 1 or columns == width):
                    packed = at(work, j * K_BLOCK)
                    if i_block == 0:
                        _pack(panel, b_row, b_col, packed, size, columns)
                    panel, panel_row = packed, width
                i = i_block
                if columns == width:
                    while i + ROWS <= i_end:
                        _tile(at(a, i * a_row + p * a_col), a_row, a_col, panel, panel_row, at(c, i * c_row + j), c_row, at(bias, j), first, last, size, ROWS, width)
                        i += ROWS
                    while i < i_end:
                        _row_tail(at(a, i * a_row + p * a_col), a_row, a_col, panel, panel_row, at(c, i * c_row + j), c_row, at(bias, j), first, last, size, i_end - i, width)
                        i += TAIL_ROWS
                else:
                    while i < i_end:
                        for v in range(0, columns, lanes(c)):
                            _column_tail(at(a, i * a_row + p * a_col), a_row, a_col, at(panel, v), panel_row, at(c, i * c_row + j + v), c_row, at(bias, j + v), first, last, size, i_end - i, columns - v)
                        i += COLUMN_ROWS
        p += size
        if p >= k:
            break


@kernel
def gemm(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, has_bias, act):
    start = FROM_BIAS if has_bias else FROM_ZERO
    relu = 1 if act == 1 else 0
    if n == 1 and has_bias:
        for i in range(m):
            c[i] = bias[0]
        start = FROM_C
    _product(at(a, 0), at(b, 0), at(c, 0), at(bias, 0), at(work, 0), m, n, k, a_row, a_col, b_row, b_col, start, relu)


def gemm_workspace(m: int, n: int, k: int, dtype: np.dtype) -> int:
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    width = VECTORS * lanes
    n = max(n, m if n == 1 else 0)
    return -(-n // width) * width * max(K_BLOCK, 0)
