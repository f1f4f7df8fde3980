"""Losses of predicted classes, from logits (fused and stable: prefer this form) or from probabilities.

From probabilities they follow Keras: ``p`` is clipped to [1e-7, 1 - 1e-7], so that the loss of a saturated wrong
prediction is finite and its gradient 0. Probabilities outside [0, 1] raise wherever their values are known.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.errors import ValueRangeError
from fnet.losses.align import as_floating, label_shapes, mask_for, whole_labels
from fnet.losses.define import Loss, define_loss
from fnet.losses.values import EPSILON, probabilities, targets
from fnet.masking import Masked, join_mask
from fnet.ops import nn
from fnet.ops.arithmetic import (
    clip,
    divide,
    greater_equal,
    less,
    logical_and,
    multiply,
    negative,
    not_equal,
    subtract,
    where,
)
from fnet.ops.index import take
from fnet.ops.maths import log
from fnet.ops.promotion import lift
from fnet.ops.shape import reshape
from fnet.ops.summation import sum
from fnet.transforms.primitive import spec_of


@define_loss("BinaryCrossentropy", per="element", axis=True)
def binary_crossentropy(y_true: Any, y_pred: Any, *, from_logits: bool = False, label_smoothing: float = 0.0) -> Any:
    """``-mean(y log p + (1 - y) log(1 - p))`` along `axis`; y_true, y_pred: (B, ..., D) -> scalar.

    y_true: numbers in [0, 1], smoothed to ``y (1 - s) + s / 2``; y_pred: probabilities, or logits ``z`` with
    `from_logits`, where the value is ``softplus(z) - z y``. Raises `ValueRangeError` for values outside [0, 1].
    Source: Keras ``BinaryCrossentropy``.

    >>> round(float(binary_crossentropy([[1.0, 0.0]], [[0.0, 0.0]], from_logits=True)), 4)
    0.6931
    """
    name = "binary_crossentropy"
    y_true = smooth(name, targets(name, y_true), label_smoothing, 2)
    if from_logits:
        return nn.binary_crossentropy_with_logits(y_pred, y_true)
    return surprise(y_true, probabilities(name, y_pred, "sigmoid"))


@define_loss("CategoricalCrossentropy", per="row", axis=True)
def categorical_crossentropy(
    y_true: Any, y_pred: Any, *, from_logits: bool = False, label_smoothing: float = 0.0
) -> Any:
    """``-sum(y log p)`` along `axis`, the C classes; y_true, y_pred: (B, ..., C) -> scalar.

    y_true: one-hot or a distribution, smoothed to ``y (1 - s) + s / C``; y_pred: probabilities, divided by their sum
    first, or logits with `from_logits`. Raises `ValueRangeError` for values outside [0, 1].
    Source: Keras ``CategoricalCrossentropy``.

    >>> round(float(categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.6931
    """
    name = "categorical_crossentropy"
    y_true = smooth(name, targets(name, y_true), label_smoothing, spec_of(y_pred).shape[-1])
    if from_logits:
        return nn.categorical_crossentropy(y_pred, y_true)
    return negative(sum(multiply(y_true, log(shares(probabilities(name, y_pred, "softmax")))), axis=-1))


@define_loss("SparseCategoricalCrossentropy", per="row", align=label_shapes, axis=True)
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, *, from_logits: bool = False, ignore_class: int | None = None, mask: Any = None
) -> Any:
    """``-log p[y]`` for integer labels; y_true: (B, ...) or (B, ..., 1), y_pred: (B, ..., C) -> scalar.

    y_pred: probabilities, divided by their sum first, or logits with `from_logits`; ignore_class: a label, perhaps -1,
    that marks what does not count: its values are 0 and the mean is over the others; axis: that of the classes.
    Raises `ValueRangeError` naming the sample for a label outside [0, C) (under jit its value is NaN) and for
    probabilities outside [0, 1]. Source: Keras ``SparseCategoricalCrossentropy``.

    >>> round(float(sparse_categorical_crossentropy([1], [[0.0, 0.0]], from_logits=True)), 4)
    0.6931
    """
    name = "sparse_categorical_crossentropy"
    valid = None if mask is None else mask_for(name, mask, y_true)
    if ignore_class is not None:
        counted = not_equal(y_true, ignore_class)
        valid = counted if valid is None else logical_and(valid, counted)
    if valid is not None:
        y_true = where(valid, y_true, 0)
    y_true = whole_labels(name, y_true, spec_of(y_pred).shape[-1])
    if from_logits:
        values = nn.sparse_crossentropy(y_pred, y_true)
    else:
        p = probabilities(name, y_pred, "softmax")
        share = divide(_pick(p, y_true), sum(p, axis=-1))
        values = negative(log(clip(share, EPSILON, 1 - EPSILON)))
    return values if valid is None else Masked(values, valid)


@define_loss("Crossentropy", per="row", align=lambda name, y_true, y_pred: (lift(y_true), as_floating(y_pred)))
def crossentropy(y_true: Any, y_pred: Any, *, from_logits: bool = False, mask: Any = None) -> Any:
    """The cross-entropy that the shapes ask for; y_true: labels or one-hot, y_pred: (B, ..., C) -> scalar.

    Binary where y_pred is (B,) or ends in an axis of size 1; sparse where y_true has a lower rank or ends in one; else
    categorical. Source: Keras ``"crossentropy"``.

    >>> round(float(crossentropy([1, 0], [[0.25, 0.75], [0.5, 0.5]])), 4)  # sparse
    0.4904
    """
    loss = by_shapes(y_true, y_pred)
    return join_mask(loss(y_true, join_mask(y_pred, mask), from_logits=from_logits, reduction="none"), mask)


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


def smooth(name: str, y_true: Any, amount: float, classes: int) -> Any:
    """``y (1 - amount) + amount / classes``."""
    if not 0 <= amount <= 1:
        raise ValueRangeError(f"{name}: expected 0 <= label_smoothing <= 1, received {amount}.")
    return y_true * float(1 - amount) + float(amount / classes) if amount else y_true


def _pick(p: Any, chosen: Any) -> Any:
    """``p[..., chosen]`` row by row, NaN for a label out of range; p: (..., C), chosen: (...) -> (...)."""
    *lead, classes = spec_of(p).shape
    rows = math.prod(lead)
    starts = np.arange(rows).reshape(lead) * classes
    inside = logical_and(greater_equal(chosen, 0), less(chosen, classes))
    position = where(inside, chosen + starts, rows * classes)
    return reshape(take(reshape(p, (-1,)), reshape(position, (-1,))), tuple(lead))
