"""Images made brighter, darker, grey, inverted, and richer or poorer in contrast by chance while training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.errors import ShapeError
from fnet.layers.augmentation import augmenting, bounds, drawn, least_and_largest
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.random_geometry import Factor
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside

_LUMINANCE = (0.2989, 0.5870, 0.1140)  # of red, green and blue, ITU-R BT.601


@LAYERS.named()
@layer_constructor(masks="dropped")
def RandomBrightness(
    factor: Factor,
    value_range: Sequence[float] = (0.0, 255.0),
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, `factor` times the range of values is added to each image, which stays within `value_range`.

    factor: two numbers from -1 to 1 between which it is drawn, or one for minus and plus it.
    x: (N, H, W, C) -> (N, H, W, C). Source: Keras ``RandomBrightness``.

    >>> RandomBrightness(0.2, (0.0, 1.0)).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    between, (least, largest) = (
        bounds("RandomBrightness", "factor", factor, -1.0, 1.0),
        least_and_largest("RandomBrightness", value_range),
    )

    def changed(x: Any, key: Any) -> Any:
        added = drawn(key, x.shape[0], between, x) * (largest - least)
        return ops.clip(x + _each(added), least, largest)

    return augmenting("RandomBrightness", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped")
def RandomContrast(
    factor: Factor,
    value_range: Sequence[float] = (0.0, 255.0),
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, ``y = mean + f (x - mean)`` with the mean of each channel of each image, within `value_range`.

    factor: f is drawn from ``1 - factor`` to ``1 + factor``, or with two numbers from ``1 - factor[0]`` to
    ``1 + factor[1]``. x: (N, H, W, C) -> (N, H, W, C). Source: Keras ``RandomContrast``.

    >>> RandomContrast(0.2).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    given = factor if isinstance(factor, list | tuple) else (factor, factor)
    below, above = (bounds("RandomContrast", "factor", (0.0, part), 0.0, math.inf)[1] for part in given)
    least, largest = least_and_largest("RandomContrast", value_range)

    def changed(x: Any, key: Any) -> Any:
        f = drawn(key, x.shape[0], (1.0 - below, 1.0 + above), x)
        mean = ops.mean(x, axis=(1, 2), keepdims=True)
        return ops.clip(mean + _each(f) * (x - mean), least, largest)

    return augmenting("RandomContrast", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped")
def RandomInvert(
    factor: Factor = 1.0,
    value_range: Sequence[float] = (0.0, 255.0),
    seed: int | None = None,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, ``y = least + largest - x`` for each image with a probability.

    factor: the probability, or two between which it is drawn for each image. x: (N, H, W, C) -> (N, H, W, C).
    Source: Keras ``RandomInvert``.

    >>> RandomInvert(0.5).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    chance, (least, largest) = _chance("RandomInvert", factor), least_and_largest("RandomInvert", value_range)
    check_data_format("RandomInvert", data_format)

    def changed(x: Any, key: Any) -> Any:
        return ops.where(_chosen(x, key, chance), least + largest - x, x)

    return augmenting("RandomInvert", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped")
def RandomGrayscale(
    factor: float = 0.5,
    data_format: str | None = None,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, all channels of an image are its luminance, with probability `factor`.

    ``0.2989 red + 0.587 green + 0.114 blue``. x: (N, H, W, 3) -> (N, H, W, 3). Source: Keras ``RandomGrayscale``.

    >>> RandomGrayscale(0.5).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    chance = _chance("RandomGrayscale", (factor, factor))
    check_data_format("RandomGrayscale", data_format)

    def changed(x: Any, key: Any) -> Any:
        if x.shape[-1] != 3:
            raise ShapeError(f"RandomGrayscale: expected 3 channels, red, green and blue, received {x.shape[-1]}.")
        grey = ops.sum(x * beside(np.asarray(_LUMINANCE, x.dtype), x), axis=-1, keepdims=True)
        return ops.where(_chosen(x, key, chance), ops.broadcast_to(grey, x.shape), x)

    return augmenting("RandomGrayscale", changed, seed)


def _chance(kind: str, given: Any) -> tuple[float, float]:
    """Bounds of a probability; one number is the upper."""
    return bounds(kind, "factor", given, 0.0, 1.0)


def _chosen(x: Any, key: Any, chance: tuple[float, float]) -> Any:
    """Which images are changed: (N, 1, 1, 1)."""
    limit = drawn(fold_in(key, 0), x.shape[0], chance, x)
    return _each(ops.less(drawn(fold_in(key, 1), x.shape[0], (0.0, 1.0), x), limit))


def _each(values: Any) -> Any:
    """One value for each image beside images."""
    return ops.reshape(values, (-1, 1, 1, 1))
