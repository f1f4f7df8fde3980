"""Images flipped, turned, zoomed, moved, sheared and cropped by chance while training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from fnet import ops, random
from fnet.arguments import known_word, number, positive_integer
from fnet.layers.augmentation import Change, Factor, OfPart, Range, augmenting, bounds, drawn, each
from fnet.layers.bounding_boxes import BoxFormat, Corners, check_box_format, moving, through
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.resizing import cut_to_ratio, resizing
from fnet.layers.warp import FILL_MODES, INTERPOLATIONS, Affine, FillMode, Interpolation, affine, sampled
from fnet.ops.promotion import astype
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomFlip(
    mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = "horizontal_and_vertical",
    seed: int | None = None,
    data_format: str | None = None,
    bounding_box_format: BoxFormat | None = None,
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
    form = check_box_format("RandomFlip", bounding_box_format)
    axes = [(i, axis) for i, (word, axis) in enumerate((("horizontal", 2), ("vertical", 1))) if word in mode]

    def flips(x: Any, key: Any) -> list[tuple[int, Any]]:
        """Axes, and which images are mirrored along each: (N,)."""
        return [(axis, ops.less(drawn(fold_in(key, i), x.shape[0], (0.0, 1.0), x), 0.5)) for i, axis in axes]

    def mirrored(x: Any, images: Any, key: Any) -> Any:
        for axis, which in flips(images, key):
            x = ops.where(each(which), x[:, :, ::-1] if axis == 2 else x[:, ::-1], x)
        return x

    def moved(corners: Corners, images: Any, key: Any) -> Corners:
        left, top, right, bottom = corners
        height, width = map(float, images.shape[1:3])
        for axis, which in flips(images, key):
            flip = ops.reshape(which, (-1, 1))
            if axis == 2:
                left, right = ops.where(flip, width - right, left), ops.where(flip, width - left, right)
            else:
                top, bottom = ops.where(flip, height - bottom, top), ops.where(flip, height - top, bottom)
        return left, top, right, bottom

    boxes = moving("RandomFlip", form, moved)
    change = Change(lambda x, key: mirrored(x, x, key), segmentation_masks=mirrored, bounding_boxes=boxes)
    return augmenting("RandomFlip", change, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomRotation(
    factor: Factor,
    fill_mode: FillMode = "reflect",
    interpolation: Interpolation = "bilinear",
    seed: int | None = None,
    fill_value: float = 0.0,
    data_format: str | None = None,
    bounding_box_format: BoxFormat | None = None,
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
    matrix = turning(bounds("RandomRotation", "factor", factor, -1.0, 1.0))
    seen = fill_mode, interpolation, fill_value
    return _affine("RandomRotation", matrix, *seen, seed, data_format, bounding_box_format)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomZoom(
    height_factor: Factor,
    width_factor: Factor | None = None,
    fill_mode: FillMode = "reflect",
    interpolation: Interpolation = "bilinear",
    seed: int | None = None,
    fill_value: float = 0.0,
    data_format: str | None = None,
    bounding_box_format: BoxFormat | None = None,
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

    seen = fill_mode, interpolation, fill_value
    return _affine("RandomZoom", matrix, *seen, seed, data_format, bounding_box_format)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomTranslation(
    height_factor: Factor,
    width_factor: Factor,
    fill_mode: FillMode = "reflect",
    interpolation: Interpolation = "bilinear",
    seed: int | None = None,
    fill_value: float = 0.0,
    data_format: str | None = None,
    bounding_box_format: BoxFormat | None = None,
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
    seen = fill_mode, interpolation, fill_value
    return _affine("RandomTranslation", shifting(down, right), *seen, seed, data_format, bounding_box_format)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomShear(
    x_factor: Factor = 0.0,
    y_factor: Factor = 0.0,
    interpolation: Interpolation = "bilinear",
    fill_mode: FillMode = "reflect",
    fill_value: float = 0.0,
    data_format: str | None = None,
    seed: int | None = None,
    bounding_box_format: BoxFormat | None = None,
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
    seen = fill_mode, interpolation, fill_value
    return _affine("RandomShear", shearing(along, across), *seen, seed, data_format, bounding_box_format)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomCrop(
    height: int,
    width: int,
    seed: int | None = None,
    data_format: str | None = None,
    bounding_box_format: BoxFormat | None = None,
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

    form = check_box_format("RandomCrop", bounding_box_format)
    inference = resizing("RandomCrop", size, cut_to_ratio, form)

    def places(images: Any, key: Any) -> list[Any]:
        """The first row and the first column of each image: (N, 1, 1)."""
        firsts = []
        for i, (all_, some) in enumerate(zip(images.shape[1:3], size, strict=True)):
            number = float(all_ - some)
            first = ops.floor(random.uniform(fold_in(key, i), (images.shape[0], 1, 1), "float32", 0.0, number + 1))
            firsts.append(ops.minimum(first, number))
        return firsts

    def cut(x: Any, images: Any, key: Any) -> Any:
        top, left = places(images, key)
        rows, columns = (beside(np.arange(some, dtype=np.float32), x) for some in size)
        return sampled(x, top + ops.expand_dims(rows, 1), left + columns, "nearest", "nearest", 0.0)

    def moved(corners: Corners, images: Any, key: Any) -> Corners:
        y, x = (ops.reshape(first, (-1, 1)) for first in places(images, key))
        left, top, right, bottom = corners
        return left - x, top - y, right - x, bottom - y

    boxes = moving("RandomCrop", form, moved, size)
    training = Change(lambda x, key: cut(x, x, key), segmentation_masks=cut, bounding_boxes=boxes)
    return augmenting("RandomCrop", _where_larger(size, training, inference), seed, inference)


Matrix = Callable[[Any, Any], Affine]
"""How images are seen, from images and a key."""


def turning(turns: Range) -> Matrix:
    """Each image is turned about its middle by so many full turns."""

    def matrix(x: Any, key: Any) -> Affine:
        low, high = turns
        angle = drawn(key, x.shape[0], (2 * math.pi * low, 2 * math.pi * high), x)
        cos, sin = ops.cos(angle), ops.sin(angle)
        cx, cy = (x.shape[2] - 1) / 2, (x.shape[1] - 1) / 2
        return cos, -sin, cx - cx * cos + cy * sin, sin, cos, cy - cx * sin - cy * cos

    return matrix


def shifting(down: Range, right: Range) -> Matrix:
    """Each image is moved by parts of its height and width."""

    def matrix(x: Any, key: Any) -> Affine:
        n, height, width, _ = x.shape
        moved = drawn(fold_in(key, 0), n, down, x) * -float(height), drawn(fold_in(key, 1), n, right, x) * -float(width)
        return 1.0, 0.0, moved[1], 0.0, 1.0, moved[0]

    return matrix


def shearing(along: Range, across: Range) -> Matrix:
    """Rows of each image are moved by so much a row, and columns by so much a column, or back."""

    def matrix(x: Any, key: Any) -> Affine:
        back = ops.less(drawn(fold_in(key, 2), x.shape[0], (0.0, 1.0), x), 0.5)
        sx, sy = (drawn(fold_in(key, i), x.shape[0], pair, x) for i, pair in enumerate((along, across)))
        return 1.0, ops.where(back, -sx, sx), 0.0, ops.where(back, -sy, sy), 1.0, 0.0

    return matrix


def seen_through(matrix: Matrix, fill_mode: str, interpolation: str, fill: float, boxes: OfPart) -> Change:
    """Images, and masks with the value of the nearest pixel, as they are seen through a matrix."""

    def masks(part: Any, images: Any, key: Any) -> Any:
        return astype(affine(part, matrix(images, key), "nearest", fill_mode, fill), part.dtype)

    def images(x: Any, key: Any) -> Any:
        return affine(x, matrix(x, key), interpolation, fill_mode, fill)

    return Change(images, segmentation_masks=masks, bounding_boxes=boxes)


def _where_larger(size: tuple[int, int], change: Change, otherwise: Change) -> Change:
    """The change of images that have at least this size, and another one of smaller ones."""

    def of(images: Any) -> Change:
        return change if images.shape[1] >= size[0] and images.shape[2] >= size[1] else otherwise

    def part_of(name: str) -> OfPart:
        return lambda part, images, key: getattr(of(images), name)(part, images, key)

    parts = {name: part_of(name) for name in ("segmentation_masks", "bounding_boxes")}
    return Change(lambda x, key: of(x).images(x, key), **parts)


def _affine(
    kind: str,
    matrix: Matrix,
    fill_mode: str,
    interpolation: str,
    fill_value: float,
    seed: int | None,
    data_format: str | None,
    bounding_box_format: str | None,
) -> Pair:
    """The pair of a layer that sees images through ``matrix(x, key)`` in training."""
    known_word(kind, "fill_mode", fill_mode, FILL_MODES)
    known_word(kind, "interpolation", interpolation, INTERPOLATIONS)
    check_data_format(kind, data_format)
    fill, form = number(kind, "fill_value", fill_value), check_box_format(kind, bounding_box_format)
    boxes = moving(kind, form, lambda corners, images, key: through(corners, matrix(images, key)))
    return augmenting(kind, seen_through(matrix, fill_mode, interpolation, fill, boxes), seed)
