"""Order, sign, rounding, powers, and functions that are instructions of the device.

float32 never passes through float64, NaN gives NaN, and all but the trigonometric functions and `power` vectorise.
"""

from __future__ import annotations

from fnet.kernels.scalar.constants import FLOAT, INFINITY, ONE, ZERO
from fnet.kernels.scalar.instructions import arctan as _arctan
from fnet.kernels.scalar.instructions import ceil as _ceil
from fnet.kernels.scalar.instructions import copysign as _copysign
from fnet.kernels.scalar.instructions import cos as _cos
from fnet.kernels.scalar.instructions import erfc as _erfc
from fnet.kernels.scalar.instructions import floor as _floor
from fnet.kernels.scalar.instructions import power as _power
from fnet.kernels.scalar.instructions import rint as _rint
from fnet.kernels.scalar.instructions import sin as _sin
from fnet.kernels.scalar.instructions import sqrt as _sqrt
from fnet.kernels.scalar.instructions import tan as _tan
from fnet.kernels.scalar.instructions import trunc as _trunc

# ------------------------------------------------------------------------------------------ order and sign


def maximum(x, y):
    """The larger, or NaN if either is."""
    m = y if x < y else x
    return m if y == y else y


def minimum(x, y):
    """The smaller, or NaN if either is."""
    m = y if x > y else x
    return m if y == y else y


def relu(x):
    """max(x, 0), keeping NaN."""
    return ZERO if x <= ZERO else x


def sign(x):
    """-1, 0 or 1, keeping NaN; 0 of a negative zero, as in NumPy."""
    return ONE if x > ZERO else (-ONE if x < ZERO else x + ZERO)


def copysign(x, y):
    """The size of x with the sign of y."""
    return _copysign(x, y)


def absolute(x):
    """Absolute value."""
    return abs(x)


def isnan(x):
    """True for NaN."""
    return x != x


def isinf(x):
    """True for either infinity."""
    return abs(x) == INFINITY


def isfinite(x):
    """True unless infinite or NaN."""
    return abs(x) < INFINITY


# ------------------------------------------------------------------------------------------------- rounding


def floor(x):
    """Largest integer not above x."""
    return _floor(x)


def ceil(x):
    """Smallest integer not below x."""
    return _ceil(x)


def trunc(x):
    """Rounds towards zero."""
    return _trunc(x)


def round(x):
    """Rounds to the nearest integer, halves to even."""
    return _rint(x)


# ------------------------------------------------------------------------------------- powers and quotients


def square(x):
    """x times x."""
    return x * x


def reciprocal(x):
    """1 / x."""
    return ONE / x


def sqrt(x):
    """Square root, NaN below zero."""
    return _sqrt(x)


def power(x, y):
    """x to the power y."""
    return _power(x, y)


# ------------------------------------------------------------------------- functions left to the math library


def sin(x):
    """Sine."""
    return _sin(x)


def cos(x):
    """Cosine."""
    return _cos(x)


def tan(x):
    """Tangent."""
    return _tan(x)


def arctan(x):
    """Inverse tangent."""
    return _arctan(x)


def erfc(x):
    """1 - erf(x), accurate in the tail."""
    return FLOAT(_erfc(x))
