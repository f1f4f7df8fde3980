"""`stop_gradient`: the value passes, derivatives of every mode and order do not; compiled code has no trace of it."""

from __future__ import annotations

import numpy as np

import fnet
from fnet import ops

X = np.array([1.0, -2.0, 3.0])


def test_the_value_passes():
    np.testing.assert_array_equal(ops.stop_gradient(X), X)


def test_it_is_a_constant_for_both_modes():
    f = lambda x: ops.sum(x * ops.stop_gradient(ops.square(x)))  # noqa: E731
    np.testing.assert_allclose(fnet.grad(f)(X), X**2)
    np.testing.assert_allclose(fnet.jvp(f, (X,), (X,))[1], np.sum(X**3))
    np.testing.assert_allclose(fnet.hessian_vector_product(f, X, X), np.zeros(3))


def test_it_costs_nothing_in_a_plan():
    assert not fnet.jit(lambda x: ops.exp(ops.stop_gradient(x))).plan(X).calls[1:]
    np.testing.assert_allclose(fnet.jit(fnet.grad(lambda x: ops.sum(ops.stop_gradient(x) * x)))(X), X)
