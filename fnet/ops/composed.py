"""Functions of NumPy and Keras that others make up, element by element."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.ops import maths, reduce
from fnet.ops.arithmetic import (
    add,
    divide,
    equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    no_booleans,
    remainder,
    subtract,
    where,
)
from fnet.ops.elementwise import elementwise
from fnet.ops.powers import logaddexp, power
from fnet.ops.promotion import lift, promote
from fnet.ops.shape import expand_dims, ravel, reshape
from fnet.transforms.operand import beside

_copysign = elementwise(
    "copysign", "copysign_{t}({0}, {1})", lambda g, y, a, b: multiply(g, multiply(maths.sign(a), copysign(1, b))), None
)


def copysign(a: Any, b: Any) -> Any:
    """The size of a with the sign of b, that of zeros and NaN, too."""
    return _copysign(*promote(a, b, floating=True))


def signbit(x: Any) -> Any:
    """True where x is negative, -0.0 among it."""
    x = lift(x)
    return less(copysign(1.0, x), 0) if x.dtype.kind == "f" else less(x, 0)


def fmod(a: Any, b: Any) -> Any:
    """The remainder of ``a / b`` with the sign of a, as C has it; `remainder` has that of b."""
    a, b = no_booleans(*promote(a, b))
    return multiply(maths.sign(a), remainder(maths.absolute(a), maths.absolute(b)))


def fmax(a: Any, b: Any) -> Any:
    """The larger one; where one is NaN, the other."""
    a, b = promote(a, b)
    return where(maths.isnan(a), b, where(maths.isnan(b), a, maximum(a, b)))


def fmin(a: Any, b: Any) -> Any:
    """The smaller one; where one is NaN, the other."""
    a, b = promote(a, b)
    return where(maths.isnan(a), b, where(maths.isnan(b), a, minimum(a, b)))


def heaviside(x: Any, at_zero: Any) -> Any:
    """0 below zero, 1 above, `at_zero` at zero; NaN stays."""
    x, at_zero = promote(x, at_zero, floating=True)
    return where(equal(x, 0), at_zero, multiply(add(maths.sign(x), 1), 0.5))


def exp2(x: Any) -> Any:
    """``2^x``."""
    (x,) = promote(x, floating=True)
    return power(np.asarray(2, x.dtype), x)


def logaddexp2(a: Any, b: Any) -> Any:
    """``log2(2^a + 2^b)`` without overflow."""
    a, b = (multiply(x, math.log(2)) for x in promote(a, b, floating=True))
    return multiply(logaddexp(a, b), 1 / math.log(2))


def deg2rad(x: Any) -> Any:
    """Degrees in radians."""
    (x,) = promote(x, floating=True)
    return multiply(x, math.pi / 180)


def rad2deg(x: Any) -> Any:
    """Radians in degrees."""
    (x,) = promote(x, floating=True)
    return multiply(x, 180 / math.pi)


def sinc(x: Any) -> Any:
    """``sin(pi x) / (pi x)``, 1 at 0."""
    (x,) = promote(x, floating=True)
    turned = multiply(x, math.pi)
    at_zero = equal(turned, 0)
    return where(at_zero, 1, divide(maths.sin(turned), where(at_zero, 1, turned)))


def select(conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0) -> Any:
    """The choice of the first condition that is true, or the default.

    >>> select([np.array([True, False])], [np.array([1.0, 1.0])], 5.0)
    array([1., 5.])
    """
    if len(conditions) != len(choices) or not conditions:
        raise ShapeError(f"select: expected a choice for each condition, received {len(conditions)}, {len(choices)}.")
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        default = where(condition, choice, default)
    return default


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """``|a - b| <= atol + rtol |b|``, or both are the same infinity, or by `equal_nan` both NaN."""
    a, b = promote(a, b, floating=True)
    within = less_equal(maths.absolute(subtract(a, b)), add(atol, multiply(maths.absolute(b), rtol)))
    close = logical_or(equal(a, b), logical_and(maths.isfinite(b), within))
    return logical_or(close, logical_and(maths.isnan(a), maths.isnan(b))) if equal_nan else close


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether all elements are close (`isclose`)."""
    return reduce.all(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a: Any, b: Any) -> Any:
    """Whether shapes and all elements are equal."""
    a, b = lift(a), lift(b)
    return reduce.all(equal(a, b)) if a.shape == b.shape else np.False_


def isin(x: Any, values: Any, invert: bool = False) -> Any:
    """True for each element that is among the values; each is compared with all of them."""
    x, values = lift(x), beside(lift(values), x)
    found = reduce.any(equal(expand_dims(x, -1), reshape(ravel(values), (1,) * x.ndim + (-1,))), -1)
    return logical_not(found) if invert else found


def isposinf(x: Any) -> Any:
    """True where x is the infinity above zero."""
    return equal(x, np.inf)


def isneginf(x: Any) -> Any:
    """True where x is the infinity below zero."""
    return equal(x, -np.inf)


def divide_no_nan(a: Any, b: Any) -> Any:
    """``a / b``, 0 where b is 0 (Keras, TensorFlow)."""
    a, b = promote(a, b, floating=True)
    at_zero = equal(b, 0)
    return where(at_zero, 0, divide(a, where(at_zero, 1, b)))
