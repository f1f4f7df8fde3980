"""Convolution and its input gradient by AMX tiles: matrix products of rows that are gathered block by block.

The source is rounded to bfloat16 once, or split in two: the channels of a pixel become words of pairs. The weights of
each region of the table (`fnet.kernels.cpu.conv_table`, its depth counted in words) are packed in panels, those of the
taps that its pixels see. A task then copies the words that 32 pixels see to rows of pairs, multiplies them with all
panels (`fnet.kernels.cpu.vector.tile_block`) and writes the sums to the pixels. Padding and the gaps between strides
are neither stored nor multiplied, as in `fnet.kernels.cpu.conv`.

An element of the output is the same sum whatever block and task it is in.
"""

from __future__ import annotations

import numpy as np

from fnet.activation_codes import RELU
from fnet.kernels.cpu.conv_table import ENTRIES, FIELDS, ROWS_C, ROWS_X, RUNS, RUNS_B, RUNS_X, STEP_B, STEP_X, STEPS
from fnet.kernels.cpu.product import activate
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.amx import WORDS, configure, release, state_size
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.cpu.vector.tile_block import BLOCK, PAD, block_sums, clear, split_pair, split_row, whole_blocks
from fnet.kernels.policy import kernel, scalar
from fnet.kernels.sizes import Sizes

TASKS = 16  # at most
PARTS = 16  # tasks that round the source
SMALLEST = 16  # columns, and words of a row, from which on a tile is not mostly zeros
# Rows for each packed weight, on average. To pack one takes about 2 ns with its share of moving zeros, a multiply-add
# of split numbers 0.006 ns where a core has 500 G of rounded ones: at 64 rows packing is a share of a few times the
# work, which still is below that of float32 (64 x 0.02 ns). An estimate: the figures are those of matrix products.
REUSED = 64

SIZES = Sizes("pixels samples x_pixels y_sample taps depth columns packed row reverse has_bias products act")
(
    PIXELS, SAMPLES, X_PIXELS, Y_SAMPLE, TAPS, DEPTH, COLUMNS, PACKED, ROW, REVERSE, HAS_BIAS, PRODUCTS, ACT,
) = SIZES  # fmt: skip


def pair_count(depth: int) -> int:
    """The words of so many channels."""
    return -(-depth // 2)


def gains(table: np.ndarray, samples: int, columns: int) -> bool:
    """Whether the rows are long, many and wide enough to be worth packing."""
    lengths, rows = _region_sizes(table, samples)
    total = int(lengths.sum())
    longest = int(lengths.max(initial=0))
    return columns >= SMALLEST and longest >= SMALLEST and int((lengths * rows).sum()) >= REUSED * total > 0


def packed_words(table: np.ndarray, columns: int) -> int:
    """The words of the packed weights of all regions."""
    lengths, _ = _region_sizes(table, 1)
    return int((-(-lengths // WORDS) * WORDS).sum()) * -(-columns // BLOCK) * BLOCK


def row_words(table: np.ndarray) -> int:
    """The distance of gathered rows."""
    lengths, _ = _region_sizes(table, 1)
    return -(-int(lengths.max(initial=0)) // WORDS) * WORDS + PAD


def tiles_words(pixels: int, pairs: int, table: np.ndarray, columns: int, products: int) -> int:
    """The 32-bit words that `gather_tiles` needs for the words of all pixels, packed weights and gathered rows."""
    parts = 2 if products == 3 else 1
    return parts * (pixels * pairs + packed_words(table, columns) + TASKS * BLOCK * row_words(table))


def tiles_work() -> int:
    """The elements of `work` that `gather_tiles` needs."""
    return TASKS * 2 * BLOCK * BLOCK


def _region_sizes(table: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """For each region the words of a row, and the number of rows."""
    heads = table[1 : 1 + FIELDS * table[0]].reshape(-1, FIELDS)
    return heads[:, RUNS] * heads[:, STEPS], heads[:, ENTRIES] * samples


@scalar
def _padded(words):
    """`words` rounded up to whole tiles."""
    return (words + 15) // 16 * 16


@kernel
def gather_tiles(x, w, bias, y, table, words, work, state, sizes):
    """``y = act(conv(x) + bias)``.

    sizes: `SIZES`. x: `pixels` of `depth` channels, x_pixels for each of `samples`; w: (taps, depth, columns), the taps
    from the last one on if ``reverse != 0``; table: offsets in words of pairs; words: `tiles_words` and work:
    `tiles_work` elements; state: of tiles, of `TASKS` tasks where they are emulated; packed: `packed_words`; row:
    `row_words`; products: 1 or 3; the rest as in `fnet.kernels.cpu.conv`. y overlaps no input.
    """
    pixels, samples, taps, depth, columns = sizes[PIXELS], sizes[SAMPLES], sizes[TAPS], sizes[DEPTH], sizes[COLUMNS]
    packed, reverse, products = sizes[PACKED], sizes[REVERSE], sizes[PRODUCTS]
    pairs, low = (depth + 1) // 2, 1 if products == 3 else 0
    size = pixels * pairs
    source, weights = at(words, 0), at(words, (1 + low) * size)
    rows = at(weights, (1 + low) * packed)
    source_low, weights_low = at(source, low * size), at(weights, low * packed)
    parallel_for(_round, PARTS, threads_for(pixels * depth // 8), at(x, 0), source, source_low, pixels, depth, low)
    panels = (columns + WORDS - 1) // WORDS
    threads = threads_for(packed // 4)
    parallel_for(
        _pack, table[0] * panels, threads, at(w, 0), weights, weights_low, at(table, 0), taps, depth, columns, reverse,
        low,
    )  # fmt: skip
    blocks, multiply_adds = 0, 0
    head = at(table, 1)
    for _ in range(table[0]):
        count = samples * head[ENTRIES]
        blocks += (count + BLOCK - 1) // BLOCK
        multiply_adds += count * head[RUNS] * head[STEPS] * 2 * columns
        head = at(head, FIELDS)
    tasks = min(TASKS, blocks)
    parallel_for(
        _blocks, tasks, threads_for(multiply_adds * products // 256), tasks, blocks, source, source_low, weights,
        weights_low, rows, at(bias, 0), at(y, 0), at(table, 0), at(work, 0), at(state, 0), at(sizes, 0),
    )  # fmt: skip


@kernel
def _round(part, x, high, low, pixels, depth, split):
    """The words of some pixels."""
    first, end, pairs = part * pixels // PARTS, (part + 1) * pixels // PARTS, (depth + 1) // 2
    if depth % 2 == 0:
        split_row(at(x, first * depth), at(high, first * pairs), at(low, first * pairs), (end - first) * depth, split)
    else:
        for i in range(first, end):
            split_row(at(x, i * depth), at(high, i * pairs), at(low, i * pairs), depth, split)


@kernel
def _pack(task, w, high, low, table, taps, depth, columns, reverse, split):
    """One panel of 16 columns of the weights of a region."""
    panels = (columns + WORDS - 1) // WORDS
    region, panel, pairs = task // panels, task % panels, (depth + 1) // 2
    head, place = at(table, 1), 0
    for _ in range(region):
        place += _padded(head[RUNS] * head[STEPS]) * whole_blocks(columns)
        head = at(head, FIELDS)
    runs, steps, step_b, runs_b = head[RUNS], head[STEPS], head[STEP_B], at(table, head[RUNS_B])
    count, q = min(WORDS, columns - panel * WORDS), 0
    to = at(high, place + panel * _padded(runs * steps) * WORDS)
    to_low = at(low, place + panel * _padded(runs * steps) * WORDS)
    for run in range(runs):
        for t in range(steps):
            number = runs_b[run] + t * step_b
            tap, pair = number // pairs, number % pairs
            tap = taps - 1 - tap if reverse else tap
            rows = at(w, (tap * depth + 2 * pair) * columns + panel * WORDS)
            split_pair(rows, columns, at(to, q * WORDS), at(to_low, q * WORDS), count, depth - 2 * pair, split)
            q += 1
    clear(to, to_low, q * WORDS, _padded(q) * WORDS, split)


@kernel
def _blocks(task, tasks, blocks, source, source_low, weights, weights_low, rows, bias, y, table, work, state, sizes):
    """Some of the blocks of 32 rows, region by region."""
    samples, x_pixels, depth, columns, row = sizes[SAMPLES], sizes[X_PIXELS], sizes[DEPTH], sizes[COLUMNS], sizes[ROW]
    products = sizes[PRODUCTS]
    first, end, low = task * blocks // tasks, (task + 1) * blocks // tasks, 1 if products == 3 else 0
    x_sample = x_pixels * ((depth + 1) // 2)
    registers, own = at(state, task * state_size(state)), at(work, task * 2 * BLOCK * BLOCK)
    gathered = at(rows, task * (1 + low) * BLOCK * row)
    gathered_low = at(gathered, low * BLOCK * row)
    head, before, place = at(table, 1), 0, 0
    configure(registers)
    for _ in range(table[0]):
        count = samples * head[ENTRIES]
        here, length = (count + BLOCK - 1) // BLOCK, head[RUNS] * head[STEPS]
        for number in range(max(first - before, 0), min(end - before, here)):
            start = number * BLOCK
            size = min(BLOCK, count - start)
            _gather(source, gathered, table, head, start, size, x_sample, row)
            if low:
                _gather(source_low, gathered_low, table, head, start, size, x_sample, row)
            _multiply(
                gathered, gathered_low, at(weights, place), at(weights_low, place), bias, y, table, head, own,
                registers, start, size, sizes,
            )  # fmt: skip
        before += here
        place += _padded(length) * whole_blocks(columns)
        head = at(head, FIELDS)
    release(registers)


@kernel
def _gather(source, target, table, head, start, size, x_sample, row):
    """The words that some rows of a region see, zeros behind them."""
    entries, runs, steps, step = head[ENTRIES], head[RUNS], head[STEPS], head[STEP_X]
    rows_x, runs_x, length = at(table, head[ROWS_X]), at(table, head[RUNS_X]), runs * steps
    for r in range(size):
        sample = (start + r) // entries
        begin, to = sample * x_sample + rows_x[start + r - sample * entries], at(target, r * row)
        for run in range(runs):
            found, there = at(source, begin + runs_x[run]), at(to, run * steps)
            if step == 1:
                for t in range(steps):
                    there[t] = found[t]
            else:
                for t in range(steps):
                    there[t] = found[t * step]
        for t in range(length, _padded(length)):
            to[t] = 0


@kernel
def _multiply(rows, rows_low, weights, weights_low, bias, y, table, head, own, state, start, size, sizes):
    """The outputs of gathered rows, all columns."""
    y_sample, columns, row, has_bias = sizes[Y_SAMPLE], sizes[COLUMNS], sizes[ROW], sizes[HAS_BIAS]
    products, act = sizes[PRODUCTS], sizes[ACT]
    entries, rows_y, pairs = head[ENTRIES], at(table, head[ROWS_C]), _padded(head[RUNS] * head[STEPS])
    relu = 1 if act == RELU else 0
    for j in range(0, columns, BLOCK):
        count, place = min(BLOCK, columns - j), j * pairs
        block_sums(
            state, rows, rows_low, row, at(weights, place), at(weights_low, place), pairs * WORDS, at(bias, j), 0, own,
            size, count, pairs // WORDS, products, has_bias,
        )  # fmt: skip
        for r in range(size):
            sample = (start + r) // entries
            to = at(y, sample * y_sample + rows_y[start + r - sample * entries] + j)
            for q in range(count):
                value = own[r * BLOCK + q]
                to[q] = np.float32(0) if relu and value < 0 else value
            if act > RELU:
                activate(to, 1, count, 0, act)
