"""Convolutions as matrix products whose left operand is read in place, through windows of an image.

A block computes a tile of the product from tiles of the operands in shared memory; a thread has one element, summed in
a fixed order. The axes before the last lie in a table, ``leads[tap, target]``: the line of the source that a tap of
these axes reads for a target, or -1. Along the last axis a tap reads ``(target * SCALE + tap * STEP + OFFSET) /
DIVISOR``, if that is an integer in [0, LIMIT). So the same kernel serves a convolution and its input gradient.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.activation import activated
from fnet.kernels.cuda.block_tile import tile_of_block
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.sizes import Sizes

TILE = 16
_ELEMENTS = TILE * TILE
_PITCH = TILE + 1  # a column more, so that the elements of a column lie in different banks
_SHARED = TILE * (TILE + 1)

# Samples, groups, channels of the source and columns of the result in a group; lines of targets, targets in a line,
# pixels of the source in a sample; taps, and those of the last axis; its SCALE to LIMIT.
WINDOW = "samples groups depth columns lines line pixels taps last_taps scale step offset divisor limit"
(
    SAMPLES, GROUPS, DEPTH, COLUMNS, LINES, LINE, PIXELS, TAPS, LAST_TAPS, SCALE, STEP, OFFSET, DIVISOR, LIMIT,
    GROUP_STEP, TAP_STEP, ROW_STEP, COLUMN_STEP, BIAS, ACT,
) = SIZES = Sizes(f"{WINDOW} group_step tap_step row_step column_step bias act")  # fmt: skip
(*_, PART) = WEIGHT_SIZES = Sizes(f"{WINDOW} part")  # the targets of a part of the sums


@device_function
def _quotient(a, b):
    """``a // b`` of two numbers in [0, 2**32)."""
    return np.int64(np.uint32(np.uint32(a) // np.uint32(b)))


@device_function
def _source(leads, sizes, target, tap):
    """The pixel of the source, over all samples, that a tap reads for a target; -1 where it reads none."""
    line = _quotient(target, sizes[LINE])
    sample, lead_tap = _quotient(line, sizes[LINES]), _quotient(tap, sizes[LAST_TAPS])
    last, last_tap = target - line * sizes[LINE], tap - lead_tap * sizes[LAST_TAPS]
    source_line = np.int64(leads[lead_tap * sizes[LINES] + line - sample * sizes[LINES]])
    place = last * sizes[SCALE] + last_tap * sizes[STEP] + sizes[OFFSET]
    pixel = _quotient(place, sizes[DIVISOR])  # of a place below 0 it is no quotient, and fails the next line
    if source_line < 0 or pixel * sizes[DIVISOR] != place or pixel >= sizes[LIMIT]:
        return np.int64(-1)
    return sample * sizes[PIXELS] + source_line * sizes[LIMIT] + pixel


@kernel(threads=_ELEMENTS)
def gather(x, w, added, y, leads, sizes):
    """``y[target, f] = act(added[f] + sum over tap, c of x[source(target, tap), c] w[tap, c, f])`` in each group.

    Tiles of targets and columns are x of the grid (`fnet.kernels.cuda.block_tile`), groups z.
    """
    left, right = cuda.shared.array(_ELEMENTS, x.dtype), cuda.shared.array(_SHARED, x.dtype)
    tx, ty, group = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
    depth, columns = sizes[DEPTH], sizes[COLUMNS]
    targets, k = sizes[SAMPLES] * sizes[LINES] * sizes[LINE], sizes[TAPS] * depth
    down, across = tile_of_block((targets + TILE - 1) // TILE, (columns + TILE - 1) // TILE)
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
            element = w[of_group + tap * sizes[TAP_STEP] + (p + ty - tap * depth) * sizes[ROW_STEP]]
        right[ty * _PITCH + tx] = element
        cuda.syncthreads()
        for j in range(min(TILE, k - p)):
            value += left[ty * TILE + j] * right[j * _PITCH + tx]
        cuda.syncthreads()
        p += TILE
    if target < targets and column < columns:
        y[(target * sizes[GROUPS] + group) * columns + column] = activated(value, sizes[ACT])


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
    end = min(p + sizes[PART], sizes[SAMPLES] * sizes[LINES] * sizes[LINE])
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
