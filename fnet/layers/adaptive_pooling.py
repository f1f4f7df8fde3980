"""Pooling to a given number of windows, whatever the size of the image."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import positive_integers
from fnet.errors import AxisSizeError
from fnet.layers.checks import check_data_format, image, image_shape
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.window import Sizes
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside


@LAYERS.named()
@layer_constructor()
def AdaptiveAveragePooling1D(
    output_size: Sizes,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The means over `output_size` windows, ``x[floor(i T / output_size) : ceil((i + 1) T / output_size)]``.

    x: (N, T, C) -> (N, output_size, C). Windows overlap where T is no multiple of `output_size`. Raises `ShapeError`
    for an input without any steps. Source: Keras ``AdaptiveAveragePooling1D``.

    >>> AdaptiveAveragePooling1D(3).apply({}, {}, np.arange(5.0).reshape(1, 5, 1))[0].ravel()
    array([0.5, 2. , 3.5])
    """
    return _pooling("AdaptiveAveragePooling1D", ops.average_pool, 1, output_size, data_format)


@LAYERS.named()
@layer_constructor()
def AdaptiveAveragePooling2D(
    output_size: Sizes,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The means over windows: (N, H, W, C) -> (N, *output_size, C), one size or one for each axis.

    Windows as for `AdaptiveAveragePooling1D`, along each axis. Source: Keras ``AdaptiveAveragePooling2D``.

    >>> AdaptiveAveragePooling2D((2, 3)).out_shape((None, 7, 8))
    (2, 3, 8)
    """
    return _pooling("AdaptiveAveragePooling2D", ops.average_pool, 2, output_size, data_format)


@LAYERS.named()
@layer_constructor()
def AdaptiveAveragePooling3D(
    output_size: Sizes,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The means over windows: (N, D, H, W, C) -> (N, *output_size, C), one size or one for each axis.

    Windows as for `AdaptiveAveragePooling1D`, along each axis. Source: Keras ``AdaptiveAveragePooling3D``.
    """
    return _pooling("AdaptiveAveragePooling3D", ops.average_pool, 3, output_size, data_format)


@LAYERS.named()
@layer_constructor()
def AdaptiveMaxPooling1D(
    output_size: Sizes,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The largest in each of `output_size` windows, NaN where there is one.

    x: (N, T, C) -> (N, output_size, C). Windows as for `AdaptiveAveragePooling1D`. The gradient goes to the first
    largest element of a window. Source: Keras ``AdaptiveMaxPooling1D``.

    >>> AdaptiveMaxPooling1D(3).apply({}, {}, np.arange(5.0).reshape(1, 5, 1))[0].ravel()
    array([1., 3., 4.])
    """
    return _pooling("AdaptiveMaxPooling1D", ops.max_pool, 1, output_size, data_format)


@LAYERS.named()
@layer_constructor()
def AdaptiveMaxPooling2D(
    output_size: Sizes,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The largest in each window: (N, H, W, C) -> (N, *output_size, C), one size or one for each axis.

    As `AdaptiveMaxPooling1D` along each axis. Source: Keras ``AdaptiveMaxPooling2D``.
    """
    return _pooling("AdaptiveMaxPooling2D", ops.max_pool, 2, output_size, data_format)


@LAYERS.named()
@layer_constructor()
def AdaptiveMaxPooling3D(
    output_size: Sizes,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The largest in each window: (N, D, H, W, C) -> (N, *output_size, C), one size or one for each axis.

    As `AdaptiveMaxPooling1D` along each axis. Source: Keras ``AdaptiveMaxPooling3D``.
    """
    return _pooling("AdaptiveMaxPooling3D", ops.max_pool, 3, output_size, data_format)


def _pooling(kind: str, pool: Callable, rank: int, output_size: Any, data_format: str | None) -> Pair:
    check_data_format(kind, data_format)
    counts = positive_integers(kind, "output_size", output_size, rank)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        image_shape(kind, shape, rank)
        return {}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x = image(kind, x, rank)
        if 0 in x.shape[1:-1]:
            raise AxisSizeError(f"{kind}: an input without any steps has no windows, received {x.shape}.", 0, least=1)
        for axis, count in enumerate(counts, 1):
            x = _along(pool, x, axis, count)
        return x, state

    return init, apply


def _along(pool: Callable, x: Any, axis: int, count: int) -> Any:
    """`x` with `count` windows along one axis.

    All windows have one of two sizes, so they are among the windows of these sizes at every place.
    """
    rank, size = x.ndim - 2, x.shape[axis]

    def windows(length: int, step: int) -> Any:
        sizes, steps = ([n if i == axis else 1 for i in range(1, rank + 1)] for n in (length, step))
        return pool(x, tuple(sizes), tuple(steps))

    small = math.ceil(size / count)
    if size % count == 0:
        return windows(small, small)
    starts = np.arange(count) * size // count
    lengths = -(-np.arange(1, count + 1) * size // count) - starts
    pooled = windows(small, 1)
    if (lengths > small).any():
        starts = np.where(lengths > small, starts + pooled.shape[axis], starts)
        pooled = ops.concatenate([pooled, windows(small + 1, 1)], axis)
    return ops.take(pooled, beside(starts, x), axis)
