"""e^x as ``mantissa * 2^exponent``, both floating-point numbers, so that it neither underflows nor overflows."""

from __future__ import annotations

from fnet.kernels.scalar.constants import LN2_HIGH, LN2_LOW, LOG2_E, floats
from fnet.kernels.scalar.exponential import exp
from fnet.kernels.scalar.instructions import rint

_NEVER = floats(-1e30)  # the exponent of zero
_HALF_LN2 = floats(0.35)


def exp_exponent(x):
    """The exponent of e^x; `NEVER` (`fnet.kernels.cpu.vector.scaled`) or less where e^x is 0."""
    x = _NEVER if x < _NEVER else x
    return rint(x * LOG2_E)


def exp_mantissa(x, n):
    """The mantissa of e^x, in [0.7, 1.42], beside the exponent n."""
    x = _NEVER if x < _NEVER else x
    r = x - n * LN2_HIGH - n * LN2_LOW
    r = -_HALF_LN2 if r < -_HALF_LN2 else r  # where x is so large that the difference is nothing but rounding
    return exp(_HALF_LN2 if r > _HALF_LN2 else r)
