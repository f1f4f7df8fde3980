"""The error function and the distribution function of the normal distribution, as polynomials that vectorise.

Coefficients are minimax fits of this project (Remez exchange); NaN gives NaN, and limits are exact.
"""

from __future__ import annotations

from fnet.kernels.scalar.constants import HALF, ONE, TWO, ZERO, either, floats
from fnet.kernels.scalar.exponential import exp, gaussian
from fnet.kernels.scalar.instructions import copysign, polynomial

# float32: erf(x) = x N(x^2) near zero, 1 - exp(-F(x)) beyond; float64: x P(x^2) / Q(x^2) below one, above that
# 1 - exp(-x^2) C((x - 2) / (x + 2)).
_NEAR, _FAR = floats(0.9225, 1), floats(4, 6)  # erf is 1 from the second one on
_N = floats((1.128379151, -0.3761250144, 0.1128188036, -0.02676846228, 0.004995319252, -0.0005999363267))
_F = floats(
    (0.0001774980402, 1.127749547, 0.6370597821, 0.1040373316, -0.02227707219, 0.003055603453, -0.0001971812657)
)
_P = floats(
    (1.12837916709551257, 0.142149290455472658, 0.0453039049812447507, 0.00182729412056285207, 0.000194955994043795489)
)
_Q = floats(
    (
        1.0, 0.459309861968977562, 0.0932528277455358846, 0.0105822107780544111, 0.00068121553473931112,
        0.0000202974000916731264,
    )
)  # fmt: skip
_C = floats(
    (
        0.255395676310505759, -0.42718584741395683, 0.241658194242468805, -0.0789785810164156689,
        0.00373289239853829577, 0.00699746178565981793, -0.00084714259046636276, -0.00098197647920700182,
        0.0000435361603147656374, 0.000174288469064099856, 0.0000276231791380167746, -0.0000266114927909794439,
        -0.0000126441029972243523,
    )
)  # fmt: skip

# The normal distribution function of -a is e^(-a^2 / 2) T(a), T being a fit with the weight e^(-a^2 / 2) for a <= 5.5.
_NORMAL_FAR = floats(5.5)
_NORMAL_T = floats(
    (
        0.4999999884, -0.3989411122, 0.2499805572, -0.1328542183, 0.06207368049, -0.02574094117, 0.00930563477,
        -0.002809250236, 0.0006680727984, -0.0001170846499, 1.394384462e-05, -9.949928053e-07, 3.184125054e-08,
    )
)  # fmt: skip
_SQRT_HALF = floats(0.70710678118654752)


def _erf_single(x):
    """Error function in float32."""
    a = abs(x)
    a = _FAR if a > _FAR else a
    f = polynomial(a, _F)
    return copysign(a * polynomial(a * a, _N) if a < _NEAR else ONE - exp(-f), x)


def _erf_double(x):
    """Error function in float64."""
    a = abs(x)
    a = _FAR if a > _FAR else a
    u = a * a
    near = a < _NEAR
    top, bottom = polynomial(u, _P), polynomial(u, _Q)
    t = (a * top if near else a - TWO) / (bottom if near else a + TWO)  # one division serves both ranges
    return copysign(t if near else ONE - exp(-u) * polynomial(t, _C), x)


erf = either(_erf_single, _erf_double)


def _normal_cdf_single(x):
    """Distribution function of the standard normal distribution in float32; `gaussian` shares its exponential."""
    a = abs(x)
    a = _NORMAL_FAR if a > _NORMAL_FAR else a
    tail = gaussian(x) * polynomial(a, _NORMAL_T)
    return ONE - tail if x > ZERO else tail


def _normal_cdf_double(x):
    """Distribution function of the standard normal distribution in float64."""
    return HALF + HALF * erf(x * _SQRT_HALF)


normal_cdf = either(_normal_cdf_single, _normal_cdf_double)
