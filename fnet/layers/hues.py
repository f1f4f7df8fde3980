"""Colours as hue, saturation and value, and their luminance."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import ops
from fnet.errors import ShapeError
from fnet.transforms.operand import beside

_LUMINANCE = (0.2989, 0.5870, 0.1140)  # of red, green and blue, ITU-R BT.601


def luminance(kind: str, x: Any) -> Any:
    """How bright the pixels of images are: (N, H, W, 3) -> (N, H, W, 1); one channel is that already."""
    if x.shape[-1] == 1:
        return x
    _check_colors(kind, x)
    return ops.sum(x * beside(np.asarray(_LUMINANCE, x.dtype), x), axis=-1, keepdims=True)


def hsv_of_rgb(kind: str, x: Any) -> tuple[Any, Any, Any]:
    """Hue, saturation and value of colours: (N, H, W, 3) of at least 0 -> three of (N, H, W).

    Hue and saturation are from 0 to 1, and 0 for grey ones. Source: A. R. Smith, Color gamut transform pairs, 1978.
    """
    _check_colors(kind, x)
    red, green, blue = (x[..., i] for i in range(3))
    value = ops.maximum(ops.maximum(red, green), blue)
    spread = value - ops.minimum(ops.minimum(red, green), blue)
    coloured = ops.greater(spread, 0)
    norm = 1.0 / (6.0 * ops.where(coloured, spread, 1.0))
    hue = ops.where(ops.equal(value, green), norm * (blue - red) + 2.0 / 6.0, norm * (red - green) + 4.0 / 6.0)
    hue = ops.where(ops.equal(value, red), norm * (green - blue), hue)
    hue = ops.where(coloured, ops.where(ops.less(hue, 0), hue + 1.0, hue), 0.0)
    some = ops.greater(value, 0)
    return hue, ops.where(some, spread / ops.where(some, value, 1.0), 0.0), value


def rgb_of_hsv(hue: Any, saturation: Any, value: Any) -> Any:
    """Colours of these hues, saturations and values: three of (N, H, W) -> (N, H, W, 3)."""
    turn = hue * 6.0
    parts = (
        ops.absolute(turn - 3.0) - 1.0,
        2.0 - ops.absolute(turn - 2.0),
        2.0 - ops.absolute(turn - 4.0),
    )
    pale = 1.0 - saturation
    return ops.stack([value * (pale + saturation * ops.clip(part, 0.0, 1.0)) for part in parts], axis=-1)


def _check_colors(kind: str, x: Any) -> None:
    if x.shape[-1] != 3:
        raise ShapeError(f"{kind}: expected 3 channels, red, green and blue, received {x.shape[-1]}.")
