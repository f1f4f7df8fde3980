"""Images of another size: resized, and cut out of the middle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from fnet import ops
from fnet.arguments import flag, known_word, number, positive_integer
from fnet.layers.activation import nothing
from fnet.layers.checks import check_data_format, image
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import promote
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside

Method = Literal["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"]


@LAYERS.named()
@layer_constructor(masks="dropped")
def Resizing(
    height: int,
    width: int,
    interpolation: Method = "bilinear",
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: Literal["constant"] = "constant",
    fill_value: float = 0.0,
    antialias: bool = False,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Images of `height` rows and `width` columns: x: (N, H, W, C) -> (N, height, width, C).

    Each row is a weighted mean of rows, ``y = A x B'``, with weights by the distance of the middles of pixels.
    antialias: kernels that are wider where images become smaller. crop_to_aspect_ratio: cut the middle out first, so
    that nothing is stretched; pad_to_aspect_ratio: put `fill_value` around in place of that. Integers give float32.
    Source: Keras ``Resizing``.

    >>> import numpy as np
    >>> Resizing(2, 2).apply({}, {}, np.arange(16.0).reshape(1, 4, 4, 1))[0][0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    size = positive_integer("Resizing", "height", height), positive_integer("Resizing", "width", width)
    known_word("Resizing", "interpolation", interpolation, tuple(_KERNELS))
    known_word("Resizing", "fill_mode", fill_mode, ("constant",))
    check_data_format("Resizing", data_format)
    crops = flag("Resizing", "crop_to_aspect_ratio", crop_to_aspect_ratio)
    pads = flag("Resizing", "pad_to_aspect_ratio", pad_to_aspect_ratio)
    antialias, fill = flag("Resizing", "antialias", antialias), number("Resizing", "fill_value", fill_value)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        (x,) = promote(image("Resizing", x, 2), floating=True)
        if crops:
            x = cut_to_ratio(x, size)
        elif pads:
            x = padded_to_ratio(x, size, fill)
        return resized(x, size, interpolation, antialias), state

    return nothing, apply


@LAYERS.named()
@layer_constructor(masks="dropped")
def CenterCrop(
    height: int,
    width: int,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The middle of images: x: (N, H, W, C) -> (N, height, width, C).

    Smaller images are resized, after what is too much on one side is cut off. Source: Keras ``CenterCrop``.

    >>> import numpy as np
    >>> CenterCrop(2, 1).apply({}, {}, np.arange(12.0).reshape(1, 4, 3, 1))[0].ravel()
    array([4., 7.])
    """
    size = positive_integer("CenterCrop", "height", height), positive_integer("CenterCrop", "width", width)
    check_data_format("CenterCrop", data_format)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        (x,) = promote(image("CenterCrop", x, 2), floating=True)
        return center_crop(x, size), state

    return nothing, apply


def center_crop(x: Any, size: tuple[int, int]) -> Any:
    """The middle of images (N, H, W, C), or where they are smaller a part of it that is resized."""
    over = x.shape[1] - size[0], x.shape[2] - size[1]
    if min(over) < 0:
        return middle_resized(x, size)
    return x[:, over[0] // 2 : over[0] // 2 + size[0], over[1] // 2 : over[1] // 2 + size[1]]


def middle_resized(x: Any, size: tuple[int, int]) -> Any:
    """As much of the middle of images (N, H, W, C) as has the ratio of `size`, in that size."""
    return resized(cut_to_ratio(x, size), size, "bilinear", False)


def cut_to_ratio(x: Any, size: tuple[int, int]) -> Any:
    """The largest part of the middle of images whose sides have the ratio of `size`, in whole pixels."""
    height, width = x.shape[1:3]
    rows = max(min(height, int(width * size[0] / size[1])), 1)
    columns = max(min(width, int(height * size[1] / size[0])), 1)
    top, left = (height - rows) // 2, (width - columns) // 2
    return x[:, top : top + rows, left : left + columns]


def padded_to_ratio(x: Any, size: tuple[int, int], fill: float) -> Any:
    """Images with `fill` around them, so that their sides have the ratio of `size`, in whole pixels."""
    height, width = x.shape[1:3]
    rows, columns = max(height, int(width * size[0] / size[1])), max(width, int(height * size[1] / size[0]))
    top, left = (rows - height) // 2, (columns - width) // 2
    sides = ((0, 0), (top, rows - height - top), (left, columns - width - left), (0, 0))
    return ops.pad(x, sides, fill)


def resized(x: Any, size: tuple[int, int], interpolation: str, antialias: bool) -> Any:
    """Images (N, H, W, C) with `size` rows and columns."""
    if interpolation == "nearest":
        for axis, (before, after) in enumerate(zip(x.shape[1:3], size, strict=True), 1):
            middles = (np.arange(after) + 0.5) * (before / after)
            x = ops.take(x, beside(np.floor(middles).astype(np.int64), x), axis=axis)
        return x
    n, height, width, channels = x.shape
    by_row = beside(weights_of(height, size[0], interpolation, antialias).astype(x.dtype), x)
    by_column = beside(weights_of(width, size[1], interpolation, antialias).astype(x.dtype), x)
    x = ops.matmul(by_row, ops.reshape(x, (n, height, width * channels)))
    return ops.matmul(by_column, ops.reshape(x, (n, size[0], width, channels)))


def weights_of(before: int, after: int, interpolation: str, antialias: bool) -> np.ndarray:
    """What each pixel of a row of `before` counts in each of `after`: (after, before), rows of sum 1."""
    scale = before / after
    middles = (np.arange(after) + 0.5) * scale - 0.5
    wide = max(scale, 1.0) if antialias else 1.0
    weights = _KERNELS[interpolation](np.abs(middles[:, None] - np.arange(before)) / wide)
    total = weights.sum(1, keepdims=True)
    known = np.abs(total) > 1000 * np.finfo(np.float32).eps
    weights = np.where(known, weights / np.where(known, total, 1.0), 0.0)
    inside = (middles >= -0.5) & (middles <= before - 0.5)
    return np.where(inside[:, None], weights, 0.0)


def _triangle(d: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 1.0 - d)


def _cubic(d: np.ndarray) -> np.ndarray:
    """R. Keys 1981, with the slope -1/2."""
    near, far = ((1.5 * d - 2.5) * d) * d + 1.0, ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d < 1, near, np.where(d < 2, far, 0.0))


def _lanczos(radius: float) -> Callable[[np.ndarray], np.ndarray]:
    def kernel(d: np.ndarray) -> np.ndarray:
        safe = np.where(d == 0, 1.0, d) * math.pi
        value = radius * np.sin(safe) * np.sin(safe / radius) / safe**2
        return np.where(d == 0, 1.0, np.where(d > radius, 0.0, value))

    return kernel


_KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bilinear": _triangle,
    "nearest": _triangle,
    "bicubic": _cubic,
    "lanczos3": _lanczos(3.0),
    "lanczos5": _lanczos(5.0),
}
