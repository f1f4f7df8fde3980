"""Losses of predicted classes, from logits (fused and stable) or from probabilities.

Probabilities that `fnet.ops.softmax` or `fnet.ops.sigmoid` made, as the last layer of a network does, lead back to
their logits, and the loss is computed from these: exact, with a gradient that a saturated prediction keeps. Between
activation and loss may be masks, reshapes and casts; eagerly, views. Probabilities that come from anywhere else follow
Keras: ``p`` is clipped to [1e-7, 1 - 1e-7], so that the loss of a saturated wrong prediction is finite and its gradient
0. Outside [0, 1] they raise wherever their values are known.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.losses.align import as_floating, is_class, label_shapes, whole_labels
from fnet.losses.checks import check_values
from fnet.losses.define import LOSSES, Loss, define_loss, loss_constructor
from fnet.losses.leave_out import both, fitted
from fnet.losses.rule import Reduction
from fnet.losses.values import EPSILON, Options, outputs_of, unit_targets
from fnet.masking import Masked, join_mask
from fnet.ops import nn
from fnet.ops.arithmetic import (
    clip,
    divide,
    greater_equal,
    less,
    logical_and,
    logical_not,
    multiply,
    negative,
    subtract,
    where,
)
from fnet.ops.index import take
from fnet.ops.maths import log
from fnet.ops.promotion import lift
from fnet.ops.shape import broadcast_to, expand_dims, reshape
from fnet.ops.summation import sum
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of


@LOSSES.named("bce", "BCE")
@define_loss(
    "BinaryCrossentropy",
    per="element",
    axis=True,
    activation="sigmoid",
    targets=unit_targets,
    outputs=outputs_of("sigmoid"),
    ranges={"label_smoothing": "[0, 1]"},
)
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    reduction: Reduction = "mean",
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-mean(y log p + (1 - y) log(1 - p))`` along `axis`; y_true, y_pred: (B, ..., D) -> scalar.

    y_true: numbers in [0, 1], smoothed to ``y (1 - s) + s / 2``; y_pred: probabilities, or logits ``z`` with
    `from_logits`, where the value is ``softplus(z) - z y``. Of probabilities that a sigmoid has just made it takes the
    logits. Raises `ValueRangeError` for values outside [0, 1]. Source: Keras ``BinaryCrossentropy``.

    >>> round(float(binary_crossentropy([[1.0, 0.0]], [[0.0, 0.0]], from_logits=True)), 4)
    0.6931
    """
    y_true = smooth(y_true, label_smoothing, 2)
    return nn.binary_crossentropy_with_logits(y_pred, y_true) if from_logits else surprise(y_true, y_pred)


@loss_constructor
def BinaryCrossentropy(
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
    reduction: Reduction = "mean",
    *,
    name: str | None = None,
) -> Loss:
    """`binary_crossentropy` with these options and this name."""
    return binary_crossentropy


@LOSSES.named()
@define_loss(
    "CategoricalCrossentropy",
    per="row",
    axis=True,
    activation="softmax",
    targets=unit_targets,
    outputs=outputs_of("softmax"),
    ranges={"label_smoothing": "[0, 1]"},
)
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    reduction: Reduction = "mean",
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-sum(y log p)`` along `axis`, the C classes; y_true, y_pred: (B, ..., C) -> scalar.

    y_true: one-hot or a distribution, smoothed to ``y (1 - s) + s / C``; y_pred: probabilities, divided by their sum
    first, or logits with `from_logits`. Of probabilities that a softmax over the classes has just made it takes the
    logits. Raises `ValueRangeError` for values outside [0, 1], `ShapeError` for a single class.
    Source: Keras ``CategoricalCrossentropy``.

    >>> round(float(categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.6931
    """
    classes = several_classes("categorical_crossentropy", y_pred)
    y_true = smooth(y_true, label_smoothing, classes)
    if from_logits:
        return nn.categorical_crossentropy(y_pred, y_true)
    return negative(sum(multiply(y_true, log(shares(y_pred))), axis=-1))


@loss_constructor
def CategoricalCrossentropy(
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
    reduction: Reduction = "mean",
    *,
    name: str | None = None,
) -> Loss:
    """`categorical_crossentropy` with these options and this name."""
    return categorical_crossentropy


def class_targets(name: str, y_true: np.ndarray, shape: tuple[int, ...], options: Options) -> None:
    """Refuse labels that are no whole number in [0, C), but `ignore_class`."""
    ignored = options.get("ignore_class")
    if ignored is not None:
        y_true = where(is_class(y_true, ignored), 0, y_true)
    whole_labels(name, y_true, shape[-1])


def _sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, *, from_logits: bool, ignore_class: int | None, counted: Any
) -> Any:
    if counted is not None:
        counted = broadcast_to(fitted(counted, y_true.ndim), y_true.shape)
    named = None if ignore_class is None else logical_not(is_class(y_true, ignore_class))
    valid = both(counted, named)
    if valid is not None:
        y_true = where(valid, y_true, 0)
        y_pred = y_pred if from_logits else where(expand_dims(valid, -1), y_pred, 1)
    check_values(sparse_categorical_crossentropy.rule, y_true, y_pred, {"from_logits": from_logits})
    y_true = whole_labels("sparse_categorical_crossentropy", y_true, y_pred.shape[-1])
    if from_logits:
        values = nn.sparse_crossentropy(y_pred, y_true, valid)
    else:
        share = divide(pick(y_pred, y_true), sum(y_pred, axis=-1))
        values = negative(log(clip(share, EPSILON, 1 - EPSILON)))
    return values if named is None else Masked(values, named)


@LOSSES.named()
@define_loss(
    "SparseCategoricalCrossentropy",
    per="row",
    align=label_shapes,
    axis=True,
    activation="softmax",
    targets=class_targets,
    outputs=outputs_of("softmax"),
    formula=_sparse_categorical_crossentropy,
)
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    reduction: Reduction = "mean",
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """``-log p[y]`` for integer labels; y_true: (B, ...) or (B, ..., 1), y_pred: (B, ..., C) -> scalar.

    y_pred: probabilities, divided by their sum first, or logits with `from_logits`; of probabilities that a softmax
    over the classes has just made it takes the logits. ignore_class: a label, perhaps -1, that marks what does not
    count: its values are 0 and the mean is over the others; axis: that of the classes. Raises `ValueRangeError` naming
    the sample for a label outside [0, C) (under jit its value is NaN) and for probabilities outside [0, 1].
    Source: Keras ``SparseCategoricalCrossentropy``.

    >>> round(float(sparse_categorical_crossentropy([1], [[0.0, 0.0]], from_logits=True)), 4)
    0.6931
    """


@loss_constructor
def SparseCategoricalCrossentropy(
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
    reduction: Reduction = "mean",
    *,
    name: str | None = None,
) -> Loss:
    """`sparse_categorical_crossentropy` with these options and this name."""
    return sparse_categorical_crossentropy


def _targets_by_shapes(name: str, y_true: np.ndarray, shape: tuple[int, ...], options: Options) -> None:
    rule = by_shapes(y_true, np.broadcast_to(np.float32(0), shape)).rule
    if rule.targets is not None:
        rule.targets(rule.kind, y_true, shape, options)


def _crossentropy(y_true: Any, y_pred: Any, *, from_logits: bool, counted: Any) -> Any:
    loss, rank = by_shapes(y_true, y_pred), max(y_pred.ndim - 1, 0)
    if counted is not None:
        counted = broadcast_to(fitted(counted, rank), y_pred.shape[:rank])
    return loss(y_true, join_mask(y_pred, counted), from_logits=from_logits, reduction="none")


@LOSSES.named("ce")
@define_loss(
    "Crossentropy",
    per="row",
    align=lambda name, y_true, y_pred: (lift(y_true), as_floating(y_pred)),
    targets=_targets_by_shapes,
    outputs=outputs_of("sigmoid or softmax"),
    formula=_crossentropy,
)
def crossentropy(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean", from_logits: bool = False
) -> Any:
    """The cross-entropy that the shapes ask for; y_true: labels or one-hot, y_pred: (B, ..., C) -> scalar.

    Binary where y_pred is (B,) or ends in an axis of size 1; sparse where y_true has a lower rank or ends in one; else
    categorical. Source: Keras ``"crossentropy"``.

    >>> round(float(crossentropy([1, 0], [[0.25, 0.75], [0.5, 0.5]])), 4)  # sparse
    0.4904
    """


@loss_constructor
def Crossentropy(from_logits: bool = False, reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`crossentropy` with these options and this name."""
    return crossentropy


def by_shapes(y_true: Any, y_pred: Any) -> Loss:
    """The loss that `crossentropy` chooses for targets and predictions of these shapes."""
    true, predicted = spec_of(y_true).shape, spec_of(y_pred).shape
    if len(predicted) < 2 or predicted[-1] == 1:
        return binary_crossentropy
    if len(true) < len(predicted) or true[-1] == 1:
        return sparse_categorical_crossentropy
    return categorical_crossentropy


def surprise(y_true: Any, p: Any) -> Any:
    """``-(y log p + (1 - y) log(1 - p))``, element by element, of clipped probabilities."""
    p = clip(p, EPSILON, 1 - EPSILON)
    return negative(multiply(y_true, log(p)) + multiply(subtract(1, y_true), log(subtract(1, p))))


def shares(p: Any) -> Any:
    """Probabilities (..., C) divided by the sum of their row, then clipped."""
    return clip(divide(p, sum(p, axis=-1, keepdims=True)), EPSILON, 1 - EPSILON)


def several_classes(name: str, y_pred: Any) -> int:
    """The number of classes, or a `ShapeError` where it is 1: the share of a single class is always 1."""
    classes = y_pred.shape[-1]
    if classes == 1:
        raise ShapeError(
            f"{name}: expected y_pred of two classes or more, received {y_pred.shape}. "
            f"For one output for yes or no end in Dense(1, activation='sigmoid') and use the binary form."
        )
    return classes


def smooth(y_true: Any, amount: float, classes: int) -> Any:
    """``y (1 - amount) + amount / classes``."""
    return y_true * float(1 - amount) + float(amount / classes) if amount else y_true


def pick(p: Any, chosen: Any) -> Any:
    """``p[..., chosen]`` row by row, NaN for a label out of range; p: (..., C), chosen: (...) -> (...)."""
    *lead, classes = p.shape
    rows = math.prod(lead)
    starts = np.arange(rows).reshape(lead) * classes
    inside = logical_and(greater_equal(chosen, 0), less(chosen, classes))
    position = where(inside, chosen + beside(starts, p), rows * classes)
    return reshape(take(reshape(p, (-1,)), reshape(position, (-1,))), tuple(lead))
