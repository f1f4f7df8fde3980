"""Linear systems, inverses, determinants and Cholesky's factor: values are NumPy's, derivatives of both kinds."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import ShapeError
from fnet.testing import check_grads
from tests.ops.table import close

COVERED = {"solve", "solve_triangular", "inv", "det", "slogdet", "logdet", "cholesky", "cholesky_inverse"}
rng = np.random.default_rng(0)


def matrices(n: int, lead: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Any matrices, positive definite ones, and right sides."""
    a, b = rng.normal(size=(*lead, n, n)), rng.normal(size=(*lead, n, 3))
    return a, a @ np.swapaxes(a, -1, -2) + n * np.eye(n), b


@pytest.mark.parametrize("n", [0, 1, 2, 5, 33])
@pytest.mark.parametrize("lead", [(), (3,), (2, 0), (2, 2)])
def test_values_are_numpys(n, lead):
    a, positive, b = matrices(n, lead)
    close(ops.solve(a, b), np.linalg.solve(a, b), 1e4)
    close(ops.inv(a), np.linalg.inv(a), 1e4)
    for received, expected in zip(ops.slogdet(a), np.linalg.slogdet(a), strict=True):
        close(received, np.asarray(expected), 100)
    close(ops.logdet(positive), np.linalg.slogdet(positive)[1], 100)
    close(ops.cholesky(positive), np.linalg.cholesky(positive), 100)
    for upper in (False, True):
        close(ops.cholesky_inverse(ops.cholesky(positive, upper), upper), np.linalg.inv(positive), 1e3)
    strong = a + 9 * np.eye(n)
    close(ops.solve_triangular(strong, b, lower=True), np.linalg.solve(np.tril(strong), b), 1e3)
    close(ops.solve_triangular(strong, b), np.linalg.solve(np.triu(strong), b), 1e3)
    np.testing.assert_allclose(ops.det(a), np.linalg.det(a), 1e-10, 1e-12)


def test_one_matrix_for_many_right_sides_and_vectors():
    a, _, b = matrices(4, ())
    many = rng.normal(size=(3, 4, 2)).astype(np.float32)
    np.testing.assert_allclose(ops.solve(a.astype(np.float32), many), np.linalg.solve(a, many), 1e-3, 1e-4)
    close(ops.solve(a, b[:, 0]), np.linalg.solve(a, b[:, 0]), 100)


def test_what_is_singular_or_not_positive_definite():
    assert np.all(~np.isfinite(ops.solve(np.zeros((2, 2)), np.ones(2))))
    assert [float(part) for part in ops.slogdet(np.ones((2, 2)))] == [0.0, -np.inf]
    assert float(ops.det(np.ones((3, 3)))) == 0.0
    assert np.isnan(ops.logdet(np.diag([1.0, -1.0])))
    assert np.isnan(ops.cholesky(-np.eye(2))[0, 0])
    assert np.isnan(ops.slogdet(np.array([[np.nan, 1.0], [1.0, 2.0]]))[1])


def test_functions_of_numpy_on_traced_values():
    a, positive, b = matrices(3, (2,))

    def f(a, b):
        sign, size = np.linalg.slogdet(a)
        return np.linalg.solve(a, b), np.linalg.inv(a), np.linalg.det(a), sign, size

    for received, expected in zip(fnet.jit(f)(a, b), f(a, b), strict=True):
        np.testing.assert_allclose(received, expected, 1e-9, 1e-10)
    close(fnet.vjp(np.linalg.cholesky, positive)[0], np.linalg.cholesky(positive), 10)


@pytest.mark.slow
@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: ops.solve(a, b), lambda a, b: ops.solve(a[0], b[0, :, 0]), lambda a, b: ops.solve_triangular(a, b),
        lambda a, b: ops.solve_triangular(a, b, lower=True), lambda a, b: ops.inv(a), lambda a, b: ops.det(a),
        lambda a, b: ops.slogdet(a)[1], lambda a, b: ops.cholesky(a @ np.swapaxes(a, -1, -2) + np.eye(3)),
        lambda a, b: ops.cholesky(a @ np.swapaxes(a, -1, -2) + np.eye(3), upper=True),
    ],
)  # fmt: skip
def test_derivatives(f):
    a, _, b = matrices(3, (2,))
    a = a + 2 * np.eye(3)
    check_grads(lambda a, b: np.sum(np.sin(f(a, b))), a, b)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ops.inv(np.ones((2, 3))), "inv: expected square matrices (..., N, N), received float64[2, 3]"),
        (lambda: ops.cholesky(np.ones(3)), "cholesky: expected square matrices (..., N, N), received float64[3]"),
        (lambda: ops.solve(np.eye(2), np.ones(3)), "(N,) or (..., N, K) for matrices (2, 2), received float64[3]"),
        (lambda: ops.solve_triangular(np.eye(2), 1.0), "for matrices (2, 2), received float64[]"),
    ],
)  # fmt: skip
def test_errors(call, text):
    with pytest.raises(ShapeError) as raised:
        call()
    assert text in str(raised.value)
