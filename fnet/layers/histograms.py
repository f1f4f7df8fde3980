"""Images whose values are spread out: over their whole range, by their histogram, and by those of their parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import not_negative, positive_integer, positive_integers
from fnet.layers.augmentation import changing, in_range, least_and_largest
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import astype
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside

_BYTES = (0.0, 255.0)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def AutoContrast(
    value_range: Sequence[float] = (0.0, 255.0),
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Each channel of each image is stretched over the whole range of values, in training and in inference.

    A channel of one value, or with NaN, stays as it is. x: (N, H, W, C) -> (N, H, W, C). Source: Keras
    ``AutoContrast``.

    >>> import numpy as np
    >>> AutoContrast((0.0, 1.0)).apply({}, {}, np.array([[[[0.25], [0.5]]]]))[0].ravel()
    array([0., 1.])
    """
    least, largest = least_and_largest("AutoContrast", value_range)

    def changed(x: Any, key: Any) -> Any:
        low, high = ops.min(x, axis=(1, 2), keepdims=True), ops.max(x, axis=(1, 2), keepdims=True)
        several = ops.greater(high, low)
        scale = (largest - least) / ops.where(several, high - low, 1.0)
        return ops.where(several, ops.clip(x * scale + (least - low * scale), least, largest), x)

    return changing("AutoContrast", changed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def Equalization(
    value_range: Sequence[float] = (0.0, 255.0),
    bins: int = 256,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The values of each channel of each image become about equally frequent, in training and in inference.

    A value becomes the part of the pixels that are not above it, as counted in `bins`. x: (N, H, W, C) ->
    (N, H, W, C). Source: Keras ``Equalization``, which in 3.15 counts the pixels of all images of a batch together, and
    does nothing in inference, unlike what it says.

    >>> Equalization(bins=64).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    between, count = least_and_largest("Equalization", value_range), positive_integer("Equalization", "bins", bins)
    check_data_format("Equalization", data_format)

    def changed(x: Any, key: Any) -> Any:
        n, height, width, channels = x.shape
        values = ops.reshape(ops.transpose(in_range(x, between, _BYTES), (0, 3, 1, 2)), (n * channels, height * width))
        counts = counted(values * ((count - 1) / 255.0), count)
        sums = astype(ops.cumsum(counts), x.dtype)
        first = ops.min(ops.where(ops.greater(sums, 0), sums, float(height * width)), axis=1, keepdims=True)
        rest = height * width - first
        several = ops.greater(rest, 0)
        table = ops.clip(ops.round((sums - first) * 255.0 / ops.where(several, rest, 1.0)), *_BYTES)
        places = ops.clip(values / 255.0 * (count - 1), 0.0, float(count - 1))
        rows = beside(np.arange(n * channels)[:, None] * count, x)
        found = ops.take(ops.reshape(table, (-1,)), astype(places, np.int64) + rows)
        spread = ops.reshape(ops.where(several, found, values), (n, channels, height, width))
        return in_range(ops.transpose(spread, (0, 2, 3, 1)), _BYTES, between)

    return changing("Equalization", changed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def ContrastLimitedAdaptiveHistogramEqualization(
    value_range: Sequence[float] = (0.0, 255.0),
    clip_limit: float = 4.0,
    tile_grid_size: Sequence[int] = (8, 8),
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The values around each pixel become about equally frequent, in training and in inference.

    Each image is cut into ``(rows, columns)`` of tiles, mirrored at the edge so that all have one size. The histogram
    of a tile is cut at `clip_limit` times its mean, what is above is given to all of its 256 bins, and its sums say
    what becomes of a value; between the middles of tiles, four of them do. 0 cuts nothing.
    x: (N, H, W, C) -> (N, H, W, C). Source: S. M. Pizer et al. 1987 (Keras
    ``ContrastLimitedAdaptiveHistogramEqualization``).

    >>> ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2)).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    kind = "ContrastLimitedAdaptiveHistogramEqualization"
    between, limit = least_and_largest(kind, value_range), not_negative(kind, "clip_limit", clip_limit)
    grid = positive_integers(kind, "tile_grid_size", tile_grid_size, 2)
    check_data_format(kind, data_format)

    def changed(x: Any, key: Any) -> Any:
        n, height, width, channels = x.shape
        tall, wide = math.ceil(height / grid[0]), math.ceil(width / grid[1])
        values = in_range(x, between, _BYTES)
        for axis, (before, after) in enumerate(((height, tall * grid[0]), (width, wide * grid[1])), 1):
            if after > before:
                mirrored = np.pad(np.arange(before), (0, after - before), mode="symmetric")
                values = ops.take(values, beside(mirrored, x), axis=axis)
        tiles = ops.reshape(values, (n, grid[0], tall, grid[1], wide, channels))
        tiles = ops.reshape(ops.transpose(tiles, (0, 1, 3, 5, 2, 4)), (-1, tall * wide))
        tables = ops.reshape(_clipped_sums(counted(tiles, 256), limit, tall * wide), (-1,))
        pixels = astype(ops.clip(values[:, :height, :width], *_BYTES), np.int64)
        first = np.arange(n)[:, None, None, None] * (grid[0] * grid[1])
        top, bottom, down = _tiles_around(height, tall, grid[0])
        left, right, along = _tiles_around(width, wide, grid[1])
        lines = []
        for row in (top, bottom):
            ends = []
            for column in (left, right):
                tile = first + (row[:, None] * grid[1] + column)[None, :, :, None]
                places = (tile * channels + np.arange(channels)) * 256
                ends.append(ops.take(tables, beside(places, x) + pixels))
            lines.append(_between(ends, beside(along.astype(x.dtype)[:, None], x)))
        spread = _between(lines, beside(down.astype(x.dtype)[:, None, None], x))
        return in_range(astype(spread, x.dtype), _BYTES, between)

    return changing(kind, changed)


def counted(values: Any, count: int) -> Any:
    """How often each whole number below `count` is in each row, others as the nearest: (R, V) -> (R, count)."""
    rows = values.shape[0]
    index = ops.clip(astype(values, np.int64), 0, count - 1)
    index = index + beside(np.arange(rows)[:, None] * count, values)
    ones = ops.broadcast_to(beside(np.ones((), np.float32), values), index.shape)
    return ops.reshape(ops.bincount(index, ones, rows * count), (rows, count))


def _clipped_sums(counts: Any, limit: float, size: int) -> Any:
    """What becomes of each of 256 values, from how often it is there in a tile of this size: (R, 256), to 255."""
    if limit > 0:
        kept = ops.minimum(counts, limit * size / 256.0)
        counts = kept + ops.sum(counts - kept, axis=1, keepdims=True) / 256.0
    sums = ops.cumsum(counts)
    first = ops.min(sums, axis=1, keepdims=True)
    rest = size - first
    return ops.clip((sums - first) * 255.0 / ops.where(ops.equal(rest, 0), 1.0, rest), *_BYTES)


def _tiles_around(size: int, tile: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel of an axis the tiles before and behind it, and how far it is from the middle of the first."""
    place = (np.arange(size) - tile / 2.0) / tile
    before = np.floor(place)
    ends = (np.clip(before + i, 0, count - 1).astype(np.int64) for i in (0, 1))
    return *ends, place - before


def _between(ends: list[Any], part: Any) -> Any:
    return ends[0] * (1.0 - part) + ends[1] * part
