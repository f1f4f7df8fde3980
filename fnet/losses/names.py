"""Losses by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fnet.losses.define import LOSSES, MADE_BY, Loss, from_function, takes_weights

LossLike = str | Callable[..., Any]
"""What `get` takes for a loss."""


def get(loss: LossLike) -> Callable[..., Any]:
    """The loss of this name (Keras' names and aliases); a `Loss` or another function with sample weights itself.

    A plain function ``f(y_true, y_pred) -> values`` becomes a `Loss`, with weights, masks and reductions; a constructor
    (``losses.Huber``) gives the loss with its defaults.

    >>> from fnet import losses
    >>> losses.get("mse") is losses.mean_squared_error
    True

    Raises `ValueRangeError` for an unknown name. For options give a configured loss: ``losses.Huber(delta=2.0)``.
    """
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    if callable(loss):
        if isinstance(loss, Loss):
            return loss
        configured = next((of for make, of in MADE_BY.items() if make is loss), None)
        return configured or (loss if takes_weights(loss) else from_function(loss))
    raise LOSSES.unknown(loss)


def as_loss(loss: Any) -> Loss | None:
    """The `Loss` behind a function that `get` gives, with the options of a `functools.partial`; None behind others."""
    if isinstance(loss, functools.partial) and isinstance(loss.func, Loss) and not loss.args:
        return loss.func.configured(**loss.keywords)
    return loss if isinstance(loss, Loss) else None
