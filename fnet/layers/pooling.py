"""Layers that shrink an image: maxima and means over windows, or over the whole of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import ops
from fnet.arguments import one_of, positive_integers
from fnet.errors import ShapeError
from fnet.layers.checks import check_data_format, image, image_shape, masked_input
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.masking import over
from fnet.ops.pooling import PADDINGS
from fnet.ops.promotion import astype, promote
from fnet.ops.window import Sizes
from fnet.regularizers import RegularizerLike


@LAYERS.named()
@layer_constructor()
def MaxPooling1D(
    pool_size: Sizes = 2,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The largest of `pool_size` steps, ``y[n, i, c] = max_p x[n, i strides + p, c]``, NaN where there is one.

    x: (N, T, C) -> (N, T', C) with ``T' = (T - pool_size) // strides + 1`` for padding "valid", ``ceil(T / strides)``
    for "same"; `strides` is `pool_size` by default. The gradient goes to the first largest element.
    Source: Keras ``MaxPooling1D``.

    >>> MaxPooling1D(3).out_shape((10, 4))
    (3, 4)
    """
    return _pooling("MaxPooling1D", ops.max_pool, 1, pool_size, strides, padding, data_format)


@LAYERS.named()
@layer_constructor()
def MaxPooling2D(
    pool_size: Sizes = 2,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The largest of the pixels in each window, NaN where there is one.

    x: (N, H, W, C) -> (N, H', W', C); arguments and sizes as for `MaxPooling1D`, one number or one for each axis.
    Source: Keras ``MaxPooling2D``.

    >>> MaxPooling2D().out_shape((28, 28, 32))
    (14, 14, 32)
    """
    return _pooling("MaxPooling2D", ops.max_pool, 2, pool_size, strides, padding, data_format)


@LAYERS.named()
@layer_constructor()
def MaxPooling3D(
    pool_size: Sizes = 2,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The largest of the voxels in each window, NaN where there is one.

    x: (N, D, H, W, C) -> (N, D', H', W', C); arguments and sizes as for `MaxPooling1D`, one number or one for each
    axis. Source: Keras ``MaxPooling3D``.
    """
    return _pooling("MaxPooling3D", ops.max_pool, 3, pool_size, strides, padding, data_format)


@LAYERS.named()
@layer_constructor()
def AveragePooling1D(
    pool_size: Sizes = 2,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The mean of `pool_size` steps; padding is not counted.

    x: (N, T, C) -> (N, T', C), with sizes as for `MaxPooling1D`. Source: Keras ``AveragePooling1D``.
    """
    return _pooling("AveragePooling1D", ops.average_pool, 1, pool_size, strides, padding, data_format)


@LAYERS.named()
@layer_constructor()
def AveragePooling2D(
    pool_size: Sizes = 2,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The mean of the pixels in each window; padding is not counted.

    x: (N, H, W, C) -> (N, H', W', C), with sizes as for `MaxPooling1D`. Source: Keras ``AveragePooling2D``.

    >>> AveragePooling2D((2, 3), padding="same").out_shape((5, 5, 8))
    (3, 2, 8)
    """
    return _pooling("AveragePooling2D", ops.average_pool, 2, pool_size, strides, padding, data_format)


@LAYERS.named()
@layer_constructor()
def AveragePooling3D(
    pool_size: Sizes = 2,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The mean of the voxels in each window; padding is not counted.

    x: (N, D, H, W, C) -> (N, D', H', W', C), with sizes as for `MaxPooling1D`. Source: Keras ``AveragePooling3D``.
    """
    return _pooling("AveragePooling3D", ops.average_pool, 3, pool_size, strides, padding, data_format)


@LAYERS.named()
@layer_constructor()
def GlobalMaxPooling1D(
    data_format: str | None = None,
    keepdims: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The largest over all steps, ``max_t x[n, t, c]``; the gradient goes to the first one.

    x: (N, T, C) -> (N, C), or (N, 1, C) with `keepdims`. Source: Keras ``GlobalMaxPooling1D``.

    >>> GlobalMaxPooling1D().out_shape((None, 4))
    (4,)
    """
    return _global("GlobalMaxPooling1D", _whole_max, 1, data_format, keepdims)


@LAYERS.named()
@layer_constructor()
def GlobalMaxPooling2D(
    data_format: str | None = None,
    keepdims: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The largest over all pixels: (N, H, W, C) -> (N, C), or (N, 1, 1, C) with `keepdims`.

    Source: Keras ``GlobalMaxPooling2D``.
    """
    return _global("GlobalMaxPooling2D", _whole_max, 2, data_format, keepdims)


@LAYERS.named()
@layer_constructor()
def GlobalMaxPooling3D(
    data_format: str | None = None,
    keepdims: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The largest over all voxels: (N, D, H, W, C) -> (N, C), or (N, 1, 1, 1, C) with `keepdims`.

    Source: Keras ``GlobalMaxPooling3D``.
    """
    return _global("GlobalMaxPooling3D", _whole_max, 3, data_format, keepdims)


@LAYERS.named()
@layer_constructor(masks="used")
def GlobalAveragePooling1D(
    data_format: str | None = None,
    keepdims: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The mean over all steps, ``mean_t x[n, t, c]``, or over those that count in the mask of x.

    x: (N, T, C) -> (N, C), or (N, 1, C) with `keepdims`; 0 where no step counts.
    Source: Keras ``GlobalAveragePooling1D``.

    >>> GlobalAveragePooling1D().out_shape((None, 4))
    (4,)
    """
    init, plain = _global("GlobalAveragePooling1D", _whole_mean, 1, data_format, keepdims)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x, mask = masked_input("GlobalAveragePooling1D", x)
        if mask is None:
            return plain(params, state, x)
        (x,) = promote(image("GlobalAveragePooling1D", x, 1), floating=True)
        counted = ops.broadcast_to(over(mask, x), x.shape)
        count = ops.maximum(ops.sum(astype(counted, x.dtype), 1, keepdims=keepdims), 1)
        return ops.sum(ops.where(counted, x, 0), 1, keepdims=keepdims) / count, state

    return init, apply


@LAYERS.named()
@layer_constructor()
def GlobalAveragePooling2D(
    data_format: str | None = None,
    keepdims: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The mean over all pixels: (N, H, W, C) -> (N, C), or (N, 1, 1, C) with `keepdims`.

    Source: Keras ``GlobalAveragePooling2D``.

    >>> GlobalAveragePooling2D(keepdims=True).out_shape((7, 7, 64))
    (1, 1, 64)
    """
    return _global("GlobalAveragePooling2D", _whole_mean, 2, data_format, keepdims)


@LAYERS.named()
@layer_constructor()
def GlobalAveragePooling3D(
    data_format: str | None = None,
    keepdims: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The mean over all voxels: (N, D, H, W, C) -> (N, C), or (N, 1, 1, 1, C) with `keepdims`.

    Source: Keras ``GlobalAveragePooling3D``.
    """
    return _global("GlobalAveragePooling3D", _whole_mean, 3, data_format, keepdims)


def _pooling(
    kind: str,
    pool: Callable,
    rank: int,
    pool_size: Any,
    strides: Any,
    padding: str,
    data_format: str | None,
) -> Pair:
    check_data_format(kind, data_format)
    window = positive_integers(kind, "pool_size", pool_size, rank)
    steps = window if strides is None else positive_integers(kind, "strides", strides, rank)
    one_of(kind, "padding", padding, PADDINGS)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return pool(image(kind, x, rank), window, steps, padding), state

    return _layer(kind, rank, apply)


def _global(kind: str, reduce: Callable, rank: int, data_format: str | None, keepdims: bool) -> Pair:
    check_data_format(kind, data_format)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x = image(kind, x, rank)
        if reduce is _whole_max and 0 in x.shape[1:-1]:
            raise ShapeError(f"{kind}: nothing is the largest of an input without any steps, {x.shape}.")
        y = reduce(x)
        return y if keepdims else ops.squeeze(y, tuple(range(1, rank + 1))), state

    return _layer(kind, rank, apply)


def _layer(kind: str, rank: int, apply: Callable) -> Pair:
    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        image_shape(kind, shape, rank)
        return {}, {}

    return init, apply


def _whole_max(x: Any) -> Any:
    return ops.max_pool(x, x.shape[1:-1])


def _whole_mean(x: Any) -> Any:
    return ops.mean(x, tuple(range(1, x.ndim - 1)), keepdims=True)
