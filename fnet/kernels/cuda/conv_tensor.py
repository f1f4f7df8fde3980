"""Convolutions of float32 by tensor cores: of rounded operands ("medium"), or of split ones ("high").

Sizes and results are those of `fnet.kernels.cuda.conv_tiled`; `fnet.kernels.cuda.tensor_tiles` says how.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.block_tile import places_of, tiles_of
from fnet.kernels.cuda.conv_tiled import (
    ACT,
    BIAS,
    COUNT,
    GROUP_STEP,
    K_STEP,
    gradients_operand,
    image_result,
    part_and_group,
    place_of_target,
    place_of_weight,
    targets_of_part,
    weights_operand,
    weights_result,
)
from fnet.kernels.cuda.matrix_operand import matrix_four
from fnet.kernels.cuda.register_tiles import THREADS, TILE
from fnet.kernels.cuda.runtime.access import BYTES
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.registers import anew
from fnet.kernels.cuda.tensor_tiles import (
    SPLIT_WORDS_128,
    SPLIT_WORDS_NARROW,
    SUMS_128,
    SUMS_NARROW,
    WORDS_128,
    WORDS_NARROW,
    finish,
    place_in_tile,
    product,
)
from fnet.kernels.cuda.window import COLUMNS, DEPTH, TAPS, WEIGHTS, residue_of_block, targets_of
from fnet.kernels.cuda.window_operand import (
    four_of_taps,
    four_of_targets,
    place_in_source,
    rows_of_taps,
    rows_of_targets,
)

_DOWN, _HEIGHT = 2, 128  # of a tile, in times 64 and in targets or rows of weights


@device_function
def _element(made_of, target, column):
    """One element of a convolution, in float32."""
    x, w, leads, sizes, group = made_of
    value, place = np.float32(0), sizes[WEIGHTS] + group * sizes[GROUP_STEP] + column
    for k in range(sizes[TAPS] * sizes[DEPTH]):
        source = place_in_source(leads, sizes, group, target, np.int32(k))
        if source >= 0:
            value += x[np.uint64(source)] * w[np.uint64(place)]
        place += sizes[K_STEP]
    return value


@device_function
def _element_of_weights(made_of, row, column):
    """One element of a part of a weight gradient, in float32."""
    x, g, leads, sizes, part, group = made_of
    first, count = targets_of_part(sizes, part)
    value, place = np.float32(0), first * sizes[K_STEP] + group * sizes[COLUMNS] + column
    for k in range(count):
        source = place_in_source(leads, sizes, group, np.int32(first + k), row)
        if source >= 0:
            value += x[np.uint64(source)] * g[np.uint64(place)]
        place += sizes[K_STEP]
    return value


_sum_windows, _finish = product(four_of_targets, matrix_four), finish(_element, place_of_target)
_sum_patches, _finish_weights = product(four_of_taps, matrix_four), finish(_element_of_weights, place_of_weight)


@device_function
def _gather(x, w, added, y, leads, sizes, words, sums, across, products):
    """The tile of a block of a convolution, or of an input gradient; groups are z of the grid."""
    leads, sizes, number = residue_of_block(leads, sizes, COUNT)
    width = TILE * across
    if number >= tiles_of(targets_of(sizes), sizes[COLUMNS], _HEIGHT, width):  # the largest residue has more
        return
    group = np.int32(cuda.blockIdx.z)
    first_row, first_column = places_of(number, targets_of(sizes), sizes[COLUMNS], _HEIGHT, width)
    side, deep = place_in_tile(True, _DOWN, _DOWN)
    left = rows_of_targets(x, leads, sizes, group, first_row + side, deep)
    side, deep = place_in_tile(False, across, _DOWN)
    right = weights_operand(w, sizes, group, first_column + side, deep)
    k = np.int32(sizes[TAPS] * sizes[DEPTH])
    _sum_windows(left, right, k, True, False, words, sums, _DOWN, across, products)
    # Once more: registers are dear above.
    group, number = anew(np.int32(cuda.blockIdx.z)), np.uint32(anew(np.int32(number)))
    first_row, first_column = places_of(number, targets_of(sizes), sizes[COLUMNS], _HEIGHT, width)
    bias = group * sizes[COLUMNS] if sizes[BIAS] != 0 else np.int64(-1)
    result, made_of = image_result(y, leads, sizes, group), (x, w, leads, sizes, group)
    _finish(words, sums, result, made_of, first_row, first_column, added, bias, sizes[ACT], _DOWN, across, products)


@device_function
def _weight_gradient(x, g, partial, leads, sizes, words, sums, products):
    """The tile of a block of a weight gradient, from a part of the targets; narrow ones take fewer registers."""
    part, group = part_and_group(sizes, np.int32(cuda.blockIdx.z))
    number, rows = np.uint32(cuda.blockIdx.x), sizes[TAPS] * sizes[DEPTH]
    first_row, first_column = places_of(number, rows, sizes[COLUMNS], _HEIGHT, TILE)
    first, k = targets_of_part(sizes, part)
    side, deep = place_in_tile(False, _DOWN, _DOWN)
    left = rows_of_taps(x, leads, sizes, group, np.int32(first_row + side), first, deep)
    side, deep = place_in_tile(False, 1, _DOWN)
    right = gradients_operand(g, sizes, part, group, first_column + side, deep)
    _sum_patches(left, right, np.int32(k), False, False, words, sums, _DOWN, 1, products)
    number = np.uint32(anew(np.int32(cuda.blockIdx.x)))  # once more: registers are dear above
    part, group = part_and_group(sizes, anew(np.int32(cuda.blockIdx.z)))
    first_row, first_column = places_of(number, sizes[TAPS] * sizes[DEPTH], sizes[COLUMNS], _HEIGHT, TILE)
    result, made_of = weights_result(partial, sizes, part, group), (x, g, leads, sizes, part, group)
    none = np.int64(-1)
    _finish_weights(words, sums, result, made_of, first_row, first_column, g, none, np.int64(0), _DOWN, 1, products)


@kernel(threads=THREADS, blocks=2)
def medium_gather(x, w, added, y, leads, sizes):
    """See `fnet.kernels.cuda.conv.gather`; operands are rounded to bfloat16."""
    words = cuda.shared.array(WORDS_128, np.uint32, alignment=BYTES)
    _gather(x, w, added, y, leads, sizes, words, cuda.local.array(SUMS_128, np.float32), 2, 1)


@kernel(threads=THREADS, blocks=2)
def medium_gather_narrow(x, w, added, y, leads, sizes):
    """As `medium_gather`, in tiles of 128 targets and 64 columns."""
    words = cuda.shared.array(WORDS_NARROW, np.uint32, alignment=BYTES)
    _gather(x, w, added, y, leads, sizes, words, cuda.local.array(SUMS_NARROW, np.float32), 1, 1)


@kernel(threads=THREADS, blocks=2)
def high_gather(x, w, added, y, leads, sizes):
    """As `medium_gather`, of operands that are split in two: three products."""
    words = cuda.shared.array(SPLIT_WORDS_128, np.uint32, alignment=BYTES)
    _gather(x, w, added, y, leads, sizes, words, cuda.local.array(SUMS_128, np.float32), 2, 3)


@kernel(threads=THREADS, blocks=2)
def high_gather_narrow(x, w, added, y, leads, sizes):
    """As `high_gather`, in tiles of 128 targets and 64 columns."""
    words = cuda.shared.array(SPLIT_WORDS_NARROW, np.uint32, alignment=BYTES)
    _gather(x, w, added, y, leads, sizes, words, cuda.local.array(SUMS_NARROW, np.float32), 1, 3)


@kernel(threads=THREADS, blocks=2)
def medium_weight_gradient(x, g, partial, leads, sizes):
    """See `fnet.kernels.cuda.conv.weight_gradient`; operands are rounded to bfloat16."""
    words = cuda.shared.array(WORDS_NARROW, np.uint32, alignment=BYTES)
    _weight_gradient(x, g, partial, leads, sizes, words, cuda.local.array(SUMS_NARROW, np.float32), 1)


@kernel(threads=THREADS, blocks=2)
def high_weight_gradient(x, g, partial, leads, sizes):
    """As `medium_weight_gradient`, of operands that are split in two: three products."""
    words = cuda.shared.array(SPLIT_WORDS_NARROW, np.uint32, alignment=BYTES)
    _weight_gradient(x, g, partial, leads, sizes, words, cuda.local.array(SUMS_NARROW, np.float32), 3)
