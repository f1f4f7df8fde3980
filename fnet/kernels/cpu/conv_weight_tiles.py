"""The weight gradient of a convolution by AMX tiles: products of filters times pixels with pixels times channels.

``dw'[f, (tap, c)] = sum over pixels of g[pixel, f] x[pixel + tap, c]``: pairs of bfloat16 are neighbouring pixels. For
some hundred pixels of a region (`fnet.kernels.cpu.conv_table`) the gradients of the outputs are packed once, the rows
of A, and for each tap the channels that it reads, the columns of B; their product is added to the sum of a part of the
samples. At last the parts are added in order and transposed. Their number depends on sizes only.
"""

from __future__ import annotations

from fnet.kernels.cpu.conv_table import ENTRIES, FIELDS, ROWS_C, ROWS_X, RUNS, RUNS_B, RUNS_X, STEP_B, STEP_X, STEPS
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.amx import WORDS, configure, release, state_size
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.cpu.vector.tile_block import BLOCK, PAD, block_sums, clear, split_pair, turn, whole_blocks
from fnet.kernels.policy import kernel, scalar
from fnet.kernels.sizes import Sizes

PIXELS = 256  # that are packed and multiplied at a time
PAIRS = PIXELS // 2
ROW = PAIRS + PAD
TASKS = 16
# Channels and filters from which on a tile is not mostly zeros, and pixels for which a sum is worth its memory traffic:
# estimates, as tiles of half the size cost as much as whole ones.
SMALLEST, FEWEST = 16, 128

SIZES = Sizes("samples x_sample g_sample taps channels filters parts slices room products")
SAMPLES, X_SAMPLE, G_SAMPLE, TAPS, CHANNELS, FILTERS, PARTS, SLICES, ROOM, PRODUCTS = SIZES


def gains(pixels: int, channels: int, filters: int) -> bool:
    """Whether there are enough pixels, channels and filters to be worth packing."""
    return pixels >= FEWEST and min(channels, filters) >= SMALLEST


def slice_count(parts: int, taps: int) -> int:
    """How many tasks share the taps of one part.

    >>> slice_count(1, 9), slice_count(16, 9)
    (9, 1)
    """
    return max(1, min(taps, TASKS // parts))


def task_words(channels: int, filters: int, products: int) -> int:
    """The 32-bit words that each task of `weight_gradient_tiles` needs."""
    rows, columns = (-(-size // BLOCK) * BLOCK for size in (filters, channels))
    return (2 if products == 3 else 1) * (rows * ROW + rows * PAIRS + columns * PAIRS)


@scalar
def _padded(pixels):
    """The pairs of so many pixels, up to whole tiles."""
    return (pixels + 31) // 32 * 16


@kernel
def weight_gradient_tiles(x, g, dw, partial, table, words, offsets, work, state, sizes):
    """Write dw: (taps, channels, filters), the sum over all samples.

    sizes: `SIZES`. partial: (parts, dw.size); words: `room` (`task_words`) for each of ``parts * slices`` tasks,
    offsets: 2 `PIXELS` integers and work: two blocks of elements for each; state: of tiles, of as many tasks where they
    are emulated.
    """
    samples, g_sample, taps, channels = sizes[SAMPLES], sizes[G_SAMPLE], sizes[TAPS], sizes[CHANNELS]
    filters, parts, slices, products = sizes[FILTERS], sizes[PARTS], sizes[SLICES], sizes[PRODUCTS]
    size, tasks = taps * channels * filters, parts * slices
    multiply_adds = samples * (g_sample // max(filters, 1)) * size
    parallel_for(
        _part, tasks, threads_for(multiply_adds * products // 256), at(x, 0), at(g, 0), at(partial, 0), at(table, 0),
        at(words, 0), at(offsets, 0), at(work, 0), at(state, 0), at(sizes, 0),
    )  # fmt: skip
    parallel_for(
        _sum_turned, TASKS, threads_for(size * parts // 2), at(partial, 0), at(dw, 0), taps * channels, filters, parts
    )


@kernel
def _sum_turned(task, partial, dw, rows, filters, parts):
    """Some rows of dw: the sums of the parts, in order."""
    first, end = task * rows // TASKS, (task + 1) * rows // TASKS
    for f in range(filters):
        for k in range(first, end):
            total = partial[f * rows + k]
            for part in range(1, parts):
                total += partial[(part * filters + f) * rows + k]
            dw[k * filters + f] = total


@kernel
def _part(task, x, g, partial, table, words, offsets, work, state, sizes):
    """Some taps of the sum over the samples of one part."""
    samples, x_sample, g_sample, taps = sizes[SAMPLES], sizes[X_SAMPLE], sizes[G_SAMPLE], sizes[TAPS]
    channels, filters, parts, slices, room = sizes[CHANNELS], sizes[FILTERS], sizes[PARTS], sizes[SLICES], sizes[ROOM]
    products = sizes[PRODUCTS]
    part, columns = task // slices, taps * channels
    first_tap, end_tap = task % slices * taps // slices, (task % slices + 1) * taps // slices
    first, end = samples * part // parts, samples * (part + 1) // parts
    target = at(partial, part * columns * filters)
    for f in range(filters):
        for k in range(first_tap * channels, end_tap * channels):
            target[f * columns + k] = 0
    own_words, places, own = at(words, task * room), at(offsets, task * 2 * PIXELS), at(work, task * 2 * BLOCK * BLOCK)
    registers, head = at(state, task * state_size(state)), at(table, 1)
    configure(registers)
    for _ in range(table[0]):
        pixels = (end - first) * head[RUNS] * head[STEPS]
        for p in range(0, pixels, PIXELS):
            count = min(PIXELS, pixels - p)
            _find(places, table, head, first, p, count, x_sample, g_sample, filters)
            _add_pixels(
                x, g, target, table, head, own_words, places, own, registers, count, first_tap, end_tap, columns,
                channels, filters, products,
            )  # fmt: skip
        head = at(head, FIELDS)
    release(registers)


@kernel
def _find(places, table, head, first, start, count, x_sample, g_sample, filters):
    """Where pixels of a region lie in x, and behind them where they lie in g."""
    runs, steps, step_x, step_b = head[RUNS], head[STEPS], head[STEP_X], head[STEP_B]
    runs_x, runs_b = at(table, head[RUNS_X]), at(table, head[RUNS_B])
    for i in range(count):
        p = start + i
        sample, run, step = first + p // (runs * steps), p // steps % runs, p % steps
        places[i] = sample * x_sample + runs_x[run] + step * step_x
        places[PIXELS + i] = sample * g_sample + (runs_b[run] + step * step_b) * filters


@kernel
def _pack_pixels(x, places, shift, high, low, high_row, count, columns, split):
    """Pairs of pixels of up to high_row columns, zeros behind them."""
    pairs = (count + 1) // 2
    for q in range(pairs):
        place = places[2 * q]
        apart = places[2 * q + 1] - place if 2 * q + 1 < count else 0
        split_pair(
            at(x, place + shift), apart, at(high, q * high_row), at(low, q * high_row), columns, count - 2 * q, split
        )
    for q in range(pairs, _padded(count)):
        clear(at(high, q * high_row), at(low, q * high_row), 0, columns, split)


@kernel
def _add_pixels(
    x, g, target, table, head, words, places, own, state, count, first_tap, end_tap, columns, channels, filters,
    products,
):  # fmt: skip
    """What some pixels give to the sums of some taps."""
    split, pairs, width = 1 if products == 3 else 0, _padded(count), whole_blocks(filters)
    a_size, spare_size, b_size = width * ROW, width * PAIRS, whole_blocks(channels) * PAIRS
    a, spare, b = words, at(words, (1 + split) * a_size), at(words, (1 + split) * (a_size + spare_size))
    a_low, spare_low, b_low = at(a, split * a_size), at(spare, split * spare_size), at(b, split * b_size)
    _pack_pixels(g, at(places, PIXELS), 0, spare, spare_low, width, count, filters, split)
    for i in range(0, filters, WORDS):
        for q in range(0, pairs, WORDS):
            turn(at(spare, q * width + i), width, at(a, i * ROW + q), ROW, WORDS, min(WORDS, filters - i))
            if split:
                turn(at(spare_low, q * width + i), width, at(a_low, i * ROW + q), ROW, WORDS, min(WORDS, filters - i))
    rows_x, rows_c = at(table, head[ROWS_X]), at(table, head[ROWS_C])
    for entry in range(0, head[ENTRIES], channels):
        first = rows_c[entry] // filters
        if first < first_tap * channels or first >= end_tap * channels:
            continue
        for j in range(0, channels, WORDS):
            place = j * pairs
            _pack_pixels(
                x, places, rows_x[entry] + j, at(b, place), at(b_low, place), WORDS, count, min(WORDS, channels - j),
                split,
            )  # fmt: skip
        for i in range(0, filters, BLOCK):
            for j in range(0, channels, BLOCK):
                sums, place = at(target, i * columns + first + j), j * pairs
                m, n = min(BLOCK, filters - i), min(BLOCK, channels - j)
                block_sums(
                    state, at(a, i * ROW), at(a_low, i * ROW), ROW, at(b, place), at(b_low, place), pairs * WORDS,
                    sums, columns, own, m, n, pairs // WORDS, products, 1,
                )  # fmt: skip
                for r in range(m):
                    for q in range(n):
                        sums[r * columns + q] = own[r * BLOCK + q]
