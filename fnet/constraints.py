"""Projections of parameters, done after each update: a constraint is a function ``w -> w``.

Layers take one, or its name, as ``kernel_constraint=`` and the like; `fnet.constrain` applies those of a network.
Norms are over `axis`, 0 by default: of the weights that lead to one unit of a kernel (D, units).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import ops
from fnet.arguments import not_negative
from fnet.configured import configurable
from fnet.names import Names, snake_case

Constraint = Callable[[Any], Any]
ConstraintLike = str | Callable[..., Any] | None
"""What `get` takes for a constraint."""
Axis = int | tuple[int, ...]
EPSILON = 1e-7
CONSTRAINTS: Names[Callable[..., Constraint]] = Names("constraint", spelling=snake_case)


@CONSTRAINTS.named()
@configurable
def max_norm(max_value: float = 2.0, axis: Axis = 0) -> Constraint:
    """``w min(n, max_value) / (epsilon + n)`` with n the Euclidean norm over `axis`. Source: Keras ``MaxNorm``.

    >>> import numpy as np
    >>> max_norm(1.0)(np.array([[3.0], [4.0]])).round(3)
    array([[0.6],
           [0.8]])
    """
    not_negative("max_norm", "max_value", max_value)

    def constrain(w: Any) -> Any:
        norm = _norm(w, axis)
        return w * (ops.clip(norm, 0.0, float(max_value)) / (norm + EPSILON))

    return constrain


@CONSTRAINTS.named()
@configurable
def non_neg() -> Constraint:
    """``max(w, 0)``. Source: Keras ``NonNeg``."""
    return lambda w: ops.maximum(w, 0.0)


@CONSTRAINTS.named()
@configurable
def unit_norm(axis: Axis = 0) -> Constraint:
    """``w / (epsilon + n)`` with n the Euclidean norm over `axis`. Source: Keras ``UnitNorm``."""
    return lambda w: w / (_norm(w, axis) + EPSILON)


@CONSTRAINTS.named()
@configurable
def min_max_norm(min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0) -> Constraint:
    """``w (rate clip(n, min_value, max_value) + (1 - rate) n) / (epsilon + n)``. Source: Keras ``MinMaxNorm``."""
    not_negative("min_max_norm", "min_value", min_value)
    not_negative("min_max_norm", "max_value", max_value)
    not_negative("min_max_norm", "rate", rate)

    def constrain(w: Any) -> Any:
        norm = _norm(w, axis)
        wanted = ops.clip(norm, float(min_value), float(max_value)) * float(rate) + norm * float(1 - rate)
        return w * (wanted / (norm + EPSILON))

    return constrain


MaxNorm, NonNeg, UnitNorm, MinMaxNorm = max_norm, non_neg, unit_norm, min_max_norm


def get(constraint: ConstraintLike) -> Constraint | None:
    """The constraint meant by a name (``"non_neg"``, ``"MaxNorm"``), a function, or None.

    Raises `ValueRangeError` for an unknown name, `DtypeError` for anything else.

    >>> get("UnitNorm")
    unit_norm(axis=0)
    """
    if constraint is None:
        return None
    return CONSTRAINTS.meant(constraint, "a function of a parameter or None")


def _norm(w: Any, axis: Axis) -> Any:
    axes = tuple(axis) if isinstance(axis, list) else axis
    return ops.sqrt(ops.sum(ops.square(w), axis=axes, keepdims=True))
