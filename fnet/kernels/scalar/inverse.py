"""Inverses of trigonometric, hyperbolic and error functions, and roots: instructions of the device, but the last."""

from __future__ import annotations

from fnet.kernels.scalar.constants import HALF, ONE, floats
from fnet.kernels.scalar.instructions import arccos as _arccos
from fnet.kernels.scalar.instructions import arccosh as _arccosh
from fnet.kernels.scalar.instructions import arcsin as _arcsin
from fnet.kernels.scalar.instructions import arcsinh as _arcsinh
from fnet.kernels.scalar.instructions import arctan2 as _arctan2
from fnet.kernels.scalar.instructions import arctanh as _arctanh
from fnet.kernels.scalar.instructions import cbrt as _cbrt
from fnet.kernels.scalar.instructions import hypot as _hypot
from fnet.kernels.scalar.quantile import quantile_from_middle

_SQRT_HALF = floats(0.7071067811865476)


def arcsin(x):
    """Inverse sine, NaN outside [-1, 1]."""
    return _arcsin(x)


def arccos(x):
    """Inverse cosine, NaN outside [-1, 1]."""
    return _arccos(x)


def arctan2(y, x):
    """The angle of the point (x, y)."""
    return _arctan2(y, x)


def arcsinh(x):
    """Inverse hyperbolic sine."""
    return _arcsinh(x)


def arccosh(x):
    """Inverse hyperbolic cosine, NaN below 1."""
    return _arccosh(x)


def arctanh(x):
    """Inverse hyperbolic tangent, NaN outside [-1, 1]."""
    return _arctanh(x)


def cbrt(x):
    """Cube root."""
    return _cbrt(x)


def hypot(x, y):
    """The square root of x^2 + y^2, without overflow."""
    return _hypot(x, y)


def erfinv(x):
    """Inverse of the error function: infinite at -1 and 1, NaN outside."""
    return quantile_from_middle(x * HALF, (ONE - abs(x)) * HALF) * _SQRT_HALF
