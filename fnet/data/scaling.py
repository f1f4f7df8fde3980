"""Scales of columns, learned from training data and applied to any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.arguments import number
from fnet.data.frames import as_plain, frame_array, is_frame
from fnet.errors import ShapeError, ValueRangeError


@dataclass(frozen=True, eq=False)
class Scaler:
    """The map ``(x - shift) / scale`` of each column, a function of arrays (n, ...) with the axes of `shift`."""

    shift: np.ndarray
    scale: np.ndarray

    def __call__(self, x: Any) -> np.ndarray:
        """The scaled array, of the dtype of `x` if that is a float, else float32."""
        given = self._checked(x)
        return ((given - self.shift) / self.scale).astype(_floating(given))

    def inverse(self, x: Any) -> np.ndarray:
        """What was scaled to `x`."""
        given = self._checked(x)
        return (given * self.scale + self.shift).astype(_floating(given))

    def _checked(self, x: Any) -> np.ndarray:
        given = as_plain(x)
        if given.shape[1:] != self.shift.shape:
            raise ShapeError(f"Scaler: expected an array (n, *{self.shift.shape}), received {given.shape}.")
        return given


def standardise(x: Any) -> Scaler:
    """The scaler by which each column of `x` has mean 0 and standard deviation 1; a constant column becomes 0.

    x: the training data (n, ...). Source: scikit-learn ``StandardScaler``.

    >>> scaler = standardise([[1.0, 5.0], [3.0, 5.0]])
    >>> scaler([[2.0, 5.0], [5.0, 6.0]])
    array([[0., 0.],
           [3., 1.]])
    """
    values = _values("standardise", x)
    deviation = values.std(axis=0)
    return Scaler(values.mean(axis=0), np.where(np.ptp(values, axis=0) == 0, 1.0, deviation))


def min_max(x: Any, low: float = 0.0, high: float = 1.0) -> Scaler:
    """The scaler by which the numbers of each column of `x` go from `low` to `high`; a constant column becomes `low`.

    x: the training data (n, ...). Source: scikit-learn ``MinMaxScaler``.

    >>> min_max([[1.0], [3.0]])([[2.0]])
    array([[0.5]])
    """
    if not number("min_max", "low", low) < number("min_max", "high", high):
        raise ValueRangeError(f"min_max: expected low < high, received low={low} and high={high}.")
    values = _values("min_max", x)
    least, extent = values.min(axis=0), np.ptp(values, axis=0)
    scale = np.where(extent == 0, 1.0, extent) / (high - low)
    return Scaler(least - low * scale, scale)


def _values(who: str, x: Any) -> np.ndarray:
    values = np.asarray(frame_array(f"{who}: x", x) if is_frame(x) else x, dtype="float64")
    if values.ndim == 0 or not len(values):
        raise ShapeError(f"{who}: x is an array of at least one sample, received the shape {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueRangeError(f"{who}: x holds NaN or infinities. Leave those samples out, or fill them in.")
    return values


def _floating(x: np.ndarray) -> np.dtype:
    return x.dtype if x.dtype.kind == "f" else np.dtype("float32")
