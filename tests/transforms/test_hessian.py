"""Jacobians and Hessians: against differences and each other, in trees, under jit, and every error by its text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import fnet
from fnet import ops, tree
from fnet.errors import DerivativeError, StructureError, ValueRangeError
from fnet.testing.strategies import arrays

P = {"a": np.random.default_rng(0).normal(size=(2, 3)), "b": np.array([0.5, -1.0])}
MODES = ["reverse", "forward"]


def f(p, c=1.0):
    return {"y": ops.tanh(p["a"]) * p["b"][:, None] * c, "s": ops.sum(p["b"] ** 3)}


def scalar(x):
    return ops.sum(ops.sin(x) * x[::-1]) + ops.logsumexp(x)


def difference(f, x, step=1e-6):
    """The Jacobian of a function of a vector by central differences, inputs last."""
    steps = step * np.eye(x.size)
    return np.stack([(f(x + e) - f(x - e)) / (2 * step) for e in steps], axis=-1)


@pytest.mark.parametrize("mode", MODES)
@given(x=arrays((3,)))
def test_a_jacobian_is_that_of_differences(mode, x):
    def of_x(x):
        return ops.sin(x)[:, None] * x

    j = fnet.jacobian(of_x, mode)(x)
    assert j.shape == (3, 3, 3)
    np.testing.assert_allclose(j, difference(of_x, x), rtol=1e-6, atol=1e-7)


@given(x=arrays((4,)))
def test_a_hessian_is_symmetric_and_that_of_differences(x):
    h = fnet.hessian(scalar)(x)
    np.testing.assert_allclose(h, h.T, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(h, difference(fnet.grad(scalar), x), rtol=1e-6, atol=1e-7)
    columns = np.stack([fnet.hessian_vector_product(scalar, x, e) for e in np.eye(4)])
    np.testing.assert_allclose(h, columns, rtol=1e-10, atol=1e-12)


def test_trees_in_trees():
    reverse, forward = (fnet.jacobian(f, mode)(P, 2.0) for mode in MODES)
    assert tree.map(np.shape, reverse) == {
        "y": {"a": (2, 3, 2, 3), "b": (2, 3, 2)},
        "s": {"a": (2, 3), "b": (2,)},
    }
    tree.map(np.testing.assert_allclose, reverse, forward)
    compiled = fnet.jit(fnet.jacobian(f))(P, 2.0)
    tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-12), reverse, compiled)
    h = fnet.hessian(lambda p: ops.sum(f(p)["y"] ** 2))(P)
    np.testing.assert_allclose(h["a"]["b"], np.transpose(h["b"]["a"], (1, 2, 0)), rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_scalars_empty_arrays_and_float32(mode):
    assert fnet.jacobian(lambda x: x**2, mode)(3.0) == 6.0
    assert fnet.jacobian(lambda x: x * 2.0, mode)(np.zeros(0)).shape == (0, 0)
    assert fnet.jacobian(lambda x: x * 2.0, mode)(np.zeros(2, np.float32)).dtype == np.float32
    assert fnet.hessian(lambda p: 1.0)({}) == {}


@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_floating(mode):
    with pytest.raises(DerivativeError, match=r"the argument, leaf 'n' is int64\[2\], expected floating-point"):
        fnet.jacobian(lambda p: p["x"], mode)({"x": np.ones(2), "n": np.arange(2)})
    with pytest.raises(DerivativeError, match=r"the value is bool\[2\], expected floating-point"):
        fnet.jacobian(lambda x: x > 0, mode)(np.ones(2))


def test_an_unknown_mode():
    with pytest.raises(ValueRangeError, match="expected mode 'reverse' or 'forward', received 'backward'"):
        fnet.jacobian(f, "backward")


def test_in_other_arguments_and_in_several():
    def f(a, x, b=1.0):
        return np.sin(a @ x) * b

    a, x = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([0.3, 0.4])
    second = fnet.jacobian(f, argnums=1)(a, x, b=2.0)
    np.testing.assert_allclose(second, fnet.jacobian(lambda x: f(a, x, 2.0))(x))
    for argnums in ((0, 1), (0, -1)):
        first, last = fnet.jacobian(f, mode="forward", argnums=argnums)(a, x)[:2]
        assert first.shape == (2, 2, 2)
        np.testing.assert_allclose(last, second / 2)
    blocks = fnet.hessian(lambda a, x: np.sum(f(a, x)), argnums=(0, 1))(a, x)
    np.testing.assert_allclose(blocks[0][1], np.moveaxis(blocks[1][0], 0, -1))
    np.testing.assert_allclose(blocks[1][1], fnet.hessian(lambda x: np.sum(f(a, x)))(x))
    with pytest.raises(StructureError, match="argnums=2 names a positional argument, but only 2 were given"):
        fnet.jacobian(f, argnums=2)(a, x)
