"""Layers that are random in training: dropout of whole channels, Gaussian noise, dropout that keeps mean and variance.

`fnet.layers.dropout` has the plain one. A `seed` is folded into the key, so that a layer draws other numbers from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fnet import ops, random
from fnet.arguments import fraction, integer_or_none, number
from fnet.errors import ValueRangeError
from fnet.layers.activation import nothing
from fnet.layers.checks import image, stream
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.dropout import dropped_together
from fnet.ops.promotion import promote
from fnet.regularizers import RegularizerLike
from fnet.transforms.primitive import spec_of

# What an element is set to by AlphaDropout: the limit of selu at -inf.
_SELU_LIMIT = -1.6732632423543772 * 1.0507009873554805


@LAYERS.named()
@layer_constructor(masks="kept")
def SpatialDropout1D(
    rate: float,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each channel of a sample is 0 in all steps with probability `rate`, else divided by ``1 - rate``.

    x: (N, T, C) -> (N, T, C). Source: J. Tompson et al. 2015 (Keras ``SpatialDropout1D``).
    """
    return _spatial("SpatialDropout1D", rate, 1, seed)


@LAYERS.named()
@layer_constructor(masks="kept")
def SpatialDropout2D(
    rate: float,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each channel of a sample is 0 in all pixels with probability `rate`, else divided by ``1 - rate``.

    x: (N, H, W, C) -> (N, H, W, C). Source: J. Tompson et al. 2015 (Keras ``SpatialDropout2D``).

    >>> import numpy as np
    >>> y, _ = SpatialDropout2D(0.5).apply({}, {}, np.ones((1, 2, 2, 8), "float32"), key=random.key(0), train=True)
    >>> bool(np.all(y == y[:, :1, :1]))
    True
    """
    return _spatial("SpatialDropout2D", rate, 2, seed)


@LAYERS.named()
@layer_constructor(masks="kept")
def SpatialDropout3D(
    rate: float,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each channel of a sample is 0 in all voxels with probability `rate`, else divided by ``1 - rate``.

    x: (N, D, H, W, C) -> (N, D, H, W, C). Source: J. Tompson et al. 2015 (Keras ``SpatialDropout3D``).
    """
    return _spatial("SpatialDropout3D", rate, 3, seed)


@LAYERS.named()
@layer_constructor(masks="kept")
def GaussianNoise(
    stddev: float,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, ``x + stddev z`` with standard normal z for each element. Source: Keras ``GaussianNoise``."""
    number("GaussianNoise", "stddev", stddev, "[0, inf)", "{argument} is a finite number that is not negative")

    def noisy(x: Any, key: Any) -> Any:
        return x + random.normal(key, x.shape, x.dtype, stddev=stddev)

    return _noise("GaussianNoise", float(stddev), noisy, seed)


@LAYERS.named()
@layer_constructor(masks="kept")
def GaussianDropout(
    rate: float,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, ``x (1 + z sqrt(rate / (1 - rate)))`` with standard normal z for each element, for a rate below 1.

    Mean and variance are those of dropout with this rate. Source: N. Srivastava et al. 2014 (Keras
    ``GaussianDropout``).
    """
    rate = _below_one("GaussianDropout", rate)
    stddev = math.sqrt(rate / (1 - rate))

    def noisy(x: Any, key: Any) -> Any:
        return x * random.normal(key, x.shape, x.dtype, mean=1.0, stddev=stddev)

    return _noise("GaussianDropout", rate, noisy, seed)


@LAYERS.named()
@layer_constructor(masks="kept")
def AlphaDropout(
    rate: float,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each element is replaced by selu's limit at -inf, s, with probability `rate`, and all are rescaled.

    ``a (x or s) + b`` with ``a = ((1 - rate) (1 + rate s^2))^(-1/2)`` and ``b = -a rate s``, which keeps mean 0 and
    variance 1; for a rate below 1. Source: G. Klambauer et al. 2017 (Keras ``AlphaDropout``).
    """
    rate = _below_one("AlphaDropout", rate)
    scale = ((1 - rate) * (1 + rate * _SELU_LIMIT**2)) ** -0.5
    offset = -scale * rate * _SELU_LIMIT

    def noisy(x: Any, key: Any) -> Any:
        dropped = ops.less(random.uniform(key, x.shape), rate)
        return ops.where(dropped, _SELU_LIMIT, x) * scale + offset

    return _noise("AlphaDropout", rate, noisy, seed)


def _spatial(kind: str, rate: float, rank: int, seed: int | None) -> Pair:
    rate = fraction(kind, "rate", rate)

    def noisy(x: Any, key: Any) -> Any:
        batch, *_, channels = spec_of(image(kind, x, rank)).shape
        return dropped_together(x, key, rate, (batch, *(1,) * rank, channels))

    return _noise(kind, rate, noisy, seed)


def _noise(kind: str, amount: float, noisy: Callable[[Any, Any], Any], seed: int | None) -> Pair:
    """The pair of a layer that gives ``noisy(x, key)`` in training, and x where the amount of noise is 0."""
    seed = integer_or_none(kind, "seed", seed)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if not train or amount == 0:
            return x, state
        (x,) = promote(x, floating=True)
        return noisy(x, stream(kind, key, seed)), state

    return nothing, apply


def _below_one(kind: str, rate: Any) -> float:
    if fraction(kind, "rate", rate) == 1:
        raise ValueRangeError(f"{kind}: with a rate of 1 nothing is left to scale, expected 0 <= rate < 1.")
    return float(rate)
