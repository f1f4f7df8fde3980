"""Losses of predicted classes, from logits (fused and stable: prefer this form) or from probabilities.

From probabilities they follow Keras: ``p`` is clipped to [1e-7, 1 - 1e-7], so that the loss of a saturated wrong
prediction is finite and its gradient 0. Probabilities outside [0, 1] raise wherever their values are known.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.errors import ValueRangeError
from fnet.losses.align import known, labels, sample_of
from fnet.losses.define import define_loss
from fnet.ops import nn
from fnet.ops.arithmetic import clip, divide, greater_equal, less, logical_and, multiply, negative, subtract, where
from fnet.ops.index import take
from fnet.ops.maths import log
from fnet.ops.shape import reshape
from fnet.ops.summation import sum
from fnet.transforms.primitive import spec_of

EPSILON = 1e-7
# A softmax may exceed 1 by rounding; a forgotten one exceeds it by far.
_SLACK = 1e-5


@define_loss(per="element")
def binary_crossentropy(y_true: Any, y_pred: Any, *, from_logits: bool = False, label_smoothing: float = 0.0) -> Any:
    """``-mean(y log p + (1 - y) log(1 - p))`` over the last axis; y_true, y_pred: (B, ..., D) -> scalar.

    y_true: numbers in [0, 1], smoothed to ``y (1 - s) + s / 2``; y_pred: probabilities, or logits ``z`` with
    `from_logits`, where the value is ``softplus(z) - z y``. Raises `ValueRangeError` for values outside [0, 1].
    Source: Keras ``BinaryCrossentropy``.

    >>> round(float(binary_crossentropy([[1.0, 0.0]], [[0.0, 0.0]], from_logits=True)), 4)
    0.6931
    """
    name = "binary_crossentropy"
    y_true = _smooth(name, _targets(name, y_true), label_smoothing, 2)
    if from_logits:
        return nn.binary_crossentropy_with_logits(y_pred, y_true)
    p = clip(probabilities(name, y_pred, "sigmoid"), EPSILON, 1 - EPSILON)
    return negative(multiply(y_true, log(p)) + multiply(subtract(1, y_true), log(subtract(1, p))))


@define_loss(per="row")
def categorical_crossentropy(
    y_true: Any, y_pred: Any, *, from_logits: bool = False, label_smoothing: float = 0.0
) -> Any:
    """``-sum(y log p)`` over the last axis, the C classes; y_true, y_pred: (B, ..., C) -> scalar.

    y_true: one-hot or a distribution, smoothed to ``y (1 - s) + s / C``; y_pred: probabilities, divided by their sum
    first, or logits with `from_logits`. Raises `ValueRangeError` for values outside [0, 1].
    Source: Keras ``CategoricalCrossentropy``.

    >>> round(float(categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.6931
    """
    name = "categorical_crossentropy"
    y_true = _smooth(name, _targets(name, y_true), label_smoothing, spec_of(y_pred).shape[-1])
    if from_logits:
        return nn.categorical_crossentropy(y_pred, y_true)
    p = probabilities(name, y_pred, "softmax")
    p = clip(divide(p, sum(p, axis=-1, keepdims=True)), EPSILON, 1 - EPSILON)
    return negative(sum(multiply(y_true, log(p)), axis=-1))


@define_loss(per="row", align=labels)
def sparse_categorical_crossentropy(y_true: Any, y_pred: Any, *, from_logits: bool = False) -> Any:
    """``-log p[y]`` for integer labels; y_true: (B, ...) or (B, ..., 1), y_pred: (B, ..., C) -> scalar.

    y_pred: probabilities, divided by their sum first, or logits with `from_logits`. Raises `ValueRangeError` naming
    the sample for a label outside [0, C) (under jit its value is NaN) and for probabilities outside [0, 1].
    Source: Keras ``SparseCategoricalCrossentropy``.

    >>> round(float(sparse_categorical_crossentropy([1], [[0.0, 0.0]], from_logits=True)), 4)
    0.6931
    """
    if from_logits:
        return nn.sparse_crossentropy(y_pred, y_true)
    p = probabilities("sparse_categorical_crossentropy", y_pred, "softmax")
    share = divide(_pick(p, y_true), sum(p, axis=-1))
    return negative(log(clip(share, EPSILON, 1 - EPSILON)))


def _pick(p: Any, chosen: Any) -> Any:
    """``p[..., chosen]`` row by row, NaN for a label out of range; p: (..., C), chosen: (...) -> (...)."""
    *lead, classes = spec_of(p).shape
    rows = math.prod(lead)
    starts = np.arange(rows).reshape(lead) * classes
    inside = logical_and(greater_equal(chosen, 0), less(chosen, classes))
    position = where(inside, chosen + starts, rows * classes)
    return reshape(take(reshape(p, (-1,)), reshape(position, (-1,))), tuple(lead))


def _smooth(name: str, y_true: Any, amount: float, classes: int) -> Any:
    if not 0 <= amount <= 1:
        raise ValueRangeError(f"{name}: expected 0 <= label_smoothing <= 1, received {amount}.")
    return y_true * float(1 - amount) + float(amount / classes) if amount else y_true


def _targets(name: str, y_true: Any) -> Any:
    return _in_unit_interval(y_true, f"{name}: expected y_true in [0, 1]", "Encode the classes as 0 and 1.")


def probabilities(name: str, y_pred: Any, activation: str) -> Any:
    """`y_pred` itself, checked to be in [0, 1] where its values are known; `activation` is what the error advises."""
    fix = f"For raw scores pass from_logits=True, or end the network with {activation}."
    return _in_unit_interval(y_pred, f"{name}: expected probabilities in [0, 1]", fix)


def _in_unit_interval(x: Any, expected: str, fix: str) -> Any:
    """`x` itself, after a check of its values where they are known; NaN passes, to show in the loss."""
    values = known(x)
    if values is not None and values.size and (values.min() < -_SLACK or not values.max() <= 1 + _SLACK):
        wrong = np.flatnonzero((values < -_SLACK) | (values > 1 + _SLACK))
        if wrong.size:
            sample = sample_of(int(wrong[0]), values.shape)
            raise ValueRangeError(f"{expected}, received {values.flat[wrong[0]]} in sample {sample}. {fix}")
    return x
