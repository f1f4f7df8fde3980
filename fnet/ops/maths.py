"""Elementary functions of one operand, element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.errors import DtypeError
from fnet.ops.arithmetic import (
    divide,
    equal,
    greater,
    less,
    logical_not,
    multiply,
    negative,
    no_booleans,
    subtract,
    where,
    zeros_of,
)
from fnet.ops.elementwise import BOOL, Rule, elementwise
from fnet.ops.logits import activated
from fnet.ops.promotion import lift, promote
from fnet.transforms.primitive import Primitive


def unary(name: str, template: str, rule: Rule, doc: str) -> Callable[[Any], Any]:
    """A documented function of one floating operand; integers become floating first."""
    primitive = elementwise(name, template, rule)

    def function(x: Any) -> Any:
        return primitive(*promote(x, floating=True))

    return _named(function, name, doc)


def _rounding(name: str, doc: str) -> Callable[[Any], Any]:
    """A documented step function: integers pass unchanged, the derivative is 0."""
    primitive = elementwise(name, f"{name}_{{t}}({{0}})", lambda g, y, x: multiply(g, 0))

    def function(x: Any) -> Any:
        value = lift(x)
        return primitive(value) if value.dtype.kind == "f" else value

    return _named(function, name, doc)


def _test(name: str, of_integers: bool, doc: str) -> Callable[[Any], Any]:
    """A documented test for a kind of floating number."""
    primitive = elementwise(name, f"{name}_{{t}}({{0}})", dtype=BOOL)

    def function(x: Any) -> Any:
        value = lift(x)
        if value.dtype.kind == "f":
            return primitive(value)
        return equal(value, value) if of_integers else logical_not(equal(value, value))

    return _named(function, name, doc)


def _named(function: Callable, name: str, doc: str) -> Callable[[Any], Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


exp = unary("exp", "exp_{t}({0})", lambda g, y, x: multiply(g, y), "``e^x``.")
expm1 = unary("expm1", "expm1_{t}({0})", lambda g, y, x: multiply(g, y + 1), "``e^x - 1``, accurate for small ``x``.")
log = unary("log", "log_{t}({0})", lambda g, y, x: divide(g, x), "Natural logarithm; -Inf at 0, NaN below.")
log1p = unary("log1p", "log1p_{t}({0})", lambda g, y, x: divide(g, x + 1), "``log(1 + x)``, accurate for small ``x``.")
sqrt = unary(
    "sqrt",
    "sqrt_{t}({0})",
    lambda g, y, x: divide(multiply(g, 0.5), y),
    "Square root; its derivative at 0 is Inf, as in calculus.",
)
sin = unary("sin", "sin_{t}({0})", lambda g, y, x: multiply(g, cos(x)), "Sine of ``x`` in radians.")
cos = unary("cos", "cos_{t}({0})", lambda g, y, x: negative(multiply(g, sin(x))), "Cosine of ``x`` in radians.")
tan = unary("tan", "tan_{t}({0})", lambda g, y, x: multiply(g, y * y + 1), "Tangent of ``x`` in radians.")
arctan = unary("arctan", "arctan_{t}({0})", lambda g, y, x: divide(g, x * x + 1), "Inverse tangent, in radians.")
tanh = unary("tanh", "tanh_{t}({0})", lambda g, y, x: multiply(g, 1 - y * y), "Hyperbolic tangent.")
logistic = elementwise("sigmoid", "sigmoid_{t}({0})", lambda g, y, x: multiply(g, y * (1 - y)))
logistic.seen_through = True


def sigmoid(x: Any) -> Any:
    """``1 / (1 + e^-x)``, without overflow. A cross-entropy of the result is computed from `x`."""
    return activated(logistic, *promote(x, floating=True))


sinh = unary("sinh", "sinh_{t}({0})", lambda g, y, x: multiply(g, cosh(x)), "Hyperbolic sine ``(e^x - e^-x) / 2``.")
cosh = unary("cosh", "cosh_{t}({0})", lambda g, y, x: multiply(g, sinh(x)), "Hyperbolic cosine ``(e^x + e^-x) / 2``.")
softplus = unary(
    "softplus", "softplus_{t}({0})", lambda g, y, x: multiply(g, sigmoid(x)), "``log(1 + e^x)``, without overflow."
)
erf = unary(
    "erf",
    "erf_{t}({0})",
    lambda g, y, x: multiply(g, multiply(exp(negative(x * x)), 2 / math.sqrt(math.pi))),
    "Gauss error function ``2/sqrt(pi) * integral of e^(-t^2) from 0 to x``.",
)
relu = unary(
    "relu", "relu_{t}({0})", lambda g, y, x: where(greater(y, 0), g, zeros_of(g)), "``max(x, 0)``; derivative 0 at 0."
)
floor = _rounding("floor", "The largest integer not above ``x``.")
ceil = _rounding("ceil", "The smallest integer not below ``x``.")
round = _rounding("round", "The nearest integer, halves to even.")
trunc = _rounding("trunc", "``x`` without its fraction.")
isnan = _test("isnan", False, "True where ``x`` is NaN.")
isinf = _test("isinf", False, "True where ``x`` is Inf or -Inf.")
isfinite = _test("isfinite", True, "True where ``x`` is neither NaN nor infinite.")

_square: Primitive = elementwise("square", "{0} * {0}", lambda g, y, x: multiply(g, x * 2))
_reciprocal: Primitive = elementwise("reciprocal", "reciprocal_{t}({0})", lambda g, y, x: negative(multiply(g, y * y)))
_absolute: Primitive = elementwise("absolute", "abs({0})", lambda g, y, x: multiply(g, sign(x)))
_sign: Primitive = elementwise("sign", "sign_{t}({0})", lambda g, y, x: multiply(g, 0))
_integer_sign: Primitive = elementwise("integer_sign", "int({0} > 0) - int({0} < 0)")


def square(x: Any) -> Any:
    """``x * x``."""
    return _square(*no_booleans(lift(x)))


def reciprocal(x: Any) -> Any:
    """``1 / x``."""
    return _reciprocal(*promote(x, floating=True))


def absolute(x: Any) -> Any:
    """``|x|``; the derivative at 0 is 0."""
    return _absolute(lift(x))


def sign(x: Any) -> Any:
    """-1, 0 or 1 by the sign of ``x``; NaN stays NaN. The derivative is 0."""
    x = lift(x)
    if x.dtype == BOOL:
        raise DtypeError("sign: booleans have no sign. Use .astype('int8') first.")
    return (_sign if x.dtype.kind == "f" else _integer_sign)(x)


def log2(x: Any) -> Any:
    """Logarithm to base 2."""
    return multiply(log(x), 1 / math.log(2))


def log10(x: Any) -> Any:
    """Logarithm to base 10."""
    return multiply(log(x), 1 / math.log(10))


# gelu takes x, Phi(x) and -10^4, below which its value is 0 in either precision, but -Inf * 0 would be NaN. Phi is kept
# for the derivative, whose rules are total ones in x: Phi is a function of it.
_normal_cdf: Primitive = elementwise(
    "normal_cdf",
    "normal_cdf_{t}({0})",
    lambda g, y, x: multiply(g, exp(negative(x * x) * 0.5) * (1 / math.sqrt(2 * math.pi))),
)
_gelu: Primitive = elementwise(
    "gelu",
    "maximum_{t}({0}, {2}) * {1}",
    lambda g, y, x, cdf, lowest: multiply(g, _gelu_slope(*_of_dtype(x, cdf, lowest, 1 / math.sqrt(2 * math.pi)))),
    None,
    None,
)
_gelu_slope: Primitive = elementwise(
    "gelu_slope",
    "{1} + maximum_{t}({0}, {2}) * gaussian_{t}({0}) * {3}",
    lambda g, y, x, cdf, lowest, scale: multiply(g, (2 - x * x) * exp(x * x * -0.5) * scale),
    *[None] * 3,
)


def _of_dtype(x: Any, *values: Any) -> list[Any]:
    """The operands with Python numbers as constants of the dtype of x, which they would change otherwise."""
    return [x, *(np.asarray(v, x.dtype) if isinstance(v, float) else v for v in values)]


def gelu(x: Any) -> Any:
    """``x Phi(x) = x/2 (1 + erf(x / sqrt 2))``. Source: D. Hendrycks and K. Gimpel 2016."""
    (x,) = promote(x, floating=True)
    return _gelu(*_of_dtype(x, _normal_cdf(x), -1e4))


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """``x`` where positive, else ``negative_slope * x`` (Keras ``leaky_relu``)."""
    return where(less(x, 0), multiply(x, negative_slope), x)


def squared_difference(a: Any, b: Any) -> Any:
    """``(a - b)^2``."""
    return square(subtract(a, b))
