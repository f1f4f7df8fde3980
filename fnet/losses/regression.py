"""Losses of real-valued predictions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.losses.define import LOSSES, Loss, define_loss, loss_constructor
from fnet.losses.rule import Reduction
from fnet.losses.values import EPSILON
from fnet.ops.arithmetic import (
    add,
    clip,
    divide,
    greater,
    less,
    logical_or,
    maximum,
    multiply,
    negative,
    stop_gradient,
    subtract,
    where,
)
from fnet.ops.maths import absolute, expm1, log1p, sqrt, square, squared_difference
from fnet.ops.reduce import max
from fnet.ops.summation import sum


@LOSSES.named("MSE")
@define_loss("MeanSquaredError", per="element")
def mean_squared_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean") -> Any:
    """``mean((y - p)^2)`` over the last axis; y_true, y_pred: (B, ..., D) -> scalar.

    Source: Keras ``MeanSquaredError``.

    >>> mean_squared_error([[1.0, 2.0]], [[1.0, 4.0]])
    array(2.)
    """
    return squared_difference(y_pred, y_true)


@loss_constructor
def MeanSquaredError(reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`mean_squared_error` with these options and this name."""
    return mean_squared_error


@LOSSES.named("MAE")
@define_loss("MeanAbsoluteError", per="element")
def mean_absolute_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean") -> Any:
    """``mean(|y - p|)`` over the last axis; y_true, y_pred: (B, ..., D) -> scalar. The derivative at 0 is 0.

    Source: Keras ``MeanAbsoluteError``.

    >>> mean_absolute_error([[1.0, 2.0]], [[1.0, 4.0]])
    array(1.)
    """
    return absolute(subtract(y_true, y_pred))


@loss_constructor
def MeanAbsoluteError(reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`mean_absolute_error` with these options and this name."""
    return mean_absolute_error


@LOSSES.named("MAPE")
@define_loss("MeanAbsolutePercentageError", per="element")
def mean_absolute_percentage_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean"
) -> Any:
    """``100 mean(|y - p| / max(|y|, 1e-7))`` over the last axis; y_true, y_pred: (B, ..., D) -> scalar.

    Source: Keras ``MeanAbsolutePercentageError``.

    >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]])
    array(25.)
    """
    share = divide(absolute(subtract(y_true, y_pred)), maximum(absolute(y_true), EPSILON))
    return multiply(share, 100.0)


@loss_constructor
def MeanAbsolutePercentageError(reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`mean_absolute_percentage_error` with these options and this name."""
    return mean_absolute_percentage_error


@LOSSES.named("MSLE")
@define_loss("MeanSquaredLogarithmicError", per="element")
def mean_squared_logarithmic_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean"
) -> Any:
    """``mean((log(1 + p) - log(1 + y))^2)`` over the last axis; y_true, y_pred: (B, ..., D) -> scalar.

    Values below 1e-7 count as 1e-7, and have the gradient 0. Source: Keras ``MeanSquaredLogarithmicError``.

    >>> round(float(mean_squared_logarithmic_error([[0.0]], [[1.0]])), 4)  # log(2)^2
    0.4805
    """
    return squared_difference(log1p(clip(y_pred, EPSILON)), log1p(clip(y_true, EPSILON)))


@loss_constructor
def MeanSquaredLogarithmicError(reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`mean_squared_logarithmic_error` with these options and this name."""
    return mean_squared_logarithmic_error


@LOSSES.named("huber_loss")
@define_loss("Huber", per="element", ranges={"delta": "(0, inf]"})
def huber(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean", delta: float = 1.0
) -> Any:
    """``e^2 / 2`` where ``|e| <= delta``, else ``delta (|e| - delta / 2)``, with ``e = p - y``, averaged over a row.

    y_true, y_pred: (B, ..., D) -> scalar. Raises `ValueRangeError` unless ``delta > 0``.
    Source: Keras ``Huber``; Huber 1964.

    >>> huber([[0.0, 0.0]], [[1.0, 3.0]])  # (1/2 + 5/2) / 2
    array(1.5)
    """
    error = subtract(y_pred, y_true)
    near = clip(error, -delta, delta)
    return multiply(near, subtract(error, multiply(near, 0.5)))


@loss_constructor
def Huber(delta: float = 1.0, reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`huber` with these options and this name."""
    return huber


@LOSSES.named("logcosh")
@define_loss("LogCosh", per="element")
def log_cosh(y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean") -> Any:
    """``log(cosh(p - y))``, without overflow, averaged over a row; y_true, y_pred: (B, ..., D) -> scalar.

    About ``e^2 / 2`` for a small error and ``|e| - log 2`` for a large one, accurate for both.
    Source: Keras ``LogCosh``, which loses the digits of small errors.

    >>> round(float(log_cosh([[0.0]], [[1.0]])), 4)
    0.4338
    """
    size = absolute(subtract(y_pred, y_true))
    t = expm1(negative(size))
    r, near = add(t, 1.0), less(size, 1.0)  # r = e^-|e|, and cosh(e) - 1 = t^2 / (2 r)
    small = divide(square(t), where(near, r, 1.0) * 2.0)
    return log1p(where(near, small, square(r))) + where(near, 0.0, subtract(size, math.log(2)))


@loss_constructor
def LogCosh(reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`log_cosh` with these options and this name."""
    return log_cosh


@LOSSES.named()
@define_loss("CosineSimilarity", per="row", axis=True)
def cosine_similarity(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean", axis: int = -1
) -> Any:
    """``-sum(y p) / (|y| |p|)`` along `axis`: -1 for equal directions, 1 for opposite ones.

    y_true, y_pred: (B, ..., D) -> scalar, rows of any finite size. A norm below 1e-7 counts as 1e-7; there the
    direction is not defined and the gradient 0. Source: Keras ``CosineSimilarity``.

    >>> cosine_similarity([[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [5.0, 0.0]])
    array(-0.5)
    """
    y_true, y_pred = _bounded(y_true), _bounded(y_pred)
    squares = [sum(square(x), axis=-1) for x in (y_true, y_pred)]
    least = np.asarray(EPSILON**2, y_pred.dtype)
    small = logical_or(less(squares[0], least), less(squares[1], least))
    lengths = [sqrt(where(less(s, least), least, s)) for s in squares]
    cosine = divide(sum(multiply(y_true, y_pred), axis=-1), multiply(*lengths))
    return negative(where(small, stop_gradient(cosine), cosine))


@loss_constructor
def CosineSimilarity(axis: int = -1, reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`cosine_similarity` with these options and this name."""
    return cosine_similarity


def _bounded(x: Any) -> Any:
    """Rows with elements beyond 1 divided by the largest one, which changes no direction: their squares are finite."""
    if not x.shape[-1]:
        return x
    largest = stop_gradient(max(absolute(x), axis=-1, keepdims=True))
    return divide(x, where(greater(largest, 1.0), largest, 1.0))
