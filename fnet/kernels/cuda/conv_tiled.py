"""Convolutions as products in tiles of registers, whose left operand is read in place.

What is computed is that of `fnet.kernels.cuda.conv`, with the same order of sums; the tiles are those of
`fnet.kernels.cuda.register_tiles`.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.block_tile import first_places, places_of, tiles_of
from fnet.kernels.cuda.matrix_operand import matrix_four, matrix_operand
from fnet.kernels.cuda.register_tiles import (
    SHARED_64,
    SHARED_128,
    SHARED_NARROW,
    SUMS_64,
    SUMS_128,
    SUMS_NARROW,
    THREADS,
    TILE,
    begin,
    finish,
    place_in_tile,
    product,
)
from fnet.kernels.cuda.runtime.access import BYTES, is_aligned
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.window import (
    COLUMNS,
    DEPTH,
    GROUPS,
    TAPS,
    WEIGHTS,
    residue_of_block,
    targets_of,
)
from fnet.kernels.cuda.window_operand import (
    NAMES,
    PART,
    four_of_taps,
    four_of_targets,
    pixel_of_target,
    rows_of_taps,
    rows_of_targets,
)
from fnet.kernels.sizes import Sizes

# Where the right operand lies: the steps from one k to the next, and of weights from one group to the next; a column is
# one element further.
(*_, K_STEP, GROUP_STEP, BIAS, ACT) = SIZES = Sizes(f"{NAMES} k_step group_step bias act")
WEIGHT_SIZES = Sizes(f"{NAMES} k_step")
COUNT = len(SIZES.names)

_add_windows, _add_patches = product(four_of_targets, matrix_four), product(four_of_taps, matrix_four)


@device_function
def place_of_target(rows, target):
    """The place of the first column of a group that the result has for a target."""
    leads, sizes, group = rows
    pixel = pixel_of_target(leads, sizes, np.int32(target))
    return (pixel * sizes[GROUPS] + group) * sizes[COLUMNS]


_finish = finish(place_of_target)


@device_function
def weights_operand(w, sizes, group, column, deep):
    """The right operand of a convolution, for a thread that begins at this column and at k = `deep`."""
    k, step = sizes[TAPS] * sizes[DEPTH], sizes[GROUP_STEP]
    first = sizes[WEIGHTS] + group * step
    return matrix_operand(w, first, column, sizes[COLUMNS], deep, k, sizes, -1, K_STEP, step, False)


@device_function
def image_result(y, leads, sizes, group):
    """What `finish` asks of the result of a convolution."""
    n = sizes[COLUMNS]
    return y, (leads, sizes, group), np.int32(targets_of(sizes)), np.int32(n), n & 3 == 0 and is_aligned(y)


@device_function
def part_and_group(sizes, number):
    """The part of the targets and the group of a block of a weight gradient; number: z of the grid."""
    part = np.int32(number // np.int32(sizes[GROUPS]))
    return part, np.int32(number - part * np.int32(sizes[GROUPS]))


@device_function
def targets_of_part(sizes, part):
    """The first target of a part, and how many there are."""
    first = part * sizes[PART]
    return first, min(targets_of(sizes) - first, sizes[PART])


@device_function
def gradients_operand(g, sizes, part, group, column, deep):
    """The right operand of a weight gradient, for a thread that begins at this column and at k = `deep`."""
    (first, k), columns = targets_of_part(sizes, part), sizes[COLUMNS]
    place = first * sizes[K_STEP] + group * columns
    return matrix_operand(g, place, column, columns, deep, k, sizes, -1, K_STEP, columns, False)


@device_function
def weights_result(partial, sizes, part, group):
    """What `finish` asks of a part of a weight gradient, whose places in a part are below 2**31."""
    rows, n, step = np.int32(sizes[TAPS] * sizes[DEPTH]), np.int32(sizes[COLUMNS]), np.int32(sizes[K_STEP])
    wide = n & 3 == 0 and is_aligned(partial)
    return partial, (np.int64(part) * np.int64(np.int32(rows * step)) + group * n, step), rows, n, wide


@device_function
def place_of_weight(rows, row):
    """The place of the first column of a group that a part of a weight gradient has in a row."""
    first, step = rows
    return first + np.int64(np.int32(row)) * np.int64(step)


_finish_weights = finish(place_of_weight)


@device_function
def _gather(x, w, added, y, leads, sizes, tiles, sums, down, across):
    """The tile of a block of a convolution, or of an input gradient; groups are z of the grid."""
    leads, sizes, number = residue_of_block(leads, sizes, COUNT)
    if number >= tiles_of(
        targets_of(sizes), sizes[COLUMNS], TILE * down, TILE * across
    ):  # the largest residue has more
        return
    group = np.int32(cuda.blockIdx.z)
    first_row, first_column = places_of(number, targets_of(sizes), sizes[COLUMNS], TILE * down, TILE * across)
    side, deep = place_in_tile(True, down, down)
    left = rows_of_targets(x, leads, sizes, group, first_row + side, deep)
    side, deep = place_in_tile(False, across, down)
    right = weights_operand(w, sizes, group, first_column + side, deep)
    bias = group * sizes[COLUMNS] if sizes[BIAS] != 0 else np.int64(-1)
    begin(sums, added, bias, first_column, np.int32(sizes[COLUMNS]), x.dtype.type(0), down, across)
    _add_windows(left, right, np.int32(sizes[TAPS] * sizes[DEPTH]), True, False, tiles, sums, down, across)
    # Once more: registers are dear above.
    first_row, first_column = places_of(number, targets_of(sizes), sizes[COLUMNS], TILE * down, TILE * across)
    _finish(sums, tiles, image_result(y, leads, sizes, group), first_row, first_column, sizes[ACT], down, across)


@device_function
def _weight_gradient(x, g, partial, leads, sizes, tiles, sums, parts):
    """The tile of a block of a weight gradient, from a part of the targets."""
    part, group = part_and_group(sizes, np.int32(cuda.blockIdx.z))
    rows, columns = sizes[TAPS] * sizes[DEPTH], sizes[COLUMNS]
    first_row, first_column = first_places(rows, columns, TILE * parts)
    side, deep = place_in_tile(False, parts, parts)
    first, k = targets_of_part(sizes, part)
    left = rows_of_taps(x, leads, sizes, group, np.int32(first_row + side), first, deep)
    right = gradients_operand(g, sizes, part, group, first_column + side, deep)
    begin(sums, g, np.int64(-1), first_column, np.int32(columns), x.dtype.type(0), parts, parts)
    _add_patches(left, right, np.int32(k), False, False, tiles, sums, parts, parts)
    first_row, first_column = first_places(sizes[TAPS] * sizes[DEPTH], sizes[COLUMNS], TILE * parts)
    result = weights_result(partial, sizes, part, group)
    _finish_weights(sums, tiles, result, first_row, first_column, np.int64(0), parts, parts)


@kernel(threads=THREADS, blocks=3)
def gather_64(x, w, added, y, leads, sizes):
    """See `fnet.kernels.cuda.conv.gather`; in tiles of 64 x 64."""
    tiles = cuda.shared.array(SHARED_64, x.dtype, alignment=BYTES)
    _gather(x, w, added, y, leads, sizes, tiles, cuda.local.array(SUMS_64, x.dtype), 1, 1)


@kernel(threads=THREADS, blocks=2)
def gather_narrow(x, w, added, y, leads, sizes):
    """See `fnet.kernels.cuda.conv.gather`; in tiles of 128 targets and 64 columns."""
    tiles = cuda.shared.array(SHARED_NARROW, x.dtype, alignment=BYTES)
    _gather(x, w, added, y, leads, sizes, tiles, cuda.local.array(SUMS_NARROW, x.dtype), 2, 1)


@kernel(threads=THREADS, blocks=2)
def gather_128(x, w, added, y, leads, sizes):
    """See `fnet.kernels.cuda.conv.gather`; in tiles of 128 x 128."""
    tiles = cuda.shared.array(SHARED_128, x.dtype, alignment=BYTES)
    _gather(x, w, added, y, leads, sizes, tiles, cuda.local.array(SUMS_128, x.dtype), 2, 2)


@kernel(threads=THREADS, blocks=3)
def weight_gradient_64(x, g, partial, leads, sizes):
    """See `fnet.kernels.cuda.conv.weight_gradient`; in tiles of 64 x 64."""
    tiles = cuda.shared.array(SHARED_64, x.dtype, alignment=BYTES)
    _weight_gradient(x, g, partial, leads, sizes, tiles, cuda.local.array(SUMS_64, x.dtype), 1)


@kernel(threads=THREADS, blocks=2)
def weight_gradient_128(x, g, partial, leads, sizes):
    """See `fnet.kernels.cuda.conv.weight_gradient`; in tiles of 128 x 128."""
    tiles = cuda.shared.array(SHARED_128, x.dtype, alignment=BYTES)
    _weight_gradient(x, g, partial, leads, sizes, tiles, cuda.local.array(SUMS_128, x.dtype), 2)
