"""Checks of what metrics take: classes 0 and 1, labels of classes, probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fnet.errors import ValueRangeError
from fnet.losses.align import whole_labels
from fnet.losses.values import Options, OutputsCheck, Shape, in_unit_interval, sample_of


def zero_or_one(name: str, y_true: np.ndarray, shape: Shape, options: Options) -> None:
    """Refuse targets that are no class 0 or 1."""
    wrong = np.flatnonzero((y_true != 0) & (y_true != 1))
    if wrong.size:
        sample = sample_of(int(wrong[0]), y_true.shape)
        raise ValueRangeError(
            f"{name}: expected y_true of 0 and 1, received {y_true.flat[wrong[0]]:g} in sample {sample}. "
            f"Encode labels of several classes as one-hot rows; of real numbers take a metric like 'mae'."
        )


def classes_of_rows(name: str, y_true: np.ndarray, shape: Shape, options: Options) -> None:
    """Refuse labels that no row of the predictions has."""
    whole_labels(name, y_true, shape[-1])


def probabilities_at(thresholds: Sequence[float] | np.ndarray) -> OutputsCheck | None:
    """The check that predictions are in [0, 1]; None for the thresholds 0, which are those of logits."""
    if not np.any(np.asarray(thresholds) > 0):
        return None

    def check(name: str, y_pred: np.ndarray, options: Options) -> None:
        if y_pred.dtype.kind == "f":
            fix = "For logits give the threshold 0, or end the network with sigmoid."
            in_unit_interval(y_pred, f"{name}: expected probabilities in [0, 1]", fix)

    return check
