"""Images of another size: resized, and cut out of the middle."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from fnet import ops
from fnet.arguments import flag, known_word, number, positive_integer
from fnet.layers.augmentation import Change, changing
from fnet.layers.bounding_boxes import BoxFormat, Corners, check_box_format, moving
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside

_FEW = 8  # pixels that are read one by one

Method = Literal["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"]


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
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
    bounding_box_format: BoxFormat | None = None,
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
    form = check_box_format("Resizing", bounding_box_format)
    window = cut_to_ratio if crops else padded_to_ratio if pads else whole
    return changing("Resizing", resizing("Resizing", size, window, form, interpolation, antialias, fill))


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def CenterCrop(
    height: int,
    width: int,
    data_format: str | None = None,
    bounding_box_format: BoxFormat | None = None,
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
    return changing(
        "CenterCrop", resizing("CenterCrop", size, middle, check_box_format("CenterCrop", bounding_box_format))
    )


Sides = tuple[int, int]
Window = tuple[int, int, int, int]
"""The part of an image that is seen: its first row and column, maybe before the image, and how many there are."""


def resizing(
    kind: str,
    size: Sides,
    window: Callable[[Sides, Sides], Window],
    form: str | None,
    interpolation: str = "bilinear",
    antialias: bool = False,
    fill: float = 0.0,
) -> Change:
    """A window of images is resized, and of their masks by the nearest pixel; bounding boxes in it as well."""

    def seen(x: Any, method: str) -> Any:
        return resized(in_window(x, window(x.shape[1:3], size), fill), size, method, antialias)

    def moved(corners: Corners, images: Any, key: Any) -> Corners:
        top, left, rows, columns = window(images.shape[1:3], size)
        x, y, right, bottom = corners
        down, along = size[0] / rows, size[1] / columns
        return (x - left) * along, (y - top) * down, (right - left) * along, (bottom - top) * down

    return Change(
        lambda x, key: seen(x, interpolation),
        segmentation_masks=lambda part, images, key: seen(part, "nearest"),
        bounding_boxes=moving(kind, form, moved, size),
    )


def whole(sides: Sides, size: Sides) -> Window:
    """All of an image."""
    return 0, 0, *sides


def middle(sides: Sides, size: Sides) -> Window:
    """The middle in the size itself, or where the image is smaller, as much of it as has its ratio."""
    over = sides[0] - size[0], sides[1] - size[1]
    return (over[0] // 2, over[1] // 2, *size) if min(over) >= 0 else cut_to_ratio(sides, size)


def cut_to_ratio(sides: Sides, size: Sides) -> Window:
    """The largest part of the middle of an image whose sides have the ratio of `size`, in whole pixels."""
    height, width = sides
    rows = max(min(height, int(width * size[0] / size[1])), 1)
    columns = max(min(width, int(height * size[1] / size[0])), 1)
    return (height - rows) // 2, (width - columns) // 2, rows, columns


def padded_to_ratio(sides: Sides, size: Sides) -> Window:
    """The smallest part around an image whose sides have the ratio of `size`, in whole pixels."""
    height, width = sides
    rows, columns = max(height, int(width * size[0] / size[1])), max(width, int(height * size[1] / size[0]))
    return -((rows - height) // 2), -((columns - width) // 2), rows, columns


def in_window(x: Any, window: Window, fill: float) -> Any:
    """The part of images (N, H, W, C) in a window, with `fill` beyond their edges."""
    height, width = x.shape[1:3]
    top, left, rows, columns = window
    before, behind = (max(-top, 0), max(-left, 0)), (max(top + rows - height, 0), max(left + columns - width, 0))
    if any((*before, *behind)):
        x = ops.pad(x, ((0, 0), *zip(before, behind, strict=True), (0, 0)), fill)
    top, left = top + before[0], left + before[1]
    return x[:, top : top + rows, left : left + columns]


def resized(x: Any, size: Sides, interpolation: str, antialias: bool) -> Any:
    """Images (N, H, W, C) with `size` rows and columns."""
    for axis, (before, after) in enumerate(zip(x.shape[1:3], size, strict=True), 1):
        if interpolation == "nearest":
            middles = (np.arange(after) + 0.5) * (before / after)
            x = ops.take(x, beside(np.floor(middles).astype(np.int64), x), axis=axis)
        elif before != after:
            x = _weighted(x, weights_of(before, after, interpolation, antialias), axis)
    return x


def _weighted(x: Any, weights: np.ndarray, axis: int) -> Any:
    """``y[i] = sum_j weights[i, j] x[j]`` along the rows or the columns of images.

    Few pixels count for each: only they are read, so that NaN elsewhere does not matter. Of many, it is a product.
    """
    counts = np.abs(weights) > 1e-12
    if (most := int(counts.sum(1).max())) > _FEW:
        by_row = beside(weights.astype(x.dtype), x)
        n, height, width, channels = x.shape
        if axis == 2:
            return ops.matmul(by_row, x)
        y = ops.matmul(by_row, ops.reshape(x, (n, height, width * channels)))
        return ops.reshape(y, (n, len(weights), width, channels))
    order = np.argsort(~counts, axis=1, kind="stable")[:, :most]
    there = np.take_along_axis(counts, order, 1)
    places = np.where(there, order, order[:, :1])
    parts = np.where(there, np.take_along_axis(weights, order, 1), 0.0).astype(x.dtype)
    shape = (-1, 1, 1) if axis == 1 else (-1, 1)
    return functools.reduce(ops.add, (
        ops.take(x, beside(np.ascontiguousarray(places[:, k]), x), axis=axis)
        * beside(np.ascontiguousarray(parts[:, k]).reshape(shape), x)
        for k in range(most)
    ))  # fmt: skip


def weights_of(before: int, after: int, interpolation: str, antialias: bool) -> np.ndarray:
    """What each pixel of a row of `before` counts in each of `after`: (after, before), rows of sum 1."""
    scale = before / after
    middles = (np.arange(after) + 0.5) * scale - 0.5
    return weights_at(middles, before, interpolation, max(scale, 1.0) if antialias else 1.0)


def weights_at(middles: np.ndarray, before: int, interpolation: str, wide: float = 1.0) -> np.ndarray:
    """What each pixel of a row counts at places between them, by a kernel that is so many times as wide.

    middles: (after,), 0 in the middle of the first pixel -> (after, before), rows of sum 1, zeros beyond the edges.
    """
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
