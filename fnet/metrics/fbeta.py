"""The weighted harmonic mean of precision and recall, for each class or averaged."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import known_word, number
from fnet.errors import ShapeError
from fnet.losses.align import pair
from fnet.metrics.checks import probabilities_at, zero_or_one
from fnet.metrics.define import METRICS, Metric, State, accumulate, full_weights, metric_constructor, ratio

_AVERAGES = ("micro", "macro", "weighted")
_SUMS: dict[str, tuple[int, ...]] = {"true_positives": (1,), "false_positives": (1,), "false_negatives": (1,)}


@METRICS.named()
@metric_constructor
def fbeta_score(
    average: str | None = None, beta: float = 1.0, threshold: float | None = None, name: str = "fbeta_score"
) -> Metric:
    """``(1 + beta^2) P R / (beta^2 P + R)``, precision and recall of a class in one number, 0 if nothing is right.

    y_true: one or several classes of each row, y_pred: scores, both (B, ..., C). Positive are the largest scores of a
    row, all of equal ones, unless they are 0, or with `threshold` those above it. average: None, one number for each
    class; "micro", of the counts of all classes together; "macro", the mean over classes; "weighted", by how often
    each class is true. Raises `ShapeError` without an axis of classes. Source: Keras ``FBetaScore``.

    >>> metric = fbeta_score(beta=2.0, threshold=0.5)
    >>> state = metric.update(metric.init(), [[1, 1], [1, 0]], [[0.2, 0.6], [0.6, 0.8]])
    >>> metric.result(state).round(4)
    array([0.5556, 0.8333])
    """
    known_word(name, "average", average, (None, *_AVERAGES))
    number(name, "beta", beta, "(0, inf)", "expected {argument} > 0")
    if threshold is not None:
        number(name, "threshold", threshold, "(0, 1]")

    def sums(y_true: Any, y_pred: Any, sample_weight: Any) -> State:
        y_true, y_pred = pair(name, y_true, y_pred)
        shape = y_pred.shape
        if len(shape) < 2:
            raise ShapeError(f"{name}: expected y_true and y_pred of shape (batch, classes), received {shape}.")
        weights, axes = full_weights(name, sample_weight, shape, y_pred), tuple(range(len(shape) - 1))
        right, positive = ops.astype(y_true, np.float64), _positive(y_pred, threshold)

        def total(wanted: Any, given: Any) -> Any:
            return ops.sum(ops.multiply(weights, ops.multiply(wanted, given)), axis=axes)

        return {
            "true_positives": total(right, positive),
            "false_positives": total(1 - right, positive),
            "false_negatives": total(right, 1 - positive),
        }

    def result(state: State) -> Any:
        true, found = _real_and_found(state)
        if average == "micro":
            return _score(ops.sum(state["true_positives"]), ops.sum(true), ops.sum(found), beta)
        scores = _score(state["true_positives"], true, found, beta)
        if average == "weighted":
            return ratio(ops.sum(ops.multiply(scores, true)), ops.sum(true))
        return scores if average is None else ops.mean(scores)

    outputs = None if threshold is None else probabilities_at([threshold])
    return accumulate(name, _SUMS, sums, result, "up", zero_or_one, outputs)


@METRICS.named()
@metric_constructor
def f1_score(average: str | None = None, threshold: float | None = None, name: str = "f1_score") -> Metric:
    """``2 P R / (P + R)``: `fbeta_score` with beta 1. Source: Keras ``F1Score``.

    >>> metric = f1_score(average="micro")
    >>> metric.result(metric.update(metric.init(), [[1, 0], [0, 1]], [[0.9, 0.1], [0.8, 0.2]]))
    array(0.5)
    """
    return fbeta_score(average, 1.0, threshold, name)


def _positive(scores: Any, threshold: float | None) -> Any:
    if threshold is not None:
        positive = ops.greater(scores, threshold)
    else:
        largest = ops.greater_equal(scores, ops.max(scores, axis=-1, keepdims=True))
        positive = ops.logical_and(largest, ops.greater(ops.absolute(scores), 1e-9))
    return ops.astype(positive, np.float64)


def _real_and_found(state: State) -> tuple[Any, Any]:
    """Weights of the elements that are positive, and of those predicted so."""
    right = state["true_positives"]
    return ops.add(right, state["false_negatives"]), ops.add(right, state["false_positives"])


def _score(right: Any, true: Any, found: Any, beta: float) -> Any:
    return ratio(ops.multiply(right, 1 + beta**2), ops.add(ops.multiply(true, beta**2), found))
