"""Cross-entropies that look at what is hard: the loss of a good prediction fades. Source: Lin et al. 2017."""

from __future__ import annotations

from typing import Any

from fnet.losses.crossentropy import several_classes, shares, smooth, surprise
from fnet.losses.define import LOSSES, Loss, define_loss, loss_constructor
from fnet.losses.rule import Reduction
from fnet.losses.values import EPSILON, outputs_of, unit_targets
from fnet.ops import nn
from fnet.ops.arithmetic import clip, equal, multiply, negative, subtract, where
from fnet.ops.maths import expm1, log, sigmoid
from fnet.ops.powers import power
from fnet.ops.promotion import astype, lift
from fnet.transforms.operand import beside


@LOSSES.named()
@define_loss(
    "BinaryFocalCrossentropy",
    per="element",
    axis=True,
    activation="sigmoid",
    targets=unit_targets,
    outputs=outputs_of("sigmoid"),
    ranges={"gamma": "[0, inf]", "label_smoothing": "[0, 1]"},
)
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    reduction: Reduction = "mean",
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``mean(q^gamma bce(y, p))`` with ``q = y (1 - p) + (1 - y) p``: what is predicted well counts little; -> scalar.

    y_true, y_pred: (B, ..., D), as in `binary_crossentropy`, logits that are found included; apply_class_balancing:
    times ``y alpha + (1 - y) (1 - alpha)``. Raises `ValueRangeError` for values outside [0, 1] and for ``gamma < 0``.
    Source: Keras ``BinaryFocalCrossentropy``; Lin et al. 2017.

    >>> round(float(binary_focal_crossentropy([[1.0, 0.0], [1.0, 0.0]], [[0.9, 0.8], [0.7, 0.2]])), 3)
    0.268
    """
    y = smooth(y_true, label_smoothing, 2)
    if from_logits:
        values = nn.binary_crossentropy_with_logits(y_pred, y)
        p, rest = sigmoid(y_pred), sigmoid(negative(y_pred))
    else:
        values = surprise(y, y_pred)
        p, rest = y_pred, subtract(1, y_pred)
    values = multiply(_focus(multiply(y, rest) + multiply(subtract(1, y), p), gamma), values)
    return multiply(values, y * (2 * alpha - 1) + (1 - alpha)) if apply_class_balancing else values


@loss_constructor
def BinaryFocalCrossentropy(
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
    reduction: Reduction = "mean",
    *,
    name: str | None = None,
) -> Loss:
    """`binary_focal_crossentropy` with these options and this name."""
    return binary_focal_crossentropy


@LOSSES.named()
@define_loss(
    "CategoricalFocalCrossentropy",
    per="term",
    axis=True,
    activation="softmax",
    targets=unit_targets,
    outputs=outputs_of("softmax"),
    ranges={"gamma": "[0, inf]", "label_smoothing": "[0, 1]"},
)
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    reduction: Reduction = "mean",
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-sum(alpha (1 - p)^gamma y log p)`` along `axis`; y_true, y_pred: (B, ..., C) -> scalar.

    As in `categorical_crossentropy`, logits that are found included; alpha: a number, or one for each class. Raises
    `ValueRangeError` for values outside [0, 1] and for ``gamma < 0``.
    Source: Keras ``CategoricalFocalCrossentropy``; Lin et al. 2017.

    >>> round(float(categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])), 4)  # log(2) / 16
    0.0433
    """
    y_true = smooth(y_true, label_smoothing, several_classes("categorical_focal_crossentropy", y_pred))
    if from_logits:
        log_p = nn.log_softmax(y_pred)
        rest = negative(expm1(log_p))
    else:
        p = shares(y_pred)
        log_p, rest = log(p), subtract(1, p)
    terms = where(equal(y_true, 0), 0, multiply(y_true, log_p))
    values = multiply(_focus(rest, gamma), terms)
    return negative(multiply(values, beside(astype(lift(alpha), y_pred.dtype), y_pred)))


@loss_constructor
def CategoricalFocalCrossentropy(
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
    reduction: Reduction = "mean",
    *,
    name: str | None = None,
) -> Loss:
    """`categorical_focal_crossentropy` with these options and this name."""
    return categorical_focal_crossentropy


def _focus(rest: Any, gamma: float) -> Any:
    """``rest^gamma`` of what is missing to a good prediction; the slope of a root ends where `rest` is 1e-7."""
    return power(clip(rest, 0 if gamma >= 1 else EPSILON), gamma)
