"""The weight gradient of a convolution of many channels: tap by tap, from panels of g.

As `fnet.kernels.cpu.conv_weight`, but every tap has tiles of its own: its rows are channels, and it sums over all
pixels at which it reads no padding, in long runs. In small images, most of which see the padding, whole sums are read
and written once that way, not once for every region of pixels. A block of lines of pixels of g is copied to a panel as
wide as the tiles before all taps go over it: in g itself, whose pixels lie far apart, the lines of the first-level
cache into which they fall are few.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.compiler.host import LEVEL_2
from fnet.kernels.cpu.conv import NARROW_ROWS, ROWS, VECTORS, WIDE_ROWS, WIDE_VECTORS, panel_of
from fnet.kernels.cpu.conv_table import ENTRIES, FIELDS, ROWS_C, ROWS_X, RUNS, RUNS_B, RUNS_X, STEP_X, STEPS
from fnet.kernels.cpu.conv_tile import gather_tile
from fnet.kernels.cpu.conv_weight import sum_parts
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector import spans
from fnet.kernels.cpu.vector.packing import band_copier, row_copier
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at, lanes
from fnet.kernels.policy import kernel, scalar

DEEP = 256  # channels from which on tap by tap is faster
BLOCK = 256  # pixels that all tiles go over before the next ones, so that they stay in the caches
LARGE_BLOCK = 1024  # where the sums of a panel do not stay in the second-level cache
AHEAD = 4  # steps: rows that read the same line wait for it each time if it is not there

_tile = gather_tile(ROWS, VECTORS, onto=True, ahead=AHEAD)
_wide = gather_tile(WIDE_ROWS, WIDE_VECTORS, onto=True, ahead=AHEAD)
_narrow = gather_tile(NARROW_ROWS, 1, onto=True, ahead=AHEAD)
_copy_wide, _copy, _copy_narrow = row_copier(WIDE_VECTORS), row_copier(VECTORS), row_copier(1)
_copy_part = band_copier()


def panel_size(samples: int, lines: np.ndarray, groups: int, columns: int, rows: int, parts: int) -> int:
    """The elements of `panel` that `weight_gradient` needs.

    >>> panel_size(0, np.array([4, 4, 1]), 1, 1, 9, 1)
    0
    """
    wide = WIDE_VECTORS * VECTOR_BYTES // 4
    pixels = min(block_of(rows, VECTOR_BYTES), -(-samples // parts) * int(lines[0] * lines[1]))
    return parts * groups * -(-columns // wide) * pixels * wide


@scalar
def block_of(rows, vector_bytes):
    """How many pixels go through all rows before the next ones."""
    return BLOCK if 2 * rows * WIDE_VECTORS * vector_bytes <= LEVEL_2 else LARGE_BLOCK


@kernel
def weight_gradient(
    x, g, dw, partial, panel, table, lines, samples, x_sample, g_sample, groups, depth, columns, rows, parts
):  # fmt: skip
    """Write dw, the sum over all samples; partial: (parts, dw.size) elements where there are several parts.

    panel: `panel_size` elements; table: `tap_table`; lines: `line_places`; depth, columns: the channels of x and of g
    in a group; rows: the weights (tap, channel) of a group.
    """
    one = lanes(at(dw, 0))
    blocks = groups * ((columns + WIDE_VECTORS * one - 1) // (WIDE_VECTORS * one))
    size = rows * groups * columns
    target = at(partial if parts > 1 else dw, 0)
    work = samples * (g_sample // max(groups * columns, 1)) * size
    parallel_for(
        _block, parts * blocks, threads_for(work // 100), at(x, 0), at(g, 0), target, at(panel, 0), at(table, 0),
        at(lines, 0), samples, x_sample, g_sample, groups, depth, columns, rows, parts,
        panel.size // max(parts * blocks, 1),
    )  # fmt: skip
    if parts > 1:
        sum_parts(partial, dw, size, parts)


@kernel
def _block(
    i, x, g, target, panel, table, lines, samples, x_sample, g_sample, groups, depth, columns, rows, parts, panel_step
):  # fmt: skip
    """The columns of one wide panel, summed over the samples of one part."""
    one, filters = lanes(target), groups * columns
    wide = WIDE_VECTORS * one
    blocks = (columns + wide - 1) // wide
    part, group, start = i // (groups * blocks), i // blocks % groups, i % blocks * wide
    stop, own = min(start + wide, columns), at(panel, i * panel_step)
    n_first, n_last = samples * part // parts, samples * (part + 1) // parts
    out = at(target, part * rows * filters + group * columns)
    for k in range(rows):
        spans.clear(at(out, k * filters + start), stop - start)
    count, length, pixels = lines[0], lines[1], block_of(rows, VECTOR_BYTES)
    some_samples = max(1, pixels // max(count * length, 1))
    some_lines = max(1, min(count, pixels // max(length, 1)))
    some_pixels = max(1, min(length, pixels))
    for n in range(n_first, n_last, some_samples):
        source, factor = at(x, n * x_sample + group * depth), at(g, n * g_sample + group * columns)
        taken = min(some_samples, n_last - n)
        for line in range(0, count, some_lines):
            for pixel in range(0, length, some_pixels):
                _panel(
                    source, factor, out, own, table, lines, taken, x_sample, g_sample, filters, columns, start, stop,
                    line, min(some_lines, count - line), pixel, min(some_pixels, length - pixel),
                )  # fmt: skip


@kernel
def _panel(
    x, g, out, panel, table, lines, samples, x_sample, g_sample, filters, columns, start, stop, line, some_lines, pixel,
    some_pixels,
):  # fmt: skip
    """Add the products of some pixels of some lines of some samples, for the columns start .. stop-1."""
    one, length = lanes(out), lines[1]
    width, _ = panel_of(columns, start, one)
    if width == filters and lines[2] == filters:  # g is a panel as it is
        b, pixels, before = g, lines[0] * length, 0
    else:
        b, pixels, before = panel, some_lines * some_pixels, line * length + pixel
        _fill(g, panel, lines, samples, g_sample, columns, start, stop, line, some_lines, pixel, some_pixels)
    head = at(table, 1)
    for _ in range(table[0]):
        runs_b = at(table, head[RUNS_B])
        first, last = 0, head[RUNS]
        while first < last and runs_b[first] < line * length:
            first += 1
        while first < last and runs_b[last - 1] >= (line + some_lines) * length:
            last -= 1
        if first < last:
            begin = runs_b[first] % length
            skipped = max(pixel - begin, 0)
            steps = min(begin + head[STEPS], pixel + some_pixels) - begin - skipped
            if steps > 0:
                _region(
                    x, b, out, table, head, first, last - first, steps, skipped, samples, x_sample, pixels, before,
                    filters, columns, start, stop,
                )  # fmt: skip
        head = at(head, FIELDS)


@kernel
def _fill(g, panel, lines, samples, g_sample, columns, start, stop, line, some_lines, pixel, some_pixels):
    """Copy some pixels to the panel: for each width of tiles, rows of so many columns."""
    size, j = samples * some_lines * some_pixels, start
    while j < stop:
        width, _ = panel_of(columns, j, lanes(panel))
        target = at(panel, (j - start) * size)
        for n in range(samples):
            for k in range(line, line + some_lines):
                source = at(g, n * g_sample + lines[3 + k] + pixel * lines[2] + j)
                _copy_line(source, lines[2], target, some_pixels, width, min(width, columns - j))
                target = at(target, some_pixels * width)
        j += width


@kernel
def _copy_line(source, step, target, pixels, width, used):
    """Copy the columns of some pixels to rows of `width` elements, `used` of them being there."""
    one = lanes(target)
    if used < width:
        for v in range(0, width, one):
            _copy_part(at(source, min(v, used)), step, at(target, v), width, pixels, max(0, min(one, used - v)))
    elif width == WIDE_VECTORS * one:
        _copy_wide(source, step, target, pixels)
    elif width == VECTORS * one:
        _copy(source, step, target, pixels)
    else:
        _copy_narrow(source, step, target, pixels)


@kernel
def _region(
    x, panel, out, table, head, run, runs, steps, skipped, samples, x_sample, pixels, before, filters, columns, start,
    stop,
):  # fmt: skip
    """Add the products of a panel, from pixel `before` on and of `pixels` for each sample, to the rows of a region."""
    one, entries, step_x = lanes(out), head[ENTRIES], head[STEP_X]
    rows_x, rows_c = at(table, head[ROWS_X]), at(table, head[ROWS_C])
    runs_x, runs_b = at(table, head[RUNS_X] + run), at(table, head[RUNS_B] + run)
    source, first, j = at(x, skipped * step_x), before - skipped, start
    while j < stop:
        width, _ = panel_of(columns, j, one)
        b, z, left = at(panel, (j - start) * samples * pixels), at(out, j), columns - j
        if width == WIDE_VECTORS * one:
            for r in range(0, entries, WIDE_ROWS):
                _wide(
                    source, b, z, z, rows_x, rows_c, entries, 0, 0, r, entries, runs_x, runs_b, samples, runs, steps,
                    x_sample, pixels * width, step_x, 1, width, first, 0, 0, left,
                )  # fmt: skip
        elif width == VECTORS * one:
            for r in range(0, entries, ROWS):
                _tile(
                    source, b, z, z, rows_x, rows_c, entries, 0, 0, r, entries, runs_x, runs_b, samples, runs, steps,
                    x_sample, pixels * width, step_x, 1, width, first, 0, 0, left,
                )  # fmt: skip
        else:
            for r in range(0, entries, NARROW_ROWS):
                _narrow(
                    source, b, z, z, rows_x, rows_c, entries, 0, 0, r, entries, runs_x, runs_b, samples, runs, steps,
                    x_sample, pixels * width, step_x, 1, width, first, 0, 0, left,
                )  # fmt: skip
        j += width
