"""Losses of a margin between classes, from raw scores."""

from __future__ import annotations

from typing import Any

from fnet.losses.define import LOSSES, Loss, define_loss, loss_constructor
from fnet.losses.rule import Reduction
from fnet.ops.arithmetic import equal, logical_or, maximum, multiply, subtract, where
from fnet.ops.maths import relu, square
from fnet.ops.reduce import all, max
from fnet.ops.summation import sum


@LOSSES.named()
@define_loss("Hinge", per="element")
def hinge(y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean") -> Any:
    """``mean(max(1 - y p, 0))`` over the last axis; y_true: (B, ..., D) of -1 and 1, or of 0 and 1 -> scalar.

    y_pred: scores like y_true, positive for class 1. Where all targets of a batch are 0 or 1 they are taken as
    ``2 y - 1``. Source: Keras ``Hinge``.

    >>> hinge([[1.0, 0.0]], [[2.0, 0.5]])  # (0 + 1.5) / 2
    array(0.75)
    """
    return relu(subtract(1, multiply(_signs(y_true), y_pred)))


@loss_constructor
def Hinge(reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`hinge` with these options and this name."""
    return hinge


@LOSSES.named()
@define_loss("SquaredHinge", per="element")
def squared_hinge(y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean") -> Any:
    """``mean(max(1 - y p, 0)^2)`` over the last axis; y_true, y_pred: (B, ..., D), as in `hinge` -> scalar.

    Source: Keras ``SquaredHinge``.

    >>> squared_hinge([[1.0, 0.0]], [[2.0, 0.5]])
    array(1.125)
    """
    return square(relu(subtract(1, multiply(_signs(y_true), y_pred))))


@loss_constructor
def SquaredHinge(reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`squared_hinge` with these options and this name."""
    return squared_hinge


@LOSSES.named()
@define_loss("CategoricalHinge", per="row")
def categorical_hinge(y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean") -> Any:
    """``max(max_j((1 - y_j) p_j) - sum(y p) + 1, 0)``: the class before the best other one; -> scalar.

    y_true: (B, ..., C) one-hot, y_pred: (B, ..., C) scores. Source: Keras ``CategoricalHinge``.

    >>> categorical_hinge([[0.0, 1.0]], [[2.0, 2.5]])
    array(0.5)
    """
    other = max(multiply(subtract(1, y_true), y_pred), axis=-1)
    own = sum(multiply(y_true, y_pred), axis=-1)
    return maximum(other - own + 1, 0)


@loss_constructor
def CategoricalHinge(reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`categorical_hinge` with these options and this name."""
    return categorical_hinge


def _signs(y_true: Any) -> Any:
    """Targets of 0 and 1 as -1 and 1; others as they are."""
    if not y_true.size:
        return y_true
    binary = all(logical_or(equal(y_true, 0), equal(y_true, 1)))
    return where(binary, y_true * 2 - 1, y_true)
