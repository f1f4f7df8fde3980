"""Convolutions as matrix products whose left operand is read in place, through windows of an image.

A block computes a tile of the product from tiles of the operands in shared memory; a thread has one element, summed in
a fixed order. `fnet.kernels.cuda.window` says what windows are, so that the same kernel serves a convolution and its
input gradient.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.activation import activated
from fnet.kernels.cuda.block_tile import tile_of_block, tile_of_number, tiles_of
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.window import (
    COLUMNS,
    DEPTH,
    GROUPS,
    LAST_TAPS,
    LIMIT,
    LINE,
    LINES,
    OFFSET,
    PIXELS,
    SCALE,
    STEP,
    TAPS,
    WINDOW,
    residue_of_block,
    result_pixel,
    targets_of,
)
from fnet.kernels.sizes import Sizes

TILE = 16
_ELEMENTS = TILE * TILE
_PITCH = TILE + 1  # a column more, so that the elements of a column lie in different banks
_SHARED = TILE * (TILE + 1)

(*_, TAP_TABLE, GROUP_STEP, TAP_STEP, ROW_STEP, COLUMN_STEP, BIAS, ACT) = SIZES = Sizes(
    f"{WINDOW} tap_table group_step tap_step row_step column_step bias act"  # where `leads` has the numbers of taps
)
(*_, PART) = WEIGHT_SIZES = Sizes(f"{WINDOW} part")  # the targets of a part of the sums
_COUNT = len(SIZES.names)


@device_function
def _quotient(a, b):
    """``a // b`` of two numbers in [0, 2**32)."""
    return np.int64(np.uint32(np.uint32(a) // np.uint32(b)))


@device_function
def _source(leads, sizes, target, tap):
    """The pixel of the source, over all samples, that a tap reads for a target; -1 where it reads none."""
    sample, line, last = _place_of_target(sizes, target)
    lead_tap = _quotient(tap, sizes[LAST_TAPS])
    source_line = np.int64(leads[(1 + lead_tap) * sizes[LINES] + line])
    pixel = last * sizes[SCALE] + (tap - lead_tap * sizes[LAST_TAPS]) * sizes[STEP] + sizes[OFFSET]
    if source_line < 0 or pixel < 0 or pixel >= sizes[LIMIT]:
        return np.int64(-1)
    return sample * sizes[PIXELS] + source_line * sizes[LIMIT] + pixel


@device_function
def _place_of_target(sizes, target):
    """The sample of a target, its line and its place in the line."""
    line = _quotient(target, sizes[LINE])
    sample = _quotient(line, sizes[LINES])
    return sample, line - sample * sizes[LINES], target - line * sizes[LINE]


@kernel(threads=_ELEMENTS)
def gather(x, w, added, y, leads, sizes):
    """``y[target, f] = act(added[f] + sum over tap, c of x[source(target, tap), c] w[tap, c, f])`` in each group.

    Residues and tiles of targets and columns are x of the grid, groups z.
    """
    leads, sizes, number = residue_of_block(leads, sizes, _COUNT)
    left, right = cuda.shared.array(_ELEMENTS, x.dtype), cuda.shared.array(_SHARED, x.dtype)
    tx, ty, group = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
    depth, columns = sizes[DEPTH], sizes[COLUMNS]
    targets, k = targets_of(sizes), sizes[TAPS] * depth
    if number >= tiles_of(targets, columns, TILE, TILE):  # the largest residue has more
        return
    down, across = tile_of_number(number, (targets + TILE - 1) // TILE, (columns + TILE - 1) // TILE)
    target, column = down * TILE + ty, across * TILE + tx
    of_group = group * sizes[GROUP_STEP] + column * sizes[COLUMN_STEP]
    value = added[group * columns + column] if sizes[BIAS] != 0 and column < columns else x.dtype.type(0)
    p = np.int64(0)
    while p < k:
        element = x.dtype.type(0)
        if target < targets and p + tx < k:
            tap = _quotient(p + tx, depth)
            source = _source(leads, sizes, target, tap)
            if source >= 0:
                element = x[(source * sizes[GROUPS] + group) * depth + p + tx - tap * depth]
        left[ty * TILE + tx] = element
        element = x.dtype.type(0)
        if column < columns and p + ty < k:
            tap = _quotient(p + ty, depth)
            of_tap = leads[sizes[TAP_TABLE] + tap] * sizes[TAP_STEP]
            element = w[of_group + of_tap + (p + ty - tap * depth) * sizes[ROW_STEP]]
        right[ty * _PITCH + tx] = element
        cuda.syncthreads()
        for j in range(min(TILE, k - p)):
            value += left[ty * TILE + j] * right[j * _PITCH + tx]
        cuda.syncthreads()
        p += TILE
    if target < targets and column < columns:
        pixel = result_pixel(leads, sizes, *_place_of_target(sizes, target))
        y[(pixel * sizes[GROUPS] + group) * columns + column] = activated(value, sizes[ACT])


@kernel(threads=_ELEMENTS)
def weight_gradient(x, g, partial, leads, sizes):
    """``partial[part, tap, c, f] = sum over the targets of a part of x[source(target, tap), c] g[target, f]``.

    Tiles of rows of weights, which are (tap, c), and of columns are x of the grid, (part, group) z.
    """
    left, right = cuda.shared.array(_SHARED, x.dtype), cuda.shared.array(_SHARED, x.dtype)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    groups, depth, columns = sizes[GROUPS], sizes[DEPTH], sizes[COLUMNS]
    part = _quotient(cuda.blockIdx.z, groups)
    group = cuda.blockIdx.z - part * groups
    rows = sizes[TAPS] * depth
    down, across = tile_of_block((rows + TILE - 1) // TILE, (columns + TILE - 1) // TILE)
    read, row, column = down * TILE + tx, down * TILE + ty, across * TILE + tx
    tap = _quotient(read, depth)
    channel = group * depth + read - tap * depth
    p = part * sizes[PART]
    end = min(p + sizes[PART], targets_of(sizes))
    value = x.dtype.type(0)
    while p < end:
        element = x.dtype.type(0)
        if read < rows and p + ty < end:
            source = _source(leads, sizes, p + ty, tap)
            if source >= 0:
                element = x[source * groups * depth + channel]
        left[ty * _PITCH + tx] = element
        inside = column < columns and p + ty < end
        right[ty * _PITCH + tx] = g[((p + ty) * groups + group) * columns + column] if inside else x.dtype.type(0)
        cuda.syncthreads()
        for j in range(min(TILE, end - p)):
            value += left[j * _PITCH + ty] * right[j * _PITCH + tx]
        cuda.syncthreads()
        p += TILE
    if row < rows and column < columns:
        partial[((part * rows + row) * groups + group) * columns + column] = value
