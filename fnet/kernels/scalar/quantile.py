"""The inverse of the standard normal distribution function, for random normal numbers and for that of erf.

Source: M. J. Wichura, Algorithm AS 241, Applied Statistics 37 (1988): PPND7 in float32, PPND16 in float64.
"""

from __future__ import annotations

from fnet.kernels.scalar.constants import HALF, INFINITY, ONE, ZERO, floats
from fnet.kernels.scalar.instructions import copysign, multiply_add, polynomial, sqrt
from fnet.kernels.scalar.logarithm import log

_CENTRAL, _CENTRAL_SQUARE, _MIDDLE, _TAIL = map(floats, (0.425, 0.180625, 1.6, 5))
_A = floats(
    (3.3871327179, 50.434271938, 159.29113202, 59.109374720),
    (
        3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
        45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727,
    ),
)  # fmt: skip
_B = floats(
    (1, 17.895169469, 78.757757664, 67.187563600),
    (
        1.0, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077, 21213.794301586595867,
        39307.89580009271061, 28729.085735721942674, 5226.495278852854561,
    ),
)  # fmt: skip
_C = floats(
    (1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103),
    (
        1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
        1.27045825245236838258, 0.24178072517745061177, 0.0227238449892691845833, 7.7454501427834140764e-4,
    ),
)  # fmt: skip
_D = floats(
    (1, 0.73700164250, 0.12021132975),
    (
        1.0, 2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455, 0.14810397642748007459,
        0.0151986665636164571966, 5.475938084995344946e-4, 1.05075007164441684324e-9,
    ),
)  # fmt: skip
_E = floats(
    (6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997),
    (
        6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 0.29656057182850489123,
        0.026532189526576123093, 0.0012426609473880784386, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
    ),
)  # fmt: skip
_F = floats(
    (1, 0.24197894225, 0.012258202635),
    (
        1.0, 0.59983220655588793769, 0.13692988092273580531, 0.0148753612908506148525, 7.868691311456132591e-4,
        1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15,
    ),
)  # fmt: skip


def normal_quantile(p):
    """The x with P(normal <= x) = p: infinite at 0 and 1, NaN outside."""
    q = p - HALF
    return quantile_from_middle(q, p if q < ZERO else ONE - p)


def quantile_from_middle(q, tail):
    """The same, from ``q = p - 1/2`` and the smaller one of p and 1 - p."""
    r = multiply_add(-q, q, _CENTRAL_SQUARE)
    top, below = polynomial(r, _A) * abs(q), polynomial(r, _B)
    s = sqrt(-log(tail))
    r = s - _MIDDLE
    middle_top, middle_below = polynomial(r, _C), polynomial(r, _D)
    r = s - _TAIL
    tail_top, tail_below = polynomial(r, _E), polynomial(r, _F)
    central, middle = abs(q) <= _CENTRAL, s <= _TAIL
    x = (top if central else (middle_top if middle else tail_top)) / (
        below if central else (middle_below if middle else tail_below)
    )
    return copysign(INFINITY if s == INFINITY else x, q)
