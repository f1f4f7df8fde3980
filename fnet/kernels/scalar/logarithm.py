"""Logarithms, and log(1 + e^x), as polynomials: straight-line arithmetic with selects, so loops vectorise.

Coefficients are minimax fits of this project (Remez exchange); NaN gives NaN, and limits are exact.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.scalar.constants import (
    FLOAT,
    HALF,
    INFINITY,
    INTEGER,
    LN2_HIGH,
    LN2_LOW,
    MANTISSA,
    MINUS_HALF,
    NAN,
    ONE,
    TWO,
    ZERO,
    either,
    floats,
)
from fnet.kernels.scalar.exponential import exp
from fnet.kernels.scalar.instructions import multiply_add, polynomial

_NORMAL = floats(2.0**-126, 2.0**-1022)  # numbers below are scaled up
_UP, _UP_EXPONENT = floats(2.0**25, 2.0**54), floats(25, 54)
_SQRT_HALF_BITS = either(np.int32(0x3F3504F3), np.int64(0x3FE6A09E667F3BCD))

# log(1 + f) for sqrt(1/2) <= 1 + f < sqrt(2): f - f^2 / 2 + f^3 p(f) in float32, in float64 a series in f / (f + 2).
_LOG_TERMS = floats(
    (
        0.3333333126, -0.2499998119, 0.2000068807, -0.1666915085, 0.1425115548, -0.1239670226, 0.1163466766,
        -0.116599251, 0.07332511758,
    ),
    (
        0.666666666666666665, 0.400000000000008925, 0.285714285707947675, 0.222222223936037827, 0.181817954482709789,
        0.153862496810848692, 0.132685162884433935, 0.130892191458586374,
    ),
)  # fmt: skip

# log(1 + e) = s (2 + s^2 p(s^2)) with s = e / (2 + e) for 0 <= e <= 1.
_UNIT_TERMS = floats(
    (0.6666666735, 0.3999969638, 0.2859280883, 0.2170005422, 0.2325377184),
    (
        0.666666666666666581, 0.400000000000152438, 0.285714285669493698, 0.222222227322096624, 0.181817887498326409,
        0.153855879555586218, 0.133138703556856443, 0.120035151812639118, 0.0878899499175466037, 0.161875682043466575,
    ),
)  # fmt: skip


def log(x):
    """Natural logarithm: -inf at zero, NaN below."""
    small = x < _NORMAL
    bits = FLOAT(x * _UP if small else x).view(INTEGER)
    k = INTEGER(INTEGER(bits - _SQRT_HALF_BITS) >> MANTISSA)
    f = INTEGER(bits - INTEGER(k << MANTISSA)).view(FLOAT) - ONE
    n = FLOAT(k) - (_UP_EXPONENT if small else ZERO)
    y = _log_of_parts(n, f)
    y = y if x < INFINITY else x
    return y if x > ZERO else (-INFINITY if x == ZERO else NAN)


def _log_single(n, f):
    """log(2^n (1 + f)) in float32."""
    p = multiply_add(polynomial(f, _LOG_TERMS), f, MINUS_HALF)
    return multiply_add(n, LN2_HIGH, f + multiply_add(n, LN2_LOW, p * (f * f)))


def _log_double(n, f):
    """log(2^n (1 + f)) in float64."""
    s = f / (f + TWO)
    z = s * s
    h = HALF * f * f
    low = multiply_add(n, LN2_LOW, s * multiply_add(polynomial(z, _LOG_TERMS), z, h))
    return multiply_add(n, LN2_HIGH, f - (h - low))


_log_of_parts = either(_log_single, _log_double)


def log1p(x):
    """log(1 + x), accurate near zero, whose sign it keeps."""
    u = ONE + x
    lost = (x - (u - ONE)) / u
    return x if x == ZERO else log(u) + (lost if lost == lost else ZERO)


def _log1p_exp(x):
    """log(1 + e^x) for x <= 0."""
    e = exp(x)
    s = e / (e + TWO)
    z = s * s
    return s * multiply_add(polynomial(z, _UNIT_TERMS), z, TWO)


def softplus(x):
    """log(1 + e^x) without overflow."""
    return (ZERO if x <= ZERO else x) + _log1p_exp(-abs(x))


def logaddexp(x, y):
    """log(e^x + e^y) without overflow."""
    gap = ZERO if x == y else abs(x - y)
    return (x if x >= y else y) + _log1p_exp(-gap)
