"""Inverse trigonometric, hyperbolic and error functions, and roots, element by element."""

from __future__ import annotations

import math
from typing import Any

from fnet.ops.arithmetic import add, divide, equal, multiply, negative, subtract, where
from fnet.ops.elementwise import elementwise
from fnet.ops.maths import exp, square, unary
from fnet.ops.promotion import promote


def _outside(x: Any) -> Any:
    """``1 - x^2``, accurate near 1."""
    return multiply(subtract(1, x), add(1, x))


def _root(x: Any) -> Any:
    return _rsqrt(_outside(x))


_hypot = elementwise(
    "hypot",
    "hypot_{t}({0}, {1})",
    lambda g, y, a, b: multiply(g, divide(a, where(equal(y, 0), 1, y))),
    lambda g, y, a, b: multiply(g, divide(b, where(equal(y, 0), 1, y))),
)
_arctan2 = elementwise(
    "arctan2",
    "arctan2_{t}({0}, {1})",
    lambda g, y, a, b: multiply(g, divide(divide(b, _hypot(a, b)), _hypot(a, b))),
    lambda g, y, a, b: negative(multiply(g, divide(divide(a, _hypot(a, b)), _hypot(a, b)))),
)
_rsqrt = elementwise(
    "rsqrt", "reciprocal_{t}(sqrt_{t}({0}))", lambda g, y, x: multiply(g, multiply(multiply(square(y), y), -0.5))
)

arcsin = unary(
    "arcsin", "arcsin_{t}({0})", lambda g, y, x: multiply(g, _root(x)), "Inverse sine, in radians; NaN outside [-1, 1]."
)
arccos = unary(
    "arccos",
    "arccos_{t}({0})",
    lambda g, y, x: negative(multiply(g, _root(x))),
    "Inverse cosine, in radians; NaN outside [-1, 1].",
)
arcsinh = unary("arcsinh", "arcsinh_{t}({0})", lambda g, y, x: divide(g, hypot(x, 1)), "Inverse hyperbolic sine.")
arccosh = unary(
    "arccosh",
    "arccosh_{t}({0})",
    lambda g, y, x: multiply(g, multiply(rsqrt(subtract(x, 1)), rsqrt(add(x, 1)))),
    "Inverse hyperbolic cosine; NaN below 1.",
)
arctanh = unary(
    "arctanh",
    "arctanh_{t}({0})",
    lambda g, y, x: divide(g, _outside(x)),
    "Inverse hyperbolic tangent; NaN outside [-1, 1].",
)
cbrt = unary("cbrt", "cbrt_{t}({0})", lambda g, y, x: divide(g, multiply(square(y), 3)), "Cube root.")
erfc = unary(
    "erfc",
    "erfc_{t}({0})",
    lambda g, y, x: multiply(g, multiply(exp(negative(square(x))), -2 / math.sqrt(math.pi))),
    "``1 - erf(x)``, accurate where that is small.",
)
erfinv = unary(
    "erfinv",
    "erfinv_{t}({0})",
    lambda g, y, x: multiply(g, multiply(exp(square(y)), math.sqrt(math.pi) / 2)),
    "The y with ``erf(y) = x``: infinite at -1 and 1, NaN outside.",
)


def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``."""
    return _rsqrt(*promote(x, floating=True))


def hypot(a: Any, b: Any) -> Any:
    """``sqrt(a^2 + b^2)`` without overflow; its derivative at (0, 0) is 0.

    >>> float(hypot(3.0, 4.0))
    5.0
    """
    return _hypot(*promote(a, b, floating=True))


def arctan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y) in radians, within [-pi, pi].

    >>> round(float(arctan2(1.0, -1.0)), 4)
    2.3562
    """
    return _arctan2(*promote(y, x, floating=True))
