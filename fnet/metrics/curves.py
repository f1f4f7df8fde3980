"""Areas under curves over all thresholds, and the best of one rate where another one is high enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import integer, known_word, number, positive_integer, sequence
from fnet.errors import ShapeError, ValueRangeError
from fnet.losses.values import outputs_of
from fnet.metrics.checks import zero_or_one
from fnet.metrics.define import METRICS, Metric, State, accumulate, metric_constructor, ratio
from fnet.metrics.thresholds import Counts, by_bucket, counts, two_classes
from fnet.ops.promotion import lift
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of

CURVE_METRICS = (
    "auc",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "precision_at_recall",
    "recall_at_precision",
)
"""The metrics of this file. For targets of one class alone Keras' value is 0, which says nothing."""
_CURVES = ("ROC", "PR", "PRGAIN")
_SUMMATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "interpolation": lambda a, b: ops.divide(ops.add(a, b), 2.0),
    "minoring": ops.minimum,
    "majoring": ops.maximum,
}
_BEYOND = 1e-7  # how far the outermost thresholds of an area lie outside [0, 1]


@METRICS.named()
@metric_constructor
def auc(
    num_thresholds: int = 200,
    curve: str = "ROC",
    summation_method: str = "interpolation",
    name: str = "auc",
    thresholds: Sequence[float] | None = None,
    multi_label: bool = False,
    num_labels: int | None = None,
    label_weights: Sequence[float] | None = None,
    from_logits: bool = False,
) -> Metric:
    """The area under a curve through the rates at many thresholds, an approximation from counts.

    y_true, y_pred: (B, ...), y_pred in [0, 1], or logits with `from_logits`. curve: "ROC", recall over false positive
    rate; "PR", precision over recall; "PRGAIN", the gains of Flach and Kull 2015. thresholds: those between the first,
    below 0, and the last, above 1; by default ``i / (num_thresholds - 1)``. summation_method: "interpolation",
    ``sum (x_i - x_i+1) (y_i + y_i+1) / 2`` (for "PR" the formula of Davis and Goadrich 2006); "minoring" or "majoring",
    the smaller or larger y. multi_label: the mean over the areas of the labels of (B, L), weighted by `label_weights`;
    num_labels: L. Raises `ValueRangeError` for values outside [0, 1]. Source: Keras ``AUC``.

    >>> metric = auc(num_thresholds=3)
    >>> metric.result(metric.update(metric.init(), [0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    array(0.75)
    """
    edges = _edges(name, num_thresholds, thresholds)
    curve = _chosen(name, "curve", curve, _CURVES)
    summation = _chosen(name, "summation_method", summation_method, _SUMMATIONS)
    if num_labels is not None and not multi_label:
        raise ValueRangeError(f"{name}: num_labels is for multi_label=True.")
    importance = None
    if label_weights is not None:
        weights_of_labels = sequence(name, "label_weights", label_weights)
        importance = np.array([number(name, "label weight", weight) for weight in weights_of_labels])

    def sums(y_true: Any, y_pred: Any, sample_weight: Any) -> State:
        y_true, y_pred, weights = two_classes(name, y_true, _as_probabilities(name, y_pred, from_logits), sample_weight)
        shape = spec_of(y_pred).shape
        if multi_label and (len(shape) != 2 or num_labels not in (None, shape[1])):
            expected = f"(batch, {num_labels or 'labels'})"
            raise ShapeError(f"{name}: multi_label expects y_pred of shape {expected}, received {shape}.")
        if importance is not None and shape[-1:] != importance.shape:
            raise ShapeError(f"{name}: label_weights {importance.shape} do not fit y_pred {shape}: give one per label.")
        if importance is not None and not multi_label:
            weights = ops.multiply(weights, beside(importance, weights))
        return {"weights": by_bucket(edges, y_true, ops.clip(y_pred, 0, 1), weights, multi_label)}

    def result(state: State) -> Any:
        areas = _area(counts(state["weights"]), curve, summation)
        if not multi_label:
            return areas
        if importance is None:
            return ops.mean(areas)
        return ratio(ops.sum(areas * beside(importance, areas)), np.sum(importance))

    shape = (2, len(edges) + 1, num_labels or 1) if multi_label else (2, len(edges) + 1)
    outputs = None if from_logits else outputs_of("sigmoid")
    return accumulate(name, {"weights": shape}, sums, result, "up", zero_or_one, outputs)


def _edges(name: str, count: int, thresholds: Sequence[float] | None) -> np.ndarray:
    if thresholds is None:
        integer(name, "num_thresholds", count, 2, "expected {argument} of 2 or more")
        inner = np.arange(1, count - 1) / (count - 1)
    else:
        values = sequence(name, "thresholds", thresholds)
        inner = np.sort([number(name, "threshold", threshold, "[0, 1]") for threshold in values])
    return np.concatenate([[-_BEYOND], inner, [1 + _BEYOND]])


def _chosen(name: str, option: str, value: Any, known: Any) -> str:
    """The known value that is meant, in whatever case."""
    for candidate in known:
        if str(value).lower() == candidate.lower():
            return candidate
    return known_word(name, option, value, known)


def _as_probabilities(name: str, y_pred: Any, from_logits: bool) -> Any:
    return ops.sigmoid(y_pred) if from_logits else lift(y_pred)


def _area(at: Counts, curve: str, summation: str) -> Any:
    """The area under the curve; at: (thresholds,) -> scalar, (thresholds, labels) -> (labels,)."""
    if curve == "PR" and summation == "interpolation":
        return _interpolated_precision_recall(at)
    x, y = {"ROC": _receiver, "PR": _precision_recall, "PRGAIN": _gains}[curve](at)
    return ops.sum(ops.multiply(ops.subtract(x[:-1], x[1:]), _SUMMATIONS[summation](y[:-1], y[1:])), axis=0)


def _receiver(at: Counts) -> tuple[Any, Any]:
    return ratio(at.fp, ops.add(at.fp, at.tn)), at.recall


def _precision_recall(at: Counts) -> tuple[Any, Any]:
    return at.recall, at.precision


def _gains(at: Counts) -> tuple[Any, Any]:
    """Recall gain, not below 0, and precision gain; 0 and 1 where nothing is found."""
    scale = ratio(ops.add(at.tp, at.fn), ops.add(at.tn, at.fp))
    none = ops.equal(at.tp, 0)
    recall = ops.where(none, 0, ops.maximum(1 - ops.multiply(scale, ratio(at.fn, at.tp)), 0))
    return recall, ops.where(none, 1, 1 - ops.multiply(scale, ratio(at.fp, at.tp)))


def _interpolated_precision_recall(at: Counts) -> Any:
    """The area where between two thresholds true and false positives grow in proportion (Davis and Goadrich 2006)."""
    positives = ops.add(at.tp, at.fp)
    tp, p, next_tp, next_p = at.tp[:-1], positives[:-1], at.tp[1:], positives[1:]
    found = ops.subtract(tp, next_tp)
    slope = ratio(found, ops.subtract(p, next_p))
    intercept = ops.subtract(next_tp, ops.multiply(slope, next_p))
    both = ops.logical_and(ops.greater(p, 0), ops.greater(next_p, 0))
    growth = ops.log(ops.where(both, ratio(p, next_p), 1))
    steps = ops.multiply(slope, ops.add(found, ops.multiply(intercept, growth)))
    return ops.sum(ratio(steps, ops.add(next_tp, at.fn[1:])), axis=0)


def _best_where(
    name: str,
    argument: str,
    least: float,
    num_thresholds: int,
    class_id: int | None,
    rates: Callable[[Counts], tuple[Any, Any]],
) -> Metric:
    """The largest second rate at the thresholds where the first one is at least `least`, 0 if it is nowhere."""
    number(name, argument, least, "[0, 1]")
    positive_integer(name, "num_thresholds", num_thresholds)
    edges = np.array([0.5]) if num_thresholds == 1 else np.arange(num_thresholds) / (num_thresholds - 1)

    def sums(y_true: Any, y_pred: Any, sample_weight: Any) -> State:
        return {"weights": by_bucket(edges, *two_classes(name, y_true, y_pred, sample_weight, class_id=class_id))}

    def result(state: State) -> Any:
        required, wanted = rates(counts(state["weights"]))
        too_low = ops.where(ops.less(required, least), 0, required)  # or NaN, which stays
        return ops.max(ops.where(ops.greater_equal(required, least), wanted, too_low))

    shapes = {"weights": (2, len(edges) + 1)}
    return accumulate(name, shapes, sums, result, "up", zero_or_one, outputs_of("sigmoid"))


@METRICS.named()
@metric_constructor
def sensitivity_at_specificity(
    specificity: float,
    num_thresholds: int = 200,
    class_id: int | None = None,
    name: str = "sensitivity_at_specificity",
) -> Metric:
    """The best ``TP / (TP + FN)`` at the thresholds where ``TN / (TN + FP)`` is at least `specificity`, else 0.

    y_true, y_pred: (B, ...), y_pred in [0, 1]; the thresholds are ``i / (num_thresholds - 1)``; class_id: the only
    class of (B, ..., C) that counts. Source: Keras ``SensitivityAtSpecificity``.

    >>> metric = sensitivity_at_specificity(0.5)
    >>> metric.result(metric.update(metric.init(), [0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    array(0.5)
    """
    return _best_where(
        name, "specificity", specificity, num_thresholds, class_id, lambda at: (at.specificity, at.recall)
    )


@METRICS.named()
@metric_constructor
def specificity_at_sensitivity(
    sensitivity: float,
    num_thresholds: int = 200,
    class_id: int | None = None,
    name: str = "specificity_at_sensitivity",
) -> Metric:
    """The best ``TN / (TN + FP)`` at the thresholds where ``TP / (TP + FN)`` is at least `sensitivity`, else 0.

    Arguments as for `sensitivity_at_specificity`. Source: Keras ``SpecificityAtSensitivity``.
    """
    return _best_where(
        name, "sensitivity", sensitivity, num_thresholds, class_id, lambda at: (at.recall, at.specificity)
    )


@METRICS.named()
@metric_constructor
def precision_at_recall(
    recall: float, num_thresholds: int = 200, class_id: int | None = None, name: str = "precision_at_recall"
) -> Metric:
    """The best ``TP / (TP + FP)`` at the thresholds where ``TP / (TP + FN)`` is at least `recall`, else 0.

    Arguments as for `sensitivity_at_specificity`. Source: Keras ``PrecisionAtRecall``.
    """
    return _best_where(name, "recall", recall, num_thresholds, class_id, lambda at: (at.recall, at.precision))


@METRICS.named()
@metric_constructor
def recall_at_precision(
    precision: float, num_thresholds: int = 200, class_id: int | None = None, name: str = "recall_at_precision"
) -> Metric:
    """The best ``TP / (TP + FN)`` at the thresholds where ``TP / (TP + FP)`` is at least `precision`, else 0.

    Arguments as for `sensitivity_at_specificity`. Source: Keras ``RecallAtPrecision``.
    """
    return _best_where(name, "precision", precision, num_thresholds, class_id, lambda at: (at.precision, at.recall))
