"""solve_positive: residuals, derivatives of both orders, jit, and every error by its text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.errors import ShapeError
from fnet.testing import check_grads
from tests.ops.table import close

COVERED = {"solve_positive"}
M = np.random.default_rng(0).normal(size=(5, 5))
A, B = M @ M.T + np.eye(5), np.arange(5.0) - 1.5


@given(st.integers(1, 12), st.integers(0, 2**31), st.sampled_from([np.float32, np.float64]))
def test_the_solution_solves(n, seed, dtype):
    rng = np.random.default_rng(seed)
    m = rng.normal(size=(n, n))
    a, b = (m @ m.T + np.eye(n)).astype(dtype), rng.normal(size=n).astype(dtype)
    x = ops.solve_positive(a, b)
    assert x.dtype == dtype
    np.testing.assert_allclose(a @ x, b, atol=1e3 * np.finfo(dtype).eps * np.linalg.norm(a))


def test_derivatives_of_both_orders():
    check_grads(ops.solve_positive, A, B, order=2)
    check_grads(lambda b: ops.solve_positive(A, b), B)
    check_grads(lambda a: ops.solve_positive(a, B), A)


def test_the_symmetric_part_counts():
    skew = M - M.T
    close(ops.solve_positive(A + skew, B), np.linalg.solve(A, B), scale=100)


def test_jit_gives_the_same_bits():
    np.testing.assert_array_equal(fnet.jit(ops.solve_positive)(A, B), ops.solve_positive(A, B))


def test_integers_and_nothing():
    np.testing.assert_allclose(ops.solve_positive(np.eye(2, dtype=int) * 2, np.array([2, 4])), [1, 2])
    assert ops.solve_positive(np.zeros((0, 0)), np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (2,)), ((2, 2), (3,)), ((2, 2), (2, 1)), ((2,), (2,)), ((2, 2), ()), ((1, 2, 2), (2,))]
)
def test_shapes_that_do_not_fit(a, b):
    with pytest.raises(ShapeError, match=r"expected a square matrix and a vector as long, \(N, N\) and \(N,\)"):
        ops.solve_positive(np.ones(a), np.ones(b))
