"""Exponentials, logarithms, tanh, sigmoid, erf and the normal quantile as inlined polynomials that vectorise.

Everything is straight-line arithmetic with selects, so LLVM turns a loop over any of these into vector code.
Coefficients are minimax fits of this project (Remez exchange); NaN gives NaN and limits are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload

from fnet.kernels.policy import elementary
from fnet.kernels.polynomial import multiply_add, polynomial


def _single(*values: float) -> tuple[np.float32, ...]:
    return tuple(np.float32(v) for v in values)


# Typed constants: a bare literal would promote float32 arithmetic to float64.
_0, _HALF, _1, _2, _INF, _NAN = _single(0, 0.5, 1, 2, np.inf, np.nan)

# exp: x = n log 2 + r, n rounded by adding 1.5 * 2^mantissa, whose low bits then hold n.
_LOG2E = np.float32(1.4426950408889634)
_LN2_HI, _LN2_LO = _single(0.693359375, -2.12194440e-4)
_ROUND = np.float32(12582912.0)
EXP_TERMS = _single(0.5000000027, 0.1666657662, 0.04166637412, 0.008363237886, 0.00139412156)
_EXP_MIN, _EXP_MAX, _EXPM1_MIN, _EXPM1_TINY = _single(-104.0, 89.0, -18.0, 2.0**-26)
_BIAS, _BIAS_1, _MANTISSA = np.int32(127), np.int32(126), np.int32(23)

_LOG2E_64 = 1.4426950408889634
_LN2_HI_64, _LN2_LO_64 = 6.93145751953125e-1, 1.42860682030941723212e-6
_ROUND_64 = 6755399441055744.0
EXP_TERMS_64 = (
    0.5, 0.16666666666666671, 0.0416666666666666839, 0.00833333333332608199, 0.00138888888888742938,
    0.000198412698750056688, 0.0000248015873475871783, 2.75572551662452336e-6, 2.75572526732923682e-7,
    2.51053141165349434e-8, 2.09216701791207105e-9,
)  # fmt: skip

# log: x = 2^k (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2).
_SQRT_HALF_BITS, _SQRT_HALF_BITS_64 = np.int32(0x3F3504F3), np.int64(0x3FE6A09E667F3BCD)
_NORMAL, _UP, _UP_EXPONENT = _single(2.0**-126, 2.0**25, 25)
_NORMAL_64, _UP_64, _UP_EXPONENT_64 = 2.0**-1022, 2.0**54, 54.0
_LOG = _single(
    0.3333333126, -0.2499998119, 0.2000068807, -0.1666915085, 0.1425115548, -0.1239670226, 0.1163466766,
    -0.116599251, 0.07332511758,
)  # fmt: skip
_LOG_64 = (
    0.666666666666666665, 0.400000000000008925, 0.285714285707947675, 0.222222223936037827, 0.181817954482709789,
    0.153862496810848692, 0.132685162884433935, 0.130892191458586374,
)  # fmt: skip

# log(1 + e) = s (2 + s^2 U(s^2)) with s = e / (2 + e) for 0 <= e <= 1.
_UNIT = _single(0.6666666735, 0.3999969638, 0.2859280883, 0.2170005422, 0.2325377184)
_UNIT_64 = (
    0.666666666666666581, 0.400000000000152438, 0.285714285669493698, 0.222222227322096624, 0.181817887498326409,
    0.153855879555586218, 0.133138703556856443, 0.120035151812639118, 0.0878899499175466037, 0.161875682043466575,
)  # fmt: skip

_TANH_ONE, _SINH_FAR = _single(10, 10)

# erf(x) = x N(x^2) near zero, 1 - exp(-F(x)) beyond.
_ERF_NEAR, _ERF_ONE = _single(0.9225, 4)
_ERF_N = _single(1.128379151, -0.3761250144, 0.1128188036, -0.02676846228, 0.004995319252, -0.0005999363267)
_ERF_F = _single(
    0.0001774980402, 1.127749547, 0.6370597821, 0.1040373316, -0.02227707219, 0.003055603453, -0.0001971812657
)

# The normal distribution function of -a is e^(-a^2 / 2) T(a), T being a fit with the weight e^(-a^2 / 2) for a <= 5.5.
_NORMAL_FAR, _MINUS_HALF = _single(5.5, -0.5)
_NORMAL_T = _single(
    0.4999999884, -0.3989411122, 0.2499805572, -0.1328542183, 0.06207368049, -0.02574094117, 0.00930563477,
    -0.002809250236, 0.0006680727984, -0.0001170846499, 1.394384462e-05, -9.949928053e-07, 3.184125054e-08,
)  # fmt: skip
_SQRT_HALF_64 = 0.70710678118654752

# erf(x) = x P(x^2) / Q(x^2) below one, 1 - exp(-x^2) C((x - 2) / (x + 2)) above.
_ERF_P_64 = (
    1.12837916709551257, 0.142149290455472658, 0.0453039049812447507, 0.00182729412056285207, 0.000194955994043795489,
)  # fmt: skip
_ERF_Q_64 = (
    1.0, 0.459309861968977562, 0.0932528277455358846, 0.0105822107780544111, 0.00068121553473931112,
    0.0000202974000916731264,
)  # fmt: skip
_ERF_C_64 = (
    0.255395676310505759, -0.42718584741395683, 0.241658194242468805, -0.0789785810164156689, 0.00373289239853829577,
    0.00699746178565981793, -0.00084714259046636276, -0.00098197647920700182, 0.0000435361603147656374,
    0.000174288469064099856, 0.0000276231791380167746, -0.0000266114927909794439, -0.0000126441029972243523,
)  # fmt: skip


# ---------------------------------------------------------------------------------------------- exponentials


@elementary
def exp_f32(x):
    """e^x in float32."""
    x = _EXP_MIN if x < _EXP_MIN else x
    x = _EXP_MAX if x > _EXP_MAX else x
    shifted = multiply_add(x, _LOG2E, _ROUND)
    n = shifted - _ROUND
    r = multiply_add(-n, _LN2_LO, multiply_add(-n, _LN2_HI, x))
    # 2^n as two factors, so that it neither overflows nor underflows before the result does.
    half = np.float32(multiply_add(n, _HALF, _ROUND)).view(np.int32)
    high = np.int32((half + _BIAS) << _MANTISSA).view(np.float32)
    low = np.int32((np.float32(shifted).view(np.int32) - half + _BIAS) << _MANTISSA).view(np.float32)
    return (multiply_add(r * r, polynomial(r, EXP_TERMS), r) + _1) * high * low


@elementary
def exp_f64(x):
    """e^x in float64."""
    x = -746.0 if x < -746.0 else x
    x = 710.0 if x > 710.0 else x
    shifted = multiply_add(x, _LOG2E_64, _ROUND_64)
    n = shifted - _ROUND_64
    r = multiply_add(-n, _LN2_LO_64, multiply_add(-n, _LN2_HI_64, x))
    half = np.float64(multiply_add(n, 0.5, _ROUND_64)).view(np.int64)
    high = np.int64((half + 1023) << 52).view(np.float64)
    low = np.int64((np.float64(shifted).view(np.int64) - half + 1023) << 52).view(np.float64)
    return (multiply_add(r * r, polynomial(r, EXP_TERMS_64), r) + 1.0) * high * low


@elementary
def expm1_f32(x):
    """e^x - 1 in float32, accurate near zero."""
    y = _EXPM1_MIN if x < _EXPM1_MIN else x
    y = _EXP_MAX if y > _EXP_MAX else y
    shifted = multiply_add(y, _LOG2E, _ROUND)
    n = shifted - _ROUND
    r = multiply_add(-n, _LN2_LO, multiply_add(-n, _LN2_HI, y))
    # Half of 2^n stays finite at the upper end.
    scale = np.int32((np.float32(shifted).view(np.int32) + _BIAS_1) << _MANTISSA).view(np.float32)
    y = multiply_add(scale, multiply_add(r * r, polynomial(r, EXP_TERMS), r), scale - _HALF) * _2
    return x if abs(x) < _EXPM1_TINY else y


@elementary
def expm1_f64(x):
    """e^x - 1 in float64, accurate near zero."""
    y = -38.0 if x < -38.0 else x
    y = 710.0 if y > 710.0 else y
    shifted = multiply_add(y, _LOG2E_64, _ROUND_64)
    n = shifted - _ROUND_64
    r = multiply_add(-n, _LN2_LO_64, multiply_add(-n, _LN2_HI_64, y))
    scale = np.int64((np.float64(shifted).view(np.int64) + 1022) << 52).view(np.float64)
    y = multiply_add(scale, multiply_add(r * r, polynomial(r, EXP_TERMS_64), r), scale - 0.5) * 2.0
    return x if abs(x) < 2.0**-56 else y


@elementary
def sigmoid_f32(x):
    """1 / (1 + e^-x) in float32, accurate in both tails."""
    e = exp_f32(-abs(x))
    return (_1 if x >= _0 else e) / (_1 + e)


@elementary
def sigmoid_f64(x):
    """1 / (1 + e^-x) in float64, accurate in both tails."""
    e = exp_f64(-abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


@elementary
def tanh_f32(x):
    """Hyperbolic tangent in float32: e / (e + 2) with e = expm1(2 |x|)."""
    a = abs(x)
    e = expm1_f32(_2 * (_TANH_ONE if a > _TANH_ONE else a))
    return np.copysign(e / (e + _2), x)


@elementary
def tanh_f64(x):
    """Hyperbolic tangent in float64: e / (e + 2) with e = expm1(2 |x|)."""
    a = abs(x)
    e = expm1_f64(2.0 * (22.0 if a > 22.0 else a))
    return np.copysign(e / (e + 2.0), x)


@elementary
def sinh_f32(x):
    """Hyperbolic sine in float32: (t + t / (t + 1)) / 2 with t = expm1(|x|), or e^(|x|/2) squared far out."""
    a = abs(x)
    t = expm1_f32(_SINH_FAR if a > _SINH_FAR else a)
    h = exp_f32(_HALF * a)
    return np.copysign(_HALF * h * h if a > _SINH_FAR else _HALF * (t + t / (t + _1)), x)


@elementary
def sinh_f64(x):
    """Hyperbolic sine in float64: (t + t / (t + 1)) / 2 with t = expm1(|x|), or e^(|x|/2) squared far out."""
    a = abs(x)
    t = expm1_f64(22.0 if a > 22.0 else a)
    h = exp_f64(0.5 * a)
    return np.copysign(0.5 * h * h if a > 22.0 else 0.5 * (t + t / (t + 1.0)), x)


@elementary
def cosh_f32(x):
    """Hyperbolic cosine in float32: (h^2 + 1 / h^2) / 2 with h = e^(|x|/2), which does not overflow before it."""
    h = exp_f32(_HALF * abs(x))
    return _HALF * h * h + _HALF / h / h


@elementary
def cosh_f64(x):
    """Hyperbolic cosine in float64: (h^2 + 1 / h^2) / 2 with h = e^(|x|/2), which does not overflow before it."""
    h = exp_f64(0.5 * abs(x))
    return 0.5 * h * h + 0.5 / h / h


# ------------------------------------------------------------------------------------------------ logarithms


@elementary
def log_f32(x):
    """Natural logarithm in float32: -inf at zero, NaN below."""
    small = x < _NORMAL
    bits = np.float32(x * _UP if small else x).view(np.int32)
    k = np.int32(np.int32(bits - _SQRT_HALF_BITS) >> _MANTISSA)
    f = np.int32(bits - np.int32(k << _MANTISSA)).view(np.float32) - _1
    n = np.float32(k) - (_UP_EXPONENT if small else _0)
    p = multiply_add(polynomial(f, _LOG), f, -_HALF)
    y = multiply_add(n, _LN2_HI, f + multiply_add(n, _LN2_LO, p * (f * f)))
    y = y if x < _INF else x
    return y if x > _0 else (-_INF if x == _0 else _NAN)


@elementary
def log_f64(x):
    """Natural logarithm in float64: -inf at zero, NaN below."""
    small = x < _NORMAL_64
    bits = np.float64(x * _UP_64 if small else x).view(np.int64)
    k = np.int64((bits - _SQRT_HALF_BITS_64) >> 52)
    f = np.int64(bits - (k << 52)).view(np.float64) - 1.0
    n = np.float64(k) - (_UP_EXPONENT_64 if small else 0.0)
    s = f / (f + 2.0)
    z = s * s
    h = 0.5 * f * f
    low = multiply_add(n, _LN2_LO_64, s * multiply_add(polynomial(z, _LOG_64), z, h))
    y = multiply_add(n, _LN2_HI_64, f - (h - low))
    y = y if x < np.inf else x
    return y if x > 0.0 else (-np.inf if x == 0.0 else np.nan)


@elementary
def log1p_f32(x):
    """log(1 + x) in float32, accurate near zero, whose sign it keeps."""
    u = _1 + x
    lost = (x - (u - _1)) / u
    return x if x == _0 else log_f32(u) + (lost if lost == lost else _0)


@elementary
def log1p_f64(x):
    """log(1 + x) in float64, accurate near zero, whose sign it keeps."""
    u = 1.0 + x
    lost = (x - (u - 1.0)) / u
    return x if x == 0.0 else log_f64(u) + (lost if lost == lost else 0.0)


@elementary
def _log1p_exp_f32(x):
    e = exp_f32(x)
    s = e / (e + _2)
    z = s * s
    return s * multiply_add(polynomial(z, _UNIT), z, _2)


@elementary
def _log1p_exp_f64(x):
    e = exp_f64(x)
    s = e / (e + 2.0)
    z = s * s
    return s * multiply_add(polynomial(z, _UNIT_64), z, 2.0)


@elementary
def softplus_f32(x):
    """log(1 + e^x) in float32 without overflow."""
    return (_0 if x <= _0 else x) + _log1p_exp_f32(-abs(x))


@elementary
def softplus_f64(x):
    """log(1 + e^x) in float64 without overflow."""
    return (0.0 if x <= 0.0 else x) + _log1p_exp_f64(-abs(x))


@elementary
def logaddexp_f32(x, y):
    """log(e^x + e^y) in float32 without overflow."""
    gap = _0 if x == y else abs(x - y)
    return (x if x >= y else y) + _log1p_exp_f32(-gap)


@elementary
def logaddexp_f64(x, y):
    """log(e^x + e^y) in float64 without overflow."""
    gap = 0.0 if x == y else abs(x - y)
    return (x if x >= y else y) + _log1p_exp_f64(-gap)


# ------------------------------------------------------------------------------------------- error function


@elementary
def erf_f32(x):
    """Error function in float32."""
    a = abs(x)
    a = _ERF_ONE if a > _ERF_ONE else a
    f = polynomial(a, _ERF_F)
    return np.copysign(a * polynomial(a * a, _ERF_N) if a < _ERF_NEAR else _1 - exp_f32(-f), x)


@elementary
def erf_f64(x):
    """Error function in float64."""
    a = abs(x)
    a = 6.0 if a > 6.0 else a
    u = a * a
    near = a < 1.0
    top, bottom = polynomial(u, _ERF_P_64), polynomial(u, _ERF_Q_64)
    t = (a * top if near else a - 2.0) / (bottom if near else a + 2.0)  # one division serves both ranges
    return np.copysign(t if near else 1.0 - exp_f64(-u) * polynomial(t, _ERF_C_64), x)


@elementary
def gaussian_f32(x):
    """e^(-x^2 / 2) in float32."""
    return exp_f32(_MINUS_HALF * x * x)


@elementary
def gaussian_f64(x):
    """e^(-x^2 / 2) in float64."""
    return exp_f64(-0.5 * x * x)


@elementary
def normal_cdf_f32(x):
    """Distribution function of the standard normal distribution in float32; `gaussian_f32` shares its exponential."""
    a = abs(x)
    a = _NORMAL_FAR if a > _NORMAL_FAR else a
    tail = gaussian_f32(x) * polynomial(a, _NORMAL_T)
    return _1 - tail if x > _0 else tail


@elementary
def normal_cdf_f64(x):
    """Distribution function of the standard normal distribution in float64."""
    return 0.5 + 0.5 * erf_f64(x * _SQRT_HALF_64)


# --------------------------------------------------------------------------------- one name for both widths


def exp(x):
    """e^x in the precision of `x`, for kernels written once for float32 and float64."""
    return exp_f32(x) if isinstance(x, np.float32) else exp_f64(x)


def log(x):
    """Natural logarithm in the precision of `x`, for kernels written once for float32 and float64."""
    return log_f32(x) if isinstance(x, np.float32) else log_f64(x)


_OPTIONS: Any = {"error_model": "numpy", "nogil": True, "forceinline": True}


@overload(exp, jit_options=_OPTIONS)
def _exp(x):
    return (lambda x: exp_f32(x)) if x.bitwidth == 32 else (lambda x: exp_f64(x))


@overload(log, jit_options=_OPTIONS)
def _log(x):
    return (lambda x: log_f32(x)) if x.bitwidth == 32 else (lambda x: log_f64(x))
