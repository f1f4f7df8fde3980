"""How far real-valued predictions are from the targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import losses, ops
from fnet.arguments import integer, known_word
from fnet.errors import ShapeError
from fnet.losses.align import pair
from fnet.metrics.define import METRICS, Metric, State, full_weights, mask_as_weights, metric_constructor, ratio
from fnet.metrics.reduction import mean_of, of_loss

_AGGREGATIONS = ("uniform_average", "variance_weighted_average")


@METRICS.named()
@metric_constructor
def mean_squared_error(name: str = "mean_squared_error") -> Metric:
    """The running mean of the loss `fnet.losses.mean_squared_error`; name: that of the metric."""
    return of_loss(losses.mean_squared_error, name)


@METRICS.named()
@metric_constructor
def mean_absolute_error(name: str = "mean_absolute_error") -> Metric:
    """The running mean of the loss `fnet.losses.mean_absolute_error`; name: that of the metric."""
    return of_loss(losses.mean_absolute_error, name)


@METRICS.named()
@metric_constructor
def mean_absolute_percentage_error(name: str = "mean_absolute_percentage_error") -> Metric:
    """The running mean of the loss `fnet.losses.mean_absolute_percentage_error`; name: that of the metric."""
    return of_loss(losses.mean_absolute_percentage_error, name)


@METRICS.named()
@metric_constructor
def mean_squared_logarithmic_error(name: str = "mean_squared_logarithmic_error") -> Metric:
    """The running mean of the loss `fnet.losses.mean_squared_logarithmic_error`; name: that of the metric."""
    return of_loss(losses.mean_squared_logarithmic_error, name)


@METRICS.named()
@metric_constructor
def log_cosh(name: str = "logcosh") -> Metric:
    """The running mean of the loss `fnet.losses.log_cosh`; name: that of the metric."""
    return of_loss(losses.log_cosh, name)


@METRICS.named()
@metric_constructor
def huber(name: str = "huber", delta: float = 1.0) -> Metric:
    """The running mean of the loss `fnet.losses.huber` with these options; name: that of the metric."""
    return of_loss(losses.huber.configured(delta=delta), name)


@METRICS.named()
@metric_constructor
def root_mean_squared_error(name: str = "root_mean_squared_error") -> Metric:
    """``sqrt(mean((y - p)^2))`` over all samples; y_true, y_pred: (B, ...). Source: Keras ``RootMeanSquaredError``.

    >>> metric = root_mean_squared_error()
    >>> state = metric.update(metric.init(), [[0.0], [1.0], [0.0], [1.0]], [[1.0], [1.0], [1.0], [0.0]])
    >>> round(float(metric.result(state)), 4)
    0.866
    """

    def squares(y_true: Any, y_pred: Any) -> Any:
        return ops.squared_difference(*pair(name, y_true, y_pred))

    return mean_of(squares, name, "down", ops.sqrt)


@METRICS.named()
@metric_constructor
def cosine_similarity(name: str = "cosine_similarity", axis: int = -1) -> Metric:
    """The mean of ``sum(y p) / (|y| |p|)`` over rows, 1 for one direction (the loss of this name is its negative).

    y_true, y_pred: (B, ..., D), or with `axis` another axis in place of D. Source: Keras ``CosineSimilarity``.

    >>> metric = cosine_similarity()
    >>> state = metric.update(metric.init(), [[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]])
    >>> round(float(metric.result(state)), 4)
    0.5
    """
    loss = losses.cosine_similarity.configured(axis=axis)
    return mean_of(lambda y, p: ops.negative(loss(y, p, reduction="none")), name, "up")


@METRICS.named()
@metric_constructor
def r2_score(
    class_aggregation: str | None = "uniform_average", num_regressors: int = 0, name: str = "r2_score"
) -> Metric:
    """``1 - sum((y - p)^2) / sum((y - mean(y))^2)``, the share of the variance that is explained, at most 1.

    y_true, y_pred: (B, D). class_aggregation: "uniform_average", the mean over the D outputs;
    "variance_weighted_average", weighted by their variances; None, one number for each. With `num_regressors` p it is
    adjusted to ``1 - (1 - R2) (n - 1) / (n - p - 1)`` where n, the number of values, exceeds p + 1. Outputs without
    variance score 1 if predicted exactly, else 0. Spreads are merged as by Chan, Golub and LeVeque 1983, so that a
    large mean costs no digits. Source: Keras ``R2Score``.

    >>> metric = r2_score()
    >>> state = metric.update(metric.init(), [[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
    >>> round(float(metric.result(state)), 4)
    0.5714
    """
    known_word(name, "class_aggregation", class_aggregation, (None, *_AGGREGATIONS))
    integer(name, "num_regressors", num_regressors, 0, "expected {argument} of 0 or more")

    def init() -> State:
        return {key: np.zeros(1) for key in ("count", "mean", "spread", "residual")} | {"values": np.zeros(())}

    def update(state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        return _merged(state, _moments(name, *mask_as_weights(name, y_true, y_pred, sample_weight)))

    def result(state: State) -> Any:
        scores, spread = _shares(state), state["spread"]
        if class_aggregation == "uniform_average":
            scores = ops.mean(scores)
        elif class_aggregation == "variance_weighted_average":
            scores = ratio(ops.sum(ops.multiply(scores, spread)), ops.sum(spread))
        return _adjusted(scores, state["values"], num_regressors) if num_regressors else scores

    return Metric(init, update, result, name, "up")


def _moments(name: str, y_true: Any, y_pred: Any, sample_weight: Any) -> State:
    """The state after one batch alone."""
    y_true, y_pred = pair(name, y_true, y_pred)
    shape = y_pred.shape
    if len(shape) < 2:
        raise ShapeError(f"{name}: expected y_true and y_pred of shape (batch, outputs), received {shape}.")
    weights, axes = full_weights(name, sample_weight, shape, y_pred), tuple(range(len(shape) - 1))
    y_true, y_pred = (ops.where(ops.equal(weights, 0), 0, ops.astype(x, np.float64)) for x in (y_true, y_pred))
    count = ops.sum(weights, axis=axes)
    mean = ratio(ops.sum(ops.multiply(weights, y_true), axis=axes), count)
    return {
        "count": count,
        "mean": mean,
        "spread": ops.sum(ops.multiply(weights, ops.squared_difference(y_true, mean)), axis=axes),
        "residual": ops.sum(ops.multiply(weights, ops.squared_difference(y_true, y_pred)), axis=axes),
        "values": ops.sum(ops.astype(ops.not_equal(weights, 0), np.float64)),
    }


def _merged(a: State, b: State) -> State:
    """The state after the samples of two states."""
    count, apart = ops.add(a["count"], b["count"]), ops.subtract(b["mean"], a["mean"])
    share = ratio(b["count"], count)
    between = ops.multiply(ops.multiply(ops.square(apart), a["count"]), share)
    return {
        "count": count,
        "mean": ops.add(a["mean"], ops.multiply(apart, share)),
        "spread": ops.add(ops.add(a["spread"], b["spread"]), between),
        "residual": ops.add(a["residual"], b["residual"]),
        "values": ops.add(a["values"], b["values"]),
    }


def _shares(state: State) -> Any:
    exact = ops.logical_and(ops.equal(state["residual"], 0), ops.greater(state["count"], 0))
    constant = ops.equal(state["spread"], 0)
    return ops.where(constant, ops.astype(exact, np.float64), 1 - ratio(state["residual"], state["spread"]))


def _adjusted(score: Any, values: Any, regressors: int) -> Any:
    freedom = ops.subtract(values, float(regressors + 1))
    enough = ops.greater(freedom, 0)
    penalty = ops.divide(ops.subtract(values, 1.0), ops.where(enough, freedom, 1.0))
    return ops.where(enough, 1 - ops.multiply(1 - score, penalty), score)
