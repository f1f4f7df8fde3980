"""Metrics: pure accumulators over batches, ``state = update(state, y_true, y_pred)``, ``result(state)``.

The state is a pair of float64 totals, so that long epochs keep their digits.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fnet import losses
from fnet.errors import ValueRangeError
from fnet.losses.align import labels, pair, weights_for
from fnet.losses.define import divide_or_zero
from fnet.ops.arithmetic import add, divide, equal, greater, multiply
from fnet.ops.promotion import astype, lift
from fnet.ops.reduce import argmax
from fnet.ops.shape import broadcast_to
from fnet.ops.summation import sum
from fnet.transforms.primitive import spec_of

State = dict[str, Any]
Values = Callable[[Any, Any], Any]


class Metric(NamedTuple):
    """``init() -> state``, ``update(state, y_true, y_pred, sample_weight=None) -> state``, ``result(state)``."""

    init: Callable[[], Any]
    update: Callable[..., Any]
    result: Callable[[Any], Any]
    name: str = "metric"


def mean_of(loss: str | Values, name: str | None = None) -> Metric:
    """The running mean of a function of each sample: any loss, by name too, or ``f(y_true, y_pred) -> (B, ...)``.

    ``total += sum(w v)``, ``count += sum(w)``, ``result = total / count`` (0 before the first sample); values of a
    sample with several are averaged first, weights too. Source: Keras ``MeanMetricWrapper``.

    >>> metric = mean_of("mae")
    >>> state = metric.update(metric.init(), [[1.0], [2.0]], [[1.5], [2.0]])
    >>> metric.result(state)
    array(0.25)
    """
    function = losses.get(loss)
    label = name or str(loss if isinstance(loss, str) else getattr(function, "__name__", "metric"))
    options = {"reduction": "none"} if "reduction" in inspect.signature(function).parameters else {}

    def update(state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        values = lift(function(y_true, y_pred, **options))
        if not spec_of(values).differentiable:
            values = astype(values, np.float64)
        total, count = _totals(label, values, sample_weight, y_pred)
        return {"total": add(state["total"], total), "count": add(state["count"], count)}

    return Metric(_zeros, update, _quotient, label)


def _zeros() -> State:
    return {"total": np.zeros(()), "count": np.zeros(())}


def _quotient(state: State) -> Any:
    return divide_or_zero(state["total"], state["count"])


def _totals(name: str, values: Any, sample_weight: Any, y_pred: Any) -> tuple[Any, Any]:
    """Weighted sum over the samples and sum of their weights, in float64; a value for a whole batch counts B times."""
    shape = spec_of(values).shape
    each = max(math.prod(shape[1:]), 1)
    count: Any = float((shape or spec_of(lift(y_pred)).shape or (1,))[0])
    if sample_weight is not None:
        weights = weights_for(name, sample_weight, values)
        values = multiply(values, weights)
        count = divide(astype(sum(broadcast_to(weights, shape)), np.float64), each)
    total = astype(sum(values), np.float64)
    return (divide(total, each) if shape else multiply(total, count)), count


def _binary(threshold: float) -> Values:
    def binary_accuracy(y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = pair("binary_accuracy", y_true, y_pred)
        return equal(astype(greater(y_pred, threshold), spec_of(y_pred).dtype), y_true)

    return binary_accuracy


def _categorical(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = pair("categorical_accuracy", y_true, y_pred)
    return equal(argmax(y_true, axis=-1), argmax(y_pred, axis=-1))


def _sparse(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = labels("sparse_categorical_accuracy", y_true, y_pred)
    return equal(y_true, argmax(y_pred, axis=-1))


def _by_shapes(y_true: Any, y_pred: Any) -> Any:
    true, predicted = spec_of(lift(y_true)).shape, spec_of(lift(y_pred)).shape
    if predicted[-1:] == (1,) or len(predicted) < 2:
        return _binary(0.5)(y_true, y_pred)
    if len(true) < len(predicted) or true[-1] == 1:
        return _sparse(y_true, y_pred)
    return _categorical(y_true, y_pred)


def accuracy() -> Metric:
    """The accuracy that the shapes ask for, as in Keras.

    Binary if y_pred is (B,) or (..., 1); sparse if y_true has a lower rank, or ends in 1; else categorical.
    """
    return mean_of(_by_shapes, "accuracy")


def binary_accuracy(threshold: float = 0.5) -> Metric:
    """The share of elements with ``(p > threshold) == y``; y_true, y_pred: (B, ...). Source: Keras ``BinaryAccuracy``.

    >>> metric = binary_accuracy()
    >>> metric.result(metric.update(metric.init(), [1, 1, 0, 0], [0.98, 1.0, 0.0, 0.6]))
    array(0.75)
    """
    if not 0 <= threshold <= 1:
        raise ValueRangeError(f"binary_accuracy: expected 0 <= threshold <= 1, received {threshold}.")
    return mean_of(_binary(threshold), "binary_accuracy")


def categorical_accuracy() -> Metric:
    """The share of rows whose largest elements (the first ones) agree; y_true, y_pred: (B, ..., C)."""
    return mean_of(_categorical, "categorical_accuracy")


def sparse_categorical_accuracy() -> Metric:
    """The share of rows whose largest element is at the label; y_true: (B, ...) or (B, ..., 1), y_pred: (B, ..., C)."""
    return mean_of(_sparse, "sparse_categorical_accuracy")


def mse() -> Metric:
    """The running mean squared error."""
    return mean_of("mse")


def mae() -> Metric:
    """The running mean absolute error."""
    return mean_of("mae")


_NAMES: dict[Callable[..., Metric], str] = {
    accuracy: "accuracy acc Accuracy",
    binary_accuracy: "binary_accuracy BinaryAccuracy",
    categorical_accuracy: "categorical_accuracy CategoricalAccuracy",
    sparse_categorical_accuracy: "sparse_categorical_accuracy SparseCategoricalAccuracy",
    mse: "mean_squared_error mse MSE MeanSquaredError",
    mae: "mean_absolute_error mae MAE MeanAbsoluteError",
}
METRICS: dict[str, Callable[..., Metric]] = {name: make for make, names in _NAMES.items() for name in names.split()}


def get(metric: str | Metric | Callable[..., Any]) -> Metric:
    """A metric by name (that of any loss too), which it keeps; a `Metric` itself; the mean of a function of samples.

    >>> get("acc").name, get("mse").name
    ('acc', 'mse')

    Raises `ValueRangeError` for an unknown name.
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        if metric in METRICS:
            return METRICS[metric]()._replace(name=metric)
        if metric in losses.LOSSES:
            return mean_of(metric)
    elif callable(metric):
        return metric() if metric in METRICS.values() else mean_of(metric)
    raise losses.unknown("metric", metric, {**METRICS, **losses.LOSSES})
