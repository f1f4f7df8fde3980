"""Losses: ``loss(y_true, y_pred, *, sample_weight=None, reduction="mean", ...)``, with Keras' names and formulas."""

from __future__ import annotations

from typing import Any

from fnet.errors import ValueRangeError, did_you_mean
from fnet.losses.crossentropy import binary_crossentropy as binary_crossentropy
from fnet.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from fnet.losses.crossentropy import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from fnet.losses.ctc import ctc as ctc
from fnet.losses.define import Loss as Loss
from fnet.losses.define import define_loss as define_loss
from fnet.losses.regression import mean_absolute_error as mean_absolute_error
from fnet.losses.regression import mean_squared_error as mean_squared_error

_NAMES: dict[Loss, str] = {
    mean_squared_error: "mean_squared_error mse MSE MeanSquaredError",
    mean_absolute_error: "mean_absolute_error mae MAE MeanAbsoluteError",
    binary_crossentropy: "binary_crossentropy bce BCE BinaryCrossentropy",
    categorical_crossentropy: "categorical_crossentropy CategoricalCrossentropy",
    sparse_categorical_crossentropy: "sparse_categorical_crossentropy SparseCategoricalCrossentropy",
    ctc: "ctc CTC",
}
LOSSES: dict[str, Loss] = {name: loss for loss, names in _NAMES.items() for name in names.split()}


def get(loss: str | Loss) -> Loss:
    """The loss of this name (Keras' names and aliases), or the callable itself.

    >>> get("mse") is mean_squared_error
    True

    Raises `ValueRangeError` for an unknown name. For options give a function: ``partial(loss, from_logits=True)``.
    """
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    if callable(loss):
        return loss
    raise unknown("loss", loss, LOSSES)


def unknown(kind: str, name: Any, known: Any) -> ValueRangeError:
    """The error for a name that is not in a table, with the nearest name that is."""
    return ValueRangeError(f"unknown {kind} {name!r}: expected a name or a function.{did_you_mean(name, known)}")


mse = mean_squared_error
mae = mean_absolute_error
