"""What does not count: what a mask or a weight of 0 leaves out has no influence, whatever it holds.

Its targets and predictions are replaced before the formula sees them, so that a NaN there reaches neither the value,
nor the gradient, nor a check.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.ops.arithmetic import logical_and, logical_or, not_equal, where
from fnet.ops.maths import isfinite
from fnet.ops.promotion import lift
from fnet.ops.shape import reshape
from fnet.transforms.operand import known_value
from fnet.transforms.primitive import spec_of

Shape = tuple[int, ...]


def counted(shape: Shape, axes: Sequence[int], mask: Any, sample_weight: Any) -> Any:
    """Which predictions count, of their rank and broadcasting to their `shape`; None where all do or nothing fits.

    axes: those of the predictions that the values of the loss keep, over which weights run. What does not fit is None
    here, and an error where the values are weighted.
    """
    return both(_by_mask(shape, len(axes), mask), _by_weight(shape, axes, sample_weight))


def _by_mask(shape: Shape, rank: int, mask: Any) -> Any:
    have = () if mask is None else spec_of(mask).shape
    if not have or len(have) > rank or have != shape[: len(have)] or _all(mask):
        return None
    return fitted(mask, len(shape))


def _by_weight(shape: Shape, axes: Sequence[int], sample_weight: Any) -> Any:
    if sample_weight is None:
        return None
    weights = lift(sample_weight)
    have = spec_of(weights).shape
    have = have[:-1] if len(have) == len(axes) + 1 and have[-1] == 1 else have
    if len(have) > len(axes) or any(n not in (1, shape[a]) for n, a in zip(have, axes, strict=False)) or _all(weights):
        return None
    spread = [1] * len(shape)
    for axis, n in zip(axes, have, strict=False):
        spread[axis] = n
    return reshape(not_equal(weights, 0), tuple(spread))


def _all(x: Any) -> bool:
    """Whether all elements are known not to be 0."""
    values = known_value(x)
    return values is not None and bool(np.all(values))


def fitted(counts: Any, rank: int) -> Any:
    """The same with another number of axes at the end, all of size 1; None where others would be lost."""
    shape = spec_of(counts).shape
    if math.prod(shape[rank:]) != 1:
        return None
    return reshape(counts, shape[:rank] + (1,) * (rank - len(shape)))


def without(counts: Any, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Targets 0 and predictions 1 in place of those that do not count: what every loss can take."""
    return _replaced(counts, y_true, 0), _replaced(counts, y_pred, 1)


def without_nonfinite(counts: Any, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """As `without`, but what is finite stays: for functions that may look at all samples at once."""

    def replaced(x: Any, value: int) -> Any:
        own = fitted(counts, spec_of(x).ndim) if spec_of(x).differentiable else None
        return x if own is None else where(logical_or(own, isfinite(x)), x, value)

    return replaced(y_true, 0), replaced(y_pred, 1)


def _replaced(counts: Any, x: Any, value: int) -> Any:
    own = None if x is None else fitted(counts, spec_of(x).ndim)
    return x if own is None else where(own, x, value)


def both(a: Any, b: Any) -> Any:
    """Where two conditions hold, each of which may be None."""
    if a is None or b is None:
        return b if a is None else a
    return logical_and(a, b)
