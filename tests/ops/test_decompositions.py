"""Decompositions of matrices: values and signs are NumPy's, derivatives of both kinds."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import DerivativeError, ShapeError, ValueRangeError
from fnet.testing import check_grads
from tests.ops.table import close

COVERED = {"eigh", "qr"}
rng = np.random.default_rng(0)


@pytest.mark.parametrize("mode", ["reduced", "complete"])
@pytest.mark.parametrize(
    "shape", [(0, 0), (3, 0), (0, 3), (1, 1), (7, 1), (4, 4), (2, 0, 3, 2), (2, 5, 3), (2, 3, 5), (35, 33)]
)
def test_orthogonal_and_triangular_factors_are_numpys(shape, mode):
    a = rng.normal(size=shape)
    for received, expected in zip(ops.qr(a, mode), np.linalg.qr(a, mode), strict=True):
        close(received, expected, 1e3)


def test_reflections_of_columns_that_are_zero_below_or_large():
    a = np.array([[0.0, 2.0, 1.0], [0.0, -3.0, 1.0], [0.0, 0.0, -1.0]])
    q, r = ops.qr(a)
    close(r, np.linalg.qr(a)[1], 10)
    close(q, np.linalg.qr(a)[0], 10)
    large = rng.normal(size=(3, 2)) * 1e200
    np.testing.assert_allclose(ops.qr(large)[1], np.linalg.qr(large)[1], 1e-12, 1e188)
    assert np.isnan(ops.qr(np.array([[1.0, 2.0], [np.nan, 1.0]]))[1][0, 1])


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (2, 3, 3), (0, 2, 2), (30, 30)])
def test_eigenvalues_are_numpys_and_eigenvectors_belong_to_them(shape):
    a = rng.normal(size=shape)
    a = a + np.swapaxes(a, -1, -2)
    values, vectors = ops.eigh(a)
    np.testing.assert_allclose(values, np.linalg.eigh(a)[0], 1e-12, 1e-12)
    np.testing.assert_allclose(a @ vectors, vectors * values[..., None, :], 1e-11, 1e-11)
    np.testing.assert_allclose(
        np.swapaxes(vectors, -1, -2) @ vectors, np.broadcast_to(np.eye(shape[-1]), shape), 0, 1e-12
    )


def test_eigenvalues_of_equals_and_of_what_is_no_number():
    values, vectors = ops.eigh(np.diag([2.0, 1.0, 2.0]))
    np.testing.assert_array_equal(values, [1, 2, 2])
    np.testing.assert_array_equal(vectors, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    strange = np.array([[[1.0, 0.0], [0.0, np.inf]], [[np.nan, 0.0], [0.0, 1.0]]])
    assert all(np.isnan(part).all() for part in ops.eigh(strange))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 2)])
def test_derivatives_of_eigenvalues_and_eigenvectors(shape):
    a = rng.normal(size=shape) + np.diag(np.arange(shape[-1]) * 3.0)
    check_grads(lambda a: np.sum(np.sin(ops.eigh(a)[0])), a)
    check_grads(lambda a: np.sum(np.sin(ops.eigh(a)[1])), a)


def test_derivatives_of_eigenvalues_with_eigenvectors():
    a = np.array([[1.0, 0.3, 0.2], [0.1, 3.0, 0.5], [0.2, 0.1, 6.0]])
    check_grads(lambda a: np.sum(np.sin(ops.eigh(a)[0] * ops.eigh(a)[1])), a)


def test_functions_of_numpy_on_traced_values():
    a = rng.normal(size=(2, 5, 3))
    for received, expected in zip(fnet.jit(np.linalg.qr)(a), np.linalg.qr(a), strict=True):
        close(received, expected, 100)
    square = a[:, :3]
    for received, expected in zip(fnet.jit(np.linalg.eigh)(square), ops.eigh(square), strict=True):
        close(received, expected, 100)


@pytest.mark.slow
@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 3), (2, 4)])
def test_derivatives_of_orthogonal_and_triangular_factors(shape, part):
    check_grads(lambda a: np.sum(np.sin(ops.qr(a)[part])), rng.normal(size=shape))


def test_derivatives_of_both_factors():
    check_grads(lambda a: np.sum(np.sin(ops.qr(a)[0] @ a[:3])) + np.sum(np.sin(ops.qr(a)[1])), rng.normal(size=(4, 3)))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ops.qr(np.ones(3)), ShapeError, "qr: expected matrices (..., M, N), received float64[3]"),
        (
            lambda: ops.qr(np.ones((2, 2)), "raw"),
            ValueRangeError,
            "mode is 'reduced' or 'complete', received 'raw'",
        ),
        (
            lambda: fnet.grad(lambda a: np.sum(ops.qr(a, "complete")[0]))(np.ones((3, 2))),
            DerivativeError,
            "qr_complete",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as raised:
        call()
    assert text in str(raised.value)
