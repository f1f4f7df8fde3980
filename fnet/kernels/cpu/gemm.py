"""Matrix products ``C = act(A B + bias)``, built from the FMA tiles of `fnet.kernels.cpu.tiles`; single-threaded.

The loops: a block of k (`K_BLOCK`), a block of rows (`M_BLOCK`, so that its part of A stays in the second-level cache),
a panel of columns (as wide as the tile; its part of B stays in the first-level cache), then the tiles down the rows.
Strides are in elements, so each of A and B may be transposed. A is always read in place, one broadcast element at a
time. B is read in place where its rows are contiguous, unless it is large: then, and where its columns are contiguous,
each panel is first packed into `work`.

An element of C is one chain of multiply-adds over p = 0 .. k-1 that starts from the bias: all tiles and blockings give
the same bits, so rows can be computed in any grouping (and be shared among threads). A product with one column (n = 1)
sums by lanes instead where both operands are contiguous; its rows are independent of each other, too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba.extending import overload

from fnet.kernels.cpu.packing import row_copier, square_transposer
from fnet.kernels.cpu.simd import INSTRUCTION_SET, VECTOR_BYTES, at, lanes
from fnet.kernels.cpu.tiles import FROM_BIAS, FROM_C, FROM_ZERO, dot_tile, fma_tile
from fnet.kernels.policy import FASTMATH, kernel
from fnet.kernels.scalar import sigmoid_f32, sigmoid_f64, tanh_f32, tanh_f64

LINEAR, RELU, TANH, SIGMOID = 0, 1, 2, 3

# AVX-512 has 32 vector registers: 14 x 2 accumulators, 2 vectors of B, 1 broadcast of A. The others have 16: 6 x 2.
VECTORS = 2
ROWS = 14 if INSTRUCTION_SET == "avx512" else 6
LAST_ROWS = 4
NARROW_ROWS = 8
WIDE_VECTORS = 8
DOT_ROWS = 8

K_BLOCK = 256
M_BLOCK = 8 * ROWS
PACK_SIZE = 1 << 15  # elements of B from which on reading it in place misses the caches

_tile = fma_tile(ROWS, VECTORS, partial=False)
_last_rows = fma_tile(LAST_ROWS, VECTORS, partial=True)
_narrow = fma_tile(NARROW_ROWS, 1, partial=True)
_one_row = fma_tile(1, WIDE_VECTORS, partial=False)
_dot = dot_tile(DOT_ROWS)
_copy = row_copier(VECTORS)
_transpose = square_transposer()


@kernel
def gemm(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, has_bias, act):
    """``C = act(A B + bias)``.

    c: (m, n), contiguous; ``A[i, p] = a[i*a_row + p*a_col]``; ``B[p, j] = b[p*b_row + j*b_col]``; bias: (n,), read if
    ``has_bias != 0``; work: `gemm_workspace` elements; act: `LINEAR`, `RELU`, `TANH` or `SIGMOID`. c overlaps no input.
    """
    y = at(c, 0)
    start = FROM_BIAS if has_bias else FROM_ZERO
    if has_bias and n == 1:  # one column may be computed as one row, for which the bias is not a vector
        for i in range(m):
            y[i] = bias[0]
        start = FROM_C
    relu = 1 if act == RELU else 0
    _product(at(a, 0), at(b, 0), y, at(bias, 0), at(work, 0), m, n, k, a_row, a_col, b_row, b_col, start, relu)
    if act == TANH:
        for i in range(m * n):
            y[i] = _tanh(y[i])
    elif act == SIGMOID:
        for i in range(m * n):
            y[i] = _sigmoid(y[i])


@kernel
def batched_gemm(a, b, c, work, batch, a_batch, b_batch, m, n, k, a_row, a_col, b_row, b_col):
    """``C[s] = A[s] B[s]`` for s < batch.

    c: (batch, m, n), contiguous; A[s] starts at ``a[s*a_batch]`` and B[s] at ``b[s*b_batch]`` (0: shared by all); the
    rest as in `gemm`.
    """
    for s in range(batch):
        x, y, z = at(a, s * a_batch), at(b, s * b_batch), at(c, s * m * n)
        _product(x, y, z, z, at(work, 0), m, n, k, a_row, a_col, b_row, b_col, FROM_ZERO, 0)


def gemm_workspace(m: int, n: int, k: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `gemm` and `batched_gemm` need for these sizes, whatever the strides.

    >>> gemm_workspace(32, 0, 16, "float32")
    0
    """
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    width = VECTORS * lanes
    columns = m if n == 1 else n
    return -(-columns // width) * width * min(K_BLOCK, -(-k // lanes) * lanes)


@kernel
def _product(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, start, relu):
    """``C = S + A B`` for addresses, S being what `start` says, and max(C, 0) if `relu`."""
    # With a_row = 1 it is not the rows of A that are contiguous but its columns, even if there is only one row.
    if n == 1 and a_col == 1 and a_row != 1 and b_row == 1:
        for i in range(0, m, DOT_ROWS):
            _dot(at(a, i * a_row), a_row, b, at(c, i), start, relu, k, m - i)
        return
    if n == 1:  # C' = B' A'
        a, b, m, n, a_row, a_col, b_row, b_col = b, a, 1, m, 0, b_row, a_col, a_row
    one, width, wide = lanes(c), VECTORS * lanes(c), WIDE_VECTORS * lanes(c)
    panel_rows = min(K_BLOCK, (k + one - 1) // one * one)
    pack_all = b_col != 1
    pack_full = pack_all or (k * n > PACK_SIZE and m > 4 * ROWS)
    p = 0
    while True:
        size = min(K_BLOCK, k - p)
        first = start if p == 0 else FROM_C
        last = relu if p + size == k else 0
        for i_block in range(0, m, M_BLOCK):
            i_end = min(i_block + M_BLOCK, m)
            j = 0
            while j < n:
                columns = min(width, n - j)
                panel, panel_row = at(b, p * b_row + j * b_col), b_row
                if m == 1 and not pack_all and j + wide <= n:
                    x, y, s = at(a, p * a_col), at(c, j), at(bias, j)
                    _one_row(x, a_row, a_col, panel, panel_row, y, n, s, first, last, size, 1, wide)
                    j += wide
                    continue
                if pack_all or (pack_full and columns == width):
                    if i_block == 0:
                        _pack(panel, b_row, b_col, at(work, j * panel_rows), size, columns)
                    panel, panel_row = at(work, j * panel_rows), width
                i = i_block
                while i < i_end:
                    x, y, s, rows = at(a, i * a_row + p * a_col), at(c, i * n + j), at(bias, j), i_end - i
                    if columns < width:
                        for v in range(0, columns, one):
                            z, t, u, left = at(panel, v), at(y, v), at(s, v), columns - v
                            _narrow(x, a_row, a_col, z, panel_row, t, n, u, first, last, size, rows, left)
                        i += NARROW_ROWS
                    elif rows < ROWS:
                        _last_rows(x, a_row, a_col, panel, panel_row, y, n, s, first, last, size, rows, width)
                        i += LAST_ROWS
                    else:
                        _tile(x, a_row, a_col, panel, panel_row, y, n, s, first, last, size, ROWS, width)
                        i += ROWS
                j += width
        p += size
        if p >= k:
            break


@kernel
def _pack(b, b_row, b_col, panel, k, n):
    """Copy a panel of n columns of B to contiguous rows as wide as the tile."""
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


def _tanh(x):
    return tanh_f32(x) if isinstance(x, np.float32) else tanh_f64(x)


def _sigmoid(x):
    return sigmoid_f32(x) if isinstance(x, np.float32) else sigmoid_f64(x)


_INLINED = {"fastmath": FASTMATH, "error_model": "numpy", "nogil": True, "forceinline": True}


@overload(_tanh, jit_options=_INLINED)
def _compiled_tanh(x):
    return (lambda x: tanh_f32(x)) if x.bitwidth == 32 else (lambda x: tanh_f64(x))


@overload(_sigmoid, jit_options=_INLINED)
def _compiled_sigmoid(x):
    return (lambda x: sigmoid_f32(x)) if x.bitwidth == 32 else (lambda x: sigmoid_f64(x))
