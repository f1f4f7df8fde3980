"""Exponentials and functions made of them, as polynomials: straight-line arithmetic with selects, so loops vectorise.

NaN gives NaN, and limits are exact.
"""

from __future__ import annotations

from fnet.kernels.scalar.constants import (
    BIAS,
    EXP_TERMS,
    FLOAT,
    HALF,
    INTEGER,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    MANTISSA,
    MINUS_HALF,
    ONE,
    ROUND,
    TWO,
    ZERO,
    either,
    floats,
)
from fnet.kernels.scalar.instructions import copysign, multiply_add, polynomial

_LOWEST, _HIGHEST = floats(-104, -746), floats(89, 710)  # beyond them e^x is 0 or infinite
_NEAR_MINUS_ONE, _TINY = floats(-18, -38), floats(2.0**-26, 2.0**-56)  # e^x - 1 is -1 below, x itself
_BIAS_OF_HALF = either(BIAS["f32"] - 1, BIAS["f64"] - 1)
_TANH_ONE, _SINH_FAR = floats(10, 22), floats(10, 22)


def exp(x):
    """e^x."""
    x = _LOWEST if x < _LOWEST else x
    x = _HIGHEST if x > _HIGHEST else x
    shifted = multiply_add(x, LOG2_E, ROUND)
    n = shifted - ROUND
    r = multiply_add(-n, LN2_LOW, multiply_add(-n, LN2_HIGH, x))
    # 2^n as two factors, so that it neither overflows nor underflows before the result does.
    half = FLOAT(multiply_add(n, HALF, ROUND)).view(INTEGER)
    high = INTEGER((half + BIAS) << MANTISSA).view(FLOAT)
    low = INTEGER((FLOAT(shifted).view(INTEGER) - half + BIAS) << MANTISSA).view(FLOAT)
    return (multiply_add(r * r, polynomial(r, EXP_TERMS), r) + ONE) * high * low


def expm1(x):
    """e^x - 1, accurate near zero."""
    y = _NEAR_MINUS_ONE if x < _NEAR_MINUS_ONE else x
    y = _HIGHEST if y > _HIGHEST else y
    shifted = multiply_add(y, LOG2_E, ROUND)
    n = shifted - ROUND
    r = multiply_add(-n, LN2_LOW, multiply_add(-n, LN2_HIGH, y))
    # Half of 2^n stays finite at the upper end.
    scale = INTEGER((FLOAT(shifted).view(INTEGER) + _BIAS_OF_HALF) << MANTISSA).view(FLOAT)
    y = multiply_add(scale, multiply_add(r * r, polynomial(r, EXP_TERMS), r), scale - HALF) * TWO
    return x if abs(x) < _TINY else y


def sigmoid(x):
    """1 / (1 + e^-x), accurate in both tails."""
    e = exp(-abs(x))
    return (ONE if x >= ZERO else e) / (ONE + e)


def tanh(x):
    """Hyperbolic tangent: e / (e + 2) with e = expm1(2 |x|)."""
    a = abs(x)
    e = expm1(TWO * (_TANH_ONE if a > _TANH_ONE else a))
    return copysign(e / (e + TWO), x)


def sinh(x):
    """Hyperbolic sine: (t + t / (t + 1)) / 2 with t = expm1(|x|), or e^(|x|/2) squared far out."""
    a = abs(x)
    t = expm1(_SINH_FAR if a > _SINH_FAR else a)
    h = exp(HALF * a)
    return copysign(HALF * h * h if a > _SINH_FAR else HALF * (t + t / (t + ONE)), x)


def cosh(x):
    """Hyperbolic cosine: (h^2 + 1 / h^2) / 2 with h = e^(|x|/2), which does not overflow before it."""
    h = exp(HALF * abs(x))
    return HALF * h * h + HALF / h / h


def gaussian(x):
    """e^(-x^2 / 2)."""
    return exp(MINUS_HALF * x * x)
