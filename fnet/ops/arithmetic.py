"""Arithmetic, comparisons and selection: operations of two or more operands, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.errors import DtypeError
from fnet.ops.elementwise import BOOL, elementwise
from fnet.ops.promotion import astype, is_python_number, lift, promote, to_bool
from fnet.transforms import linear_maps
from fnet.transforms.operand import is_known, is_weak
from fnet.transforms.primitive import spec_of

_subtract = elementwise("subtract", "{0} - {1}", lambda g, y, a, b: g, lambda g, y, a, b: negative(g))
_multiply = elementwise("multiply", "{0} * {1}", lambda g, y, a, b: _multiply(g, b), lambda g, y, a, b: _multiply(g, a))
_divide = elementwise(
    "divide",
    "{0} / {1}",
    lambda g, y, a, b: _divide(g, b),
    lambda g, y, a, b: negative(_divide(_multiply(g, y), b)),
)
_signed_floor_divide = elementwise(
    "signed_floor_divide", "floor_divide_i64(np.int64({0}), np.int64({1}))", operation="floor_divide"
)
_signed_remainder = elementwise(
    "signed_remainder", "remainder_i64(np.int64({0}), np.int64({1}))", operation="remainder"
)
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
_integer_maximum = elementwise("integer_maximum", "max({0}, {1})", operation="maximum")
_integer_minimum = elementwise("integer_minimum", "min({0}, {1})", operation="minimum")
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


def _share(mine: Any, other: Any, y: Any) -> Any:
    """The part of a maximum's (minimum's) cotangent that is this operand's: 1, 0, or 1/2 in a tie; NaN counts all."""
    won = astype(logical_or(equal(mine, y), not_equal(mine, mine)), y.dtype)
    tied = astype(equal(mine, other), y.dtype)
    return _multiply(won, subtract(1, multiply(tied, 0.5)))


def zeros_of(x: Any) -> np.ndarray:
    """A scalar zero of the dtype of `x`, to broadcast against it."""
    return np.zeros((), x.dtype)


def add(a: Any, b: Any) -> Any:
    """``a + b``, broadcast as NumPy does.

    >>> import numpy as np
    >>> add(np.array([1.0, 2.0]), 1)
    array([2., 3.])
    """
    return linear_maps.add(*promote(a, b))


def subtract(a: Any, b: Any) -> Any:
    """``a - b``; booleans have no difference and raise `DtypeError`."""
    x, y = promote(a, b)
    if x.dtype == BOOL:
        raise DtypeError("subtract: booleans have no difference. Use fnet.ops.not_equal, or .astype('int8') first.")
    return _subtract(x, y)


def multiply(a: Any, b: Any) -> Any:
    """``a * b``."""
    return _multiply(*promote(a, b))


def divide(a: Any, b: Any) -> Any:
    """``a / b``, always floating; a division by zero gives Inf or NaN."""
    return _divide(*promote(a, b, floating=True))


def floor_divide(a: Any, b: Any) -> Any:
    """``floor(a / b)``, 0 where integers are divided by 0; its derivative is taken as 0."""
    x, y = no_booleans(*promote(a, b))
    return (_signed_floor_divide if x.dtype.kind == "i" else _floor_divide)(x, y)


def remainder(a: Any, b: Any) -> Any:
    """``a - b * floor(a / b)``, with the sign of `b`; 0 where integers are divided by 0."""
    x, y = no_booleans(*promote(a, b))
    return (_signed_remainder if x.dtype.kind == "i" else _remainder)(x, y)


def negative(x: Any) -> Any:
    """``-x``; booleans have no sign and raise `DtypeError`."""
    x = lift(x)
    if x.dtype == BOOL:
        raise DtypeError("negative: booleans have no sign. Use fnet.ops.logical_not, or .astype('int8') first.")
    return _negative(x)


def no_booleans(*operands: Any) -> list[Any]:
    """Booleans as int8, in which NumPy divides them and raises them to powers."""
    return [astype(x, np.int8) if x.dtype == BOOL else x for x in operands]


def maximum(a: Any, b: Any) -> Any:
    """The larger of `a` and `b`; NaN where either is NaN. In a tie each operand gets half of the cotangent."""
    x, y = promote(a, b)
    return (_maximum if x.dtype.kind == "f" else _integer_maximum)(x, y)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of `a` and `b`; NaN where either is NaN. In a tie each operand gets half of the cotangent."""
    x, y = promote(a, b)
    return (_minimum if x.dtype.kind == "f" else _integer_minimum)(x, y)


def stop_gradient(x: Any) -> Any:
    """`x` itself, as a constant for differentiation.

    >>> import numpy as np, fnet
    >>> fnet.grad(lambda x: x * stop_gradient(x))(np.array(3.0))
    array(3.)
    """
    return _stop_gradient(lift(x))


def clip(x: Any, low: Any = None, high: Any = None) -> Any:
    """``min(max(x, low), high)``; None leaves that side open, NaN gives NaN. The derivative is 1 inside, 0 outside.

    A Python integer that no element can be beyond leaves its side open, too.

    >>> import numpy as np
    >>> clip(np.array([-1.0, 0.5, 7.0]), 0, 1)
    array([0. , 0.5, 1. ])
    """
    out = lift(x)
    if type(low) is int and _or_infinite(low, out) == -math.inf:
        low = None
    if type(high) is int and _or_infinite(high, out) == math.inf:
        high = None
    if low is not None:
        out = where(_or_nan(less(out, low), low), low, out)
    if high is not None:
        out = where(_or_nan(greater(out, high), high), high, out)
    return out


def _or_nan(beyond: Any, bound: Any) -> Any:
    """Where an element is beyond a bound, or the bound is NaN, which is what it gives then."""
    if is_known(bound) and not np.any(np.not_equal(bound, bound)):
        return beyond
    return logical_or(beyond, not_equal(bound, bound)) if lift(bound).dtype.kind == "f" else beyond


def where(condition: Any, a: Any, b: Any) -> Any:
    """`a` where `condition`, else `b`, broadcast together.

    >>> import numpy as np
    >>> where(np.array([True, False]), 1.0, np.zeros(2))
    array([1., 0.])
    """
    x, y = promote(a, b)
    return _select(_truth(condition), x, y)


def _compare(name: str, a: Any, b: Any) -> Any:
    if _is_weak_integer(a) or _is_weak_integer(b):
        a, b = _as_int64(a), _as_int64(b)
    return _comparisons[name](*promote(_or_infinite(a, b), _or_infinite(b, a)))


def _is_weak_integer(x: Any) -> bool:
    """Whether x is a traced Python int: it may be beyond the dtype of what it is compared with."""
    return is_weak(x) and x.dtype.kind == "i"


def _as_int64(x: Any) -> Any:
    """Integers as int64, those beyond as the largest one; other numbers as they are."""
    kind = spec_of(x).dtype
    if kind == np.uint64:
        x = minimum(x, np.uint64(np.iinfo(np.int64).max))
    return astype(x, np.int64) if kind.kind in "iu" else x


def _or_infinite(x: Any, other: Any) -> Any:
    """x, or if it is a Python number beyond what the integers beside it can be, the infinity of its sign."""
    if type(x) is int and not is_python_number(other):
        dtype = spec_of(other).dtype
        if dtype.kind in "iu" and not np.iinfo(dtype).min <= x <= np.iinfo(dtype).max:
            return math.copysign(math.inf, x)
    return x


def equal(a: Any, b: Any) -> Any:
    """``a == b``."""
    return _compare("equal", a, b)


def not_equal(a: Any, b: Any) -> Any:
    """``a != b``."""
    return _compare("not_equal", a, b)


def less(a: Any, b: Any) -> Any:
    """``a < b``."""
    return _compare("less", a, b)


def less_equal(a: Any, b: Any) -> Any:
    """``a <= b``."""
    return _compare("less_equal", a, b)


def greater(a: Any, b: Any) -> Any:
    """``a > b``."""
    return _compare("greater", a, b)


def greater_equal(a: Any, b: Any) -> Any:
    """``a >= b``."""
    return _compare("greater_equal", a, b)


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
    if not is_known(value):
        return value if value.dtype == BOOL else to_bool(value)
    return value if value.dtype == BOOL else value != 0
