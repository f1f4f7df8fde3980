"""Images made smoother and sharper by chance while training."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import positive_integers
from fnet.errors import ValueRangeError
from fnet.layers.augmentation import Factor, augmenting, chance, chosen, drawn, each, least_and_largest, range_of
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomSharpness(
    factor: Factor,
    value_range: Sequence[float] = (0.0, 255.0),
    data_format: str | None = None,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, ``y = x + (1 - 2 f) (smooth - x)``: 0 gives smooth images, 0.5 changes nothing, 1 sharpens.

    A smooth pixel is 5/13 of itself and 1/13 of each of the 8 around, 0 beyond the edges. factor: f is drawn from 0 to
    it, or between two numbers from 0 to 1. x: (N, H, W, C) -> (N, H, W, C), within `value_range`.
    Source: Keras ``RandomSharpness``.

    >>> RandomSharpness((0.5, 1.0)).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    between, (least, largest) = (
        chance("RandomSharpness", "factor", factor),
        least_and_largest("RandomSharpness", value_range),
    )
    check_data_format("RandomSharpness", data_format)
    around, more = 1.0 / 13.0, 4.0 / 13.0

    def changed(x: Any, key: Any) -> Any:
        f = each(drawn(key, x.shape[0], between, x)) * 2.0
        ones = [1.0, 1.0, 1.0]
        smooth = around * blurred(blurred(x, ones, 1), ones, 2) + more * x
        return ops.clip(x + (1.0 - f) * (smooth - x), least, largest)

    return augmenting("RandomSharpness", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomGaussianBlur(
    factor: Factor = 1.0,
    kernel_size: int | Sequence[int] = 3,
    sigma: Factor = 1.0,
    value_range: Sequence[float] = (0.0, 255.0),
    data_format: str | None = None,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, with a probability, each image is blurred by a Gaussian kernel; beyond the edges are zeros.

    factor: the probability is drawn from 0 to it, or between two numbers from 0 to 1, for each image. kernel_size: an
    odd number of columns and rows, or one for each. sigma: the standard deviation in pixels, or two between which one
    is drawn for each image and direction. x: (N, H, W, C) -> (N, H, W, C), within `value_range`.
    Source: Keras ``RandomGaussianBlur``, which in 3.15 draws from 0 to one sigma, and the same one for all images,
    unlike what it says.

    >>> RandomGaussianBlur(kernel_size=5, sigma=(0.5, 2.0)).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    kind = "RandomGaussianBlur"
    probability, between = chance(kind, "factor", factor), range_of(kind, "sigma", sigma)
    columns, rows = positive_integers(kind, "kernel_size", kernel_size, 2)
    if columns % 2 == 0 or rows % 2 == 0:
        raise ValueRangeError(f"{kind}: kernel_size is odd, received {kernel_size!r:.40}.")
    least, largest = least_and_largest(kind, value_range)
    check_data_format(kind, data_format)

    def changed(x: Any, key: Any) -> Any:
        y = x
        for i, (size, axis) in enumerate(((columns, 2), (rows, 1))):
            deviation = drawn(fold_in(key, 2 + i), x.shape[0], between, x) + 1e-6
            y = blurred(y, gaussian(deviation, size), axis)
        return ops.clip(ops.where(chosen(x, key, probability), y, x), least, largest)

    return augmenting(kind, changed, seed)


def gaussian(deviation: Any, size: int) -> list[Any]:
    """The weights of an odd number of pixels in a row, of sum 1: each (N, 1, 1, 1), for deviations (N,)."""
    distance = beside(np.arange(size, dtype=deviation.dtype) - (size - 1) / 2, deviation)
    weights = ops.exp(-0.5 * ops.square(distance / ops.expand_dims(deviation, 1)))
    weights = weights / ops.sum(weights, axis=1, keepdims=True)
    return [each(weights[:, i]) for i in range(size)]


def blurred(x: Any, weights: Sequence[Any], axis: int) -> Any:
    """``y[i] = sum_k weights[k] x[i + k - K // 2]`` along an axis of images, with zeros beyond the edges."""
    half, size = len(weights) // 2, x.shape[axis]
    sides = [(0, 0)] * len(x.shape)
    sides[axis] = (half, half)
    wide = ops.pad(x, sides)
    parts = (wide[(slice(None),) * axis + (slice(k, k + size),)] for k in range(len(weights)))
    return functools.reduce(ops.add, map(ops.multiply, weights, parts))
