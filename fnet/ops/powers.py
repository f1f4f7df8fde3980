"""Powers, and the logarithm of a sum of exponentials: two operands, derivatives by functions of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import ValueRangeError
from fnet.ops.arithmetic import equal, greater, logical_and, multiply, no_booleans, subtract, where
from fnet.ops.elementwise import elementwise
from fnet.ops.maths import isinf, log, reciprocal, sigmoid, sqrt, square
from fnet.ops.promotion import is_python_number, lift, promote
from fnet.transforms.operand import is_known
from fnet.transforms.primitive import spec_of

_power = elementwise(
    "power",
    "power_{t}({0}, {1})",
    lambda g, y, a, b: multiply(g, multiply(b, _power(a, where(equal(b, 0), b, subtract(b, 1))))),
    lambda g, y, a, b: multiply(g, multiply(y, _log_or_zero(a))),
)
_integer_powers = {
    "i": elementwise("signed_power", "power_i64(np.int64({0}), np.int64({1}))", operation="power"),
    "u": elementwise("unsigned_power", "power_u64(np.uint64({0}), np.uint64({1}))", operation="power"),
}
_logaddexp = elementwise(
    "logaddexp",
    "logaddexp_{t}({0}, {1})",
    lambda g, y, a, b: multiply(g, _weight(a, b)),
    lambda g, y, a, b: multiply(g, _weight(b, a)),
)


def _weight(a: Any, b: Any) -> Any:
    """``e^a / (e^a + e^b)``; 1/2 where both are the same infinity."""
    same = logical_and(equal(a, b), isinf(a))
    return where(same, 0.5, sigmoid(subtract(where(same, 0, a), where(same, 0, b))))


def _log_or_zero(a: Any) -> Any:
    """log a where a > 0, else 0: the derivative of a**b in b at a = 0 is taken as 0."""
    positive = greater(a, 0)
    return where(positive, log(where(positive, a, 1)), 0)


def power(a: Any, b: Any) -> Any:
    """``a ** b``; the exponents 0.5, 1, 2, 3 and -1 given as Python numbers use cheaper forms.

    Raises `ValueRangeError` for integers to a negative integer power; under jit, where exponents are not known in
    advance, such an element is 0.
    """
    if is_python_number(b) and spec_of(a).differentiable:
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
    if _is_integer(a) and _is_integer(b) and is_known(b) and np.any(np.less(b, 0)):
        raise ValueRangeError(
            f"power: integers have no negative integer powers, received the exponent {np.min(b)}. "
            f"Convert one of them, e.g. x.astype('float32')."
        )
    base, exponent = no_booleans(*promote(a, b))
    kind = base.dtype.kind
    return (_power if kind == "f" else _integer_powers[kind])(base, exponent)


def _is_integer(x: Any) -> bool:
    return spec_of(x).dtype.kind in "iub"


def logaddexp(a: Any, b: Any) -> Any:
    """``log(e^a + e^b)`` without overflow."""
    return _logaddexp(*promote(a, b, floating=True))
