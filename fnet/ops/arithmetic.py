"""Arithmetic, comparisons and selection: operations of two or more operands, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.ops.elementwise import BOOL, elementwise
from fnet.ops.promotion import astype, lift, promote, to_bool
from fnet.transforms.arithmetic import provide
from fnet.transforms.primitive import spec_of
from fnet.transforms.tracer import Tracer

_add = provide(elementwise("add", "{0} + {1}", lambda g, y, a, b: g, lambda g, y, a, b: g))
_subtract = elementwise("subtract", "{0} - {1}", lambda g, y, a, b: g, lambda g, y, a, b: negative(g))
_multiply = elementwise("multiply", "{0} * {1}", lambda g, y, a, b: _multiply(g, b), lambda g, y, a, b: _multiply(g, a))
_divide = elementwise(
    "divide",
    "{0} / {1}",
    lambda g, y, a, b: _divide(g, b),
    lambda g, y, a, b: negative(_divide(_multiply(g, y), b)),
)
_power = elementwise(
    "power",
    "power_{t}({0}, {1})",
    lambda g, y, a, b: _multiply(g, _multiply(b, _power(a, where(equal(b, 0), b, subtract(b, 1))))),
    lambda g, y, a, b: _multiply(g, _multiply(y, _log_or_zero(a))),
)
_integer_power = elementwise("power", "{0} ** {1}")
_floor_divide = elementwise("floor_divide", "{0} // {1}", lambda g, y, a, b: multiply(g, 0), None)
_remainder = elementwise(
    "remainder", "{0} % {1}", lambda g, y, a, b: g, lambda g, y, a, b: negative(_multiply(g, _floor_divide(a, b)))
)
_maximum = elementwise(
    "maximum",
    "maximum_{t}({0}, {1})",
    lambda g, y, a, b: _multiply(g, _share(a, b, y)),
    lambda g, y, a, b: _multiply(g, _share(b, a, y)),
)
_minimum = elementwise(
    "minimum",
    "minimum_{t}({0}, {1})",
    lambda g, y, a, b: _multiply(g, _share(a, b, y)),
    lambda g, y, a, b: _multiply(g, _share(b, a, y)),
)
_integer_maximum = elementwise("maximum", "max({0}, {1})")
_integer_minimum = elementwise("minimum", "min({0}, {1})")
_logaddexp = elementwise(
    "logaddexp",
    "logaddexp_{t}({0}, {1})",
    lambda g, y, a, b: _multiply(g, _weight(a, b)),
    lambda g, y, a, b: _multiply(g, _weight(b, a)),
)
_negative = elementwise("negative", "-{0}", lambda g, y, x: _negative(g))
_select = elementwise(
    "where",
    "({1} if {0} else {2})",
    None,
    lambda g, y, c, a, b: _select(c, g, zeros_of(g)),
    lambda g, y, c, a, b: _select(c, zeros_of(g), g),
)
_stop_gradient = elementwise("stop_gradient", "{0}", None)
_comparisons = {
    name: elementwise(name, f"{{0}} {sign} {{1}}", dtype=BOOL)
    for name, sign in {
        "equal": "==",
        "not_equal": "!=",
        "less": "<",
        "less_equal": "<=",
        "greater": ">",
        "greater_equal": ">=",
    }.items()
}
_and = elementwise("logical_and", "{0} and {1}", dtype=BOOL)
_or = elementwise("logical_or", "{0} or {1}", dtype=BOOL)
_not = elementwise("logical_not", "not {0}", dtype=BOOL)


def _weight(a: Any, b: Any) -> Any:
    """``e^a / (e^a + e^b)``; 1/2 where both are the same infinity."""
    from fnet.ops.maths import isinf, sigmoid

    same = logical_and(equal(a, b), isinf(a))
    return where(same, 0.5, sigmoid(_subtract(where(same, 0, a), where(same, 0, b))))


def _log_or_zero(a: Any) -> Any:
    """log a where a > 0, else 0: the derivative of a**b in b at a = 0 is taken as 0."""
    from fnet.ops.maths import log

    positive = greater(a, 0)
    return where(positive, log(where(positive, a, 1)), 0)


def _share(mine: Any, other: Any, y: Any) -> Any:
    """The part of a maximum's (minimum's) cotangent that is this operand's: 1, 0, or 1/2 in a tie; NaN counts all."""
    won = astype(logical_or(equal(mine, y), not_equal(mine, mine)), spec_of(y).dtype)
    tied = astype(equal(mine, other), spec_of(y).dtype)
    return _multiply(won, subtract(1, multiply(tied, 0.5)))


def zeros_of(x: Any) -> np.ndarray:
    """A scalar zero of the dtype of `x`, to broadcast against it."""
    return np.zeros((), spec_of(x).dtype)


def add(a: Any, b: Any) -> Any:
    """``a + b``, broadcast as NumPy does.

    >>> import numpy as np
    >>> add(np.array([1.0, 2.0]), 1)
    array([2., 3.])
    """
    return _add(*promote(a, b))


def subtract(a: Any, b: Any) -> Any:
    """``a - b``."""
    return _subtract(*promote(a, b))


def multiply(a: Any, b: Any) -> Any:
    """``a * b``."""
    return _multiply(*promote(a, b))


def divide(a: Any, b: Any) -> Any:
    """``a / b``, always floating; a division by zero gives Inf or NaN."""
    return _divide(*promote(a, b, floating=True))


def floor_divide(a: Any, b: Any) -> Any:
    """``floor(a / b)``; its derivative is taken as 0."""
    return _floor_divide(*promote(a, b))


def remainder(a: Any, b: Any) -> Any:
    """``a - b * floor(a / b)``, with the sign of `b`."""
    return _remainder(*promote(a, b))


def negative(x: Any) -> Any:
    """``-x``."""
    return _negative(lift(x))


def power(a: Any, b: Any) -> Any:
    """``a ** b``; the exponents 0.5, 1, 2, 3 and -1 given as Python numbers use cheaper forms."""
    from fnet.ops.maths import reciprocal, sqrt, square

    if isinstance(b, int | float) and not isinstance(b, np.generic) and spec_of(a).differentiable:
        if b == 2:
            return square(a)
        if b == 3:
            return multiply(a, square(a))
        if b == 1:
            return lift(a)
        if b == 0.5:
            return sqrt(a)
        if b == -1:
            return reciprocal(a)
    base, exponent = promote(a, b)
    return (_power if spec_of(base).differentiable else _integer_power)(base, exponent)


def maximum(a: Any, b: Any) -> Any:
    """The larger of `a` and `b`; NaN where either is NaN. In a tie each operand gets half of the cotangent."""
    x, y = promote(a, b)
    return (_maximum if spec_of(x).differentiable else _integer_maximum)(x, y)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of `a` and `b`; NaN where either is NaN. In a tie each operand gets half of the cotangent."""
    x, y = promote(a, b)
    return (_minimum if spec_of(x).differentiable else _integer_minimum)(x, y)


def stop_gradient(x: Any) -> Any:
    """`x` itself, as a constant for differentiation.

    >>> import numpy as np, fnet
    >>> fnet.grad(lambda x: x * stop_gradient(x))(np.array(3.0))
    array(3.)
    """
    return _stop_gradient(lift(x))


def clip(x: Any, low: Any = None, high: Any = None) -> Any:
    """``min(max(x, low), high)``; None leaves that side open. The derivative is 1 inside, 0 outside.

    >>> import numpy as np
    >>> clip(np.array([-1.0, 0.5, 7.0]), 0, 1)
    array([0. , 0.5, 1. ])
    """
    out = lift(x)
    if low is not None:
        out = where(less(out, low), low, out)
    if high is not None:
        out = where(greater(out, high), high, out)
    return out


def logaddexp(a: Any, b: Any) -> Any:
    """``log(e^a + e^b)`` without overflow."""
    return _logaddexp(*promote(a, b, floating=True))


def where(condition: Any, a: Any, b: Any) -> Any:
    """`a` where `condition`, else `b`, broadcast together.

    >>> import numpy as np
    >>> where(np.array([True, False]), 1.0, np.zeros(2))
    array([1., 0.])
    """
    x, y = promote(a, b)
    return _select(_truth(condition), x, y)


def equal(a: Any, b: Any) -> Any:
    """``a == b``."""
    return _comparisons["equal"](*promote(a, b))


def not_equal(a: Any, b: Any) -> Any:
    """``a != b``."""
    return _comparisons["not_equal"](*promote(a, b))


def less(a: Any, b: Any) -> Any:
    """``a < b``."""
    return _comparisons["less"](*promote(a, b))


def less_equal(a: Any, b: Any) -> Any:
    """``a <= b``."""
    return _comparisons["less_equal"](*promote(a, b))


def greater(a: Any, b: Any) -> Any:
    """``a > b``."""
    return _comparisons["greater"](*promote(a, b))


def greater_equal(a: Any, b: Any) -> Any:
    """``a >= b``."""
    return _comparisons["greater_equal"](*promote(a, b))


def logical_and(a: Any, b: Any) -> Any:
    """Both true (not zero)."""
    return _and(_truth(a), _truth(b))


def logical_or(a: Any, b: Any) -> Any:
    """Either true (not zero)."""
    return _or(_truth(a), _truth(b))


def logical_not(x: Any) -> Any:
    """Not true (zero)."""
    return _not(_truth(x))


def _truth(x: Any) -> Any:
    value = lift(x)
    if isinstance(value, Tracer):
        return value if value.dtype == BOOL else to_bool(value)
    return value if value.dtype == BOOL else value != 0
