"""Cholesky's factors and the systems solved by them, at the edges of blocks, and what is not positive definite."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core import config

from fnet.kernels.cpu import cholesky as k
from fnet.kernels.cpu.runtime import threads

# Edges of blocks, and of bands of rows where plain Python does not take too long.
SIZES = [0, 1, 2, 9, k.BLOCK - 1, k.BLOCK, k.BLOCK + 1, 2 * k.BLOCK + 3]
SIZES += [] if config.DISABLE_JIT else [k.BLOCK + k.BAND, 2 * k.BLOCK + k.BAND + 1]
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
@pytest.mark.parametrize(("ulps", "solvable"), [(1, False), (4, True)])
def test_a_pivot_that_rounding_may_have_left_gives_nan(ulps, solvable, dtype):
    a = np.array([[1, 1], [1, 1 + ulps * np.finfo(dtype).eps]], dtype)  # whose second pivot is exact
    assert np.all(np.isnan(solved(a, np.ones(2, dtype))[0]) != solvable)


def test_scales_of_the_unknowns_do_not_decide():
    a, b = system(9, np.float64)
    scale = 10.0 ** np.arange(-8, 10, 2)
    x, _ = solved(scale[:, None] * a * scale, scale * b)
    np.testing.assert_allclose(x * scale, np.linalg.solve(a, b), rtol=1e-12)


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has no threads")
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    a, b = system(2 * k.BLOCK + 3 * k.BAND + 5, dtype)
    before = threads.thread_count()
    try:
        threads.set_thread_count(1)
        alone = solved(a, b)
        for count in (2, 4):
            threads.set_thread_count(count)
            x, factor = solved(a, b)
            np.testing.assert_array_equal(x, alone[0])
            np.testing.assert_array_equal(np.tril(factor), np.tril(alone[1]))
    finally:
        threads.set_thread_count(before)


def test_a_factor_is_as_accurate_as_lapack_where_the_matrix_is_nearly_singular():
    n = 3 * k.BLOCK
    q, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(n, n)))
    a = q * np.logspace(0, -11, n) @ q.T
    a = (a + a.T) / 2
    factor = np.tril(solved(a, np.ones(n))[1])
    lapack = np.linalg.cholesky(a)
    errors = [np.linalg.norm(f @ f.T - a) for f in (factor, lapack)]
    assert errors[0] < 4 * errors[1]
