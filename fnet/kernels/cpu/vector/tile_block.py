"""Blocks of products by AMX tiles, for the kernels of GEMM, convolution, attention and recurrent layers.

Operands are packed with zeros up to whole tiles: A in rows of pairs of bfloat16, B in panels of 16 columns, each of
rows of pairs of B's rows. A block of 32 x 32 of C is four tiles that stay in registers for all of the sum. With one
product both operands are rounded, with three each number is split in two, ``x = high + low``, and ``high high + high
low + low high`` is summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.amx import ROWS, TILE, WORDS, Tiles
from fnet.kernels.cpu.vector.bfloat16 import pair_neighbours, pair_vectors, split_neighbours, split_vectors
from fnet.kernels.cpu.vector.packing import transposing_copier
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, at, lanes, vector_code
from fnet.kernels.policy import kernel, scalar

BLOCK = 2 * ROWS  # rows and columns of a block of C
PAD = 16  # words between rows of A, which else compete for the same lines of the cache

_copy_transposed = transposing_copier()


@scalar
def whole_blocks(count):
    """`count` rounded up to whole blocks."""
    return (count + 31) // 32 * 32


@scalar
def whole_pairs(k):
    """The pairs of k numbers, up to whole tiles."""
    return (k + 31) // 32 * 16


@scalar
def row_of_pairs(k):
    """The distance of packed rows of A."""
    return whole_pairs(k) + PAD


@kernel
def turn(source, source_row, target, target_row, rows, columns):
    """The transpose of up to 16 rows of words; whole squares are written."""
    for i in range(0, rows, lanes(target)):
        _copy_transposed(at(source, i * source_row), source_row, at(target, i), target_row, rows - i, columns)


@kernel
def split_row(x, high, low, count, split):
    """The words of contiguous numbers, of both parts if they are to be split."""
    if split:
        split_neighbours(x, high, low, count)
    else:
        pair_neighbours(x, high, count)


@kernel
def split_pair(x, x_row, high, low, columns, rows, split):
    """The same of two rows, column by column, or of one and zeros."""
    if split:
        split_vectors(x, x_row, high, low, columns, rows)
    else:
        pair_vectors(x, x_row, high, columns, rows)


@kernel
def clear(high, low, first, end, split):
    """Zeros in some words of both parts, or of one."""
    for q in range(first, end):
        high[q] = 0
        if split:
            low[q] = 0


# ------------------------------------------------------------------------------------------------- multiplying


def write_block(simd: Vectors, values: Sequence[ir.Value]) -> None:
    """Registers: 0 to 3 for C, 4 and 5 for rows of A, 6 and 7 for columns of B."""
    state, a, a_low, a_row, b, b_low, b_panel, c, c_row, steps, products, from_c = values
    builder, tiles = simd.builder, Tiles(simd, state)
    halves = [INT(0), INT(1)]
    places = [
        simd.at(c, builder.add(builder.mul(builder.mul(i, INT(ROWS)), c_row), builder.mul(j, INT(WORDS))))
        for i in halves
        for j in halves
    ]
    with builder.if_else(builder.icmp_signed("!=", from_c, INT(0))) as (loaded, zero):
        with loaded:
            for tile, place in enumerate(places):
                tiles.load(tile, place, c_row)
        with zero:
            for tile in range(4):
                tiles.zero(tile)
    loop = Loop(builder, steps, [])

    def load(first: int, address: ir.Value, half_distance: ir.Value, row: ir.Value, step: ir.Value) -> None:
        for half in halves:
            place = simd.at(address, builder.add(builder.mul(half, half_distance), step))
            tiles.load(first + half.constant, place, row)

    def load_a(address: ir.Value) -> None:
        load(4, address, builder.mul(a_row, INT(ROWS)), a_row, builder.mul(loop.index, INT(WORDS)))

    def load_b(address: ir.Value) -> None:
        load(6, address, b_panel, INT(WORDS), builder.mul(loop.index, INT(TILE)))

    def multiply_add() -> None:
        for tile in range(4):
            tiles.multiply_add(tile, 4 + tile // 2, 6 + tile % 2)

    load_a(a)
    load_b(b)
    multiply_add()
    with builder.if_then(builder.icmp_signed("==", products, INT(3))):
        load_b(b_low)
        multiply_add()
        load_a(a_low)
        load_b(b)
        multiply_add()
    loop.close([])
    for tile, place in enumerate(places):
        tiles.store(tile, place, c_row)


def _block_in_python(state, a, a_low, a_row, b, b_low, b_panel, c, c_row, steps, products, from_c):
    def numbers(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (words << np.uint32(16)).view(np.float32), (words & np.uint32(0xFFFF0000)).view(np.float32)

    total = np.zeros((BLOCK, BLOCK), np.float32)
    for i in range(BLOCK if from_c else 0):
        total[i] = c[i * c_row :][:BLOCK]
    pairs = steps * WORDS
    for left, right in ((a, b), (a, b_low), (a_low, b))[:products]:
        rows = np.stack([left[i * a_row :][:pairs] for i in range(BLOCK)])
        panels = [right[j * b_panel :][: pairs * WORDS].reshape(pairs, WORDS) for j in range(2)]
        columns = np.concatenate(panels, axis=1)
        for x, y in zip(numbers(rows), numbers(columns), strict=True):
            total += x @ y
    for i in range(BLOCK):
        c[i * c_row :][:BLOCK] = total[i]


# `block(state, a, a_low, a_row, b, b_low, b_panel, c, c_row, steps, products, from_c)`: 32 x 32 of C, over all steps of
# 32 numbers of k, from zero or from what C holds.
block: Any = vector_code(write_block, _block_in_python)


@kernel
def has_others(c, c_row, rows, columns):
    """Whether there are infinite numbers or NaN."""
    found = 0
    for r in range(rows):
        row = at(c, r * c_row)
        for q in range(columns):
            found |= row[q] - row[q] != 0
    return found


@kernel
def block_sums(
    state, a, a_low, a_row, b, b_low, b_panel, s, s_row, own, rows, columns, steps, products, from_s
):  # fmt: skip
    """``C = S + A B`` of up to 32 x 32 numbers; S: zero or what lies at s; own: two blocks, of which the first is C.

    Sums of split numbers that are infinite or NaN become those of the high parts alone, which are as they should be: an
    infinite number times the low part of another may have been NaN.
    """
    if from_s:
        copy_block(s, s_row, own, rows, columns)
    block(state, a, a_low, a_row, b, b_low, b_panel, own, BLOCK, steps, products, from_s)
    if products == 3 and has_others(own, BLOCK, rows, columns):
        again = at(own, BLOCK * BLOCK)
        if from_s:
            copy_block(s, s_row, again, rows, columns)
        block(state, a, a_low, a_row, b, b_low, b_panel, again, BLOCK, steps, 1, from_s)
        for i in range(rows):
            for j in range(columns):
                value = own[i * BLOCK + j]
                own[i * BLOCK + j] = again[i * BLOCK + j] if value - value != 0 else value


@kernel
def copy_block(s, s_row, own, rows, columns):
    """What the sums of a block start from."""
    for i in range(rows):
        row, to = at(s, i * s_row), at(own, i * BLOCK)
        for j in range(columns):
            to[j] = row[j]
