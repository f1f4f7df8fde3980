"""Units of the value, of parameters and of residuals do not matter, and ``converged`` says what is so."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet import optimizers as optim

pytestmark = pytest.mark.usefixtures("walked")
SLOW = pytest.mark.slow
EACH = pytest.mark.parametrize("method", ["lbfgs", "newton", "newton_cg"])
EACH_OF_SQUARES = pytest.mark.parametrize("method", ["levenberg_marquardt", "gauss_newton"])
SOLVERS = pytest.mark.parametrize("solver", ["dense", "cg"])
TIMES = np.linspace(0.0, 2.0, 9)
NOISY = 3.0 * np.exp(-1.5 * TIMES) + 0.1 * np.cos(9.0 * TIMES)
AT = 45.0 + 5.0 * np.arange(1, 17)
MEYER = np.array(
    [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872], float
)


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def powell(x):
    return np.stack([x[0] + 10 * x[1], 5**0.5 * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, 10**0.5 * (x[0] - x[3]) ** 2])


def meyer(x):
    return x[0] * np.exp(x[1] / (AT + x[2])) - MEYER


def noisy(p):
    return p[0] * np.exp(p[1] * TIMES) - NOISY


# Units.


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@EACH
@pytest.mark.parametrize("unit", [1e-12, 1e14])
@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=SLOW), np.float64])
def test_the_unit_of_the_value(method, unit, dtype):
    x = np.array([-1.2, 1.0], dtype)
    found = fnet.minimize(lambda x: unit * rosenbrock(x), x, method, jit=False, max_iterations=100)
    assert found.converged
    np.testing.assert_allclose(found.params, 1.0, atol=3e-3 if dtype == np.float32 else 1e-6)


def test_lbfgs_needs_as_many_steps_in_any_unit():
    steps = [
        fnet.minimize(lambda x, u=unit: u * rosenbrock(x), np.array([-1.2, 1.0], np.float32), jit=False).iterations
        for unit in (1.0, 1e5, 1e14)
    ]
    assert max(steps) <= min(steps) + 2 < 45


@EACH
@pytest.mark.parametrize("unit", [1e-8, pytest.param(1e8, marks=SLOW)])
def test_the_unit_of_the_parameters(method, unit):
    start = unit * np.array([-1.2, 1.0])
    found = fnet.minimize(lambda x: rosenbrock(x / unit), start, method, jit=False, max_iterations=100)
    assert found.converged
    np.testing.assert_allclose(found.params, unit, rtol=1e-6)


@EACH_OF_SQUARES
@SOLVERS
@pytest.mark.parametrize("unit", [1e-6, pytest.param(1e-12, marks=SLOW), pytest.param(1e12, marks=SLOW)])
def test_the_unit_of_the_residuals(method, solver, unit):
    plain = fnet.least_squares(noisy, np.array([1.0, 0.0]), method, solver=solver, jit=False)
    found = fnet.least_squares(lambda p: unit * noisy(p), np.array([1.0, 0.0]), method, solver=solver, jit=False)
    assert plain.converged and found.converged
    assert 0 < found.iterations <= plain.iterations + 2
    np.testing.assert_allclose(found.params, plain.params, rtol=1e-6)


def test_a_steep_direction_does_not_drown_one_of_negative_curvature():
    found = fnet.minimize(
        lambda p: 1e8 * p[1] ** 2 + (p[0] ** 2 - 1) ** 2, np.array([0.1, 1.0]), method="newton", jit=False
    )
    assert found.converged and found.iterations <= 12
    np.testing.assert_allclose(found.params, [1.0, 0.0], atol=1e-9)


@pytest.mark.parametrize("rows", [[[0.0, 1.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, -1.0]], [[-1.0, 0.0], [0.0, 0.0]]])
def test_newton_leaves_saddles_whose_diagonal_is_zero(rows):
    a = np.array(rows)
    f = lambda x: ops.sum(x * (a @ x)) / 2 + ops.sum(x**4) / 4  # noqa: E731
    found = fnet.minimize(f, np.array([0.1, 0.2]), method="newton", jit=False)
    assert found.converged
    assert np.linalg.eigvalsh(a + np.diag(3 * found.params**2)).min() > -1e-3


# Flags.


@EACH_OF_SQUARES
@SOLVERS
def test_a_singular_jacobian_at_the_minimum(method, solver):
    found = fnet.least_squares(powell, np.array([3.0, -1.0, 0.0, 1.0]), method, solver=solver, jit=False)
    assert found.converged and "residuals are zero" in found.message
    np.testing.assert_allclose(found.params, 0.0, atol=1e-6)


@EACH_OF_SQUARES
def test_meyers_valley_is_followed_to_its_end(method):
    found = fnet.least_squares(meyer, np.array([0.02, 4000.0, 250.0]), method, jit=False)
    assert found.converged
    np.testing.assert_allclose(found.params, [5.60963647e-3, 6.18134635e3, 3.45223635e2], rtol=1e-6)


def test_meyers_valley_by_products_is_not_said_to_have_ended():
    found = fnet.least_squares(meyer, np.array([0.02, 4000.0, 250.0]), solver="cg", jit=False, max_iterations=30)
    assert not found.converged


@EACH
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(
    ("f", "most"),
    [(lambda x: -ops.sum(ops.exp(x)), 120), (lambda x: -ops.sum(x**2), 8), (lambda x: -ops.sum(x), 8)],
    ids=["exponential", "parabola", "line"],
)
def test_a_function_without_bound_has_no_minimum(method, f, most):
    found = fnet.minimize(f, np.array([0.7]), method, jit=False, max_iterations=most)
    assert not found.converged


@EACH_OF_SQUARES
@SOLVERS
def test_a_kink_is_no_minimum_of_a_smooth_function(method, solver):
    def residuals(p):
        return np.concatenate([ops.absolute(p - 1) + 1.0, 0 * p + 1])

    found = fnet.least_squares(residuals, np.array([0.3]), method, solver=solver, jit=False)
    np.testing.assert_allclose(found.params, 1.0, rtol=1e-6)
    assert not found.converged
    assert "may not be smooth" in found.message or "has not changed in 10 steps" in found.message


@EACH_OF_SQUARES
def test_a_wrong_gradient_is_no_minimum(method):
    def residuals(p):
        return 2.0 + 2 * ops.stop_gradient(p) - p

    found = fnet.least_squares(residuals, np.array([0.3]), method, jit=False)
    assert not found.converged and found.evaluations < 400


@EACH
def test_a_value_of_exactly_zero_at_the_minimum(method):
    found = fnet.minimize(lambda x: ops.sum((x - 3.0) ** 2 + 5.0) - 10.0, np.zeros(2), method, jit=False)
    assert found.converged
    np.testing.assert_allclose(found.params, 3.0, atol=1e-6)


@EACH_OF_SQUARES
@SOLVERS
def test_residuals_of_exactly_zero(method, solver):
    found = fnet.least_squares(lambda p: 2.0 * p - 2.0, np.zeros(2), method, solver=solver, jit=False)
    assert found.converged and found.value == pytest.approx(0.0, abs=1e-28)
    again = fnet.least_squares(lambda p: 2.0 * p - 2.0, found.params, method, solver=solver, jit=False)
    assert again.converged and again.iterations <= 1


@SOLVERS
def test_a_heavy_first_damping_is_not_taken_for_the_end(solver):
    method = optim.levenberg_marquardt(damping=1e20, solver=solver)
    found = fnet.least_squares(noisy, np.array([1.0, 0.0]), method, jit=False)
    expected = fnet.least_squares(noisy, np.array([1.0, 0.0]), jit=False)
    assert found.converged
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-6)
