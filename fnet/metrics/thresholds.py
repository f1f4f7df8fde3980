"""Right and wrong predictions of two classes, counted at one threshold or many: the counts, precision and recall.

An element is predicted positive at a threshold if it is above it, strictly. The state has the weights of elements by
their class and by how many thresholds are below them, from which the counts at every threshold follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fnet import ops
from fnet.arguments import integer, is_number, number, sequence
from fnet.errors import ShapeError
from fnet.losses.align import pair
from fnet.metrics.checks import probabilities_at, zero_or_one
from fnet.metrics.define import METRICS, Direction, Metric, State, accumulate, full_weights, metric_constructor, ratio
from fnet.transforms.operand import beside

Thresholds = float | Sequence[float] | None


class Counts(NamedTuple):
    """Weights of true and false positives and negatives at each threshold, (thresholds,) or (thresholds, labels)."""

    tp: Any
    fp: Any
    tn: Any
    fn: Any

    @property
    def precision(self) -> Any:
        return ratio(self.tp, ops.add(self.tp, self.fp))

    @property
    def recall(self) -> Any:
        return ratio(self.tp, ops.add(self.tp, self.fn))

    @property
    def specificity(self) -> Any:
        return ratio(self.tn, ops.add(self.tn, self.fp))


def by_bucket(thresholds: np.ndarray, y_true: Any, y_pred: Any, weights: Any, per_label: bool = False) -> Any:
    """Weights by class and by the number of thresholds below an element: (2, T + 1), or with `per_label` (2, T + 1, L).

    thresholds: (T,) in rising order; y_true, y_pred, weights: one shape, (B, L) for `per_label`. A NaN
    among the predictions makes the weights NaN, unless its own is 0.
    """
    buckets, shape = len(thresholds) + 1, y_pred.shape
    labels = shape[-1] if per_label else 1
    bucket = ops.searchsorted(beside(thresholds.astype(y_pred.dtype), y_pred), y_pred)
    index = ops.add(bucket, ops.multiply(ops.astype(ops.not_equal(y_true, 0), np.int64), buckets))
    if per_label:
        index = ops.add(ops.multiply(index, labels), beside(np.arange(labels), index))
    unknown = ops.logical_and(ops.isnan(y_pred), ops.not_equal(weights, 0))
    table = ops.bincount(index, ops.where(unknown, np.nan, weights), 2 * buckets * labels)
    return ops.reshape(table, (2, buckets, labels) if per_label else (2, buckets))


def _at_one(threshold: np.ndarray, y_true: Any, y_pred: Any, weights: Any) -> Any:
    """`by_bucket` for a single threshold, (2, 2): four sums in one pass instead of four places looked up."""
    above = ops.logical_not(ops.less_equal(y_pred, beside(threshold.astype(y_pred.dtype), y_pred)))
    unknown = ops.logical_and(ops.isnan(y_pred), ops.not_equal(weights, 0))
    weights = ops.where(unknown, np.nan, weights)
    table = [
        ops.sum(ops.where(ops.logical_and(of_class, of_bucket), weights, 0.0))
        for of_class in _both(ops.not_equal(y_true, 0))
        for of_bucket in _both(above)
    ]
    return ops.reshape(ops.stack(table), (2, 2))


def _both(condition: Any) -> tuple[Any, Any]:
    """Where it does not hold, and where it does."""
    return ops.logical_not(condition), condition


def counts(table: Any) -> Counts:
    """The counts at each threshold, from a table of `by_bucket`."""
    above = ops.cumsum(table, axis=1, reverse=True)[:, 1:]
    below = ops.cumsum(table, axis=1)[:, :-1]
    return Counts(tp=above[1], fp=above[0], tn=below[0], fn=below[1])


def two_classes(
    name: str, y_true: Any, y_pred: Any, sample_weight: Any, top_k: int | None = None, class_id: int | None = None
) -> tuple[Any, Any, Any]:
    """Classes 0 and 1, predictions and float64 weights of one shape; of one class, or only the largest of each row."""
    y_true, y_pred = pair(name, y_true, y_pred)
    if top_k is not None:
        y_pred = _only_largest(name, y_pred, top_k)
    shape = y_pred.shape
    if class_id is not None:
        if len(shape) < 2 or not 0 <= class_id < shape[-1]:
            raise ShapeError(f"{name}: class_id {class_id} needs y_pred of shape (..., classes), received {shape}.")
        y_true, y_pred = (x[..., class_id : class_id + 1] for x in (y_true, y_pred))
    return y_true, y_pred, full_weights(name, sample_weight, y_pred.shape, y_pred)


def _only_largest(name: str, y_pred: Any, k: int) -> Any:
    """`y_pred` with -inf in place of all but the k largest elements of each row (of equal ones, the first)."""
    shape = y_pred.shape
    if k > shape[-1]:
        raise ShapeError(f"{name}: top_k {k} needs rows of at least {k} classes, received y_pred {shape}.")
    rows = math.prod(shape[:-1])
    _, places = ops.top_k(ops.reshape(y_pred, (rows, shape[-1])), k)
    places = ops.add(places, beside(np.arange(rows)[:, None] * shape[-1], places))
    chosen = ops.reshape(ops.bincount(places, beside(np.ones((rows, k)), places), rows * shape[-1]), shape)
    return ops.where(ops.greater(chosen, 0), y_pred, -np.inf)


def _at_thresholds(
    name: str,
    thresholds: Thresholds,
    value: Callable[[Counts], Any],
    direction: Direction | None = None,
    top_k: int | None = None,
    class_id: int | None = None,
) -> Metric:
    """The metric ``value(counts)``: a number for one threshold, an array for a sequence of them, in its order."""
    if top_k is not None:
        integer(name, "top_k", top_k, says="{argument} is a positive integer")
    if thresholds is None:
        asked = np.full(1, 0.5 if top_k is None else -np.inf)
    else:
        values = [thresholds] if is_number(thresholds) else sequence(name, "thresholds", thresholds)
        asked = np.array([number(name, "threshold", threshold, "[0, 1]") for threshold in values])
    order = np.argsort(asked, kind="stable")
    edges, places = asked[order], np.argsort(order, kind="stable")

    def sums(y_true: Any, y_pred: Any, sample_weight: Any) -> State:
        elements = two_classes(name, y_true, y_pred, sample_weight, top_k, class_id)
        return {"weights": _at_one(edges, *elements) if len(edges) == 1 else by_bucket(edges, *elements)}

    def result(state: State) -> Any:
        values = value(counts(state["weights"]))
        values = ops.take(values, beside(places, values))
        return ops.reshape(values, ()) if len(asked) == 1 else values

    outputs = probabilities_at(asked) if top_k is None else None
    return accumulate(name, {"weights": (2, len(edges) + 1)}, sums, result, direction, zero_or_one, outputs)


@METRICS.named()
@metric_constructor
def true_positives(thresholds: Thresholds = None, name: str = "true_positives") -> Metric:
    """How many elements with y = 1 have ``p > threshold`` (0.5 by default); y_true, y_pred: (B, ...).

    With a list of thresholds the result is an array. Source: Keras ``TruePositives``.

    >>> metric = true_positives()
    >>> metric.result(metric.update(metric.init(), [0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0]))
    array(2.)
    """
    return _at_thresholds(name, thresholds, lambda counts: counts.tp, "up")


@METRICS.named()
@metric_constructor
def false_positives(thresholds: Thresholds = None, name: str = "false_positives") -> Metric:
    """How many elements with y = 0 have ``p > threshold``, as `true_positives`. Source: Keras ``FalsePositives``."""
    return _at_thresholds(name, thresholds, lambda counts: counts.fp, "down")


@METRICS.named()
@metric_constructor
def true_negatives(thresholds: Thresholds = None, name: str = "true_negatives") -> Metric:
    """How many elements with y = 0 have ``p <= threshold``, as `true_positives`. Source: Keras ``TrueNegatives``."""
    return _at_thresholds(name, thresholds, lambda counts: counts.tn, "up")


@METRICS.named()
@metric_constructor
def false_negatives(thresholds: Thresholds = None, name: str = "false_negatives") -> Metric:
    """How many elements with y = 1 have ``p <= threshold``, as `true_positives`. Source: Keras ``FalseNegatives``."""
    return _at_thresholds(name, thresholds, lambda counts: counts.fn, "down")


@METRICS.named()
@metric_constructor
def precision(
    thresholds: Thresholds = None, top_k: int | None = None, class_id: int | None = None, name: str = "precision"
) -> Metric:
    """``TP / (TP + FP)``, the share of right ones among the elements predicted positive, 0 where there are none.

    y_true, y_pred: (B, ...); positive: ``p > threshold`` (0.5 by default); with `top_k` only the k largest of a row can
    be, by default all of them are; class_id: the only class of (B, ..., C) that counts. With a list of thresholds the
    result is an array. Raises `ValueRangeError` for thresholds outside [0, 1]. Source: Keras ``Precision``.

    >>> metric = precision()
    >>> state = metric.update(metric.init(), [0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])
    >>> round(float(metric.result(state)), 4)
    0.6667
    """
    return _at_thresholds(name, thresholds, lambda counts: counts.precision, "up", top_k, class_id)


@METRICS.named()
@metric_constructor
def recall(
    thresholds: Thresholds = None, top_k: int | None = None, class_id: int | None = None, name: str = "recall"
) -> Metric:
    """``TP / (TP + FN)``, the share found of the elements with y = 1, 0 without any; arguments as for `precision`.

    Source: Keras ``Recall``.

    >>> metric = recall()
    >>> state = metric.update(metric.init(), [0, 1, 1, 1], [1.0, 0.0, 1.0, 0.0])
    >>> round(float(metric.result(state)), 4)
    0.3333
    """
    return _at_thresholds(name, thresholds, lambda counts: counts.recall, "up", top_k, class_id)
