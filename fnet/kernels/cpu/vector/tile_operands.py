"""Operands and products of AMX tiles for kernels that pack operands as they go, as the type of their memory says.

| elements | operands are | product |
|---|---|---|
| 16-bit integers | rounded to bfloat16 | one |
| 64-bit integers | split in two bfloat16 each | three |

Signed integers belong to registers, unsigned ones to emulated tiles (`fnet.kernels.cpu.vector.amx`). Rows of A, and
panels of 16 columns of B, hold their high parts, then the low ones if there are any, each with zeros up to whole tiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from fnet.kernels.cpu.vector.amx import TILE, WORDS, configure, own_state, permitted, release
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.cpu.vector.tile_block import (
    BLOCK,
    PAD,
    block_sums,
    clear,
    row_of_pairs,
    split_pair,
    split_row,
    turn,
    whole_pairs,
)
from fnet.kernels.cpu.vector.tiles import FROM_ZERO
from fnet.kernels.policy import kernel


def tile_words(products: int) -> np.dtype:
    """The type of elements for so many products, of registers where the process may use them."""
    rounded, split = (np.int16, np.int64) if permitted() else (np.uint16, np.uint64)
    return np.dtype(rounded if products == 1 else split)


def holds_tiles(dtype: Any) -> bool:
    """Whether elements of this type of NumPy are for tiles.

    >>> holds_tiles(np.uint64), holds_tiles(np.uint32)
    (True, False)
    """
    return np.dtype(dtype).kind in "iu" and np.dtype(dtype).itemsize != 4


def row_size(k: int, dtype: Any) -> int:
    """The elements of a row of k numbers of A."""
    return (-(-k // 32) * WORDS + PAD) * (2 if np.dtype(dtype).itemsize == 2 else 1)


def panels_size(columns: int, k: int, dtype: Any) -> int:
    """The elements of B of k rows, in whole blocks of columns."""
    return -(-columns // BLOCK) * BLOCK * -(-k // 32) * WORDS * (2 if np.dtype(dtype).itemsize == 2 else 1)


def share(m: int, n: int, k: int) -> float:
    """How much of what whole blocks multiply is in a product of these sizes.

    >>> share(16, 64, 32)
    0.5
    """
    whole = [-(-size // BLOCK) * BLOCK for size in (m, n, k)]
    return m * n * k / max(1, whole[0] * whole[1] * whole[2])


@kernel
def pack_rows(x, x_row, words, rows, columns, split):
    """Rows of pairs of a matrix with contiguous rows."""
    pairs, row = whole_pairs(columns), (1 + split) * row_of_pairs(columns)
    for i in range(rows):
        high = at(words, i * row)
        low = at(high, split * pairs)
        split_row(at(x, i * x_row), high, low, columns, split)
        clear(high, low, (columns + 1) // 2, pairs, split)


@kernel
def pack_panels(x, x_row, words, rows, columns, split):
    """Panels of pairs of rows of a matrix with contiguous rows."""
    pairs, filled = whole_pairs(rows), (rows + 1) // 2
    for j in range(0, columns, WORDS):
        high = at(words, j * (1 + split) * pairs)
        low = at(high, split * pairs * WORDS)
        for q in range(filled):
            place, count = q * WORDS, min(WORDS, columns - j)
            split_pair(at(x, 2 * q * x_row + j), x_row, at(high, place), at(low, place), count, rows - 2 * q, split)
        clear(high, low, filled * WORDS, pairs * WORDS, split)


@kernel
def pack_columns(x, x_row, spare, words, rows, columns, split):
    """The columns of a matrix with contiguous rows as rows of pairs; spare: the words of its panels."""
    pairs, row = whole_pairs(rows), (1 + split) * row_of_pairs(rows)
    pack_panels(x, x_row, spare, rows, columns, split)
    for j in range(0, columns, WORDS):
        for part in range(1 + split):
            source, target = at(spare, (j * (1 + split) + part * WORDS) * pairs), at(words, j * row + part * pairs)
            for q in range(0, pairs, WORDS):
                turn(at(source, q * WORDS), WORDS, at(target, q), row, WORDS, min(WORDS, columns - j))


@kernel
def pack_transposed(x, x_row, spare, words, rows, columns, split):
    """The panels of the transpose of a matrix with contiguous rows; spare: the words of its rows."""
    pairs, row = whole_pairs(columns), (1 + split) * row_of_pairs(columns)
    pack_rows(x, x_row, spare, rows, columns, split)
    for i in range(0, rows, WORDS):
        for part in range(1 + split):
            source, target = at(spare, i * row + part * pairs), at(words, (i * (1 + split) + part * WORDS) * pairs)
            for q in range(0, pairs, WORDS):
                turn(at(source, q), row, at(target, q * WORDS), WORDS, min(WORDS, rows - i), WORDS)


@kernel
def multiply(state, own, a, a_k, b, c, c_row, m, n, k, b_k, split, from_c):
    """``C = S + A B`` over k numbers of rows of A that have a_k, and of panels of B that have b_k; own: two blocks."""
    row, panel = (1 + split) * row_of_pairs(a_k), (1 + split) * whole_pairs(b_k) * WORDS
    for j in range(0, n, BLOCK):
        y = at(b, j // WORDS * panel)
        y_low, columns = at(y, split * whole_pairs(b_k) * WORDS), min(BLOCK, n - j)
        for i in range(0, m, BLOCK):
            x, z, count = at(a, i * row), at(c, i * c_row + j), min(BLOCK, m - i)
            block_sums(
                state, x, at(x, split * whole_pairs(a_k)), row, y, y_low, panel, z, c_row, own, count, columns,
                whole_pairs(k) // WORDS, 1 + 2 * split, from_c,
            )  # fmt: skip
            for r in range(count):
                for q in range(columns):
                    z[r * c_row + q] = own[r * BLOCK + q]


@kernel
def tile_product(words, a, b, c, c_row, m, n, k, rows, split, start):
    """The same with tiles and blocks of the kernel's own, of the kind that the type of `words` says."""
    state = own_state(words)
    configure(state)
    multiply(state, own_blocks(words), a, k, b, c, c_row, m, n, k, rows, split, 0 if start == FROM_ZERO else 1)
    release(state)


@intrinsic
def _pair_words(typing, elements):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return builder.bitcast(values[0], ir.IntType(32).as_pointer())

    return types.CPointer(types.uint32)(elements), generate


@intrinsic
def _own_blocks(typing, words):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        place = cgutils.alloca_once(builder, ir.ArrayType(ir.FloatType(), 8 * TILE))
        return builder.bitcast(place, ir.FloatType().as_pointer())

    return types.CPointer(types.float32)(words), generate


# `pair_words(elements)`: the same address as one of words of pairs; `own_blocks(words)`: two blocks of numbers that
# live as long as the kernel's frame.
pair_words: Any = (lambda elements: elements.view(np.uint32)) if config.DISABLE_JIT else _pair_words
own_blocks: Any = (lambda words: np.zeros(8 * TILE, np.float32)) if config.DISABLE_JIT else _own_blocks
