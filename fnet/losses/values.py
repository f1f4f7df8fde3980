"""Checks of the values of targets and predictions, wherever these are known: eagerly, and in a derivative."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fnet.errors import ValueRangeError
from fnet.transforms.operand import known_value

EPSILON = 1e-7
"""Keras' ``epsilon()``: what probabilities are kept away from 0 and 1, and divisors from 0."""
Shape = tuple[int, ...]
Options = Mapping[str, Any]
TargetsCheck = Callable[[str, np.ndarray, Shape, Options], None]
"""``check(name, y_true, shape of y_pred, options)`` raises an error for targets that the loss cannot take."""
OutputsCheck = Callable[[str, np.ndarray, Options], None]
"""``check(name, y_pred, options)`` raises an error for predictions that the loss cannot take."""
# A softmax may exceed 1 by rounding; a forgotten one exceeds it by far.
_SLACK = 1e-5


def sample_of(position: int, shape: tuple[int, ...]) -> int:
    """The index on the batch axis of an element given by its position in the flattened array."""
    return position // max(math.prod(shape[1:]), 1)


def require_whole(name: str, labels: Any, fix: str = "") -> None:
    """Raise a `ValueRangeError` naming the first sample whose label has a fraction, with what to do about it."""
    values = known_value(labels)
    if values is None or values.dtype.kind != "f":
        return
    wrong = np.flatnonzero(values != np.trunc(values))
    if wrong.size:
        sample = sample_of(int(wrong[0]), values.shape)
        raise ValueRangeError(
            f"{name}: labels must be whole numbers, received {values.flat[wrong[0]]} in sample {sample}. "
            f"{fix or 'Convert them to integers.'}"
        )


def in_unit_interval(x: Any, expected: str, fix: str) -> Any:
    """`x` itself; NaN passes, to show in the loss. Else raise ``"{expected}, received ... in sample ... {fix}"``."""
    values = known_value(x)
    if values is not None and values.size and (values.min() < -_SLACK or not values.max() <= 1 + _SLACK):
        wrong = np.flatnonzero((values < -_SLACK) | (values > 1 + _SLACK))
        if wrong.size:
            sample = sample_of(int(wrong[0]), values.shape)
            raise ValueRangeError(f"{expected}, received {values.flat[wrong[0]]} in sample {sample}. {fix}")
    return x


def probabilities(name: str, y_pred: Any, activation: str) -> Any:
    """`y_pred` itself, checked to be in [0, 1]; `activation` is what the error advises."""
    fix = f"For raw scores pass from_logits=True, or end the network with {activation}."
    return in_unit_interval(y_pred, f"{name}: expected probabilities in [0, 1]", fix)


def unit_targets(name: str, y_true: np.ndarray, shape: Shape, options: Options) -> None:
    """Refuse targets outside [0, 1]."""
    in_unit_interval(y_true, f"{name}: expected y_true in [0, 1]", "Encode the classes as 0 and 1.")


def outputs_of(activation: str) -> OutputsCheck:
    """The check that predictions are what this activation gives, unless they are logits."""

    def check(name: str, y_pred: np.ndarray, options: Options) -> None:
        if not options.get("from_logits"):
            probabilities(name, y_pred, activation)

    return check
