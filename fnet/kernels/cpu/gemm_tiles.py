"""Matrix products of float32 by AMX tiles (`fnet.kernels.cpu.vector.amx`): of rounded operands, or of split ones.

With one product both operands are rounded to bfloat16, with three each number is split in two, ``x = high + low``, and
``high high + high low + low high`` is summed. What is left out, ``low low`` and the last bits of both low parts, is
each below 2**-16 of a product: 5e-5 together at worst, 5e-6 in the norm of a result.

Operands are packed once, with zeros up to whole tiles: A in rows of pairs, B in panels of 16 columns. Tasks compute
blocks of 32 x 32 of C, four tiles that stay in registers for all of k; blocks that C does not fill go through memory of
their task. An element of C is the same sum whatever block and task it is in.
"""

from __future__ import annotations

import numpy as np

from fnet.activation_codes import LINEAR, RELU
from fnet.kernels.cpu.gemm import MATRICES
from fnet.kernels.cpu.product import activate
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.amx import WORDS, configure, release, state_size
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.cpu.vector.tile_block import (
    BLOCK,
    PAD,
    block,
    clear,
    has_others,
    row_of_pairs,
    split_pair,
    split_row,
    turn,
    whole_blocks,
    whole_pairs,
)
from fnet.kernels.cpu.vector.tiles import FROM_BIAS, FROM_ZERO
from fnet.kernels.policy import kernel
from fnet.kernels.sizes import Sizes

SMALLEST = 64
PARTS = 16  # tasks that pack
TASKS = 16  # that multiply, at most

M, N, K, A_ROW, A_COL, B_ROW, B_COL, START, ACT, PRODUCTS = SIZES = Sizes(f"{MATRICES} start act products")


def tiles_words(m: int, n: int, k: int, products: int) -> int:
    """The 32-bit words that `gemm_tiles` needs for packed operands.

    >>> tiles_words(32, 32, 32, 1), tiles_words(32, 32, 32, 3)
    (2560, 5120)
    """
    down, across, pairs = (-(-size // BLOCK) * unit for size, unit in ((m, BLOCK), (n, BLOCK), (k, WORDS)))
    row = pairs + PAD
    return (2 if products == 3 else 1) * (down * row + across * pairs + max(down * pairs, n * row))


def large_enough(m: int, n: int, k: int) -> bool:
    """Whether the product is large enough to be worth packing."""
    return min(m, n, k) >= SMALLEST


def tiles_work() -> int:
    """The elements of `work` that `gemm_tiles` needs.

    >>> tiles_work()
    16384
    """
    return TASKS * BLOCK * BLOCK


@kernel
def gemm_tiles(a, b, c, bias, words, work, state, sizes):
    """``C = act(S + A B)``; arguments as of `gemm`, but that of each operand one stride is 1, and no size is 0.

    sizes: `SIZES`. words: `tiles_words` unsigned 32-bit integers; work: `tiles_work` elements; state: of the tiles, of
    `TASKS` tasks where they are emulated; products: 1 or 3.
    """
    m, n, k, a_row, a_col, b_row = sizes[M], sizes[N], sizes[K], sizes[A_ROW], sizes[A_COL], sizes[B_ROW]
    b_col, start, act, products = sizes[B_COL], sizes[START], sizes[ACT], sizes[PRODUCTS]
    pairs, row = whole_pairs(k), row_of_pairs(k)
    left_size, right_size = whole_blocks(m) * row, whole_blocks(n) * pairs
    spare_size = max(whole_blocks(m) * pairs, n * row)
    low = 1 if products == 3 else 0
    left, right, spare = at(words, 0), at(words, (1 + low) * left_size), at(words, (1 + low) * (left_size + right_size))
    left_low, right_low, spare_low = at(left, low * left_size), at(right, low * right_size), at(spare, low * spare_size)
    packing = threads_for((m + n) * k // 8)
    if a_col == 1:
        parallel_for(_pack_rows, PARTS, packing, at(a, 0), left, left_low, m, k, a_row, row, low)
    else:
        parallel_for(_pack_pairs, PARTS, packing, at(a, 0), spare, spare_low, m, k, a_col, low)
        parallel_for(_transpose, PARTS, packing, spare, spare_low, left, left_low, m, k, low)
    if b_col == 1:
        parallel_for(_pack_panels, PARTS, packing, at(b, 0), right, right_low, n, k, b_row, low)
    else:
        parallel_for(_pack_rows, PARTS, packing, at(b, 0), spare, spare_low, n, k, b_col, row, low)
        parallel_for(_panels_of_rows, PARTS, packing, spare, spare_low, right, right_low, n, k, low)
    down, across = (m + BLOCK - 1) // BLOCK, (n + BLOCK - 1) // BLOCK
    tasks = min(TASKS, down * across)
    threads = threads_for(m * n * k * products // 512)
    parallel_for(
        _blocks, tasks, threads, tasks, at(a, 0), a_row, a_col, at(b, 0), b_row, b_col, left, left_low, right,
        right_low, at(c, 0), at(bias, 0), at(work, 0), at(state, 0), m, n, k, products, start, act,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------- packing


@kernel
def _pack_rows(part, x, high, low, rows, k, x_row, row, split):
    """Rows of pairs of a matrix with contiguous rows, zeros behind them."""
    pairs, filled = whole_pairs(k), (k + 1) // 2
    for i in range(part * rows // PARTS, (part + 1) * rows // PARTS):
        to, to_low = at(high, i * row), at(low, i * row)
        split_row(at(x, i * x_row), to, to_low, k, split)
        clear(to, to_low, filled, pairs, split)


@kernel
def _pack_pairs(part, x, high, low, columns, k, x_row, split):
    """Pairs of rows of a matrix with contiguous rows, as far apart as whole blocks; rows of zeros behind them."""
    pairs, filled, width = whole_pairs(k), (k + 1) // 2, whole_blocks(columns)
    for q in range(part * pairs // PARTS, (part + 1) * pairs // PARTS):
        to, to_low = at(high, q * width), at(low, q * width)
        if q < filled:
            split_pair(at(x, 2 * q * x_row), x_row, to, to_low, columns, k - 2 * q, split)
        else:
            clear(to, to_low, 0, columns, split)


@kernel
def _pack_panels(part, x, high, low, columns, k, x_row, split):
    """The same by panels of 16 columns."""
    pairs, filled, panels = whole_pairs(k), (k + 1) // 2, (columns + WORDS - 1) // WORDS
    for panel in range(part * panels // PARTS, (part + 1) * panels // PARTS):
        j = panel * WORDS
        for q in range(pairs):
            place = (panel * pairs + q) * WORDS
            to, to_low = at(high, place), at(low, place)
            if q < filled:
                count = min(WORDS, columns - j)
                split_pair(at(x, 2 * q * x_row + j), x_row, to, to_low, count, k - 2 * q, split)
            else:
                clear(to, to_low, 0, WORDS, split)


@kernel
def _transpose(part, source, source_low, high, low, rows, k, split):
    """Rows of pairs from pairs of rows."""
    pairs, width, row, strips = whole_pairs(k), whole_blocks(rows), row_of_pairs(k), (rows + WORDS - 1) // WORDS
    for strip in range(part * strips // PARTS, (part + 1) * strips // PARTS):
        i = strip * WORDS
        count = min(WORDS, rows - i)
        for q in range(0, pairs, WORDS):
            turn(at(source, q * width + i), width, at(high, i * row + q), row, WORDS, count)
            if split:
                turn(at(source_low, q * width + i), width, at(low, i * row + q), row, WORDS, count)


@kernel
def _panels_of_rows(part, source, source_low, high, low, columns, k, split):
    """Panels of 16 columns from rows of pairs of the transpose."""
    pairs, row, panels = whole_pairs(k), row_of_pairs(k), (columns + WORDS - 1) // WORDS
    for panel in range(part * panels // PARTS, (part + 1) * panels // PARTS):
        j = panel * WORDS
        count = min(WORDS, columns - j)
        for q in range(0, pairs, WORDS):
            place = (panel * pairs + q) * WORDS
            turn(at(source, j * row + q), row, at(high, place), WORDS, count, WORDS)
            if split:
                turn(at(source_low, j * row + q), row, at(low, place), WORDS, count, WORDS)


# ------------------------------------------------------------------------------------------------- multiplying


@kernel
def _blocks(
    task, tasks, a, a_row, a_col, b, b_row, b_col, left, left_low, right, right_low, c, bias, work, state, m, n, k,
    products, start, act,
):  # fmt: skip
    """Some blocks of C, column by column."""
    pairs, row, steps = whole_pairs(k), row_of_pairs(k), (k + 31) // 32
    down, across = (m + BLOCK - 1) // BLOCK, (n + BLOCK - 1) // BLOCK
    own, registers = at(work, task * BLOCK * BLOCK), at(state, task * state_size(state))
    relu, from_c = 1 if act == RELU else 0, 1 if start != FROM_ZERO else 0
    configure(registers)
    for number in range(task * down * across // tasks, (task + 1) * down * across // tasks):
        i, j = number % down * BLOCK, number // down * BLOCK
        rows, columns = min(BLOCK, m - i), min(BLOCK, n - j)
        here, x, y = at(c, i * n + j), at(left, i * row), at(right, j * pairs)
        x_low, y_low = at(left_low, i * row), at(right_low, j * pairs)
        within = 1 if rows == BLOCK and columns == BLOCK and start == FROM_ZERO else 0
        target, target_row = (here, n) if within else (own, BLOCK)
        if from_c:
            _copy_start(bias if start == FROM_BIAS else c, start, i, j, own, n, rows, columns)
        block(registers, x, x_low, row, y, y_low, pairs * WORDS, target, target_row, steps, products, from_c)
        if products == 3 and has_others(target, target_row, rows, columns):
            _mend(
                target, target_row, at(a, i * a_row), a_row, a_col, at(b, j * b_col), b_row, b_col,
                bias if start == FROM_BIAS else c, start, i, j, n, rows, columns, k,
            )  # fmt: skip
        if relu or not within:
            for r in range(rows):
                for q in range(columns):
                    value = target[r * target_row + q]
                    here[r * n + q] = np.float32(0) if relu and value < 0 else value
        if act != LINEAR and act != RELU:
            activate(here, rows, columns, n, act)
    release(registers)


@kernel
def _copy_start(source, start, i, j, target, n, rows, columns):
    """What the sums of a block start from."""
    for r in range(rows):
        row = at(source, j if start == FROM_BIAS else (i + r) * n + j)
        for q in range(columns):
            target[r * BLOCK + q] = row[q]


@kernel
def _mend(
    c, c_row, a, a_row, a_col, b, b_row, b_col, source, start, i, j, n, rows, columns, k
):  # fmt: skip
    """Compute such numbers of a block as they are: an infinite one times the 0 of a split one was NaN."""
    for r in range(rows):
        for q in range(columns):
            value = c[r * c_row + q]
            if value - value != 0:
                total = np.float32(0)
                if start != FROM_ZERO:
                    total = source[j + q if start == FROM_BIAS else (i + r) * n + j + q]
                for p in range(k):
                    total += a[r * a_row + p * a_col] * b[p * b_row + q * b_col]
                c[r * c_row + q] = total
