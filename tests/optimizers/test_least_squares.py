"""Gauss-Newton and Levenberg-Marquardt: linear laws, certified regressions, next to SciPy, odd residuals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops, tree
from fnet import optimizers as optim
from fnet.errors import DtypeError, StructureError, ValueRangeError
from tests.optimizers.nist import REGRESSIONS

pytestmark = pytest.mark.usefixtures("walked")
METHODS = {"gauss_newton": optim.gauss_newton, "levenberg_marquardt": optim.levenberg_marquardt}
EACH = pytest.mark.parametrize("method", METHODS)
SOLVERS = pytest.mark.parametrize("solver", ["dense", "cg"])
FAR_FROM_ANY_SLOPE = "BoxBOD"  # from the far start the first step reaches a plateau, for MINPACK's method, too
BY_NAME = {r.name: (r, optim.Residuals(r.residuals, jit=False)) for r in REGRESSIONS}


def linear(m, n, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, n)), rng.normal(size=m), rng.normal(size=n)


def exponential(p):
    t = np.linspace(0.0, 2.0, 9)
    return p[0] * np.exp(p[1] * t) - 3.0 * np.exp(-1.5 * t)


EXPONENTIAL = optim.Residuals(exponential, jit=False)


# Laws.


@given(st.integers(1, 6), st.integers(0, 5), st.integers(0, 2**31))
def test_linear_residuals_are_solved_in_one_step_as_by_newton(n, more, seed):
    a, b, x = linear(n + more + 1, n, seed)

    def residuals(x):
        return a @ x - b

    def value(x):
        return 0.5 * ops.sum(residuals(x) ** 2)

    gauss, newton = optim.gauss_newton(), optim.newton()
    new, _, info = gauss.step(residuals, x, gauss.init(residuals, x))
    expected, _, _ = newton.step(value, x, newton.init(value, x))
    solution = np.linalg.lstsq(a, b, rcond=None)[0]
    scale = np.linalg.cond(a) ** 2
    np.testing.assert_allclose(new, solution, atol=1e-13 * scale)
    np.testing.assert_allclose(new, expected, atol=1e-13 * scale)
    assert (info.step_size, info.products) == (1.0, n)
    assert info.value == pytest.approx(float(value(new)), rel=1e-12)


@given(st.integers(1, 6), st.floats(1e-3, 10.0), st.integers(0, 2**31))
def test_the_step_of_levenberg_and_marquardt(n, damping, seed):
    a, b, x = linear(n + 3, n, seed)
    method = optim.levenberg_marquardt(damping)
    new, state, _ = method.step(lambda x: a @ x - b, x, method.init(lambda x: a @ x - b, x))
    normal = a.T @ a
    expected = x - np.linalg.solve(normal + damping * np.diag(np.diag(normal)), a.T @ (a @ x - b))
    np.testing.assert_allclose(new, expected, rtol=1e-8, atol=1e-10)
    assert state.damping < damping  # a linear model keeps what it promises


@given(st.floats(-6, 6), st.integers(0, 2**31))
def test_units_of_parameters_do_not_matter_to_levenberg_and_marquardt(exponent, seed):
    a, b, x = linear(6, 2, seed)
    units = np.array([1.0, 10.0**exponent])

    def steps(units):
        def residuals(u):
            return np.sin(a @ (u * units)) - b

        method = optim.levenberg_marquardt()
        u, state = x / units, method.init(residuals, x / units)
        for _ in range(3):
            u, state, _ = method.step(residuals, u, state)
        return u * units

    np.testing.assert_allclose(steps(units), steps(np.ones(2)), rtol=1e-6, atol=1e-8)


@EACH
@SOLVERS
def test_without_residuals_at_the_end_convergence_is_quadratic(method, solver):
    errors = []
    fnet.least_squares(
        EXPONENTIAL,
        np.array([1.0, 0.0]),
        method,
        solver=solver,
        callback=lambda params, info: errors.append(np.linalg.norm(params - [3.0, -1.5])),
        tolerance=1e-10,
    )
    errors = np.array(errors)
    assert errors[-1] < 1e-10
    late = errors[:-1] < 0.1
    assert np.all(errors[1:][late] < (0.2 if solver == "dense" else 0.5) * errors[:-1][late])


# Certified regressions.


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("start", [pytest.param(0, marks=pytest.mark.slow), 1], ids=["far", "near"])
@pytest.mark.parametrize("name", BY_NAME)
def test_certified_parameters_are_found(name, start):
    regression, residuals = BY_NAME[name]
    first = np.array(regression.starts[start], float)
    far_off = name == FAR_FROM_ANY_SLOPE and start == 0
    fit = fnet.least_squares(residuals, first, "gauss_newton" if far_off else "levenberg_marquardt")
    assert fit.converged
    np.testing.assert_allclose(fit.params, regression.certified, rtol=2e-7)
    assert 2 * fit.value == pytest.approx(regression.sum_of_squares, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Misra1a", "MGH09", "Thurber"])
def test_products_alone_find_them_too(name):
    regression, residuals = BY_NAME[name]
    fit = fnet.least_squares(residuals, np.array(regression.starts[1], float), solver="cg")
    np.testing.assert_allclose(fit.params, regression.certified, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Rat43", "Thurber", "MGH09"])
def test_next_to_scipy(name):
    optimize = pytest.importorskip("scipy.optimize")
    regression, residuals = BY_NAME[name]
    for start in regression.starts:
        ours = fnet.least_squares(residuals, np.array(start, float))
        theirs = optimize.least_squares(regression.residuals, start, method="lm", xtol=1e-13, ftol=1e-13, gtol=1e-13)
        assert ours.value <= theirs.cost * (1 + 1e-10)
        assert ours.evaluations + ours.products <= 2 * theirs.nfev * (1 + len(start))


# Shapes, trees, odd beginnings.


@EACH
def test_trees_of_parameters_and_residuals(method):
    x, y = np.arange(4.0), 2.0 + 3.0 * np.arange(4.0)
    params = {"a": np.zeros((1, 1)), "b": [np.zeros(1)]}

    def residuals(p):
        prediction = p["a"][0] + p["b"][0] * x
        return {"fit": np.reshape(prediction - y, (2, 2)), "ridge": 0.0 * p["a"]}

    before = tree.map(np.copy, params)
    fit = fnet.least_squares(residuals, params, method, jit=False)
    assert fit.converged and tree.all_equal(params, before)
    np.testing.assert_allclose([fit.params["a"].item(), fit.params["b"][0].item()], [2.0, 3.0], rtol=1e-6)


@EACH
@SOLVERS
def test_more_parameters_than_residuals(method, solver):
    a, b, x = linear(2, 5, 0)
    fit = fnet.least_squares(lambda x: a @ x - b, x, method, solver=solver, jit=False)
    assert fit.converged
    assert fit.value < 1e-20


@EACH
def test_float32(method):
    fit = fnet.least_squares(EXPONENTIAL, np.array([1.0, 0.0], np.float32), method)
    assert fit.converged and fit.params.dtype == np.float32
    np.testing.assert_allclose(fit.params, [3.0, -1.5], rtol=1e-4)


@EACH
def test_parameters_without_effect_stay(method):
    fit = fnet.least_squares(lambda p: p[:1] - 4.0 + 0.0 * p[1:], np.array([1.0, 7.0]), method, jit=False)
    assert fit.converged
    np.testing.assert_allclose(fit.params, [4.0, 7.0])


@EACH
def test_a_perfect_start_and_an_empty_one(method):
    fit = fnet.least_squares(EXPONENTIAL, np.array([3.0, -1.5]), method)
    assert fit.converged and fit.value < 1e-25
    fit = fnet.least_squares(lambda p: np.ones(2), {}, method, jit=False)
    assert (fit.params, fit.value, fit.converged) == ({}, 1.0, True)


@EACH
def test_residuals_that_are_not_finite(method):
    fit = fnet.least_squares(EXPONENTIAL, np.array([np.nan, 0.0]), method)
    assert not fit.converged and "not finite" in fit.message
    fit = fnet.least_squares(lambda p: 1.0 / p - 1.0, np.array([3.0]), method, jit=False)  # a full step crosses 0
    assert fit.converged
    np.testing.assert_allclose(fit.params, 1.0, rtol=1e-7)


@EACH
def test_a_step_is_a_function(method):
    method, params = METHODS[method](), np.array([1.0, 0.0])
    state = method.init(EXPONENTIAL, params)
    params, state, _ = method.step(EXPONENTIAL, params, state)
    before = tree.map(np.copy, (params, state))
    first, again = (method.step(EXPONENTIAL, params, state) for _ in range(2))
    assert tree.all_equal(first[:2], again[:2]) and first[2] == again[2]
    assert tree.all_equal((params, state), before)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: fnet.least_squares(exponential, np.ones(2), "lbfgs"),
            ValueRangeError,
            "method 'lbfgs' takes another kind of function. Use fnet.minimize",
        ),
        (lambda: fnet.least_squares(lambda p: {}, np.ones(2)), StructureError, "returned no arrays"),
        (lambda: fnet.least_squares(lambda p: p > 0, np.ones(2)), DtypeError, r"residuals must be floating.*bool\[2\]"),
        (lambda: optim.gauss_newton(solver="qr"), ValueRangeError, "expected solver .* received 'qr'"),
        (lambda: optim.levenberg_marquardt(-1.0), ValueRangeError, "expected damping >= 0, received -1.0"),
    ],
)  # fmt: skip
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
