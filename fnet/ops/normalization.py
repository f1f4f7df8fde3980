"""Normalisations with their statistics: over the batch, the last axis, or groups of channels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.arguments import not_negative
from fnet.errors import ShapeError
from fnet.ops.maths import sqrt, square
from fnet.ops.promotion import promote
from fnet.ops.reduce import mean as mean_of
from fnet.ops.shape import expand_dims, reshape
from fnet.ops.summation import sum
from fnet.spec import ArraySpec
from fnet.transforms.jvp import jvp
from fnet.transforms.linear_maps import zeros_like
from fnet.transforms.operand import beside
from fnet.transforms.primitive import Primitive
from fnet.transforms.vjp import pullback


def _pulled(plain: Callable, g: Any, *inputs: Any, **params: Any) -> Any:
    """The cotangents `g` of all results pulled back through plain operations."""
    _, pull = pullback(lambda *values: plain(*values, **params), *inputs)
    return pull(tuple(g))


def _pushed(plain: Callable, tangents: Any, *inputs: Any, **params: Any) -> Any:
    """The tangents of all results, pushed forward through plain operations."""
    given = tuple(zeros_like(x) if t is None else t for t, x in zip(tangents, inputs, strict=True))
    return jvp(lambda *values: plain(*values, **params), inputs, given)[1]


def _normalization(name: str, abstract: Callable, vjp_rule: Callable, plain: Callable) -> Primitive:
    """A primitive with the results y and two statistics; its vjp rule has a kernel, the jvp rule plain operations."""

    def jvp_rule(tangents: Any, y: Any, *inputs: Any, **params: Any) -> Any:
        return _pushed(plain, tangents, *inputs, **params)

    return Primitive(name, abstract, lowered="normalization", vjp=vjp_rule, jvp=jvp_rule, multiple=True)


def _gradient(name: str, plain: Callable) -> Primitive:
    """The primitive ``(x, gamma, ..., g) -> (dx, dgamma, dbeta)``; its own derivatives are those of `plain`."""

    def abstract(x: ArraySpec, gamma: ArraySpec, *others: ArraySpec, **params: Any) -> Any:
        return x, gamma, gamma

    def vjp_rule(g: Any, y: Any, *inputs: Any, **params: Any) -> Any:
        return _pulled(plain, g, *inputs, **params)

    def jvp_rule(tangents: Any, y: Any, *inputs: Any, **params: Any) -> Any:
        return _pushed(plain, tangents, *inputs, **params)

    return Primitive(name, abstract, lowered="normalization", vjp=vjp_rule, jvp=jvp_rule, multiple=True)


# ------------------------------------------------------------------------------------------------ batches


def _batch_abstract(
    x: ArraySpec, gamma: ArraySpec, beta: ArraySpec, *, epsilon: float, activation: str = "linear"
) -> tuple[ArraySpec, ...]:
    per_channel = ArraySpec(x.shape[-1:], x.dtype)
    return ArraySpec(x.shape, x.dtype), per_channel, per_channel


def _batch_vjp(g: Any, y: Any, x: Any, gamma: Any, beta: Any, *, epsilon: float) -> Any:
    if g[1] is None and g[2] is None:
        return _batch_gradient(x, gamma, beta, *y[1:], g[0], epsilon=epsilon)
    return _pulled(_plain_batch, g, x, gamma, beta, epsilon=epsilon)


def _plain_batch(x: Any, gamma: Any, beta: Any, *, epsilon: float) -> tuple[Any, Any, Any]:
    axes = tuple(range(x.ndim - 1))
    mean = mean_of(x, axes)
    variance = mean_of(square(x - mean), axes)
    return (x - mean) * (gamma / sqrt(variance + epsilon)) + beta, mean, variance


def _plain_batch_gradient(
    x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, g: Any, *, epsilon: float
) -> tuple[Any, Any, Any]:
    axes = tuple(range(x.ndim - 1))
    inverse = 1 / sqrt(variance + epsilon)
    normal = (x - mean) * inverse
    dx = gamma * inverse * (g - mean_of(g, axes) - normal * mean_of(g * normal, axes))
    return dx, sum(g * normal, axes), sum(g, axes)


_batch = _normalization("batch_normalization", _batch_abstract, _batch_vjp, _plain_batch)
_batch_gradient = _gradient("batch_normalization_vjp", _plain_batch_gradient)


def batch_normalization(x: Any, gamma: Any, beta: Any, epsilon: float = 1e-3) -> tuple[Any, Any, Any]:
    """``(x - mean) gamma / sqrt(variance + epsilon) + beta`` with the statistics of each channel over all other axes.

    x: (..., C), gamma, beta: (C,) -> the result (..., C), mean (C,) and biased variance (C,), in two passes.
    Raises `ShapeError` where gamma or beta is not of shape (C,). Source: S. Ioffe and C. Szegedy 2015.

    >>> import numpy as np
    >>> y, mean, variance = batch_normalization(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1), epsilon=0.0)
    >>> y.ravel(), mean, variance
    (array([-1.,  1.]), array([2.]), array([1.]))
    """
    x, gamma, beta = _checked("batch_normalization", x, epsilon, gamma, beta)
    return _batch(x, gamma, beta, epsilon=float(epsilon))


# --------------------------------------------------------------------------------------------------- rows


def _rows_abstract(x: ArraySpec, gamma: ArraySpec, beta: ArraySpec, *, epsilon: float, centered: bool) -> Any:
    per_row = ArraySpec(x.shape[:-1], x.dtype)
    return ArraySpec(x.shape, x.dtype), per_row, per_row


def _rows_vjp(g: Any, y: Any, x: Any, gamma: Any, beta: Any, *, epsilon: float, centered: bool) -> Any:
    if g[1] is None and g[2] is None:
        return _rows_gradient(x, gamma, *y[1:], g[0], centered=centered)
    return _pulled(_plain_rows, g, x, gamma, beta, epsilon=epsilon, centered=centered)


def _plain_rows(x: Any, gamma: Any, beta: Any, *, epsilon: float, centered: bool) -> tuple[Any, Any, Any]:
    mean = mean_of(x, -1, keepdims=True)
    mean = mean if centered else mean * 0
    inverse = 1 / sqrt(mean_of(square(x - mean), -1, keepdims=True) + epsilon)
    shape = x.shape[:-1]
    return (x - mean) * inverse * gamma + beta, reshape(mean, shape), reshape(inverse, shape)


def _plain_rows_gradient(
    x: Any, gamma: Any, mean: Any, inverse: Any, g: Any, *, centered: bool
) -> tuple[Any, Any, Any]:
    axes = tuple(range(x.ndim - 1))
    inverse = expand_dims(inverse, -1)
    normal, h = (x - expand_dims(mean, -1)) * inverse, g * gamma
    h = h - normal * mean_of(h * normal, -1, keepdims=True) - (mean_of(h, -1, keepdims=True) if centered else 0)
    return h * inverse, sum(g * normal, axes), sum(g, axes)


_rows = _normalization("layer_normalization", _rows_abstract, _rows_vjp, _plain_rows)
_rows_gradient = _gradient("layer_normalization_vjp", _plain_rows_gradient)


def layer_normalization(x: Any, gamma: Any, beta: Any, epsilon: float = 1e-3) -> Any:
    """``(x - mean) gamma / sqrt(variance + epsilon) + beta`` with the statistics of each row of the last axis.

    x: (..., C), gamma, beta: (C,) -> (..., C). Raises `ShapeError` where gamma or beta is not of shape (C,).
    Source: J. Ba, J. Kiros and G. Hinton 2016.

    >>> import numpy as np
    >>> layer_normalization(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2), epsilon=0.0)
    array([[-1.,  1.]])
    """
    x, gamma, beta = _checked("layer_normalization", x, epsilon, gamma, beta)
    return _rows(x, gamma, beta, epsilon=float(epsilon), centered=True)[0]


def rms_normalization(x: Any, gamma: Any, epsilon: float = 1e-6) -> Any:
    """``x gamma / sqrt(mean(x^2) + epsilon)`` for each row of the last axis.

    x: (..., C), gamma: (C,) -> (..., C). Raises `ShapeError` where gamma is not of shape (C,).
    Source: B. Zhang and R. Sennrich 2019.

    >>> import numpy as np
    >>> rms_normalization(np.array([[3.0, 4.0]]), np.ones(2), epsilon=0.0) * np.sqrt(12.5)
    array([[3., 4.]])
    """
    x, gamma = _checked("rms_normalization", x, epsilon, gamma)
    zero = beside(np.zeros(gamma.shape, gamma.dtype), gamma)
    return _rows(x, gamma, zero, epsilon=float(epsilon), centered=False)[0]


# --------------------------------------------------------------------------------------------------- groups


def _groups_abstract(x: ArraySpec, gamma: ArraySpec, beta: ArraySpec, *, epsilon: float, groups: int) -> Any:
    per_group = ArraySpec((x.shape[0], groups), x.dtype)
    return ArraySpec(x.shape, x.dtype), per_group, per_group


def _in_groups(x: Any, groups: int) -> Any:
    """(N, ..., C) as (N, rows, groups, C / groups)."""
    shape = x.shape
    return reshape(x, (shape[0], math.prod(shape[1:-1]), groups, shape[-1] // groups))


def _groups_vjp(g: Any, y: Any, x: Any, gamma: Any, beta: Any, *, epsilon: float, groups: int) -> Any:
    if g[1] is None and g[2] is None:
        return _groups_gradient(x, gamma, *y[1:], g[0], groups=groups)
    return _pulled(_plain_groups, g, x, gamma, beta, epsilon=epsilon, groups=groups)


def _plain_groups(x: Any, gamma: Any, beta: Any, *, epsilon: float, groups: int) -> tuple[Any, Any, Any]:
    z, shape = _in_groups(x, groups), x.shape
    mean = mean_of(z, (1, 3), keepdims=True)
    inverse = 1 / sqrt(mean_of(square(z - mean), (1, 3), keepdims=True) + epsilon)
    y = reshape((z - mean) * inverse, shape) * gamma + beta
    return y, reshape(mean, (shape[0], groups)), reshape(inverse, (shape[0], groups))


def _plain_groups_gradient(x: Any, gamma: Any, mean: Any, inverse: Any, g: Any, *, groups: int) -> tuple[Any, Any, Any]:
    shape = x.shape
    mean, inverse = (reshape(row, (shape[0], 1, groups, 1)) for row in (mean, inverse))
    normal, h = (_in_groups(x, groups) - mean) * inverse, _in_groups(g * gamma, groups)
    h = h - normal * mean_of(h * normal, (1, 3), keepdims=True) - mean_of(h, (1, 3), keepdims=True)
    axes = tuple(range(len(shape) - 1))
    return reshape(h * inverse, shape), sum(g * reshape(normal, shape), axes), sum(g, axes)


_groups = _normalization("group_normalization", _groups_abstract, _groups_vjp, _plain_groups)
_groups_gradient = _gradient("group_normalization_vjp", _plain_groups_gradient)


def group_normalization(x: Any, gamma: Any, beta: Any, groups: int, epsilon: float = 1e-3) -> Any:
    """``(x - mean) gamma / sqrt(variance + epsilon) + beta``, statistics for each sample and group of channels.

    x: (N, ..., C), gamma, beta: (C,) -> (N, ..., C); a group is C / groups neighbouring channels at all positions.
    Raises `ShapeError` where `groups` does not divide C, or gamma or beta is not of shape (C,).
    Source: Y. Wu and K. He 2018.

    >>> import numpy as np
    >>> group_normalization(np.array([[1.0, 3.0, 0.0, 8.0]]), np.ones(4), np.zeros(4), groups=2, epsilon=0.0)
    array([[-1.,  1., -1.,  1.]])
    """
    x, gamma, beta = _checked("group_normalization", x, epsilon, gamma, beta)
    shape = x.shape
    if len(shape) < 2 or groups < 1 or shape[-1] % groups:
        raise ShapeError(f"group_normalization: an input (N, ..., C) with C a multiple of {groups}, received {shape}.")
    return _groups(x, gamma, beta, epsilon=float(epsilon), groups=int(groups))[0]


def _checked(name: str, x: Any, epsilon: float, *vectors: Any) -> list[Any]:
    """The operands in one floating dtype; errors name the operation."""
    x, *rows = promote(x, *vectors, floating=True)
    shape = x.shape
    if not shape:
        raise ShapeError(f"{name}: expected an input (..., C), received a scalar.")
    for row in rows:
        if row.shape != shape[-1:]:
            raise ShapeError(
                f"{name}: expected a scale and an offset of shape {shape[-1:]} for an input {shape}, received "
                f"{row.shape}."
            )
    not_negative(name, "epsilon", epsilon)
    return [x, *rows]
