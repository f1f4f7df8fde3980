"""Convolution and its input gradient for many channels and small images: tap by tap.

As `fnet.kernels.cpu.conv`, but a tap has a region of its own, all pixels for which it reads no padding, and adds to
what the taps before it have left in y. Most pixels of a small image see the padding: region by region they would fill
few tiles, and each region would read all weights, which are too many for the caches. Here a task has a panel of the
columns and some samples; it copies the weights of a tap, uses them for all pixels, and does not read them again.

An element of the output is one chain of multiply-adds over its taps (in the order of the table) and channels that
starts from the bias: its bits depend neither on the blocking nor on the number of threads.
"""

from __future__ import annotations

from fnet.activation_codes import LINEAR
from fnet.kernels.cpu.conv import (
    ACT,
    COLUMN_STEP,
    COLUMNS,
    DEPTH,
    GROUP_STEP,
    GROUPS,
    HAS_BIAS,
    NARROW_ROWS,
    REVERSE,
    ROW_STEP,
    ROWS,
    SAMPLES,
    TAP_STEP,
    TAPS,
    VECTORS,
    WIDE_ROWS,
    WIDE_VECTORS,
    X_SAMPLE,
    Y_SAMPLE,
    panel_of,
)  # fmt: skip
from fnet.kernels.cpu.conv_scatter import activate_line
from fnet.kernels.cpu.conv_table import ENTRIES, FIELDS, ROWS_C, ROWS_X, RUNS_B, RUNS_X, STEPS
from fnet.kernels.cpu.conv_tile import gather_tile
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.packing import band_copier, row_copier, transposing_copier
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at, lanes
from fnet.kernels.policy import kernel

DEEP = 256  # channels that are summed over for each tap, from which on reading y again costs little
SMALL = 100  # pixels of an image up to which so many of them see the padding that it pays
PIXELS = 512  # of a task, about

_tile = gather_tile(ROWS, VECTORS, onto=True)
_wide = gather_tile(WIDE_ROWS, WIDE_VECTORS, onto=True)
_narrow = gather_tile(NARROW_ROWS, 1, onto=True)
_copy_wide, _copy_part, _transpose = row_copier(WIDE_VECTORS), band_copier(), transposing_copier()


def gains(pixels: int, depth: int) -> bool:
    """Whether an image of so many outputs is small, and so many channels are many.

    >>> gains(49, 512), gains(196, 512), gains(49, 64)
    (True, False, False)
    """
    return depth >= DEEP and pixels <= SMALL


def samples_of_task(samples: int, pixels: int) -> int:
    """How many samples a task takes.

    >>> samples_of_task(8, 49), samples_of_task(8, 200)
    (8, 2)
    """
    return max(1, min(samples, PIXELS // max(pixels, 1)))


def panels_size(samples: int, pixels: int, groups: int, depth: int, columns: int) -> int:
    """The elements of `panels` that `gather_taps` needs.

    >>> panels_size(0, 49, 1, 512, 64)
    0
    """
    one = VECTOR_BYTES // 4
    tasks = groups * -(-columns // (WIDE_VECTORS * one)) * -(-samples // samples_of_task(samples, pixels))
    return tasks * (-(-depth // one) * one) * WIDE_VECTORS * one


@kernel
def gather_taps(x, w, bias, y, table, panels, some_samples, sizes):
    """``y = act(conv(x) + bias)``; table: `output_taps` or `input_taps`; panels: `panels_size` elements.

    some_samples: `samples_of_task`; sizes: `conv.SIZES`, of weights whose columns or rows lie side by side; the rest as
    in `conv.gather`.
    """
    samples, groups, columns = sizes[SAMPLES], sizes[GROUPS], sizes[COLUMNS]
    wide = WIDE_VECTORS * lanes(at(y, 0))
    tasks = groups * ((columns + wide - 1) // wide) * ((samples + some_samples - 1) // max(some_samples, 1))
    work, head = 0, at(table, 1)
    for _ in range(table[0]):
        work += samples * head[ENTRIES] * head[STEPS] * groups * columns
        head = at(head, FIELDS)
    parallel_for(
        _task, tasks, threads_for(work // 100), at(x, 0), at(w, 0), at(bias, 0), at(y, 0), at(table, 0), at(panels, 0),
        panels.size // max(tasks, 1), some_samples, at(sizes, 0),
    )  # fmt: skip


@kernel
def _task(i, x, w, bias, y, table, panels, panel_step, some_samples, sizes):
    """The columns of one wide panel of a group, for some samples."""
    samples, x_sample, y_sample, groups = sizes[SAMPLES], sizes[X_SAMPLE], sizes[Y_SAMPLE], sizes[GROUPS]
    taps, depth, columns, reverse = sizes[TAPS], sizes[DEPTH], sizes[COLUMNS], sizes[REVERSE]
    group_step, tap_step, row_step = sizes[GROUP_STEP], sizes[TAP_STEP], sizes[ROW_STEP]
    column_step, has_bias, act = sizes[COLUMN_STEP], sizes[HAS_BIAS], sizes[ACT]
    one, filters, own = lanes(y), groups * columns, at(panels, i * panel_step)
    wide = WIDE_VECTORS * one
    blocks = groups * ((columns + wide - 1) // wide)
    first, block = i // blocks * some_samples, i % blocks
    last = min(first + some_samples, samples)
    group, start = block % groups, block // groups * wide
    used = min(wide, columns - start)
    target = at(y, group * columns + start)
    pixels = y_sample // filters
    for pixel in range(first * pixels, last * pixels):
        for j in range(used):
            target[pixel * filters + j] = bias[group * columns + start + j] if has_bias else 0
    head = at(table, 1)
    for _ in range(table[0]):
        tap = at(table, head[RUNS_B])[0] // depth
        source = at(w, group * group_step + (taps - 1 - tap if reverse else tap) * tap_step + start * column_step)
        _fill(source, own, depth, row_step, column_step, used)
        _add_tap(at(x, group * depth), own, target, table, head, first, last, x_sample, y_sample, depth, used)
        head = at(head, FIELDS)
    if act != LINEAR:
        for pixel in range(first * pixels, last * pixels):
            activate_line(at(target, pixel * filters), used, act)


@kernel
def _fill(w, panel, depth, row_step, column_step, used):
    """Copy the weights of a tap, `used` columns of them, to panels as wide as the tiles."""
    one, j = lanes(panel), 0
    while j < used:
        width, _ = panel_of(used, j, one)
        target = at(panel, j * depth)
        if column_step == 1 and width == WIDE_VECTORS * one and used - j >= width:
            _copy_wide(at(w, j), row_step, target, depth)
        else:
            for v in range(0, min(width, used - j), one):
                source, count = at(w, (j + v) * column_step), min(one, used - j - v)
                if column_step == 1:
                    _copy_part(source, row_step, at(target, v), width, depth, count)
                else:
                    _transpose(source, column_step, at(target, v), width, count, depth)
        j += width


@kernel
def _add_tap(x, panel, y, table, head, first, last, x_sample, y_sample, depth, used):
    """Add the products of one tap to the pixels that see it, of the samples first .. last-1."""
    one, entries, steps = lanes(y), head[ENTRIES], head[STEPS]
    rows_x, rows_y, runs_x = at(table, head[ROWS_X]), at(table, head[ROWS_C]), at(table, head[RUNS_X])
    begin, end, runs_b, tap = first * entries, last * entries, at(table, head[RUNS_B]), at(table, head[RUNS_B])[0]
    j = 0
    while j < used:
        width, _ = panel_of(used, j, one)
        b, z, left = at(panel, j * depth), at(y, j), used - j
        if width == WIDE_VECTORS * one:
            for r in range(begin, end, WIDE_ROWS):
                _wide(
                    x, b, z, z, rows_x, rows_y, entries, x_sample, y_sample, r, end, runs_x, runs_b, 1, 1, steps, 0, 0,
                    1, 1, width, tap, 0, 0, left,
                )  # fmt: skip
        elif width == VECTORS * one:
            for r in range(begin, end, ROWS):
                _tile(
                    x, b, z, z, rows_x, rows_y, entries, x_sample, y_sample, r, end, runs_x, runs_b, 1, 1, steps, 0, 0,
                    1, 1, width, tap, 0, 0, left,
                )  # fmt: skip
        else:
            for r in range(begin, end, NARROW_ROWS):
                _narrow(
                    x, b, z, z, rows_x, rows_y, entries, x_sample, y_sample, r, end, runs_x, runs_b, 1, 1, steps, 0, 0,
                    1, 1, width, tap, 0, 0, left,
                )  # fmt: skip
        j += width
