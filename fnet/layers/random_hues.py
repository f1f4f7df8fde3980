"""Images whose colours are turned, and made richer or paler, by chance while training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fnet import ops
from fnet.layers.augmentation import (
    Factor,
    augmenting,
    bounds,
    chance,
    change_of,
    drawn,
    in_range,
    least_and_largest,
)
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.hues import hsv_of_rgb, rgb_of_hsv
from fnet.layers.random_colors import RandomBrightness, RandomContrast
from fnet.networks.layer import Layer
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike

_UNIT = (0.0, 1.0)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomHue(
    factor: Factor,
    value_range: Sequence[float] = (0.0, 255.0),
    data_format: str | None = None,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, the hue of each image is turned by half of `factor` of a full circle, to one side or the other.

    factor: drawn from 0 to it, or between two numbers from 0 to 1. x: (N, H, W, 3) -> (N, H, W, 3).
    Source: Keras ``RandomHue``.

    >>> RandomHue(0.2).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    between, values = chance("RandomHue", "factor", factor), least_and_largest("RandomHue", value_range)
    check_data_format("RandomHue", data_format)

    def changed(x: Any, key: Any) -> Any:
        back = ops.greater(drawn(fold_in(key, 0), x.shape[0], _UNIT, x), 0.5)
        turn = drawn(fold_in(key, 1), x.shape[0], between, x) * 0.5
        return turned(x, ops.where(back, -turn, turn), values)

    return augmenting("RandomHue", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomSaturation(
    factor: Factor,
    value_range: Sequence[float] = (0.0, 255.0),
    data_format: str | None = None,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, the saturation of each image is multiplied by ``f / (1 - f)``, up to 1: 0.5 changes nothing.

    factor: f is drawn from 0 to it, or between two numbers from -1 to 1; 0 and less give grey images, 1 fully saturated
    ones. x: (N, H, W, 3) -> (N, H, W, 3). Source: Keras ``RandomSaturation``, which in 3.15 draws from -factor on, and
    with values to 255 lets saturations grow above 1, unlike what it says.

    >>> RandomSaturation((0.3, 0.7)).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    between = bounds("RandomSaturation", "factor", factor, -1.0, 1.0, one=0.0)
    values = least_and_largest("RandomSaturation", value_range)
    check_data_format("RandomSaturation", data_format)

    def changed(x: Any, key: Any) -> Any:
        f = drawn(key, x.shape[0], between, x)
        return saturated(x, f / (1.0 - f + 1e-7), values)

    return augmenting("RandomSaturation", changed, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomColorJitter(
    value_range: Sequence[float] = (0.0, 255.0),
    brightness_factor: Factor | None = None,
    contrast_factor: Factor | None = None,
    saturation_factor: Factor | None = None,
    hue_factor: Factor | None = None,
    seed: int | None = None,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """`RandomBrightness`, `RandomContrast`, `RandomSaturation` and `RandomHue`, of which a factor is given.

    x: (N, H, W, C) -> (N, H, W, C). Source: Keras ``RandomColorJitter``.

    >>> RandomColorJitter((0.0, 1.0), brightness_factor=0.2, hue_factor=0.1).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    check_data_format("RandomColorJitter", data_format)
    least_and_largest("RandomColorJitter", value_range)
    factors: dict[Callable[..., Layer], Factor | None] = {
        RandomBrightness: brightness_factor,
        RandomContrast: contrast_factor,
        RandomSaturation: saturation_factor,
        RandomHue: hue_factor,
    }
    changes = [change_of(make(given, value_range)) for make, given in factors.items() if given is not None]

    def changed(x: Any, key: Any) -> Any:
        for i, change in enumerate(changes):
            x = change(x, fold_in(key, i))
        return x

    return augmenting("RandomColorJitter", changed, seed)


def turned(x: Any, turn: Any, values: tuple[float, float]) -> Any:
    """Images whose hue is turned by so many circles, one number from -1 to 1 for each image."""
    hue, saturation, value = hsv_of_rgb("RandomHue", in_range(x, values, _UNIT))
    hue = hue + ops.reshape(turn, (-1, 1, 1))
    hue = ops.where(ops.greater(hue, 1), hue - 1.0, hue)
    hue = ops.where(ops.less(hue, 0), hue + 1.0, hue)
    return in_range(ops.clip(rgb_of_hsv(hue, saturation, value), 0.0, 1.0), _UNIT, values)


def saturated(x: Any, times: Any, values: tuple[float, float]) -> Any:
    """Images whose saturation is so many times as large, up to 1, one number for each image."""
    hue, saturation, value = hsv_of_rgb("RandomSaturation", in_range(x, values, _UNIT))
    saturation = ops.clip(saturation * ops.reshape(times, (-1, 1, 1)), 0.0, 1.0)
    return in_range(rgb_of_hsv(hue, saturation, value), _UNIT, values)
