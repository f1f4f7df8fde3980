"""Layers that normalise: by the statistics of the batch, of a sample, of groups of channels, of a vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import fraction, is_integer, not_negative, positive_integer
from fnet.constraints import ConstraintLike
from fnet.errors import ShapeError
from fnet.initializers import InitializerLike
from fnet.layers.axes import (
    Makers,
    axis_places,
    axis_sizes,
    check_size,
    made,
    makers,
    named_axes,
    over_axes,
    same_sizes,
)
from fnet.layers.checks import entries, masked_input
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.masking import both, counted_samples, join_mask, over
from fnet.networks.position import is_frozen
from fnet.ops.promotion import astype, lift, promote
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of


@LAYERS.named()
@layer_constructor(masks="used", beta="beta", gamma="gamma")
def BatchNormalization(
    axis: int = -1,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    beta_initializer: InitializerLike = "zeros",
    gamma_initializer: InitializerLike = "ones",
    moving_mean_initializer: InitializerLike = "zeros",
    moving_variance_initializer: InitializerLike = "ones",
    *,
    beta_regularizer: RegularizerLike = None,
    gamma_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    beta_constraint: ConstraintLike = None,
    gamma_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y = (x - mean) gamma / sqrt(variance + epsilon) + beta`` with one mean and variance for each entry of `axis`.

    In training they are those of the batch over all other axes (the variance without correction), and the state moves:
    ``moving = momentum moving + (1 - momentum) batch``. In inference they are the moving ones, and in training, too, if
    the layer is not trainable; the state stays then, and where a batch is empty. Steps that a mask leaves out are not
    in the statistics.

    x: (N, ..., C) -> (N, ..., C). Params: ``gamma: (C,)`` with `scale`, ``beta: (C,)`` with `center`; state:
    ``moving_mean: (C,)``, ``moving_variance: (C,)``. `axis` counts the batch axis; other axes than the last cost a
    transposition. Raises `ShapeError` where the size of `axis` is not C.
    Source: S. Ioffe and C. Szegedy 2015 (Keras ``BatchNormalization``).

    >>> from fnet import random
    >>> params, state = BatchNormalization().init(random.key(0), (8, 8, 3))
    >>> list(params), list(state), state["moving_mean"].shape
    (['gamma', 'beta'], ['moving_mean', 'moving_variance'], (3,))
    """
    axes = named_axes("BatchNormalization", axis, several=False)
    momentum = fraction("BatchNormalization", "momentum", momentum)
    epsilon = not_negative("BatchNormalization", "epsilon", epsilon)
    trained = _scale_and_offset(scale, gamma_initializer, center, beta_initializer)
    moving = makers(moving_mean=moving_mean_initializer, moving_variance=moving_variance_initializer)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        sizes = axis_sizes("BatchNormalization", shape, axes)
        return made(trained, key, sizes, dtype), made(moving, fold_in(key, 2), sizes, dtype)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        params = dict(zip(trained, entries("BatchNormalization", params, *trained), strict=True))
        mean, variance = entries("BatchNormalization", state, *moving)
        sizes, dtype = mean.shape, mean.dtype
        for name, value in {**params, "moving_variance": variance}.items():
            check_size("BatchNormalization", name, value, sizes)
        x, mask = masked_input("BatchNormalization", x)
        x = astype(lift(x), dtype)
        (place,) = axis_places("BatchNormalization", x, axes, sizes)
        gamma, beta = (params.get(name, beside(other, mean)) for name, other in _neutral(sizes, dtype))
        masks = (mask, counted_samples(x.shape[0]))
        counted = both(*(None if m is None else ops.moveaxis(over(m, x), place, -1) for m in masks))
        x = ops.moveaxis(x, place, -1)
        if counted is not None:
            x = ops.where(ops.logical_or(counted, ops.isfinite(x)), x, 0)
        if train and x.size and not is_frozen(trained or moving):
            if counted is None:
                y, batch_mean, batch_variance = ops.batch_normalization(x, gamma, beta, epsilon)
            else:
                batch_mean, batch_variance = _masked_statistics(x, counted)
                y = _normalized(x, batch_mean, batch_variance, gamma, beta, epsilon)
            moved = {
                "moving_mean": momentum * mean + (1 - momentum) * batch_mean,
                "moving_variance": momentum * variance + (1 - momentum) * batch_variance,
            }
            if counted is not None:
                learnt = ops.any(counted)
                moved = {name: ops.where(learnt, new, state[name]) for name, new in moved.items()}
            state = moved
        else:
            y = _normalized(x, mean, variance, gamma, beta, epsilon)
        return join_mask(ops.moveaxis(y, -1, place), mask), state

    return init, apply


def _normalized(x: Any, mean: Any, variance: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    return (x - mean) * (gamma / ops.sqrt(variance + epsilon)) + beta


def _masked_statistics(x: Any, counted: Any) -> tuple[Any, Any]:
    """Mean and variance over all axes but the last of the entries of `x` that count."""
    spec = spec_of(x)
    axes = tuple(range(spec.ndim - 1))
    counted = ops.broadcast_to(counted, spec.shape)
    total = ops.sum(astype(counted, spec.dtype), axes) + 1e-7
    mean = ops.sum(ops.where(counted, x, 0), axes) / total
    return mean, ops.sum(ops.where(counted, ops.square(x - mean), 0), axes) / total


@LAYERS.named()
@layer_constructor(masks="kept", beta="beta", gamma="gamma")
def LayerNormalization(
    axis: int | Sequence[int] = -1,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    beta_initializer: InitializerLike = "zeros",
    gamma_initializer: InitializerLike = "ones",
    *,
    beta_regularizer: RegularizerLike = None,
    gamma_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    beta_constraint: ConstraintLike = None,
    gamma_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y = (x - mean) gamma / sqrt(variance + epsilon) + beta`` with the statistics of each sample over `axis`.

    x: (N, ..., D) -> (N, ..., D). Params, of the shape of the normalised axes in ascending order: ``gamma`` with
    `scale`, ``beta`` with `center`. `axis` counts the batch axis; other axes than the last ones cost a transposition.
    Source: J. Ba, J. Kiros and G. Hinton 2016 (Keras ``LayerNormalization``).

    >>> from fnet import random
    >>> params, _ = LayerNormalization(axis=(1, 2)).init(random.key(0), (4, 5))
    >>> params["gamma"].shape
    (4, 5)
    """
    axes, epsilon = named_axes("LayerNormalization", axis), not_negative("LayerNormalization", "epsilon", epsilon)
    trained = _scale_and_offset(scale, gamma_initializer, center, beta_initializer)

    def normalize(x: Any, gamma: Any = None, beta: Any = None) -> Any:
        size, dtype = x.shape[-1:], x.dtype
        gamma = beside(np.ones(size, dtype), x) if gamma is None else gamma
        beta = beside(np.zeros(size, dtype), x) if beta is None else beta
        return ops.layer_normalization(x, gamma, beta, epsilon)

    init, apply = over_axes("LayerNormalization", axes, trained, normalize)
    return init, apply


@LAYERS.named()
@layer_constructor(masks="kept", beta="beta", gamma="gamma")
def GroupNormalization(
    groups: int = 32,
    axis: int = -1,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    beta_initializer: InitializerLike = "zeros",
    gamma_initializer: InitializerLike = "ones",
    *,
    beta_regularizer: RegularizerLike = None,
    gamma_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    beta_constraint: ConstraintLike = None,
    gamma_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y = (x - mean) gamma / sqrt(variance + epsilon) + beta``, statistics of each sample over a group of channels.

    Groups are C / groups neighbouring entries of `axis`, with all other axes but the batch; ``groups=-1`` gives every
    channel its own (instance normalisation), ``groups=1`` all channels one.

    x: (N, ..., C) -> (N, ..., C). Params: ``gamma: (C,)`` with `scale`, ``beta: (C,)`` with `center`. `axis` counts the
    batch axis; other axes than the last cost a transposition. Raises `ShapeError` where `groups` does not divide C.
    Source: Y. Wu and K. He 2018 (Keras ``GroupNormalization``).

    >>> GroupNormalization(groups=2).out_shape((8, 8, 4))
    (8, 8, 4)
    """
    axes = named_axes("GroupNormalization", axis, several=False)
    epsilon = not_negative("GroupNormalization", "epsilon", epsilon)
    groups = -1 if is_integer(groups) and groups == -1 else positive_integer("GroupNormalization", "groups", groups)
    trained = _scale_and_offset(scale, gamma_initializer, center, beta_initializer)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        (size,) = axis_sizes("GroupNormalization", shape, axes)
        _check_groups(groups, size)
        return made(trained, key, (size,), dtype), {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        params = dict(zip(trained, entries("GroupNormalization", params, *trained), strict=True))
        (x,) = promote(x, floating=True)
        sizes = same_sizes("GroupNormalization", params)
        for value in params.values():
            x = astype(x, value.dtype)
        (place,) = axis_places("GroupNormalization", x, axes, sizes)
        size, dtype = x.shape[place], x.dtype
        _check_groups(groups, size)
        gamma, beta = (params.get(name, beside(other, x)) for name, other in _neutral(size, dtype))
        if not x.size:  # nothing has no statistics
            return x, state
        x = ops.moveaxis(x, place, -1)
        y = ops.group_normalization(x, gamma, beta, size if groups == -1 else groups, epsilon)
        return ops.moveaxis(y, -1, place), state

    return init, apply


@LAYERS.named()
@layer_constructor(masks="kept", scale="scale")
def RMSNormalization(
    axis: int | Sequence[int] = -1,
    epsilon: float = 1e-6,
    *,
    scale_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    scale_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y = x scale / sqrt(mean(x^2) + epsilon)`` with the mean over `axis` of each sample.

    x: (N, ..., D) -> (N, ..., D). Params: ``scale``, of the shape of the normalised axes in ascending order.
    Source: B. Zhang and R. Sennrich 2019 (Keras ``RMSNormalization``).

    >>> RMSNormalization().out_shape((3, 4))
    (3, 4)
    """
    axes, epsilon = named_axes("RMSNormalization", axis), not_negative("RMSNormalization", "epsilon", epsilon)

    def normalize(x: Any, scale: Any) -> Any:
        return ops.rms_normalization(x, scale, epsilon)

    init, apply = over_axes("RMSNormalization", axes, makers(scale="ones"), normalize)
    return init, apply


@LAYERS.named()
@layer_constructor(masks="kept")
def UnitNormalization(
    axis: int | Sequence[int] = -1,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y = x / sqrt(max(sum(x^2), 1e-24))`` with the sum over `axis` of each sample, so that vectors have length 1.

    x: (N, ..., D) -> (N, ..., D). Source: Keras ``UnitNormalization``.

    >>> y, _ = UnitNormalization().apply({}, {}, np.array([[3.0, 4.0]]))
    >>> y
    array([[0.6, 0.8]])
    """

    def normalize(x: Any) -> Any:
        return ops.l2_normalize(x, -1, 1e-24)

    init, apply = over_axes("UnitNormalization", named_axes("UnitNormalization", axis), {}, normalize)
    return init, apply


def _check_groups(groups: int, size: int) -> None:
    if groups > size or size % groups:
        raise ShapeError(f"GroupNormalization: {groups} groups must divide the channels, received {size} of them.")


def _scale_and_offset(scale: bool, gamma_initializer: Any, center: bool, beta_initializer: Any) -> Makers:
    """The initializers of ``gamma`` with `scale` and of ``beta`` with `center`."""
    return makers(**({"gamma": gamma_initializer} if scale else {}), **({"beta": beta_initializer} if center else {}))


def _neutral(size: Any, dtype: np.dtype) -> tuple[tuple[str, np.ndarray], ...]:
    """The scale and the offset that change nothing, with their names."""
    return ("gamma", np.ones(size, dtype)), ("beta", np.zeros(size, dtype))
