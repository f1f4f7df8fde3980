"""Parts of images erased, and images and their labels mixed with others of the batch, by chance while training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops, random
from fnet.arguments import number
from fnet.errors import ShapeError, ValueRangeError
from fnet.layers.augmentation import Change, Factor, augmenting, chance, chosen, drawn, each, least_and_largest
from fnet.layers.bounding_boxes import checked_boxes
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import astype, promote
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside

Patch = tuple[Any, Any, Any, Any]
"""Left, top, right and bottom edges of one patch of each image: (N,)."""


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomErasing(
    factor: Factor = 1.0,
    scale: Factor = (0.02, 0.33),
    fill_value: float | Sequence[float] | None = None,
    value_range: Sequence[float] = (0.0, 255.0),
    seed: int | None = None,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, with a probability, a patch of each image becomes noise, or `fill_value`.

    factor: the probability is drawn from 0 to it, or between two numbers from 0 to 1, for each image. scale: the
    squares of the patch's width and height, as parts of the image's, are drawn from 0 to it or between two numbers.
    fill_value: a number, one for each channel, or None for normal numbers times the largest value, within
    `value_range`. x: (N, H, W, C) -> (N, H, W, C). Source: Z. Zhong et al. 2017 (Keras ``RandomErasing``).

    >>> RandomErasing(fill_value=0.0).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    probability, scales = chance("RandomErasing", "factor", factor), chance("RandomErasing", "scale", scale)
    least, largest = least_and_largest("RandomErasing", value_range)
    check_data_format("RandomErasing", data_format)
    given = fill_value if isinstance(fill_value, list | tuple) else () if fill_value is None else (fill_value,)
    fills = np.array([number("RandomErasing", "fill_value", part) for part in given])

    def changed(x: Any, key: Any) -> Any:
        if len(fills) > 1 and len(fills) != x.shape[-1]:
            raise ShapeError(
                f"RandomErasing: fill_value has a number for each channel, {x.shape[-1]}, received {len(fills)}."
            )
        fill = beside(fills.astype(x.dtype), x) if given else random.normal(fold_in(key, 6), x.shape, x.dtype) * largest
        sides = [ops.sqrt(drawn(fold_in(key, i), x.shape[0], scales, x)) for i in (2, 3)]
        inside = within(x, patch(x, sides[0], sides[1], key))
        erased = ops.where(inside, ops.clip(fill, least, largest), x)
        return ops.where(chosen(x, key, probability), erased, x)

    return augmenting("RandomErasing", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def CutMix(
    factor: Factor = 1.0,
    seed: int | None = None,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, a patch of each image is that of another one of the batch, and labels are mixed like the areas.

    The area beside the patch is drawn as ``Beta(a, a)``, with one a for the batch: from 0 to `factor`, or between two
    numbers from 0 to 1. x: images (N, H, W, C), or a dict of "images" and "labels", (N, ...) numbers such as one-hot
    vectors -> the same. Source: S. Yun et al. 2019 (Keras ``CutMix``).

    >>> import numpy as np
    >>> x = {"images": np.zeros((2, 8, 8, 3)), "labels": np.eye(2)}
    >>> y, _ = CutMix().apply({}, {}, x, key=random.key(0), train=True)
    >>> y["labels"].sum(axis=1)
    array([1., 1.])
    """
    between = chance("CutMix", "factor", factor)
    check_data_format("CutMix", data_format)

    def patches(x: Any, key: Any) -> Patch:
        a = random.uniform(fold_in(key, 0), (), x.dtype, *between) + 1e-6
        side = ops.sqrt(1.0 - random.beta(fold_in(key, 1), a, a, (x.shape[0],), x.dtype))
        return patch(x, side, side, key)

    def mixed(part: Any, images: Any, key: Any) -> Any:
        return ops.where(within(images, patches(images, key)), _others(part, key), part)

    def labels(part: Any, images: Any, key: Any) -> Any:
        left, top, right, bottom = patches(images, key)
        height, width = images.shape[1:3]
        return _weighted(part, 1.0 - (right - left) * (bottom - top) / (width * height), key)

    return augmenting("CutMix", Change(lambda x, key: mixed(x, x, key), labels, mixed, None), seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def MixUp(
    alpha: float = 0.2,
    data_format: str | None = None,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each image and its label are ``w a + (1 - w) b`` with another one of the batch.

    alpha: w is drawn as ``Beta(alpha, alpha)`` for each image. Bounding boxes are those of both images.
    x: images (N, H, W, C), or a dict of "images" and "labels", (N, ...) numbers such as one-hot vectors -> the same.
    Source: H. Zhang et al. 2017 (Keras ``MixUp``).

    >>> import numpy as np
    >>> x = {"images": np.zeros((2, 8, 8, 3)), "labels": np.eye(2)}
    >>> y, _ = MixUp().apply({}, {}, x, key=random.key(0), train=True)
    >>> y["labels"].sum(axis=1)
    array([1., 1.])
    """
    alpha = number("MixUp", "alpha", alpha)
    if alpha <= 0:
        raise ValueRangeError(f"MixUp: alpha is above 0, received {alpha}.")
    check_data_format("MixUp", data_format)

    def mixed(part: Any, images: Any, key: Any) -> Any:
        return _weighted(part, random.beta(fold_in(key, 1), alpha, alpha, (images.shape[0],), images.dtype), key)

    def boxes(part: Any, images: Any, key: Any) -> Any:
        places, labels = checked_boxes("MixUp", part, images)
        return {
            "boxes": ops.concatenate([places, _others(places, key)], axis=1),
            "labels": ops.concatenate([labels, _others(labels, key)], axis=1),
        }

    return augmenting("MixUp", Change(lambda x, key: mixed(x, x, key), mixed, mixed, boxes), seed)


def patch(x: Any, wide: Any, tall: Any, key: Any) -> Patch:
    """A patch of each image of this width and height, as parts of the image's, at a place that is drawn."""
    height, width = x.shape[1:3]
    edges = []
    for i, (part, side) in enumerate(((wide, width), (tall, height)), 4):
        length = part * side
        first = drawn(fold_in(key, i), x.shape[0], (0.0, 1.0), x) * (side - length)
        edges.append((first, first + length))
    (left, right), (top, bottom) = edges
    return left, top, right, bottom


def within(x: Any, edges: Patch) -> Any:
    """Which pixels are in the patch of their image: (N, H, W, 1)."""
    left, top, right, bottom = map(each, edges)
    rows, columns = (beside(np.arange(n, dtype=x.dtype)[:, None], x) for n in x.shape[1:3])
    rows = ops.expand_dims(rows, -1)
    across = ops.logical_and(ops.greater_equal(columns, left), ops.less(columns, right))
    down = ops.logical_and(ops.greater_equal(rows, top), ops.less(rows, bottom))
    return ops.logical_and(across, down)


def _others(part: Any, key: Any) -> Any:
    """What the batch has of the image that each one is mixed with."""
    return ops.take(part, random.permutation(fold_in(key, 6), part.shape[0]), axis=0)


def _weighted(part: Any, weight: Any, key: Any) -> Any:
    """``w a + (1 - w) b`` of each row and that of the other image."""
    (part,) = promote(part, floating=True)
    weight = astype(ops.reshape(weight, (-1, *(1,) * (len(part.shape) - 1))), part.dtype)
    return weight * part + (1.0 - weight) * _others(part, key)
