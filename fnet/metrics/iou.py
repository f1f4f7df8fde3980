"""Who was taken for whom: the confusion matrix, and how well regions of classes overlap (intersection over union)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import is_integer, number, positive_integer, sequence
from fnet.errors import ShapeError, ValueRangeError
from fnet.losses.align import is_class, same_rank
from fnet.losses.values import Options, require_whole, sample_of
from fnet.masking import join_mask, split_mask
from fnet.metrics.checks import probabilities_at
from fnet.metrics.define import (
    METRICS,
    Metric,
    State,
    accumulate,
    full_weights,
    mask_as_weights,
    metric_constructor,
    ratio,
)
from fnet.ops.promotion import lift
from fnet.transforms.operand import beside, known_value


@METRICS.named()
@metric_constructor
def confusion_matrix(
    num_classes: int,
    name: str = "confusion_matrix",
    ignore_class: int | None = None,
    sparse_y_true: bool = True,
    sparse_y_pred: bool = False,
    axis: int = -1,
) -> Metric:
    """The weight of samples of each class (row) by the class predicted (column); the result is an array (C, C).

    y_true: (B, ...) labels, or with ``sparse_y_true=False`` one-hot (B, ..., C); y_pred: scores (B, ..., C), of which
    the largest counts, or with `sparse_y_pred` labels; axis: that of the classes. Labels `ignore_class` are left out.
    Raises `ValueRangeError` naming the sample for a label outside [0, C) (under jit it is left out).
    Source: Keras ``metrics_utils.confusion_matrix``, scikit-learn ``confusion_matrix``.

    >>> metric = confusion_matrix(2)
    >>> metric.result(metric.update(metric.init(), [0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]))
    array([[1., 0.],
           [1., 1.]])
    """
    return _from_table(name, num_classes, ignore_class, (sparse_y_true, sparse_y_pred), axis, None, None)


@METRICS.named()
@metric_constructor
def iou(
    num_classes: int,
    target_class_ids: Sequence[int],
    name: str = "io_u",
    ignore_class: int | None = None,
    sparse_y_true: bool = True,
    sparse_y_pred: bool = True,
    axis: int = -1,
) -> Metric:
    """The mean of ``TP / (TP + FP + FN)`` over the target classes that occur, true or predicted, 0 if none does.

    y_true, y_pred: (B, ...) labels of C classes, or with ``sparse_y_true=False``, ``sparse_y_pred=False`` one-hot and
    scores (B, ..., C). Labels `ignore_class` are left out. Raises `ValueRangeError` naming the sample for a label
    outside [0, C) (under jit it is left out). Source: Keras ``IoU``.

    >>> metric = iou(num_classes=2, target_class_ids=[0])
    >>> state = metric.update(metric.init(), [0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(metric.result(state)), 4)
    0.3333
    """
    return _from_table(name, num_classes, ignore_class, (sparse_y_true, sparse_y_pred), axis, target_class_ids, "up")


@METRICS.named()
@metric_constructor
def mean_iou(
    num_classes: int,
    name: str = "mean_io_u",
    ignore_class: int | None = None,
    sparse_y_true: bool = True,
    sparse_y_pred: bool = True,
    axis: int = -1,
) -> Metric:
    """`iou` of all classes. Source: Keras ``MeanIoU``.

    >>> metric = mean_iou(num_classes=2)
    >>> state = metric.update(metric.init(), [0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(metric.result(state)), 4)
    0.3333
    """
    positive_integer(name, "num_classes", num_classes)
    return iou(num_classes, range(num_classes), name, ignore_class, sparse_y_true, sparse_y_pred, axis)


@METRICS.named()
@metric_constructor
def one_hot_iou(
    num_classes: int,
    target_class_ids: Sequence[int],
    name: str = "one_hot_io_u",
    ignore_class: int | None = None,
    sparse_y_pred: bool = False,
    axis: int = -1,
) -> Metric:
    """`iou` of one-hot y_true and scores y_pred, both (B, ..., C). Source: Keras ``OneHotIoU``."""
    return iou(num_classes, target_class_ids, name, ignore_class, False, sparse_y_pred, axis)


@METRICS.named()
@metric_constructor
def one_hot_mean_iou(
    num_classes: int,
    name: str = "one_hot_mean_io_u",
    ignore_class: int | None = None,
    sparse_y_pred: bool = False,
    axis: int = -1,
) -> Metric:
    """`mean_iou` of one-hot y_true and scores y_pred, both (B, ..., C). Source: Keras ``OneHotMeanIoU``."""
    return mean_iou(num_classes, name, ignore_class, False, sparse_y_pred, axis)


@METRICS.named()
@metric_constructor
def binary_iou(target_class_ids: Sequence[int] = (0, 1), threshold: float = 0.5, name: str = "binary_io_u") -> Metric:
    """`iou` of the two classes 0 and 1, which is predicted where ``p >= threshold``; y_true, y_pred: (B, ...).

    Source: Keras ``BinaryIoU``.

    >>> metric = binary_iou(target_class_ids=[0, 1], threshold=0.3)
    >>> state = metric.update(metric.init(), [0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
    >>> round(float(metric.result(state)), 4)
    0.3333
    """
    number(name, "threshold", threshold, "[0, 1]")
    metric = iou(2, target_class_ids, name)

    def update(state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        scores, mask = split_mask(y_pred)
        chosen = ops.astype(ops.greater_equal(scores, threshold), np.int64)
        return metric.update(state, y_true, join_mask(chosen, mask), sample_weight)

    check = probabilities_at([threshold])

    def check_outputs(y_pred: Any, sample_weight: Any = None) -> None:
        _, scores, _ = mask_as_weights(name, split_mask(y_pred)[0], y_pred, sample_weight)
        if check is not None:
            check(name, lift(scores), {})

    return metric._replace(update=update, check_outputs=check_outputs)


def _from_table(
    name: str,
    classes: int,
    ignored: int | None,
    sparse: tuple[bool, bool],
    axis: int,
    targets: Sequence[int] | None,
    direction: Any,
) -> Metric:
    """The confusion matrix (C, C), or the mean overlap of the target classes in it."""
    positive_integer(name, "num_classes", classes)
    chosen = None if targets is None else _checked_targets(name, targets, classes)

    def sums(y_true: Any, y_pred: Any, sample_weight: Any) -> State:
        y_true, y_pred = (
            lift(x) if is_sparse else _largest(name, x, classes, axis)
            for x, is_sparse in zip((y_true, y_pred), sparse, strict=True)
        )
        y_true, y_pred = same_rank(y_true, y_pred)
        shape = y_true.shape
        if shape != y_pred.shape or not shape:
            hint = "Say what is one-hot or scores: sparse_y_true=, sparse_y_pred=."
            raise ShapeError(f"{name}: labels y_true {shape} and y_pred {y_pred.shape} do not fit. {hint}")
        _check_range(name, "y_pred", y_pred, classes, None)
        return {"weights": _table(y_true, y_pred, full_weights(name, sample_weight, shape, y_true), classes, ignored)}

    def result(state: State) -> Any:
        table = state["weights"]
        return ops.add(table, 0) if chosen is None else _mean_overlap(table, chosen)

    def of_classes(name: str, y_true: np.ndarray, shape: tuple[int, ...], options: Options) -> None:
        if sparse[0]:
            _check_range(name, "y_true", y_true, classes, ignored)

    return accumulate(name, {"weights": (classes, classes)}, sums, result, direction, of_classes)


def _checked_targets(name: str, targets: Sequence[int], classes: int) -> np.ndarray:
    for target in sequence(name, "target_class_ids", targets):
        if not (is_integer(target) and 0 <= target < classes):
            raise ValueRangeError(f"{name}: target class {target} is none of the {classes} classes.")
    return np.asarray(targets, np.int64)


def _largest(name: str, scores: Any, classes: int, axis: int) -> Any:
    """The class with the largest score."""
    scores = lift(scores)
    shape = scores.shape
    if not -len(shape) <= axis < len(shape) or len(shape) < 2 or shape[axis] != classes:
        raise ShapeError(
            f"{name}: expected one-hot rows or scores of {classes} classes on axis {axis}, received {shape}."
        )
    return ops.argmax(scores, axis=axis)


def _check_range(name: str, which: str, labels: Any, classes: int, ignored: int | None) -> None:
    """Raise a `ValueRangeError` naming the first sample with a label that is out of range and not ignored."""
    require_whole(name, labels)
    values = known_value(labels)
    if values is None:
        return
    outside = (values < 0) | (values >= classes)
    wrong = np.flatnonzero(outside if ignored is None else outside & ~is_class(values, ignored))
    if wrong.size:
        sample = sample_of(int(wrong[0]), values.shape)
        raise ValueRangeError(
            f"{name}: label {values.flat[wrong[0]]} of sample {sample} in {which} is out of range: expected 0 to "
            f"{classes - 1} for {classes} classes. Leave out a label that marks padding with ignore_class."
        )


def _table(y_true: Any, y_pred: Any, weights: Any, classes: int, ignored: int | None) -> Any:
    y_true, y_pred = ops.astype(y_true, np.int64), ops.astype(y_pred, np.int64)
    inside = ops.logical_and(_inside(y_true, classes), _inside(y_pred, classes))
    if ignored is not None:
        inside = ops.logical_and(inside, ops.logical_not(is_class(y_true, ignored)))
    index = ops.where(inside, ops.add(ops.multiply(y_true, classes), y_pred), -1)
    return ops.reshape(ops.bincount(index, weights, classes * classes), (classes, classes))


def _inside(labels: Any, classes: int) -> Any:
    return ops.logical_and(ops.greater_equal(labels, 0), ops.less(labels, classes))


def _mean_overlap(table: Any, targets: np.ndarray) -> Any:
    both = ops.take(ops.reshape(table, (-1,)), beside(targets * (table.shape[0] + 1), table))
    either = ops.take(ops.add(ops.sum(table, axis=0), ops.sum(table, axis=1)), beside(targets, table)) - both
    occurring = ops.sum(ops.astype(ops.greater(either, 0), np.float64))
    return ratio(ops.sum(ratio(both, either)), occurring)
