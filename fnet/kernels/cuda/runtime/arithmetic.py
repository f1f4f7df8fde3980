"""Instructions for numbers: what `fnet.kernels.scalar.instructions` leaves to the device."""

from __future__ import annotations

import math

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, instruction


@instruction
def multiply_add(a, b, c):
    """``a * b + c``, rounded once."""
    return cuda.fma(a, b, c)


@instruction
def polynomial(x, coefficients):
    """``c[0] + c[1] x + c[2] x^2 + ...`` by Horner's rule, of `multiply_add`; c: a tuple."""
    value = coefficients[-1]
    for term in coefficients[-2::-1]:
        value = cuda.fma(value, x, term)
    return value


@instruction
def sqrt(x):
    """Square root, NaN below zero."""
    return np.sqrt(x)


@instruction
def power(x, y):
    """x to the power y."""
    return np.power(x, y)


@instruction
def copysign(x, y):
    """The size of x with the sign of y."""
    return np.copysign(x, y)


@instruction
def floor(x):
    """The largest integer not above x, as a floating-point number."""
    return np.floor(x)


@instruction
def ceil(x):
    """The smallest integer not below x, as a floating-point number."""
    return np.ceil(x)


@instruction
def trunc(x):
    """x rounded towards zero, as a floating-point number."""
    return np.trunc(x)


@instruction
def rint(x):
    """x rounded to the nearest integer, halves to even, as a floating-point number."""
    return np.rint(x)


@instruction
def sin(x):
    """Sine."""
    return np.sin(x)


@instruction
def cos(x):
    """Cosine."""
    return np.cos(x)


@instruction
def tan(x):
    """Tangent."""
    return np.tan(x)


@instruction
def arctan(x):
    """Inverse tangent."""
    return np.arctan(x)


@instruction
def arctan2(y, x):
    """The angle of the point (x, y)."""
    return np.arctan2(y, x)


@instruction
def arcsin(x):
    """Inverse sine, NaN outside [-1, 1]."""
    return np.arcsin(x)


@instruction
def arccos(x):
    """Inverse cosine, NaN outside [-1, 1]."""
    return np.arccos(x)


@instruction
def arcsinh(x):
    """Inverse hyperbolic sine."""
    return np.arcsinh(x)


@instruction
def arccosh(x):
    """Inverse hyperbolic cosine, NaN below 1."""
    return np.arccosh(x)


@instruction
def arctanh(x):
    """Inverse hyperbolic tangent, NaN outside [-1, 1]."""
    return np.arctanh(x)


@instruction
def cbrt(x):
    """Cube root."""
    return np.cbrt(x)


@instruction
def hypot(x, y):
    """The square root of x^2 + y^2, without overflow."""
    return np.hypot(x, y)


@instruction
def erfc(x):
    """1 - erf(x), accurate in the tail."""
    return math.erfc(x)
