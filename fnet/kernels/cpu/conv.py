"""Convolution and its input gradient, direct: tiles of products (`conv_tile`) without a matrix of patches.

Both are one kernel, `gather`: each row of the output (a pixel) sums products of the source pixels that a table
(`fnet.kernels.cpu.conv_table`) names with packed weights. The input gradient differs in its table and in how the
weights are packed: reversed taps, the roles of channels and filters exchanged. Padding and the gaps between strides
are nowhere in the tables, so they are neither stored nor multiplied.

An element of the output is one chain of multiply-adds over its taps (in the order of the table) and channels that
starts from the bias: its bits depend neither on the blocking nor on the number of threads.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fnet.activation_codes import RELU
from fnet.kernels.cpu.conv_table import ENTRIES, FIELDS, ROWS_C, ROWS_X, RUNS, RUNS_B, RUNS_X, STEP_B, STEP_X, STEPS
from fnet.kernels.cpu.conv_tile import gather_tile
from fnet.kernels.cpu.product import activate
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import INSTRUCTION_SET, VECTOR_BYTES, at, lanes
from fnet.kernels.policy import kernel, scalar
from fnet.kernels.sizes import Sizes

# Rows and vectors of the tiles. Nine rows of two vectors divide the weights of every 3 x 3 kernel.
ROWS, VECTORS = (9, 2) if INSTRUCTION_SET == "avx512" else (6, 2)
WIDE_ROWS, WIDE_VECTORS = (6, 4) if INSTRUCTION_SET == "avx512" else (ROWS, VECTORS)
NARROW_ROWS = 12

CHUNK = 36 * 4  # rows that one task computes at least, so that the weights of a panel are read for many rows
CHUNK_WORK = 2_000_000  # multiply-adds from which on a chunk is long enough for a task

_tile = gather_tile(ROWS, VECTORS)
_wide = gather_tile(WIDE_ROWS, WIDE_VECTORS)
_narrow = gather_tile(NARROW_ROWS, 1)

# What all kernels of convolutions by windows take; the steps say where the weights are.
SIZES = Sizes(
    "samples x_sample y_sample groups taps depth columns reverse group_step tap_step row_step column_step has_bias act"
)
(
    SAMPLES, X_SAMPLE, Y_SAMPLE, GROUPS, TAPS, DEPTH, COLUMNS, REVERSE, GROUP_STEP, TAP_STEP, ROW_STEP, COLUMN_STEP,
    HAS_BIAS, ACT,
) = SIZES  # fmt: skip


def packed_size(rows: int, columns: int, groups: int, dtype: npt.DTypeLike) -> int:
    """The elements of packed weights of `rows` (taps and channels) and `columns` for each group.

    >>> packed_size(9, 0, 2, "float32")
    0
    """
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    return groups * rows * (-(-columns // lanes) * lanes)


@kernel
def pack(w, packed, sizes):
    """Copy weights to panels as wide as the tiles, columns beyond the last being zeros.

    sizes: `SIZES`. The element of a group, tap, row (of `depth`) and column is ``w[group*group_step + tap*tap_step +
    row*row_step + column*column_step]``; `reverse` counts the taps from the last to the first.
    """
    groups, taps, depth, columns = sizes[GROUPS], sizes[TAPS], sizes[DEPTH], sizes[COLUMNS]
    one = lanes(at(packed, 0))
    panels = (columns + one - 1) // one
    work = taps * depth * columns * groups
    parallel_for(_pack_vector, groups * panels, threads_for(work // 2), at(w, 0), at(packed, 0), panels, at(sizes, 0))


@kernel
def _pack_vector(i, w, packed, panels, sizes):
    """Pack the columns of one vector."""
    taps, depth, columns, reverse = sizes[TAPS], sizes[DEPTH], sizes[COLUMNS], sizes[REVERSE]
    group_step, tap_step, row_step = sizes[GROUP_STEP], sizes[TAP_STEP], sizes[ROW_STEP]
    column_step = sizes[COLUMN_STEP]
    one = lanes(packed)
    group, first = i // panels, i % panels * one
    width, j = panel_of(columns, first, one)
    rows, count = taps * depth, min(one, columns - first)
    for tap in range(taps):
        source = at(w, group * group_step + (taps - 1 - tap if reverse else tap) * tap_step + first * column_step)
        target = at(packed, (group * panels * one + j) * rows + tap * depth * width + first - j)
        for row in range(depth):
            for v in range(count):
                target[row * width + v] = source[row * row_step + v * column_step]
            for v in range(count, one):
                target[row * width + v] = 0


@scalar
def panel_of(columns, column, one):
    """The width of the panel that holds a column, and its first column; what wide panels leave has narrower ones."""
    start = column // (WIDE_VECTORS * one) * (WIDE_VECTORS * one)
    if columns - start > (WIDE_VECTORS - 1) * one:
        return WIDE_VECTORS * one, start
    middle = start + (column - start) // (VECTORS * one) * (VECTORS * one)
    if columns - middle > (VECTORS - 1) * one:
        return VECTORS * one, middle
    return one, column // one * one


@kernel
def gather(x, packed, bias, y, table, sizes):
    """``y = act(conv(x) + bias)`` for the rows (taps and channels) of packed weights of each group.

    sizes: `SIZES`. x, y: `samples` arrays of x_sample and y_sample elements; depth, columns: the channels of x and y in
    a group; bias: (groups * columns,), read if ``has_bias != 0``; act: as in `fnet.kernels.cpu.gemm`. y overlaps no
    input.
    """
    samples, groups, taps, depth, columns = sizes[SAMPLES], sizes[GROUPS], sizes[TAPS], sizes[DEPTH], sizes[COLUMNS]
    work = 0
    head = at(table, 1)
    for _ in range(table[0]):
        work += samples * head[ENTRIES] * (head[RUNS] * head[STEPS] + 4) * groups * columns
        head = at(head, FIELDS)
    row_work = taps * depth * groups * columns
    chunk = CHUNK * max(1, CHUNK_WORK // (CHUNK * max(row_work, 1)))
    chunks = 0
    head = at(table, 1)
    for _ in range(table[0]):
        chunks += (samples * head[ENTRIES] + chunk - 1) // chunk
        head = at(head, FIELDS)
    parallel_for(
        _chunk, chunks, threads_for(work // 100), at(x, 0), at(packed, 0), at(bias, 0), at(y, 0), at(table, 0), chunk,
        at(sizes, 0),
    )  # fmt: skip


@kernel
def _chunk(i, x, packed, bias, y, table, chunk, sizes):
    """One chunk of the rows of one region, all columns."""
    samples, x_sample, y_sample, groups = sizes[SAMPLES], sizes[X_SAMPLE], sizes[Y_SAMPLE], sizes[GROUPS]
    taps, depth, columns, has_bias, act = sizes[TAPS], sizes[DEPTH], sizes[COLUMNS], sizes[HAS_BIAS], sizes[ACT]
    head = at(table, 1)
    count = (samples * head[ENTRIES] + chunk - 1) // chunk
    while i >= count:
        i -= count
        head = at(head, FIELDS)
        count = (samples * head[ENTRIES] + chunk - 1) // chunk
    first = i * chunk
    last = min(first + chunk, samples * head[ENTRIES])
    entries, runs, steps, step_x, step_b = head[ENTRIES], head[RUNS], head[STEPS], head[STEP_X], head[STEP_B]
    rows_x, rows_y = at(table, head[ROWS_X]), at(table, head[ROWS_C])
    runs_x, runs_b = at(table, head[RUNS_X]), at(table, head[RUNS_B])
    one = lanes(y)
    padded, rows = (columns + one - 1) // one * one, taps * depth
    relu = 1 if act == RELU else 0
    for g in range(groups):
        source = at(x, g * depth)
        j = 0
        while j < columns:
            width, _ = panel_of(columns, j, one)
            w, left = at(packed, (g * padded + j) * rows), columns - j
            s, z = at(bias, g * columns + j), at(y, g * columns + j)
            if width == WIDE_VECTORS * one:
                for r in range(first, last, WIDE_ROWS):
                    _wide(
                        source, w, z, s, rows_x, rows_y, entries, x_sample, y_sample, r, last, runs_x, runs_b, 1, runs,
                        steps, 0, 0, step_x, step_b, width, 0, has_bias, relu, left,
                    )  # fmt: skip
            elif width == VECTORS * one:
                for r in range(first, last, ROWS):
                    _tile(
                        source, w, z, s, rows_x, rows_y, entries, x_sample, y_sample, r, last, runs_x, runs_b, 1, runs,
                        steps, 0, 0, step_x, step_b, width, 0, has_bias, relu, left,
                    )  # fmt: skip
            else:
                for r in range(first, last, NARROW_ROWS):
                    _narrow(
                        source, w, z, s, rows_x, rows_y, entries, x_sample, y_sample, r, last, runs_x, runs_b, 1, runs,
                        steps, 0, 0, step_x, step_b, width, 0, has_bias, relu, left,
                    )  # fmt: skip
            j += width
    if act > RELU:
        for r in range(first, last):
            sample = r // entries
            activate(at(y, sample * y_sample + rows_y[r - sample * entries]), 1, groups * columns, 0, act)
