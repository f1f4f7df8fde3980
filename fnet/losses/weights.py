"""Weights of samples from weights of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fnet.arguments import is_integer, is_number
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.losses.values import sample_of
from fnet.ops.arithmetic import greater_equal, less_equal, logical_and, where
from fnet.ops.index import take
from fnet.ops.maths import round
from fnet.ops.promotion import astype, lift
from fnet.ops.reduce import argmax
from fnet.ops.shape import reshape, squeeze
from fnet.transforms.operand import known_value
from fnet.transforms.primitive import spec_of

_ROUNDING = 1e-4
_LARGEST_CLASS = 2**24
"""The table of weights has a place for every class, so a code far from the others would take all memory."""


def class_weights(class_weight: Mapping[int, float], y_true: Any) -> Any:
    """The weight of each sample: that of its class, or 1 where `class_weight` does not name the class.

    class_weight: ``{class: weight}``; y_true: labels (B, ...) or (B, ..., 1), or one-hot rows or distributions
    (B, ..., C) -> (B, ...) float64. Rows of integers that are not one-hot are labels, one for each step; under jit,
    where values are not known, rows of floats are one-hot and rows of integers refused.
    Raises `ValueRangeError` for a class that is no whole number of at most 2**24, for a weight below 0, and for targets
    that do not belong to one class each: fractions, and rows of 0 and 1 with none or several 1s.
    Source: Keras ``class_weight`` of ``fit``, which takes the largest element of any row.

    >>> class_weights({0: 0.5, 2: 4.0}, [0, 1, 2])
    array([0.5, 1. , 4. ])
    >>> class_weights({0: 0.5, 2: 4.0}, [[0, 1], [2, 2]])
    array([[0.5, 1. ],
           [4. , 4. ]])
    """
    if not isinstance(class_weight, Mapping):
        raise StructureError(
            f"class_weight: expected a dict of weights by class such as {{0: 1.0, 1: 5.0}}, received a "
            f"{type(class_weight).__name__}."
        )
    for label, weight in class_weight.items():
        if not is_integer(label):
            raise ValueRangeError(f"class_weight: expected whole numbers as classes, received {label!r}.")
        if abs(label) > _LARGEST_CLASS:
            raise ValueRangeError(f"class_weight: expected classes of at most {_LARGEST_CLASS}, received {label}.")
        if not (is_number(weight) and 0 <= weight < np.inf):
            raise ValueRangeError(
                f"class_weight: expected weights of at least 0, received {weight!r} for class {label}."
            )
    y_true = lift(y_true)
    shape = spec_of(y_true).shape
    if not shape:
        raise ShapeError("class_weight: expected targets with a batch axis, received a scalar.")
    if len(shape) > 1 and shape[-1] == 1:
        y_true = squeeze(y_true, -1)
    elif len(shape) > 1 and _are_classes(y_true):
        y_true = argmax(y_true, axis=-1)
    values = known_value(y_true)
    if values is not None and values.dtype.kind == "f" and np.any(wrong := values != np.trunc(values)):
        position = int(np.argmax(wrong))
        raise ValueRangeError(
            f"class_weight: expected the class of each target, received {values.flat[position]:g} in sample "
            f"{sample_of(position, values.shape)}. For regression give sample_weight, one number for each sample."
        )
    return _looked_up(class_weight, astype(round(y_true), np.int64))


def _are_classes(y_true: Any) -> bool:
    """Whether rows are one-hot or distributions, not labels of steps; refuses those that may be several labels."""
    rows, spec = known_value(y_true), spec_of(y_true)
    if rows is None:
        if spec.differentiable:
            return True
        raise ValueRangeError(
            f"class_weight: under jit integers {spec.shape} may be one-hot or labels of steps. "
            f"Pass labels as y_true[..., None], or one-hot rows as floats."
        )
    sums = rows.sum(axis=-1, dtype=np.float64)
    if rows.size and np.all(rows >= 0) and np.all(abs(sums - 1) < _ROUNDING):
        return True
    if np.all((rows == 0) | (rows == 1)) and rows.size:
        raise ValueRangeError(
            f"class_weight: rows of 0 and 1 with none or several 1s, first in sample "
            f"{sample_of(int(np.argmax(sums != 1)), sums.shape)}, belong to no class or to several. "
            f"Give sample_weight for several labels, or y_true[..., None] for a label 0 or 1 of each step."
        )
    return False


def _looked_up(class_weight: Mapping[int, float], labels: Any) -> Any:
    """The weight of each label, by a table from the smallest class to the largest, with 1 for all others at its end."""
    first, last = min(class_weight, default=0), max(class_weight, default=0)
    table = np.array([class_weight.get(label, 1.0) for label in range(first, last + 1)] + [1.0])
    inside = logical_and(greater_equal(labels, first), less_equal(labels, last))
    position = where(inside, labels - first, len(table) - 1)
    return reshape(take(table, reshape(position, (-1,))), spec_of(labels).shape)
