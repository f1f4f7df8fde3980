"""The scalar functions of generated and hand-written kernels, one source for both devices.

Every function exists as ``name_f32`` and ``name_f64``: float32 never passes through float64, NaN gives NaN, and all
but the trigonometric functions and `power` vectorise. `exp` and `log` without suffix follow their argument's type.
"""

from __future__ import annotations

import math

import numpy as np

from fnet.kernels.half import bfloat16_f32, float16_f32
from fnet.kernels.integers import floor_divide_i64, power_i64, power_u64, remainder_i64
from fnet.kernels.policy import elementary
from fnet.kernels.quantile import normal_quantile_f32, normal_quantile_f64
from fnet.kernels.transcendental import (
    cosh_f32,
    cosh_f64,
    erf_f32,
    erf_f64,
    exp,
    exp_f32,
    exp_f64,
    expm1_f32,
    expm1_f64,
    gaussian_f32,
    gaussian_f64,
    log,
    log1p_f32,
    log1p_f64,
    log_f32,
    log_f64,
    logaddexp_f32,
    logaddexp_f64,
    normal_cdf_f32,
    normal_cdf_f64,
    sigmoid_f32,
    sigmoid_f64,
    sinh_f32,
    sinh_f64,
    softplus_f32,
    softplus_f64,
    tanh_f32,
    tanh_f64,
)

__all__ = [
    "absolute_f32", "absolute_f64", "accumulate_f32", "accumulate_f64", "arctan_f32", "arctan_f64", "bfloat16_f32",
    "ceil_f32", "ceil_f64", "cos_f32", "cos_f64", "cosh_f32", "cosh_f64", "erf_f32", "erf_f64", "erfc_f32",
    "erfc_f64", "exp", "exp_f32", "exp_f64", "expm1_f32", "expm1_f64", "float16_f32", "floor_divide_i64",
    "floor_f32", "floor_f64", "gaussian_f32", "gaussian_f64", "isfinite_f32", "isfinite_f64", "isinf_f32",
    "isinf_f64", "isnan_f32", "isnan_f64", "log", "log1p_f32", "log1p_f64", "log_f32", "log_f64", "logaddexp_f32",
    "logaddexp_f64", "maximum_f32", "maximum_f64", "minimum_f32", "minimum_f64", "normal_cdf_f32", "normal_cdf_f64",
    "normal_quantile_f32", "normal_quantile_f64", "power_f32", "power_f64", "power_i64", "power_u64",
    "reciprocal_f32", "reciprocal_f64", "relu_f32", "relu_f64", "remainder_i64", "round_f32", "round_f64",
    "sigmoid_f32", "sigmoid_f64", "sign_f32", "sign_f64", "sin_f32", "sin_f64", "sinh_f32", "sinh_f64",
    "softplus_f32", "softplus_f64", "sqrt_f32", "sqrt_f64", "square_f32", "square_f64", "tan_f32", "tan_f64",
    "tanh_f32", "tanh_f64", "trunc_f32", "trunc_f64",
]  # fmt: skip

_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)

# ------------------------------------------------------------------------------------------ order and sign


@elementary
def maximum_f32(x, y):
    """The larger, or NaN if either is."""
    m = y if x < y else x
    return m if y == y else y


@elementary
def maximum_f64(x, y):
    """The larger, or NaN if either is."""
    m = y if x < y else x
    return m if y == y else y


@elementary
def minimum_f32(x, y):
    """The smaller, or NaN if either is."""
    m = y if x > y else x
    return m if y == y else y


@elementary
def minimum_f64(x, y):
    """The smaller, or NaN if either is."""
    m = y if x > y else x
    return m if y == y else y


@elementary
def relu_f32(x):
    """max(x, 0), keeping NaN."""
    return _0 if x <= _0 else x


@elementary
def relu_f64(x):
    """max(x, 0), keeping NaN."""
    return 0.0 if x <= 0.0 else x


@elementary
def sign_f32(x):
    """-1, 0 or 1, keeping NaN; 0 of a negative zero, as in NumPy."""
    return _1 if x > _0 else (-_1 if x < _0 else x + _0)


@elementary
def sign_f64(x):
    """-1, 0 or 1, keeping NaN; 0 of a negative zero, as in NumPy."""
    return 1.0 if x > 0.0 else (-1.0 if x < 0.0 else x + 0.0)


@elementary
def absolute_f32(x):
    """Absolute value."""
    return abs(x)


@elementary
def absolute_f64(x):
    """Absolute value."""
    return abs(x)


@elementary
def isnan_f32(x):
    """True for NaN."""
    return x != x


@elementary
def isnan_f64(x):
    """True for NaN."""
    return x != x


@elementary
def isinf_f32(x):
    """True for either infinity."""
    return abs(x) == _INF


@elementary
def isinf_f64(x):
    """True for either infinity."""
    return abs(x) == np.inf


@elementary
def isfinite_f32(x):
    """True unless infinite or NaN."""
    return abs(x) < _INF


@elementary
def isfinite_f64(x):
    """True unless infinite or NaN."""
    return abs(x) < np.inf


# ------------------------------------------------------------------------------------------------- rounding


@elementary
def floor_f32(x):
    """Largest integer not above x."""
    return np.floor(x)


@elementary
def floor_f64(x):
    """Largest integer not above x."""
    return np.floor(x)


@elementary
def ceil_f32(x):
    """Smallest integer not below x."""
    return np.ceil(x)


@elementary
def ceil_f64(x):
    """Smallest integer not below x."""
    return np.ceil(x)


@elementary
def trunc_f32(x):
    """Rounds towards zero."""
    return np.trunc(x)


@elementary
def trunc_f64(x):
    """Rounds towards zero."""
    return np.trunc(x)


@elementary
def round_f32(x):
    """Rounds to the nearest integer, halves to even."""
    return np.rint(x)


@elementary
def round_f64(x):
    """Rounds to the nearest integer, halves to even."""
    return np.rint(x)


# ------------------------------------------------------------------------------------- powers and quotients


@elementary
def square_f32(x):
    """x times x."""
    return x * x


@elementary
def square_f64(x):
    """x times x."""
    return x * x


@elementary
def reciprocal_f32(x):
    """1 / x."""
    return _1 / x


@elementary
def reciprocal_f64(x):
    """1 / x."""
    return 1.0 / x


@elementary
def sqrt_f32(x):
    """Square root, NaN below zero."""
    return np.sqrt(x)


@elementary
def sqrt_f64(x):
    """Square root, NaN below zero."""
    return np.sqrt(x)


@elementary
def power_f32(x, y):
    """x to the power y."""
    return np.power(x, y)


@elementary
def power_f64(x, y):
    """x to the power y."""
    return np.power(x, y)


# ------------------------------------------------------------------------- functions left to the math library


@elementary
def sin_f32(x):
    """Sine."""
    return np.sin(x)


@elementary
def sin_f64(x):
    """Sine."""
    return np.sin(x)


@elementary
def cos_f32(x):
    """Cosine."""
    return np.cos(x)


@elementary
def cos_f64(x):
    """Cosine."""
    return np.cos(x)


@elementary
def tan_f32(x):
    """Tangent."""
    return np.tan(x)


@elementary
def tan_f64(x):
    """Tangent."""
    return np.tan(x)


@elementary
def arctan_f32(x):
    """Inverse tangent."""
    return np.arctan(x)


@elementary
def arctan_f64(x):
    """Inverse tangent."""
    return np.arctan(x)


@elementary
def erfc_f32(x):
    """1 - erf(x), accurate in the tail."""
    return np.float32(math.erfc(x))


@elementary
def erfc_f64(x):
    """1 - erf(x), accurate in the tail."""
    return np.float64(math.erfc(x))


# ------------------------------------------------------------------------------------------------------------- sums


@elementary(reassoc=True)
def accumulate_f32(total, value):
    """``total + value`` in a sum that may run in several lanes; nothing around it is reordered."""
    return total + value


@elementary(reassoc=True)
def accumulate_f64(total, value):
    """``total + value`` in a sum that may run in several lanes; nothing around it is reordered."""
    return total + value
