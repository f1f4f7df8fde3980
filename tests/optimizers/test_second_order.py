"""L-BFGS, Newton and Newton-CG: laws on quadratics, Rosenbrock's valley, networks, and every odd beginning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import losses, ops, random, serial, tree
from fnet import optimizers as optim
from fnet.errors import DerivativeError, DtypeError, ShapeError, ValueRangeError
from fnet.layers import LSTM, Dense

pytestmark = pytest.mark.usefixtures("walked")
METHODS = {"lbfgs": optim.lbfgs, "newton": optim.newton, "newton_cg": optim.newton_cg}
EACH = pytest.mark.parametrize("method", METHODS)
SEEDS = st.integers(0, 2**31)


def quadratic(n, seed, condition=100.0, dtype=np.float64):
    """``x.A x / 2 - b.x`` with a positive definite A of that condition, its minimum."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    a = (q * np.geomspace(1, condition, n)) @ q.T
    b = rng.normal(size=n)
    a, b = ((a + a.T) / 2).astype(dtype), b.astype(dtype)
    return (lambda x: 0.5 * ops.sum(x * (a @ x)) - ops.sum(b * x)), np.linalg.solve(a, b)


def rosenbrock(x):
    return ops.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


ROSENBROCK = optim.Objective(rosenbrock, jit=False)  # compiled, some tests would take ten times as long
START = np.array([-1.2, 1.0])


def steps(method, f, x, most=100, tolerance=1e-9):
    """The parameters and infos of every step up to a small gradient."""
    state, trace = method.init(f, x), []
    for _ in range(most):
        x, state, info = method.step(f, x, state)
        trace.append((x, info))
        if info.gradient_norm <= tolerance:
            break
    return trace


# Quadratics.


@given(st.integers(1, 9), SEEDS)
def test_newton_solves_a_quadratic_in_one_step(n, seed):
    f, minimum = quadratic(n, seed)
    x = np.random.default_rng(seed + 1).normal(size=n)
    new, _, info = optim.newton().step(f, x, optim.newton().init(f, x))
    np.testing.assert_allclose(new, minimum, rtol=1e-10, atol=1e-11)
    assert (info.step_size, info.damping, info.evaluations, info.products) == (1.0, 0.0, 1, n)


def test_newtons_damping_and_learning_rate():
    f, _ = quadratic(3, 0)
    x = np.ones(3)
    h, g = fnet.hessian(f)(x), fnet.grad(f)(x)
    method = optim.newton(0.5, damping=2.0, line_search=False)
    new, _, info = method.step(f, x, method.init(f, x))
    np.testing.assert_allclose(new, x - 0.5 * np.linalg.solve(h + 2 * np.eye(3), g), rtol=1e-12)
    assert (info.step_size, info.damping) == (0.5, 2.0)


@given(st.sampled_from([1, 4, 8]), SEEDS)
def test_newton_cg_needs_no_more_products_than_twice_the_parameters(n, seed):
    f, minimum = quadratic(n, seed, condition=10.0)
    result = fnet.minimize(f, np.zeros(n), "newton_cg", tolerance=1e-9, jit=False)
    np.testing.assert_allclose(result.params, minimum, atol=1e-7)
    assert result.products <= 2 * n * result.iterations


@given(st.sampled_from([1, 4, 8]), SEEDS)
def test_lbfgs_solves_a_quadratic_in_little_more_steps_than_parameters(n, seed):
    f, minimum = quadratic(n, seed, condition=10.0)
    result = fnet.minimize(f, np.zeros(n), history=10, c2=0.1, tolerance=1e-7, jit=False)
    assert result.converged
    assert result.iterations <= 2 * n + 5
    np.testing.assert_allclose(result.params, minimum, atol=1e-6)


def test_the_two_loops_are_the_inverse_of_bfgs():
    f, _ = quadratic(5, 3)
    method, x, inverse = optim.lbfgs(), np.ones(5), np.eye(5)
    state, gradient = method.init(f, x), fnet.grad(f)
    pairs = []
    for _ in range(5):
        new, state, _ = method.step(f, x, state)
        pairs.append((new - x, gradient(new) - gradient(x)))
        x = new
    s, y = pairs[-1]
    inverse = np.eye(5) * (s @ y) / (y @ y)
    for s, y in pairs:
        left = np.eye(5) - np.outer(s, y) / (s @ y)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
    new, _, info = method.step(f, x, state)
    np.testing.assert_allclose((new - x) / info.step_size, -inverse @ gradient(x), rtol=1e-9)


# Rosenbrock's valley.


def test_every_step_of_lbfgs_meets_the_strong_wolfe_conditions():
    method, x = optim.lbfgs(), START
    state = method.init(ROSENBROCK, x)
    for _ in range(30):
        value, gradient = fnet.value_and_grad(rosenbrock)(x)
        new, state, info = method.step(ROSENBROCK, x, state)
        slope = np.vdot(gradient, new - x)
        assert slope < 0 and info.wolfe
        assert info.value <= value + 1e-4 * slope
        assert abs(np.vdot(fnet.grad(rosenbrock)(new), new - x)) <= 0.9 * abs(slope)
        x = new


@EACH
def test_convergence_is_superlinear(method):
    errors = [np.linalg.norm(x - 1.0) for x, _ in steps(METHODS[method](), ROSENBROCK, START)]
    assert errors[-1] < 1e-9
    ratios = np.array(errors[1:]) / errors[:-1]
    assert ratios[-1] < 0.02 and ratios[-1] < np.median(ratios)


@EACH
@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.slow), np.float64])
def test_next_to_scipy(method, dtype):
    optimize = pytest.importorskip("scipy.optimize")
    ours = fnet.minimize(ROSENBROCK, START.astype(dtype), method)
    name = "L-BFGS-B" if method == "lbfgs" else "Newton-CG"
    hessian = None if method == "lbfgs" else optimize.rosen_hess
    theirs = optimize.minimize(optimize.rosen, START, jac=optimize.rosen_der, hess=hessian, method=name, tol=1e-10)
    assert ours.converged and ours.params.dtype == dtype
    np.testing.assert_allclose(ours.params, theirs.x, atol=1e-3 if dtype == np.float32 else 1e-5)
    assert ours.evaluations <= 2 * theirs.nfev


def test_the_counts_are_those_of_the_calls():
    calls = {"gradients": 0}

    def counted(x):
        calls["gradients"] += 1
        return rosenbrock(x)

    result = fnet.minimize(counted, START, jit=False)
    assert calls["gradients"] == result.evaluations
    assert result.products == 0
    calls["gradients"] = 0
    result = fnet.minimize(counted, START, "newton", jit=False)
    assert calls["gradients"] == result.evaluations + result.products
    assert result.products == 2 * result.iterations


@EACH
def test_compiled_and_eager_functions_give_the_same_steps(method):
    compiled = fnet.minimize(rosenbrock, START, method, max_iterations=12)
    eager = fnet.minimize(rosenbrock, START, method, max_iterations=12, jit=False)
    assert compiled[3:] == eager[3:]
    np.testing.assert_allclose(compiled.params, eager.params, rtol=1e-9)


# Networks, trees, purity.


def network():
    net = serial(Dense(6, activation="tanh"), Dense(3))
    params, state = net.init(random.key(0), (4,), np.float64)
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(40, 4)), rng.integers(0, 3, 40)

    def loss(params):
        logits, _ = net.apply(params, state, x, train=True)
        penalty = sum(ops.sum(w * w) for w in tree.leaves(params))
        return losses.sparse_categorical_crossentropy(labels, logits, from_logits=True) + 1e-2 * penalty

    return loss, params


@pytest.mark.parametrize("method", ["lbfgs", "newton_cg", pytest.param("newton", marks=pytest.mark.slow)])
def test_a_network_is_trained_on_all_data(method):
    loss, params = network()
    before = tree.map(np.copy, params)
    result = fnet.minimize(loss, params, method, jit=method == "lbfgs")
    assert result.converged and result.gradient_norm <= 1e-8
    assert tree.all_equal(params, before)
    assert tree.structure(result.params) == tree.structure(params)
    assert result.value < 0.8 * float(loss(params))
    assert result.value == pytest.approx(float(loss(result.params)), rel=1e-12)


def test_a_step_is_a_function():
    loss, params = network()
    f, method = optim.Objective(loss, jit=False), optim.lbfgs()
    state = method.init(f, params)
    for _ in range(3):
        params, state, _ = method.step(f, params, state)
    before = tree.map(np.copy, (params, state))
    first, again = method.step(f, params, state), method.step(f, params, state)
    assert tree.all_equal(first[:2], again[:2]) and first[2] == again[2]
    assert tree.all_equal((params, state), before)
    for leaf in tree.leaves(first[0]):
        leaf[...] = 7.0  # parameters are the caller's: the state holds its own
    assert tree.all_equal(first[1], again[1])


@EACH
def test_parameters_that_were_changed_in_between_are_evaluated_anew(method):
    method = METHODS[method]()
    x, state, _ = method.step(ROSENBROCK, START, method.init(ROSENBROCK, START))
    _, _, info = method.step(ROSENBROCK, x, state)
    moved = x + 0.1
    new, _, again = method.step(ROSENBROCK, moved, state)
    assert again.evaluations >= 2
    expected, _, _ = method.step(ROSENBROCK, moved, method.init(ROSENBROCK, moved))
    np.testing.assert_array_equal(new, expected)
    assert info.value < rosenbrock(x)


# Odd beginnings.


@EACH
def test_a_zero_gradient_is_the_end_at_once(method):
    result = fnet.minimize(rosenbrock, np.ones(2), method, jit=False)
    assert (result.converged, result.iterations, result.evaluations) == (True, 0, 1)
    np.testing.assert_array_equal(result.params, 1.0)


@EACH
def test_no_parameters_at_all(method):
    result = fnet.minimize(lambda p: 3.0, {}, method, jit=False)
    assert (result.params, result.value, result.converged) == ({}, 3.0, True)


@EACH
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_start_that_is_not_finite_is_reported(method, value):
    result = fnet.minimize(lambda x: ops.sum(x * x), np.array([1.0, value]), method, jit=False)
    assert not result.converged
    assert "not finite: start elsewhere" in result.message


@EACH
def test_walls_of_nan_are_not_crossed(method):
    result = fnet.minimize(lambda x: ops.sum(x - ops.log(x)), np.array([0.01, 5.0]), method, jit=False)
    assert result.converged
    np.testing.assert_allclose(result.params, 1.0, rtol=1e-7)


@EACH
def test_negative_curvature_leads_downhill(method):
    result = fnet.minimize(lambda x: x[0] ** 2 - x[1] ** 2 + 0.25 * x[1] ** 4, np.array([1.0, 0.1]), method, jit=False)
    assert result.converged
    np.testing.assert_allclose(np.abs(result.params), [0, np.sqrt(2)], atol=1e-6)


@EACH
def test_a_singular_hessian(method):
    result = fnet.minimize(lambda x: (x[0] + x[1] - 1.0) ** 2, np.zeros(2), method, jit=False)
    assert result.converged
    assert result.value < 1e-15


@EACH
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_function_without_minimum_ends_without_success(method):
    result = fnet.minimize(lambda x: -ops.sum(ops.exp(x)), np.zeros(1), method, jit=False, max_iterations=20)
    assert not result.converged


def test_a_kink_ends_lbfgs_with_the_reason():
    result = fnet.minimize(lambda x: ops.sum(ops.absolute(x)), np.array([0.7]), max_iterations=50)
    assert not result.converged or result.value < 1e-6


def test_the_driver_stops_for_the_callback_and_at_the_limit():
    seen = []
    result = fnet.minimize(ROSENBROCK, START, callback=lambda params, info: seen.append(info.value) or len(seen) == 3)
    assert (result.iterations, result.message, result.value) == (3, "the callback asked to stop", seen[-1])
    result = fnet.minimize(ROSENBROCK, START, max_iterations=2)
    assert (result.iterations, result.converged, result.message) == (2, False, "max_iterations=2 are over")
    assert fnet.minimize(ROSENBROCK, START, max_iterations=0).iterations == 0


# Errors.


def test_a_primitive_without_second_derivative_is_named():
    net = LSTM(2)
    params, state = net.init(random.key(0), (3, 2), np.float64)
    x = np.ones((2, 3, 2))

    def loss(params):
        return ops.sum(net.apply(params, state, x)[0] ** 2)

    for method in ("newton", "newton_cg"):
        with pytest.raises(DerivativeError, match=r"primitive 'lstm\w*' has no (vjp|jvp) rule"):
            fnet.minimize(loss, params, method, jit=False)
    assert fnet.minimize(loss, params, max_iterations=3, jit=False).iterations == 3


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: fnet.minimize(rosenbrock, START, "lbgfs"), ValueRangeError, "Did you mean 'lbfgs'"),
        (
            lambda: fnet.minimize(rosenbrock, START, "gauss_newton"),
            ValueRangeError,
            "takes another kind of function. Use fnet.least_squares",
        ),
        (
            lambda: fnet.minimize(rosenbrock, START, optim.gauss_newton()),
            ValueRangeError,
            "method 'LeastSquares' takes another kind of function",
        ),
        (
            lambda: fnet.minimize(rosenbrock, START, optim.lbfgs(), history=3),
            ValueRangeError,
            r"options \(history\) go into the method where it is made",
        ),
        (lambda: fnet.minimize(rosenbrock, START, hist=3), TypeError, "unexpected keyword argument 'hist'"),
        (lambda: fnet.minimize(rosenbrock, np.arange(2)), DtypeError, r"parameter '' is int64\[2\], expected float32"),
        (lambda: fnet.minimize(lambda x: x, START), ShapeError, "grad needs a scalar floating-point value"),
        (lambda: fnet.minimize(rosenbrock, START, tolerance=-1.0), ValueRangeError, "tolerance >= 0, received -1"),
        (lambda: optim.lbfgs(history=0), ValueRangeError, "lbfgs: expected history to be an integer >= 1, received 0"),
        (lambda: optim.lbfgs(c1=0.5, c2=0.1), ValueRangeError, "expected 0 < c1 < c2 < 1, received c1=0.5, c2=0.1"),
        (lambda: optim.newton(damping=-1), ValueRangeError, "newton: expected damping >= 0, received -1"),
        (lambda: optim.newton_cg(max_products=0), ValueRangeError, "expected max_products to be an integer >= 1"),
    ],
)  # fmt: skip
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
