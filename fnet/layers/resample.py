"""Layers that repeat, pad or crop the axes between the batch and the channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import is_integer, known_word, positive_integers
from fnet.errors import AxisSizeError, ValueRangeError
from fnet.layers.checks import check_data_format, image, image_shape
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import promote
from fnet.ops.window import Sizes
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside, is_only_shape

Ends = tuple[int, int]
Sides = int | tuple[int, ...] | tuple[Ends, ...]


# ----------------------------------------------------------------------------------------------- upsampling


@LAYERS.named()
@layer_constructor()
def UpSampling1D(
    size: Sizes = 2, *, activity_regularizer: RegularizerLike = None, trainable: bool = True, name: str | None = None
) -> Pair:
    """Each step `size` times in a row: (N, T, C) -> (N, size T, C). Source: Keras ``UpSampling1D``.

    >>> UpSampling1D(3).out_shape((4, 2))
    (12, 2)
    """
    return _upsampling("UpSampling1D", size, 1, "nearest")


@LAYERS.named()
@layer_constructor()
def UpSampling2D(
    size: Sizes = 2,
    data_format: str | None = None,
    interpolation: str = "nearest",
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """An image of more pixels: (N, H, W, C) -> (N, size H, size W, C), with one size or one for each axis.

    interpolation: ``"nearest"`` repeats each pixel; ``"bilinear"`` takes output pixel i from the position
    ``(i + 1/2) / size - 1/2`` of the input, between its neighbours (at the edges it is the edge).
    Source: Keras ``UpSampling2D``.
    """
    return _upsampling("UpSampling2D", size, 2, interpolation, data_format)


@LAYERS.named()
@layer_constructor()
def UpSampling3D(
    size: Sizes = 2,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Each voxel repeated on every axis: (N, D, H, W, C) -> (N, size D, size H, size W, C).

    Source: Keras ``UpSampling3D``.
    """
    return _upsampling("UpSampling3D", size, 3, "nearest", data_format)


def _upsampling(kind: str, size: Any, rank: int, interpolation: str, data_format: str | None = None) -> Pair:
    check_data_format(kind, data_format)
    factors = positive_integers(kind, "size", size, rank)
    interpolation = known_word(kind, "interpolation", str(interpolation), _INTERPOLATIONS)
    stretch = _INTERPOLATIONS[interpolation]

    def resample(x: Any) -> Any:
        for axis, factor in enumerate(factors, start=1):
            x = x if factor == 1 else stretch(x, axis, factor)
        return x

    return _layer(kind, rank, resample)


def _repeated(x: Any, axis: int, factor: int) -> Any:
    shape = list(x.shape)
    copies = ops.broadcast_to(ops.expand_dims(x, axis + 1), (*shape[: axis + 1], factor, *shape[axis + 1 :]))
    shape[axis] *= factor
    return ops.reshape(copies, shape)


def _interpolated(x: Any, axis: int, factor: int) -> Any:
    (x,) = promote(x, floating=True)
    if is_only_shape(x):  # the same, without memory for positions
        return _repeated(x, axis, factor)
    shape = x.shape
    size = shape[axis]
    position = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    left = np.floor(position).astype(np.int64)
    weight = (position - left).astype(x.dtype).reshape(-1, *(1,) * (len(shape) - axis - 1))
    right = np.minimum(left + 1, size - 1)
    near, far, weight = (beside(part, x) for part in (left, right, weight))
    return ops.take(x, near, axis) * (1 - weight) + ops.take(x, far, axis) * weight


_INTERPOLATIONS: dict[str, Callable[[Any, int, int], Any]] = {"nearest": _repeated, "bilinear": _interpolated}


# ------------------------------------------------------------------------------------- padding and cropping


@LAYERS.named()
@layer_constructor()
def ZeroPadding1D(
    padding: Sides = 1,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Zeros before and after the steps: (N, T, C) -> (N, before + T + after, C).

    padding: a number for both ends, or ``(before, after)``. Source: Keras ``ZeroPadding1D``.

    >>> ZeroPadding1D((2, 0)).out_shape((4, 3))
    (6, 3)
    """
    return _padding("ZeroPadding1D", padding, 1, data_format)


@LAYERS.named()
@layer_constructor()
def ZeroPadding2D(
    padding: Sides = (1, 1),
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Zeros around an image: (N, H, W, C) -> (N, top + H + bottom, left + W + right, C).

    padding: a number for all sides, ``(height, width)`` for both sides of each axis, or
    ``((top, bottom), (left, right))``. Source: Keras ``ZeroPadding2D``.
    """
    return _padding("ZeroPadding2D", padding, 2, data_format)


@LAYERS.named()
@layer_constructor()
def ZeroPadding3D(
    padding: Sides = (1, 1, 1),
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Zeros around a volume, (N, D, H, W, C); `padding` as for `ZeroPadding2D`. Source: Keras ``ZeroPadding3D``."""
    return _padding("ZeroPadding3D", padding, 3, data_format)


@LAYERS.named()
@layer_constructor()
def Cropping1D(
    cropping: Sides = (1, 1),
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Without the first and the last steps: (N, T, C) -> (N, T - before - after, C).

    cropping: a number for both ends, or ``(before, after)``. Raises `ShapeError` where no step is left.
    Source: Keras ``Cropping1D``.

    >>> Cropping1D().out_shape((5, 3))
    (3, 3)
    """
    return _cropping("Cropping1D", cropping, 1)


@LAYERS.named()
@layer_constructor()
def Cropping2D(
    cropping: Sides = ((0, 0), (0, 0)),
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The inside of an image: (N, H, W, C) -> (N, H - top - bottom, W - left - right, C).

    cropping: a number for all sides, ``(height, width)`` for both sides of each axis, or
    ``((top, bottom), (left, right))``. Raises `ShapeError` where no pixel is left. Source: Keras ``Cropping2D``.
    """
    return _cropping("Cropping2D", cropping, 2, data_format)


@LAYERS.named()
@layer_constructor()
def Cropping3D(
    cropping: Sides = (1, 1, 1),
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The inside of a volume, (N, D, H, W, C); `cropping` as for `Cropping2D`. Source: Keras ``Cropping3D``."""
    return _cropping("Cropping3D", cropping, 3, data_format)


def _padding(kind: str, padding: Any, rank: int, data_format: str | None = None) -> Pair:
    check_data_format(kind, data_format)
    sides = _sides(kind, "padding", padding, rank)

    def pad(x: Any) -> Any:
        return ops.pad(x, [(0, 0), *sides, (0, 0)])

    return _layer(kind, rank, pad)


def _cropping(kind: str, cropping: Any, rank: int, data_format: str | None = None) -> Pair:
    check_data_format(kind, data_format)
    sides = _sides(kind, "cropping", cropping, rank)

    def crop(x: Any) -> Any:
        sizes = x.shape[1:-1]
        for size, (before, after) in zip(sizes, sides, strict=True):
            if before + after >= size:
                raise AxisSizeError(
                    f"{kind}: cropping {sides} leaves nothing of samples of shape {x.shape[1:]}.",
                    size,
                    least=before + after + 1,
                )
        inside = (slice(before, size - after) for size, (before, after) in zip(sizes, sides, strict=True))
        return x[(slice(None), *inside)]

    return _layer(kind, rank, crop)


def _sides(kind: str, argument: str, value: Any, rank: int) -> tuple[Ends, ...]:
    """(before, after) for each axis; for one axis a pair means both of its ends."""
    values = value if isinstance(value, tuple | list) else (value,) * rank
    if rank == 1 and len(values) == 2:
        values = (values,)
    pairs = tuple(tuple(v) if isinstance(v, tuple | list) else (v, v) for v in values)
    if len(pairs) != rank or not all(len(p) == 2 and all(is_integer(n) and n >= 0 for n in p) for p in pairs):
        forms = "(before, after)" if rank == 1 else f"{rank} of them or {rank} pairs (before, after)"
        raise ValueRangeError(f"{kind}: {argument} is an integer >= 0, or {forms}, received {value!r}.")
    return tuple((int(before), int(after)) for before, after in pairs)


def _layer(kind: str, rank: int, function: Callable[[Any], Any]) -> Pair:
    """A layer without parameters that maps images to images."""

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        image_shape(kind, shape, rank)
        return {}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return function(image(kind, x, rank)), state

    return init, apply
