"""What scalar functions leave to the device: here in Python, for a device in what its loader puts in their place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def multiply_add(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, in one rounding where the processor can.

    It is written out rather than left to the compiler (the flag ``contract``), which fuses a product and a sum or not
    by what stands around them: a function would give other bits in a chain than alone.
    """
    return a * b + c


def polynomial(x: Any, coefficients: Sequence[Any]) -> Any:
    """``c[0] + c[1] x + c[2] x^2 + ...`` by Horner's rule, of `multiply_add`."""
    value = coefficients[-1]
    for term in coefficients[-2::-1]:
        value = value * x + term
    return value


def sqrt(x: Any) -> Any:
    """Square root, NaN below zero."""
    return np.sqrt(x)


def power(x: Any, y: Any) -> Any:
    """x to the power y."""
    return np.power(x, y)


def copysign(x: Any, y: Any) -> Any:
    """The size of x with the sign of y."""
    return np.copysign(x, y)


def floor(x: Any) -> Any:
    """The largest integer not above x, as a floating-point number."""
    return np.floor(x)


def ceil(x: Any) -> Any:
    """The smallest integer not below x, as a floating-point number."""
    return np.ceil(x)


def trunc(x: Any) -> Any:
    """x rounded towards zero, as a floating-point number."""
    return np.trunc(x)


def rint(x: Any) -> Any:
    """x rounded to the nearest integer, halves to even, as a floating-point number."""
    return np.rint(x)


def sin(x: Any) -> Any:
    """Sine."""
    return np.sin(x)


def cos(x: Any) -> Any:
    """Cosine."""
    return np.cos(x)


def tan(x: Any) -> Any:
    """Tangent."""
    return np.tan(x)


def arctan(x: Any) -> Any:
    """Inverse tangent."""
    return np.arctan(x)


def arctan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y)."""
    return np.arctan2(y, x)


def arcsin(x: Any) -> Any:
    """Inverse sine, NaN outside [-1, 1]."""
    return np.arcsin(x)


def arccos(x: Any) -> Any:
    """Inverse cosine, NaN outside [-1, 1]."""
    return np.arccos(x)


def arcsinh(x: Any) -> Any:
    """Inverse hyperbolic sine."""
    return np.arcsinh(x)


def arccosh(x: Any) -> Any:
    """Inverse hyperbolic cosine, NaN below 1."""
    return np.arccosh(x)


def arctanh(x: Any) -> Any:
    """Inverse hyperbolic tangent, NaN outside [-1, 1]."""
    return np.arctanh(x)


def cbrt(x: Any) -> Any:
    """Cube root."""
    return np.cbrt(x)


def hypot(x: Any, y: Any) -> Any:
    """The square root of x^2 + y^2, without overflow."""
    return np.hypot(x, y)


def erfc(x: Any) -> Any:
    """1 - erf(x), accurate in the tail."""
    return math.erfc(x)
