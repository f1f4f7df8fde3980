"""Losses that wrong labels harm less. Source: Zhang and Sabuncu 2018."""

from __future__ import annotations

from typing import Any

from fnet.losses.align import label_shapes, whole_labels
from fnet.losses.crossentropy import class_targets, pick
from fnet.losses.define import LOSSES, Loss, define_loss, loss_constructor
from fnet.losses.rule import Reduction
from fnet.losses.values import outputs_of
from fnet.ops.arithmetic import add, divide, less_equal, multiply, subtract, where
from fnet.ops.powers import power
from fnet.ops.summation import sum


@LOSSES.named()
@define_loss(
    "CategoricalGeneralizedCrossEntropy",
    per="row",
    align=label_shapes,
    targets=class_targets,
    outputs=outputs_of("softmax"),
    ranges={"q": "(0, 1)"},
)
def categorical_generalized_cross_entropy(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean", q: float = 0.5
) -> Any:
    """``(1 - p[y]^q) / q`` for integer labels; y_true: (B, ...) or (B, ..., 1), y_pred: (B, ..., C) -> scalar.

    Near the cross-entropy for a small q, and near ``1 - p[y]`` for a q near 1. y_pred: probabilities; the slope at 0 is
    0. Raises `ValueRangeError` for a q outside (0, 1), for labels that are no class, and for values outside [0, 1].
    Source: Keras ``CategoricalGeneralizedCrossEntropy``; Zhang and Sabuncu 2018.

    >>> categorical_generalized_cross_entropy([1, 0], [[0.75, 0.25], [1.0, 0.0]])
    array(0.5)
    """
    p = pick(y_pred, whole_labels("categorical_generalized_cross_entropy", y_true, y_pred.shape[-1]))
    p = add(p, multiply(sum(y_pred, axis=-1), 0))  # a NaN of any class shows
    zero = less_equal(p, 0)
    return divide(subtract(1, where(zero, 0, power(where(zero, 1, p), q))), q)


@loss_constructor
def CategoricalGeneralizedCrossEntropy(
    q: float = 0.5, reduction: Reduction = "mean", *, name: str | None = None
) -> Loss:
    """`categorical_generalized_cross_entropy` with these options and this name."""
    return categorical_generalized_cross_entropy
