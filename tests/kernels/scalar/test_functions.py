"""Accuracy, limits, NaN, widths and vectorisation of the scalar functions."""

from __future__ import annotations

import math
import os
import re
import statistics
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config, float32, njit, uint32
from scipy import special

from fnet.kernels.cpu import scalars as s
from fnet.kernels.policy import FASTMATH
from fnet.kernels.scalar import arithmetic

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
EXTENDED = np.finfo(np.longdouble).nmant >= 63
WIDTHS = [("f32", np.float32), ("f64", np.float64)]
NAN, INF = math.nan, math.inf
EDGES = [0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-40, -1e-40, 1e30, -1e30]


def reference_sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def reference_softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def reference_erf(x):
    return np.array([math.erf(v) for v in np.asarray(x, np.float64).ravel()]).reshape(np.shape(x))


# name: (reference, largest error in units of the last place, sweep in float32, sweep in float64)
VECTOR = {
    "exp": (np.exp, 1.2, (-110, 90), (-750, 712)),
    "expm1": (np.expm1, 2.0, (-20, 90), (-40, 712)),
    "log": (np.log, 1.0, (0, 9), (0, 9)),
    "log1p": (np.log1p, 1.7, (-1, 9), (-1, 9)),
    "tanh": (np.tanh, 2.7, (-11, 11), (-24, 24)),
    "sigmoid": (reference_sigmoid, 2.5, (-105, 105), (-750, 750)),
    "softplus": (reference_softplus, 4.0, (-105, 105), (-750, 750)),
    "erf": (reference_erf, 3.0, (-5, 5), (-7, 7)),
}


OTHERS = [
    "accumulate", "sinh", "cosh", "gaussian", "logaddexp", "normal_cdf", "normal_quantile", "exp_exponent",
    "exp_mantissa", "uniform_of_word", "normal_of_word",
]  # fmt: skip


def loop(name, suffix, reassoc=False):
    """A compiled loop y[i] = f(x[i])."""
    f = getattr(s, f"{name}_{suffix}")

    def body(x, y):
        for i in range(x.size):
            y[i] = f(x[i])

    flags = FASTMATH | {"reassoc"} if reassoc else FASTMATH
    return njit(error_model="numpy", fastmath=flags)(body)


def ulps(y, exact):
    """Error of `y` in units in the last place of the rounded exact value; 0 where both are NaN or the same infinity."""
    rounded = exact.astype(y.dtype)
    error = np.abs(y.astype(exact.dtype) - exact) / np.spacing(np.abs(rounded)).astype(exact.dtype)
    same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
    return np.where(np.isfinite(rounded), error, np.where(same, 0, np.inf))


def points(interval, dtype):
    """A dense sweep, the neighbourhood of zero, and every magnitude down to subnormals."""
    rng = np.random.default_rng(7)
    tiny, huge = np.log(float(np.finfo(dtype).smallest_subnormal)), np.log(float(np.finfo(dtype).max))
    magnitudes = np.exp(rng.uniform(tiny, huge - 1e-3, 20000)) * rng.choice([-1, 1], 20000)
    return np.concatenate([rng.uniform(*interval, 50000), rng.uniform(-1.5, 1.5, 50000), magnitudes]).astype(dtype)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="a sweep in plain Python takes minutes")
@pytest.mark.parametrize("reassoc", [False, True])
@pytest.mark.parametrize("suffix, dtype", WIDTHS)
@pytest.mark.parametrize("name", VECTOR)
def test_error_is_bounded_over_dense_sweeps(name, suffix, dtype, reassoc):
    reference, bound, single, double = VECTOR[name]
    wide = np.float64 if dtype == np.float32 or name == "erf" else np.longdouble
    if wide is np.longdouble and not EXTENDED:
        pytest.skip("this platform has no type wider than float64")
    x = points(single if dtype == np.float32 else double, dtype)
    y = np.empty_like(x)
    loop(name, suffix, reassoc)(x, y)
    error = ulps(y, reference(x.astype(wide)))
    worst = int(error.argmax())
    assert error[worst] <= bound, (x[worst], y[worst])


@pytest.mark.parametrize("name", VECTOR)
@settings(deadline=None, max_examples=60)
@given(x=st.floats(width=32))
def test_any_float32_agrees_with_the_wide_reference(name, x):
    reference, bound, _, _ = VECTOR[name]
    y = getattr(s, f"{name}_f32")(np.float32(x))
    assert ulps(np.array([y], np.float32), reference(np.array([x])))[0] <= bound


@pytest.mark.parametrize("suffix, dtype", WIDTHS)
@pytest.mark.parametrize(
    "name, table",
    [
        ("exp", {0: 1, INF: INF, -INF: 0, 1e30: INF, -1e30: 0}),
        ("expm1", {0: 0, INF: INF, -INF: -1, 1e30: INF, -1e30: -1, 1e-30: 1e-30}),
        ("log", {0: -INF, 1: 0, INF: INF, -1: NAN, -INF: NAN}),
        ("log1p", {0: 0, -1: -INF, INF: INF, -2: NAN, -INF: NAN, 1e-30: 1e-30}),
        ("tanh", {0: 0, INF: 1, -INF: -1, 30: 1, -30: -1, 1e-30: 1e-30}),
        ("sigmoid", {0: 0.5, INF: 1, -INF: 0, 1e30: 1, -1e30: 0}),
        ("softplus", {INF: INF, -INF: 0, 1e30: 1e30, -1e30: 0}),
        ("erf", {0: 0, INF: 1, -INF: -1, 30: 1, -30: -1}),
        ("erfc", {0: 1, INF: 0, -INF: 2}),
        ("gaussian", {0: 1, INF: 0, -INF: 0, 1e30: 0}),
        ("normal_cdf", {0: 0.5, INF: 1, -INF: 0, 30: 1, -1e30: 0}),
        ("normal_quantile", {0: -INF, 0.5: 0, 1: INF, -0.1: NAN, 1.1: NAN}),
        ("sqrt", {0: 0, 4: 2, INF: INF, -1: NAN}),
        ("reciprocal", {0: INF, 4: 0.25, INF: 0, -INF: 0}),
        ("relu", {0: 0, 2: 2, -2: 0, INF: INF, -INF: 0}),
    ],
)
def test_limits_are_exact_and_nan_stays(name, table, suffix, dtype):
    f = getattr(s, f"{name}_{suffix}")
    for x, y in table.items():
        np.testing.assert_array_equal(f(dtype(x)), dtype(y), err_msg=f"{name}({x})")
    assert math.isnan(f(dtype(NAN)))


@pytest.mark.parametrize("suffix, dtype", WIDTHS)
def test_the_normal_distribution_function_is_right_to_two_roundings_of_one(suffix, dtype):
    x = np.linspace(-9, 9, 2001 if config.DISABLE_JIT else 100_001).astype(dtype)
    y = np.empty_like(x)
    loop("normal_cdf", suffix)(x, y)
    assert np.abs(y - special.ndtr(x.astype("float64"))).max() < 2 * np.finfo(dtype).eps
    assert (y >= 0).all() and (y <= 1).all()


@pytest.mark.parametrize("suffix, dtype", WIDTHS)
@pytest.mark.parametrize("name", ["tanh", "erf", "expm1", "log1p"])
def test_odd_functions_keep_signed_zero(name, suffix, dtype):
    f = getattr(s, f"{name}_{suffix}")
    assert math.copysign(1, f(dtype(0.0))) == 1
    assert math.copysign(1, f(dtype(-0.0))) == -1


@pytest.mark.parametrize("suffix, dtype", WIDTHS)
@pytest.mark.parametrize("name", ["tanh", "erf"])
@settings(deadline=None, max_examples=30)
@given(x=st.floats(-20, 20, width=32))
def test_odd_functions_are_exactly_odd_and_bounded(name, suffix, dtype, x):
    f = getattr(s, f"{name}_{suffix}")
    assert f(dtype(-x)) == -f(dtype(x))
    assert abs(f(dtype(x))) <= 1


@pytest.mark.parametrize("suffix, dtype", WIDTHS)
@pytest.mark.parametrize(
    "name, reference",
    [
        ("absolute", np.absolute), ("sign", np.sign), ("floor", np.floor), ("ceil", np.ceil), ("trunc", np.trunc),
        ("round", np.rint), ("square", np.square), ("isnan", np.isnan), ("isinf", np.isinf),
        ("isfinite", np.isfinite), ("sin", np.sin), ("cos", np.cos), ("tan", np.tan), ("arctan", np.arctan),
    ],
)  # fmt: skip
def test_simple_functions_equal_numpy(name, reference, suffix, dtype):
    f = getattr(s, f"{name}_{suffix}")
    tolerance = 3 * np.finfo(dtype).eps if name in ("sin", "cos", "tan", "arctan") else 0
    for x in EDGES:
        x = dtype(x)
        np.testing.assert_allclose(f(x), reference(x), rtol=tolerance, err_msg=f"{name}({x})")


@pytest.mark.parametrize("suffix, dtype", WIDTHS)
@pytest.mark.parametrize("name", ["maximum", "minimum", "power", "logaddexp"])
def test_functions_of_two_arguments_equal_numpy(name, suffix, dtype):
    f, reference, eps = getattr(s, f"{name}_{suffix}"), getattr(np, name), np.finfo(dtype).eps
    for x in EDGES:
        for y in EDGES:
            if name == "power" and y == 0.5 and x in (0.0, -INF):
                continue  # NumPy takes the square root there; C's pow gives +0 and +inf
            expected = reference(dtype(x), dtype(y))
            lost = 2 * eps if name == "logaddexp" else 0  # its terms may cancel
            np.testing.assert_allclose(f(dtype(x), dtype(y)), expected, 4 * eps, lost, err_msg=f"{name}({x}, {y})")


@pytest.mark.parametrize("suffix, dtype, bound", [("f32", np.float32, 5e-7), ("f64", np.float64, 3e-15)])
def test_normal_quantile_inverts_the_normal_distribution(suffix, dtype, bound):
    f, normal = getattr(s, f"normal_quantile_{suffix}"), statistics.NormalDist()
    tails = 10.0 ** -np.arange(1, 36, 1.7)
    for p in np.concatenate([np.linspace(0.01, 0.99, 50), tails, 1 - tails[tails > 1e-6]]).astype(dtype):
        assert f(p) == pytest.approx(normal.inv_cdf(float(p)), rel=bound, abs=bound)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="about compiled types")
@pytest.mark.parametrize("name", sorted({*vars(arithmetic), *VECTOR, *OTHERS} & set(s.TEXTS)))
def test_float32_functions_stay_in_float32(name):
    body = getattr(s, f"{name}_f32").py_func
    f = njit(error_model="numpy", fastmath=FASTMATH, no_cpython_wrapper=True, no_cfunc_wrapper=True)(body)
    f.compile((uint32 if name.endswith("of_word") else float32,) * body.__code__.co_argcount)
    (result,) = [c.signature.return_type for c in f.overloads.values()]
    assert str(result) == ("bool" if name.startswith("is") else "float32")
    assert not re.search(r"(?m)^(?!declare|;).*\bdouble\b", f.inspect_llvm(f.signatures[0]))


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="about machine code")
@pytest.mark.parametrize("suffix, dtype", WIDTHS)
@pytest.mark.parametrize("name", [*VECTOR, "logaddexp", "normal_quantile"])
def test_loops_vectorise(name, suffix, dtype):
    if name == "logaddexp":
        two, one = getattr(s, f"{name}_{suffix}"), dtype(1)
        kernel = njit(error_model="numpy", fastmath=FASTMATH)(_loop_of_two(two, one))
    else:
        kernel = loop(name, suffix)
    x = np.full(8, 0.5, dtype)
    kernel(x, np.empty_like(x))
    text = kernel.inspect_llvm(kernel.signatures[0])
    assert re.search(rf"fmul [^\n]*<\d+ x {'float' if suffix == 'f32' else 'double'}>", text)


def _loop_of_two(f, one):
    def body(x, y):
        for i in range(x.size):
            y[i] = f(x[i], one)

    return body


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_generic_names_follow_the_type_of_the_argument(dtype):
    exp, log = s.exp, s.log

    @njit
    def both(x, y):
        y[0], y[1] = exp(x[0]), log(x[0])

    y = np.empty(2, dtype)
    both(np.full(1, 0.3, dtype), y)
    suffix = "f32" if dtype == np.float32 else "f64"
    assert y[0] == getattr(s, f"exp_{suffix}")(dtype(0.3)) == s.exp(dtype(0.3))
    assert y[1] == getattr(s, f"log_{suffix}")(dtype(0.3)) == s.log(dtype(0.3))


PROGRAM = """
import numpy as np, warnings
import fnet.kernels.cpu.scalars as s
warnings.simplefilter("ignore")
for name in {names}:
    for dtype in (np.float32, np.float64):
        f = getattr(s, name + ("_f32" if dtype == np.float32 else "_f64"))
        for x in {values}:
            y = f(dtype(x))
            assert isinstance(y, np.float32 if dtype == np.float32 else float), (name, type(y))
            print(float(y))
"""


def test_plain_python_gives_the_same_numbers():
    names, values = [*VECTOR, "normal_quantile"], [-3.25, 0.0, 1e-3, 0.7, 20.5, 1000.0]
    program = PROGRAM.format(names=names, values=values)
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    plain = iter(float(line) for line in run.stdout.split())
    for name in names:
        for suffix, dtype in WIDTHS:
            for x in values:
                expected = getattr(s, f"{name}_{suffix}")(dtype(x))
                np.testing.assert_allclose(next(plain), expected, rtol=4 * np.finfo(dtype).eps, err_msg=f"{name}({x})")
