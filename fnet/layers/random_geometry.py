"""Images flipped, turned, zoomed, moved, sheared and cropped by chance while training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from fnet import ops, random
from fnet.arguments import known_word, number, positive_integer
from fnet.layers.augmentation import augmenting, bounds, drawn
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.resizing import middle_resized
from fnet.layers.warp import FILL_MODES, INTERPOLATIONS, Affine, FillMode, Interpolation, affine, sampled
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside

Factor = float | Sequence[float]


@LAYERS.named()
@layer_constructor(masks="dropped")
def RandomFlip(
    mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = "horizontal_and_vertical",
    seed: int | None = None,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each image is mirrored with probability 1/2: left to right, top to bottom, or each by itself.

    x: (N, H, W, C) -> (N, H, W, C). Source: Keras ``RandomFlip``.

    >>> import numpy as np
    >>> y, _ = RandomFlip("vertical").apply({}, {}, np.arange(2.0).reshape(1, 2, 1, 1), random.key(1), True)
    >>> y.ravel()
    array([1., 0.])
    """
    words = ("horizontal", "vertical", "horizontal_and_vertical")
    known_word("RandomFlip", "mode", mode, words)
    check_data_format("RandomFlip", data_format)

    def changed(x: Any, key: Any) -> Any:
        for i, (word, axis) in enumerate((("horizontal", 2), ("vertical", 1))):
            if word in mode:
                flips = ops.less(drawn(fold_in(key, i), x.shape[0], (0.0, 1.0), x), 0.5)
                turned = x[:, :, ::-1] if axis == 2 else x[:, ::-1]
                x = ops.where(ops.reshape(flips, (-1, 1, 1, 1)), turned, x)
        return x

    return augmenting("RandomFlip", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped")
def RandomRotation(
    factor: Factor,
    fill_mode: FillMode = "reflect",
    interpolation: Interpolation = "bilinear",
    seed: int | None = None,
    fill_value: float = 0.0,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each image is turned about its middle by an angle of `factor` times a full turn.

    factor: two numbers from -1 to 1 between which it is drawn, or one for minus and plus it. fill_mode, fill_value:
    what is beyond the edges, see `fnet.layers.warp.sampled`. x: (N, H, W, C) -> (N, H, W, C).
    Source: Keras ``RandomRotation``.

    >>> RandomRotation(0.1).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    low, high = bounds("RandomRotation", "factor", factor, -1.0, 1.0)

    def matrix(x: Any, key: Any) -> Affine:
        angle = drawn(key, x.shape[0], (2 * math.pi * low, 2 * math.pi * high), x)
        cos, sin = ops.cos(angle), ops.sin(angle)
        cx, cy = (x.shape[2] - 1) / 2, (x.shape[1] - 1) / 2
        return cos, -sin, cx - cx * cos + cy * sin, sin, cos, cy - cx * sin - cy * cos

    return _affine("RandomRotation", matrix, fill_mode, interpolation, seed, fill_value, data_format)


@LAYERS.named()
@layer_constructor(masks="dropped")
def RandomZoom(
    height_factor: Factor,
    width_factor: Factor | None = None,
    fill_mode: FillMode = "reflect",
    interpolation: Interpolation = "bilinear",
    seed: int | None = None,
    fill_value: float = 0.0,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each image shows ``1 + height_factor`` times as many rows: above 0 it looks smaller, below 0 larger.

    height_factor: two numbers from -1 on between which it is drawn, or one for minus and plus it. width_factor: those
    of columns; None takes the number that was drawn for rows, which keeps the ratio of the sides. fill_mode,
    fill_value: what is beyond the edges. x: (N, H, W, C) -> (N, H, W, C). Source: Keras ``RandomZoom``.

    >>> RandomZoom(0.2).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    of_rows = bounds("RandomZoom", "height_factor", height_factor, -1.0, math.inf)
    of_columns = None if width_factor is None else bounds("RandomZoom", "width_factor", width_factor, -1.0, math.inf)

    def matrix(x: Any, key: Any) -> Affine:
        zy = 1.0 + drawn(fold_in(key, 0), x.shape[0], of_rows, x)
        zx = zy if of_columns is None else 1.0 + drawn(fold_in(key, 1), x.shape[0], of_columns, x)
        return zx, 0.0, (x.shape[2] - 1) / 2 * (1.0 - zx), 0.0, zy, (x.shape[1] - 1) / 2 * (1.0 - zy)

    return _affine("RandomZoom", matrix, fill_mode, interpolation, seed, fill_value, data_format)


@LAYERS.named()
@layer_constructor(masks="dropped")
def RandomTranslation(
    height_factor: Factor,
    width_factor: Factor,
    fill_mode: FillMode = "reflect",
    interpolation: Interpolation = "bilinear",
    seed: int | None = None,
    fill_value: float = 0.0,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each image is moved down by `height_factor` of its height and right by `width_factor` of its width.

    Factors: two numbers from -1 to 1 between which one is drawn, or one for minus and plus it. fill_mode, fill_value:
    what is beyond the edges. x: (N, H, W, C) -> (N, H, W, C). Source: Keras ``RandomTranslation``.

    >>> RandomTranslation(0.1, (0.0, 0.2)).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    down = bounds("RandomTranslation", "height_factor", height_factor, -1.0, 1.0)
    right = bounds("RandomTranslation", "width_factor", width_factor, -1.0, 1.0)

    def matrix(x: Any, key: Any) -> Affine:
        n, height, width, _ = x.shape
        moved = drawn(fold_in(key, 0), n, down, x) * -float(height), drawn(fold_in(key, 1), n, right, x) * -float(width)
        return 1.0, 0.0, moved[1], 0.0, 1.0, moved[0]

    return _affine("RandomTranslation", matrix, fill_mode, interpolation, seed, fill_value, data_format)


@LAYERS.named()
@layer_constructor(masks="dropped")
def RandomShear(
    x_factor: Factor = 0.0,
    y_factor: Factor = 0.0,
    interpolation: Interpolation = "bilinear",
    fill_mode: FillMode = "reflect",
    fill_value: float = 0.0,
    data_format: str | None = None,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, rows of each image are moved by `x_factor` a row, and columns by `y_factor` a column, or back.

    Factors: two numbers from -1 to 1 between which one is drawn, or one for minus and plus it.
    fill_mode, fill_value: what is beyond the edges. x: (N, H, W, C) -> (N, H, W, C). Source: Keras ``RandomShear``.

    >>> RandomShear(0.2).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    along, across = (
        bounds("RandomShear", "x_factor", x_factor, -1.0, 1.0),
        bounds("RandomShear", "y_factor", y_factor, -1.0, 1.0),
    )

    def matrix(x: Any, key: Any) -> Affine:
        back = ops.less(drawn(fold_in(key, 2), x.shape[0], (0.0, 1.0), x), 0.5)
        sx, sy = (drawn(fold_in(key, i), x.shape[0], pair, x) for i, pair in enumerate((along, across)))
        return 1.0, ops.where(back, -sx, sx), 0.0, ops.where(back, -sy, sy), 1.0, 0.0

    return _affine("RandomShear", matrix, fill_mode, interpolation, seed, fill_value, data_format)


@LAYERS.named()
@layer_constructor(masks="dropped")
def RandomCrop(
    height: int,
    width: int,
    seed: int | None = None,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, a part of each image of `height` rows and `width` columns.

    In inference, and where images are smaller, as much of the middle as has that ratio is resized to it.
    x: (N, H, W, C) -> (N, height, width, C). Source: Keras ``RandomCrop``, which in 3.15 gives the image as it is in
    inference, unlike what it says.

    >>> RandomCrop(4, 6).out_shape((8, 8, 3))
    (4, 6, 3)
    """
    size = positive_integer("RandomCrop", "height", height), positive_integer("RandomCrop", "width", width)
    check_data_format("RandomCrop", data_format)

    def changed(x: Any, key: Any) -> Any:
        n, rows, columns, _ = x.shape
        if rows < size[0] or columns < size[1]:
            return middle_resized(x, size)
        places = []
        for i, (all_, some) in enumerate(((rows, size[0]), (columns, size[1]))):
            first = ops.floor(random.uniform(fold_in(key, i), (n, 1, 1), "float32", 0.0, float(all_ - some + 1)))
            first = ops.minimum(first, float(all_ - some))
            own = np.arange(some, dtype=np.float32)
            places.append(first + beside(own[:, None] if i == 0 else own, x))
        return sampled(x, places[0], places[1], "nearest", "nearest", 0.0)

    return augmenting("RandomCrop", changed, seed, lambda x: middle_resized(x, size))


def _affine(
    kind: str,
    matrix: Callable[[Any, Any], Affine],
    fill_mode: str,
    interpolation: str,
    seed: int | None,
    fill_value: float,
    data_format: str | None,
) -> Pair:
    """The pair of a layer that sees images through ``matrix(x, key)`` in training."""
    known_word(kind, "fill_mode", fill_mode, FILL_MODES)
    known_word(kind, "interpolation", interpolation, INTERPOLATIONS)
    check_data_format(kind, data_format)
    fill = number(kind, "fill_value", fill_value)
    return augmenting(kind, lambda x, key: affine(x, matrix(x, key), interpolation, fill_mode, fill), seed)
