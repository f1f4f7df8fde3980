"""The bits of integers, of which booleans have one, and common divisors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet.errors import DtypeError
from fnet.ops import arithmetic, maths
from fnet.ops.elementwise import BOOL, elementwise
from fnet.ops.promotion import lift, promote
from fnet.transforms.primitive import Primitive, spec_of

_and = elementwise("bitwise_and", "{0} & {1}")
_or = elementwise("bitwise_or", "{0} | {1}")
_xor = elementwise("bitwise_xor", "{0} ^ {1}")
_not = elementwise("bitwise_not", "~{0}")


def _by_sign(name: str, function: str) -> dict[str, Primitive]:
    """A primitive for integers with a sign, and one for those without."""
    return {
        kind: elementwise(
            f"{prefix}_{name}", f"{function}_{width}(np.{type_}({{0}}), np.{type_}({{1}}))", operation=name
        )
        for kind, prefix, width, type_ in (("i", "signed", "i64", "int64"), ("u", "unsigned", "u64", "uint64"))
    }


_left, _right = _by_sign("left_shift", "shift_left"), _by_sign("right_shift", "shift_right")
_gcd = _by_sign("gcd", "gcd")


def _integers(name: str, operands: list[Any]) -> list[Any]:
    if any(x.dtype.kind not in "iub" for x in operands):
        received = ", ".join(str(spec_of(x)) for x in operands)
        raise DtypeError(f"{name} takes integers or booleans, received {received}. Use .astype('int64').")
    return operands


def bitwise_and(a: Any, b: Any) -> Any:
    """The bits that both have: ``a & b``.

    >>> int(bitwise_and(6, 3))
    2
    """
    return _of_bits("bitwise_and", _and, arithmetic.logical_and, a, b)


def bitwise_or(a: Any, b: Any) -> Any:
    """The bits that either has: ``a | b``."""
    return _of_bits("bitwise_or", _or, arithmetic.logical_or, a, b)


def bitwise_xor(a: Any, b: Any) -> Any:
    """The bits that one of them has: ``a ^ b``."""
    return _of_bits("bitwise_xor", _xor, arithmetic.not_equal, a, b)


def bitwise_not(x: Any) -> Any:
    """The bits that x has not: ``~x``."""
    (x,) = _integers("bitwise_not", [lift(x)])
    return arithmetic.logical_not(x) if x.dtype == BOOL else _not(x)


def logical_xor(a: Any, b: Any) -> Any:
    """One true (not zero), the other not."""
    return arithmetic.not_equal(*(arithmetic.not_equal(lift(x), 0) for x in (a, b)))


def left_shift(x: Any, n: Any) -> Any:
    """``x * 2^n``: x << n; 0 for n outside of the bits of x.

    >>> int(left_shift(3, 2))
    12
    """
    return _of_sign("left_shift", _left, x, n)


def right_shift(x: Any, n: Any) -> Any:
    """``floor(x / 2^n)``: x >> n."""
    return _of_sign("right_shift", _right, x, n)


def gcd(a: Any, b: Any) -> Any:
    """The largest integer that divides both; 0 of two zeros.

    >>> int(gcd(12, 18))
    6
    """
    return _of_sign("gcd", _gcd, a, b)


def lcm(a: Any, b: Any) -> Any:
    """The smallest positive integer that both divide; 0 where one is 0."""
    divisor = gcd(a, b)
    share = arithmetic.floor_divide(a, divisor)  # 0 where the divisor is 0
    return maths.absolute(arithmetic.multiply(share, b))


def _of_bits(name: str, of_integers: Primitive, of_booleans: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    a, b = _integers(name, promote(a, b))
    return of_booleans(a, b) if a.dtype == BOOL else of_integers(a, b)


def _of_sign(name: str, primitives: dict[str, Primitive], a: Any, b: Any) -> Any:
    a, b = arithmetic.no_booleans(*_integers(name, promote(a, b)))
    return primitives[a.dtype.kind](a, b)
