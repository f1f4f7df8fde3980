"""The share of predictions that are right."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import number, positive_integer
from fnet.errors import ShapeError
from fnet.losses.align import labels, pair
from fnet.losses.values import Options
from fnet.metrics.checks import classes_of_rows, probabilities_at, zero_or_one
from fnet.metrics.define import METRICS, Metric, metric_constructor
from fnet.metrics.reduction import mean_of
from fnet.ops.promotion import lift
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of


def _binary(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    y_true, y_pred = pair("binary_accuracy", y_true, y_pred)
    return ops.equal(ops.astype(ops.greater(y_pred, threshold), y_pred.dtype), y_true)


def _categorical(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = pair("categorical_accuracy", y_true, y_pred)
    return ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1))


def _sparse(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = labels("sparse_categorical_accuracy", y_true, y_pred)
    return ops.equal(y_true, ops.argmax(y_pred, axis=-1))


def _by_shapes(y_true: Any, y_pred: Any) -> Any:
    true, predicted = spec_of(lift(y_true)).shape, spec_of(lift(y_pred)).shape
    if not spec_of(lift(y_pred)).differentiable:
        return ops.equal(*pair("accuracy", y_true, y_pred))
    if predicted[-1:] == (1,) or len(predicted) < 2:
        return _binary(y_true, y_pred)
    if len(true) < len(predicted) or true[-1] == 1:
        return _sparse(y_true, y_pred)
    return _categorical(y_true, y_pred)


def _targets_by_shapes(name: str, y_true: np.ndarray, shape: tuple[int, ...], options: Options) -> None:
    if options.get("labels"):
        return  # predictions are labels too
    if shape[-1:] == (1,) or len(shape) < 2:
        zero_or_one(name, y_true, shape, options)
    elif y_true.ndim < len(shape) or y_true.shape[-1] == 1:
        classes_of_rows(name, y_true, shape, options)


def _outputs_by_shapes(name: str, y_pred: np.ndarray, options: Options) -> None:
    check = probabilities_at([0.5])
    if check is not None and (y_pred.shape[-1:] == (1,) or y_pred.ndim < 2):
        check(name, y_pred, options)


@METRICS.named()
@metric_constructor
def accuracy(name: str = "accuracy") -> Metric:
    """The accuracy that the shapes ask for, as in Keras.

    Binary if y_pred is (B,) or (..., 1); sparse if y_true has a lower rank, or ends in 1; else categorical. Predictions
    that are integers are labels and must be equal. Source: Keras, "accuracy" in ``compile``; ``Accuracy``.

    >>> metric = accuracy()
    >>> metric.result(metric.update(metric.init(), [0, 1], [[0.9, 0.1], [0.7, 0.3]]))
    array(0.5)
    """
    return mean_of(_by_shapes, name, "up", targets=_targets_by_shapes, outputs=_outputs_by_shapes)


@METRICS.named()
@metric_constructor
def binary_accuracy(threshold: float = 0.5, name: str = "binary_accuracy") -> Metric:
    """The share of elements with ``(p > threshold) == y``; y_true, y_pred: (B, ...). Source: Keras ``BinaryAccuracy``.

    >>> metric = binary_accuracy()
    >>> metric.result(metric.update(metric.init(), [1, 1, 0, 0], [0.98, 1.0, 0.0, 0.6]))
    array(0.75)
    """
    number(name, "threshold", threshold, "[0, 1]")
    outputs = probabilities_at([threshold])
    return mean_of(functools.partial(_binary, threshold=threshold), name, "up", targets=zero_or_one, outputs=outputs)


@METRICS.named()
@metric_constructor
def categorical_accuracy(name: str = "categorical_accuracy") -> Metric:
    """The share of rows whose largest elements (the first ones) agree; y_true, y_pred: (B, ..., C).

    Source: Keras ``CategoricalAccuracy``.
    """
    return mean_of(_categorical, name, "up")


@METRICS.named()
@metric_constructor
def sparse_categorical_accuracy(name: str = "sparse_categorical_accuracy") -> Metric:
    """The share of rows whose largest element is at the label; y_true: (B, ...) or (B, ..., 1), y_pred: (B, ..., C).

    Source: Keras ``SparseCategoricalAccuracy``.
    """
    return mean_of(_sparse, name, "up", targets=classes_of_rows)


def _in_top(y_true: Any, y_pred: Any, k: int) -> Any:
    """Whether fewer than k elements of a row are above that of its label; a label whose element is NaN is not."""
    spec = spec_of(y_pred)
    *lead, classes = spec.shape
    starts = np.arange(math.prod(lead)).reshape(lead) * classes
    known = ops.logical_and(ops.greater_equal(y_true, 0), ops.less(y_true, classes))
    place = ops.where(
        known, ops.add(y_true, beside(starts, y_true)), spec.size
    )  # behind the end, where there are only NaNs
    score = ops.reshape(ops.take(ops.reshape(y_pred, (-1,)), ops.reshape(place, (-1,))), tuple(lead))
    above = ops.sum(ops.astype(ops.greater(y_pred, ops.expand_dims(score, -1)), spec.dtype), axis=-1)
    return ops.logical_and(ops.less(above, k), ops.logical_not(ops.isnan(score)))


@METRICS.named()
@metric_constructor
def top_k_categorical_accuracy(k: int = 5, name: str = "top_k_categorical_accuracy") -> Metric:
    """The share of rows in which the class of y_true is among the k largest of y_pred, both (B, ..., C).

    A tie with the k-th largest counts as in. Source: Keras ``TopKCategoricalAccuracy``.

    >>> metric = top_k_categorical_accuracy(k=1)
    >>> metric.result(metric.update(metric.init(), [[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]))
    array(0.5)
    """
    positive_integer(name, "k", k)

    def values(y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = pair("top_k_categorical_accuracy", y_true, y_pred)
        return _in_top(ops.argmax(y_true, axis=-1), y_pred, k)

    return mean_of(values, name, "up")


@METRICS.named()
@metric_constructor
def sparse_top_k_categorical_accuracy(
    k: int = 5, name: str = "sparse_top_k_categorical_accuracy", from_sorted_ids: bool = False
) -> Metric:
    """The share of rows in which the label is among the k largest of y_pred; y_true: (B, ...), y_pred: (B, ..., C).

    With `from_sorted_ids` a row of y_pred holds labels, the best first. A tie with the k-th largest counts as in.
    Source: Keras ``SparseTopKCategoricalAccuracy``.

    >>> metric = sparse_top_k_categorical_accuracy(k=2)
    >>> metric.result(metric.update(metric.init(), [2, 1], [[0.1, 0.9, 0.8], [0.05, 0.0, 0.95]]))
    array(0.5)
    """
    positive_integer(name, "k", k)

    def values(y_true: Any, y_pred: Any) -> Any:
        if from_sorted_ids:
            return _among(y_true, y_pred, k)
        return _in_top(*labels("sparse_top_k_categorical_accuracy", y_true, y_pred), k)

    return mean_of(values, name, "up", targets=None if from_sorted_ids else classes_of_rows)


def _among(y_true: Any, best: Any, k: int) -> Any:
    y_true, best = lift(y_true), lift(best)
    wanted = best.shape[:-1]
    if y_true.shape not in (wanted, (*wanted, 1)):
        raise ShapeError(
            f"sparse_top_k_categorical_accuracy: expected labels of shape {wanted} for y_pred {best.shape}, "
            f"received {y_true.shape}."
        )
    return ops.any(ops.equal(ops.reshape(y_true, (*wanted, 1)), best[..., :k]), axis=-1)
