"""Images of other sizes: resized, cut, and with zeros around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import known_word
from fnet.errors import ValueRangeError
from fnet.keras.ops.calls import of_arrays
from fnet.keras.ops.image.batches import floating, seen
from fnet.layers.resizing import cut_to_ratio, in_window, padded_to_ratio, resized, weights_at, whole
from fnet.transforms.operand import beside, is_known

_METHODS = {
    **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), "bilinear"),
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), "bicubic"),
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}
_RESIZED = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")


@of_arrays
def resize(
    images: Any,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Images of another size (rows, columns), see `fnet.layers.Resizing`.

    >>> resize(np.arange(16.0).reshape(4, 4, 1), (2, 2))[:, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    known_word("resize", "interpolation", interpolation, _RESIZED)
    known_word("resize", "fill_mode", fill_mode, ("constant",))
    window = cut_to_ratio if crop_to_aspect_ratio else padded_to_ratio if pad_to_aspect_ratio else whole
    sides = int(size[0]), int(size[1])

    def of_last(x: Any) -> Any:
        x = floating(x)
        return resized(in_window(x, window(x.shape[1:3], sides), fill_value), sides, interpolation, antialias)

    return seen(of_last, images, data_format)


@of_arrays
def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images with zeros around; of each direction two of three numbers are given."""

    def of_last(x: Any) -> Any:
        top, rows = _padded("height", x.shape[1], top_padding, bottom_padding, target_height)
        left, columns = _padded("width", x.shape[2], left_padding, right_padding, target_width)
        return in_window(x, (-top, -left, rows, columns), 0.0)

    return seen(of_last, images, data_format)


@of_arrays
def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images without their edges; of each direction two of three numbers are given."""

    def of_last(x: Any) -> Any:
        top, rows = _cropped("height", x.shape[1], top_cropping, bottom_cropping, target_height)
        left, columns = _cropped("width", x.shape[2], left_cropping, right_cropping, target_width)
        return in_window(x, (top, left, rows, columns), 0.0)

    return seen(of_last, images, data_format)


def _padded(side: str, size: int, before: int | None, after: int | None, target: int | None) -> tuple[int, int]:
    """How much is put in front, and the new size."""
    _check_two("padding", side, before, after, target)
    total = size + (before or 0) + (after or 0) if target is None else target
    before = total - size - (after or 0) if before is None else before
    return _checked("padding", side, before, total, total - size - before)


def _cropped(side: str, size: int, before: int | None, after: int | None, target: int | None) -> tuple[int, int]:
    """How much is cut off in front, and the new size."""
    _check_two("cropping", side, before, after, target)
    total = size - (before or 0) - (after or 0) if target is None else target
    before = size - total - (after or 0) if before is None else before
    return _checked("cropping", side, before, total, size - total - before)


def _check_two(what: str, side: str, before: Any, after: Any, target: Any) -> None:
    if [before, after, target].count(None) != 1:
        raise ValueRangeError(
            f"images: expected two of three numbers for the {side}, {what} before, {what} behind and the target, "
            f"received {before}, {after} and {target}."
        )


def _checked(what: str, side: str, before: int, total: int, after: int) -> tuple[int, int]:
    if min(before, total, after) < 0:
        raise ValueRangeError(
            f"images: the {side} is {total} with a {what} of {before} before and {after} behind; expected 0 or more."
        )
    return before, total


@of_arrays
def scale_and_translate(
    images: Any,
    output_shape: Sequence[int],
    scale: Any,
    translation: Any,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> Any:
    """An array resampled: ``y[i] = x`` at ``(i + 1/2 - translation) / scale - 1/2`` along each of some axes.

    Beyond the edges are zeros. scale, translation: a known number for each of `spatial_dims`.
    """
    known_word("scale_and_translate", "method", method, tuple(_METHODS))
    if not (is_known(scale) and is_known(translation)):
        raise ValueRangeError("scale_and_translate: scale and translation are known numbers, received traced ones.")
    x = floating(images)
    for axis, factor, shift in zip(spatial_dims, np.asarray(scale), np.asarray(translation), strict=True):
        back = 1.0 / float(factor)
        middles = (np.arange(output_shape[axis]) + 0.5 - float(shift)) * back - 0.5
        weights = weights_at(middles, x.shape[axis], _METHODS[method], max(back, 1.0) if antialias else 1.0)
        columns = np.ascontiguousarray(weights.T.astype(x.dtype))
        x = ops.moveaxis(ops.matmul(ops.moveaxis(x, axis, -1), beside(columns, x)), -1, axis)
    return x
