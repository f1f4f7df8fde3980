"""Colours of images."""

from __future__ import annotations

from typing import Any

from fnet import ops
from fnet.keras.ops.calls import of_arrays
from fnet.keras.ops.image.batches import floating, seen
from fnet.layers import hues


@of_arrays
def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Any:
    """``0.2989 red + 0.587 green + 0.114 blue``, with one channel."""
    return seen(lambda x: ops.astype(hues.luminance("rgb_to_grayscale", floating(x)), x.dtype), images, data_format)


@of_arrays
def rgb_to_hsv(images: Any, data_format: str | None = None) -> Any:
    """Hue, saturation and value of colours from 0 to 1."""
    return seen(lambda x: ops.stack(hues.hsv_of_rgb("rgb_to_hsv", x), -1), images, data_format)


@of_arrays
def hsv_to_rgb(images: Any, data_format: str | None = None) -> Any:
    """Colours of hues, saturations and values from 0 to 1."""
    return seen(lambda x: hues.rgb_of_hsv(*ops.unstack(x, -1)), images, data_format)
