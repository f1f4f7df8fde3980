"""Losses of real-valued predictions."""

from __future__ import annotations

from typing import Any

from fnet.losses.define import define_loss
from fnet.ops.arithmetic import subtract
from fnet.ops.maths import absolute, squared_difference


@define_loss(per="element")
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((y - p)^2)`` over the last axis; y_true, y_pred: (B, ..., D) -> scalar.

    Source: Keras ``MeanSquaredError``.

    >>> mean_squared_error([[1.0, 2.0]], [[1.0, 4.0]])
    array(2.)
    """
    return squared_difference(y_pred, y_true)


@define_loss(per="element")
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """``mean(|y - p|)`` over the last axis; y_true, y_pred: (B, ..., D) -> scalar. The derivative at 0 is 0.

    Source: Keras ``MeanAbsoluteError``.

    >>> mean_absolute_error([[1.0, 2.0]], [[1.0, 4.0]])
    array(1.)
    """
    return absolute(subtract(y_true, y_pred))
