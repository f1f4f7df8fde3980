"""Constants by the type of numbers they are used with: a bare literal would promote float32 arithmetic to float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class ByType(dict[str, Any]):
    """What a name in the text of a scalar function stands for, by the type that it is loaded for: "f32", "f64"."""


def floats(single: float | Sequence[float], double: float | Sequence[float] | None = None) -> Any:
    """A number, or the terms of a polynomial: rounded to float32, and in float64, where it may be another one.

    >>> floats(0.1)
    {'f32': np.float32(0.1), 'f64': 0.1}
    """
    return ByType(f32=_rounded(single, np.float32), f64=_rounded(single if double is None else double, float))


def either(single: Any, double: Any) -> Any:
    """Whatever differs between float32 and float64: an integer, a type, a function."""
    return ByType(f32=single, f64=double)


def _rounded(value: float | Sequence[float], dtype: type) -> Any:
    return tuple(map(dtype, value)) if isinstance(value, Sequence) else dtype(value)


ZERO, HALF, ONE, TWO, MINUS_HALF = map(floats, (0, 0.5, 1, 2, -0.5))
INFINITY, NAN = floats(np.inf), floats(np.nan)

FLOAT, INTEGER = either(np.float32, np.float64), either(np.int32, np.int64)  # of the same width
MANTISSA, BIAS = either(np.int32(23), 52), either(np.int32(127), 1023)  # bits, and what is added to an exponent

# e^x = 2^n e^r with x = n log 2 + r: n times the first part of log 2 is exact, and n is rounded by adding ROUND,
# 1.5 * 2^mantissa, whose low bits then hold n. The polynomial of ``e^r = 1 + r + r^2 p(r)`` is a minimax fit.
LOG2_E = floats(1.4426950408889634)
LN2_HIGH = floats(0.693359375, 6.93145751953125e-1)
LN2_LOW = floats(-2.12194440e-4, 1.42860682030941723212e-6)
ROUND = floats(12582912.0, 6755399441055744.0)
EXP_TERMS = floats(
    (0.5000000027, 0.1666657662, 0.04166637412, 0.008363237886, 0.00139412156),
    (
        0.5, 0.16666666666666671, 0.0416666666666666839, 0.00833333333332608199, 0.00138888888888742938,
        0.000198412698750056688, 0.0000248015873475871783, 2.75572551662452336e-6, 2.75572526732923682e-7,
        2.51053141165349434e-8, 2.09216701791207105e-9,
    ),
)  # fmt: skip
