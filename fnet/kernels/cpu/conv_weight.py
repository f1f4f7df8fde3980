"""The weight gradient of a convolution, ``dw[tap, c, f] = sum over pixels of x[pixel + tap, c] g[pixel, f]``, direct.

The rows of the tiles are weights (tap, channel), and what is summed over are the output pixels of all samples, read in
place. Regions in which some taps read padding are summed by tables of their own (`fnet.kernels.cpu.conv_table`).
All tiles go over a block of pixels before the next one, of which each tile fetches its share meanwhile.

Work is shared among threads by columns, and by parts of the samples where the weights are few: each part has its own
sum, and the parts are added in order. Their number depends on sizes only, so the bits do not depend on the threads.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fnet.kernels.cpu.conv import (
    NARROW_ROWS,
    ROWS,
    VECTORS,
    WIDE_ROWS,
    WIDE_VECTORS,
)
from fnet.kernels.cpu.conv_table import (
    ENTRIES,
    FIELDS,
    GROUP,
    ROWS_C,
    ROWS_X,
    RUNS,
    RUNS_B,
    RUNS_X,
    STEP_B,
    STEP_X,
    STEPS,
    Axes,
    column_table,
    goes_along_last,
    weight_table,
)
from fnet.kernels.cpu.conv_tile import gather_tile
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector import spans
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at, lanes
from fnet.kernels.policy import kernel

MAX_PARTS = 16
BLOCK = 256  # pixels that all tiles go over before the next ones, so that they stay in the caches
FETCHED = 64  # pixels from which on a block is fetched ahead
SUM_BLOCK = 4096  # weights that one task adds over the parts
STARTING = 8  # pixels that a tile would go over in the time in which it loads and stores its sums

_tile = gather_tile(ROWS, VECTORS, onto=True)
_wide = gather_tile(WIDE_ROWS, WIDE_VECTORS, onto=True)
_narrow = gather_tile(NARROW_ROWS, 1, onto=True, partial=True)


def part_count(samples: int, data: int, weights: int) -> int:
    """How many partial sums there are for so many samples, elements of x and g, and weights: of as many samples each.

    >>> part_count(32, 1_000_000, 1000), part_count(32, 2_000_000, 100_000)
    (16, 4)
    """
    most = max(1, min(MAX_PARTS, samples, data // (3 * max(weights, 1))))
    return max((parts for parts in range(most // 2 + 1, most + 1) if samples % parts == 0), default=most)


def gains_transposed(channels: int, filters: int, dtype: npt.DTypeLike) -> bool:
    """Whether filters fill less than two vectors and channels more: then x and g change their roles.

    >>> gains_transposed(1024, 1, "float32"), gains_transposed(16, 1024, "float32")
    (True, False)
    """
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    return 0 < filters <= lanes and channels >= VECTORS * lanes


def table_of(axes: Axes, channels: int, filters: int, depth: int) -> np.ndarray:
    """The table with which the tiles take less time, of `weight_table` and `column_table`."""
    tables = [weight_table(axes, channels, filters, depth)]
    if goes_along_last(axes):
        tables.append(column_table(axes, channels, filters, depth))
    return min(tables, key=_cost)


def _cost(table: np.ndarray) -> int:
    """Steps of all wide tiles of one sample, those in which tiles start and rows that are repeated counted in."""
    heads = table[1 : 1 + FIELDS * table[0]].reshape(-1, FIELDS)
    tiles = -(-heads[:, ENTRIES] // WIDE_ROWS)
    return int((tiles * (heads[:, RUNS] * heads[:, STEPS] + STARTING)).sum())


@kernel
def weight_gradient(x, g, dw, partial, table, samples, x_sample, g_sample, groups, depth, columns, rows, parts):
    """Write dw, the sum over all samples; partial: (parts, dw.size) elements where there are several parts.

    depth, columns: the channels of x and of g in a group; rows: the weights (tap, channel) of a group. With
    `conv_table.filter_table` and what belongs to x and g exchanged, dw is (tap, filter, channel).
    """
    one = lanes(at(dw, 0))
    blocks = groups * ((columns + WIDE_VECTORS * one - 1) // (WIDE_VECTORS * one))
    size = rows * groups * columns
    target = at(partial if parts > 1 else dw, 0)
    work = samples * (g_sample // max(groups * columns, 1)) * size
    parallel_for(
        _block, parts * blocks, threads_for(work // 100), at(x, 0), at(g, 0), target, at(table, 0), samples, x_sample,
        g_sample, groups, depth, columns, rows, parts,
    )  # fmt: skip
    if parts > 1:
        sum_parts(partial, dw, size, parts)


@kernel
def sum_parts(partial, dw, size, parts):
    """dw = the sum of the parts, in order; partial: (parts, size)."""
    count = (size + SUM_BLOCK - 1) // SUM_BLOCK
    parallel_for(_sum_block, count, threads_for(size * parts // 8), at(partial, 0), at(dw, 0), size, parts)


@kernel
def _sum_block(i, partial, dw, size, parts):
    """Add the parts of one block of weights, in order."""
    first, last = i * SUM_BLOCK, min(i * SUM_BLOCK + SUM_BLOCK, size)
    for k in range(first, last):
        dw[k] = partial[k]
    for part in range(1, parts):
        for k in range(first, last):
            dw[k] += partial[part * size + k]


@kernel
def _block(i, x, g, target, table, samples, x_sample, g_sample, groups, depth, columns, rows, parts):
    """The columns of one wide panel, summed over the samples of one part."""
    one, filters = lanes(target), groups * columns
    wide = WIDE_VECTORS * one
    blocks = (columns + wide - 1) // wide
    part, group, start = i // (groups * blocks), i // blocks % groups, i % blocks * wide
    stop = min(start + wide, columns)
    n_first, n_last = samples * part // parts, samples * (part + 1) // parts
    out = at(target, part * rows * filters + group * columns)
    for k in range(rows):
        for j in range(start, stop):
            out[k * filters + j] = 0
    head, done = at(table, 1), 0
    while done < table[0]:
        runs, steps, group_size = head[RUNS], head[STEPS], head[GROUP]
        pixels = max(runs * steps, 1)
        some_samples = max(1, BLOCK // pixels)
        some_runs = runs if some_samples > 1 else max(1, BLOCK // steps)
        for n in range(n_first, n_last, some_samples):
            count = min(some_samples, n_last - n)
            source, factor = at(x, n * x_sample + group * depth), at(g, n * g_sample + group * columns)
            for run in range(0, runs, some_runs):
                following = run + some_runs if run + some_runs < runs else 0
                later = 0 if following > 0 else some_samples  # how many samples behind this block the next one lies
                ahead = min(some_runs, runs - following) if pixels >= FETCHED and n + later < n_last else 0
                for k in range(group_size):
                    _region(
                        source, factor, out, table, at(head, k * FIELDS), run, min(some_runs, runs - run), count,
                        x_sample, g_sample, depth, filters, columns, start, stop, following, ahead, later, k,
                        group_size,
                    )  # fmt: skip
        head = at(head, group_size * FIELDS)
        done += group_size


@kernel
def _fetch(x, g, runs_x, runs_b, steps, step_x, step_b, filters, depth, width, first, last):
    """Fetch the pixels first .. last-1 of some runs: `depth` channels of x and `width` columns of g."""
    for pixel in range(first, last):
        run, step = pixel // steps, pixel % steps
        spans.fetch(at(x, runs_x[run] + step * step_x), depth)
        spans.fetch(at(g, (runs_b[run] + step * step_b) * filters), width)


@kernel
def _region(
    x, g, out, table, head, run, runs, samples, x_sample, g_sample, depth, filters, columns, start, stop, following,
    ahead, later, member, members,
):  # fmt: skip
    """Add the products of some runs of some samples to the rows of a region, for the columns start .. stop-1.

    The wide tiles of all `members` of the group share the fetching of what the last tap reads in the `ahead` runs from
    `following` on, `later` samples behind.
    """
    one, entries, steps, step_x, step_b = lanes(out), head[ENTRIES], head[STEPS], head[STEP_X], head[STEP_B]
    rows_x, rows_c = at(table, head[ROWS_X]), at(table, head[ROWS_C])
    runs_x, runs_b = at(table, head[RUNS_X] + run), at(table, head[RUNS_B] + run)
    next_x, next_b = at(table, head[RUNS_X] + following), at(table, head[RUNS_B] + following)
    shift, soon, shares = rows_x[max(entries - depth, 0)], ahead * steps, members * entries
    j = start
    while j < stop:
        b, z, left = at(g, j), at(out, j), columns - j
        if left >= WIDE_VECTORS * one:
            for r in range(0, entries, WIDE_ROWS):
                _fetch(
                    at(x, later * x_sample + shift), at(b, later * g_sample), next_x, next_b, steps, step_x, step_b,
                    filters, depth, WIDE_VECTORS * one, soon * (member * entries + r) // shares,
                    soon * (member * entries + min(r + WIDE_ROWS, entries)) // shares,
                )  # fmt: skip
                _wide(
                    x, b, z, z, rows_x, rows_c, entries, 0, 0, r, entries, runs_x, runs_b, samples, runs, steps,
                    x_sample, g_sample, step_x, step_b, filters, 0, 0, 0, left,
                )  # fmt: skip
            j += WIDE_VECTORS * one
        elif left >= VECTORS * one:
            for r in range(0, entries, ROWS):
                _tile(
                    x, b, z, z, rows_x, rows_c, entries, 0, 0, r, entries, runs_x, runs_b, samples, runs, steps,
                    x_sample, g_sample, step_x, step_b, filters, 0, 0, 0, left,
                )  # fmt: skip
            j += VECTORS * one
        else:
            for r in range(0, entries, NARROW_ROWS):
                _narrow(
                    x, b, z, z, rows_x, rows_c, entries, 0, 0, r, entries, runs_x, runs_b, samples, runs, steps,
                    x_sample, g_sample, step_x, step_b, filters, 0, 0, 0, left,
                )  # fmt: skip
            j += one
