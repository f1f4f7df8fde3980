"""Cholesky's factors and the systems solved by them, at the edges of blocks, and what is not positive definite."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.kernels.cpu import cholesky as k

SIZES = [0, 1, 2, 9, k.BLOCK - 1, k.BLOCK, k.BLOCK + 1, 2 * k.BLOCK + 3]
DTYPES = [np.float32, np.float64]


def system(n, dtype, seed=0):
    """A positive definite matrix, a right-hand side."""
    rng = np.random.default_rng(seed)
    m = rng.normal(size=(n, n))
    return (m @ m.T + n * np.eye(n)).astype(dtype), rng.normal(size=n).astype(dtype)


def solved(a, b):
    """What the kernel makes of a system: the solution and the factor, from memory that held something else."""
    n = len(b)
    x, factor = np.full(n, np.nan, a.dtype), np.full(n * n, np.nan, a.dtype)
    work = np.full(k.cholesky_workspace(n, a.dtype), np.nan, a.dtype)
    k.solve_positive(a.reshape(-1), b, x, factor, work, n)
    return x, factor.reshape(n, n)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_a_system_is_solved_by_its_factors(n, dtype):
    a, b = system(n, dtype)
    x, factor = solved(a, b)
    eps = np.finfo(dtype).eps
    expected = np.linalg.cholesky(a.astype(np.float64))
    np.testing.assert_allclose(np.tril(factor), expected, rtol=1e3 * eps, atol=100 * eps)
    np.testing.assert_allclose(x, np.linalg.solve(a.astype(np.float64), b), rtol=1e3 * eps, atol=100 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_only_the_lower_triangle_is_read(dtype):
    a, b = system(40, dtype)
    hidden = np.where(np.tri(40) > 0, a, np.nan).astype(dtype)
    np.testing.assert_array_equal(solved(hidden, b)[0], solved(a, b)[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", [0, 5, 39])
@pytest.mark.parametrize("pivot", [-1.0, 0.0, np.nan, np.inf])
def test_what_is_not_positive_definite_gives_nan_throughout(dtype, place, pivot):
    a = np.eye(40, dtype=dtype)
    a[place, :place] = a[:place, place] = 1e-3
    a[place, place] = pivot or 1e-6 * place
    x, _ = solved(a, np.ones(40, dtype))
    assert np.all(np.isnan(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_singular_matrix_gives_nan_though_rounding_leaves_a_pivot(dtype):
    v = np.random.default_rng(3).normal(size=(6, 5)).astype(dtype)
    assert np.all(np.isnan(solved(v @ v.T, np.ones(6, dtype))[0]))


def test_scales_of_the_unknowns_do_not_decide():
    a, b = system(9, np.float64)
    scale = 10.0 ** np.arange(-8, 10, 2)
    x, _ = solved(scale[:, None] * a * scale, scale * b)
    np.testing.assert_allclose(x * scale, np.linalg.solve(a, b), rtol=1e-12)
