"""Images made brighter, darker, grey, inverted, and richer or poorer in contrast by chance while training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops, random
from fnet.arguments import is_integer
from fnet.errors import ValueRangeError
from fnet.layers.augmentation import (
    Factor,
    augmenting,
    bounds,
    chance,
    chosen,
    drawn,
    each,
    in_range,
    least_and_largest,
)
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.hues import luminance
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside

_BYTES = (0.0, 255.0)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
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
        return ops.clip(x + each(added), least, largest)

    return augmenting("RandomBrightness", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
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
        return ops.clip(mean + each(f) * (x - mean), least, largest)

    return augmenting("RandomContrast", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
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
    probability = chance("RandomInvert", "factor", factor)
    least, largest = least_and_largest("RandomInvert", value_range)
    check_data_format("RandomInvert", data_format)

    def changed(x: Any, key: Any) -> Any:
        return ops.where(chosen(x, key, probability), least + largest - x, x)

    return augmenting("RandomInvert", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
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
    probability = chance("RandomGrayscale", "factor", (factor, factor))
    check_data_format("RandomGrayscale", data_format)

    def changed(x: Any, key: Any) -> Any:
        grey = luminance("RandomGrayscale", x)
        return ops.where(chosen(x, key, probability), ops.broadcast_to(grey, x.shape), x)

    return augmenting("RandomGrayscale", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomColorDegeneration(
    factor: Factor,
    value_range: Sequence[float] = (0.0, 255.0),
    data_format: str | None = None,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, ``y = x + f (grey - x)`` with the luminance of the image: colours become duller.

    factor: f is drawn from 0 to it, or between two numbers from -1 to 1. x: (N, H, W, 3) -> (N, H, W, 3), within
    `value_range`. Source: Keras ``RandomColorDegeneration``, which in 3.15 draws from -factor on, unlike what it says.

    >>> RandomColorDegeneration(0.5).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    between = bounds("RandomColorDegeneration", "factor", factor, -1.0, 1.0, one=0.0)
    least, largest = least_and_largest("RandomColorDegeneration", value_range)
    check_data_format("RandomColorDegeneration", data_format)

    def changed(x: Any, key: Any) -> Any:
        f = each(drawn(key, x.shape[0], between, x))
        return ops.clip(x + f * (luminance("RandomColorDegeneration", x) - x), least, largest)

    return augmenting("RandomColorDegeneration", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def Solarization(
    addition_factor: Factor = 0.0,
    threshold_factor: Factor = 0.0,
    value_range: Sequence[float] = (0.0, 255.0),
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, values from a threshold on are inverted: ``y = least + largest - x``.

    addition_factor: what is added before, as a part of the range of values. threshold_factor: the threshold, as a part
    of it. Each is drawn for an image from 0 to the factor, or between two numbers from 0 to 1.
    x: (N, H, W, C) -> (N, H, W, C). Source: Keras ``Solarization``, which in 3.15 takes the lower of two numbers as it
    is, not as a part of 255.

    >>> import numpy as np
    >>> y, _ = Solarization().apply({}, {}, np.full((1, 1, 1, 1), 59, "uint8"), random.key(0), True)
    >>> y.item()
    196.0
    """
    added = bounds("Solarization", "addition_factor", addition_factor, 0.0, 1.0)
    limits = bounds("Solarization", "threshold_factor", threshold_factor, 0.0, 1.0)
    least, largest = least_and_largest("Solarization", value_range)

    def changed(x: Any, key: Any) -> Any:
        more, limit = (
            each(drawn(fold_in(key, i), x.shape[0], pair, x)) * (largest - least)
            for i, pair in enumerate((added, limits))
        )
        x = ops.clip(x + more, least, largest)
        return ops.where(ops.less(x, least + limit), x, least + largest - x)

    return augmenting("Solarization", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomPosterization(
    factor: int | Sequence[int],
    value_range: Sequence[float] = (0.0, 255.0),
    data_format: str | None = None,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, of the 8 bits of each value the highest `factor` are kept.

    factor: 1 to 8, or two of them: the number for an image is drawn from the first up to below the second.
    x: (N, H, W, C) -> (N, H, W, C). Source: Keras ``RandomPosterization``, which in 3.15 takes one number as
    ``(1, factor)``, unlike what it says.

    >>> import numpy as np
    >>> y, _ = RandomPosterization(2).apply({}, {}, np.array([[[[63, 64, 255]]]]), random.key(0), True)
    >>> y.ravel()
    array([  0.,  64., 192.], dtype=float32)
    """
    two: Any = factor if isinstance(factor, list | tuple) and len(factor) == 2 else (factor, factor)
    low, high = two
    if not (is_integer(low) and is_integer(high) and 1 <= low <= high <= 8):
        raise ValueRangeError(
            f"RandomPosterization: factor is an integer from 1 to 8, or two that rise, received {factor!r:.60}."
        )
    between = least_and_largest("RandomPosterization", value_range)
    check_data_format("RandomPosterization", data_format)

    def changed(x: Any, key: Any) -> Any:
        bits = random.randint(key, (x.shape[0],), int(low), int(max(high, low + 1)))
        step = each(ops.take(beside(2.0 ** np.arange(8, -1, -1).astype(x.dtype), x), bits))
        whole = ops.floor(ops.clip(in_range(x, between, _BYTES), *_BYTES))
        return in_range(ops.floor(whole / step) * step, _BYTES, between)

    return augmenting("RandomPosterization", changed, seed)
