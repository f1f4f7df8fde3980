"""Forward mode: linearity, agreement with reverse mode, rules derived by transposing twice, Hessian products."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.errors import DerivativeError, ShapeError, StructureError
from fnet.testing import check_grads
from fnet.testing.strategies import arrays

X = np.array([0.5, -1.0, 2.0])


def f(x):
    return ops.log_softmax(ops.tanh(x) * x)  # log_softmax_vjp has no jvp rule of its own


@given(arrays((3,)), arrays((3,)), arrays((3,)), st.floats(-2, 2))
def test_a_tangent_is_linear(x, u, v, c):
    both = fnet.jvp(f, (x,), (u + c * v,))[1]
    apart = fnet.jvp(f, (x,), (u,))[1] + c * fnet.jvp(f, (x,), (v,))[1]
    np.testing.assert_allclose(both, apart, rtol=1e-9, atol=1e-11)


def test_structures_of_arguments_and_results():
    primals = ({"w": X, "none": None}, np.arange(3), 2.0)
    value, tangent = fnet.jvp(
        lambda p, n, c: {"y": p["w"] * c, "n": n}, primals, ({"w": np.ones(3), "none": None}, None, 1.0)
    )
    np.testing.assert_array_equal(value["y"], 2 * X)
    np.testing.assert_array_equal(tangent["y"], 2 + X)
    assert value["n"].tolist() == [0, 1, 2] and not np.any(tangent["n"])


def test_values_that_do_not_vary_have_zero_tangents():
    _, tangent = fnet.jvp(lambda x: (np.ones((2, 2)), x, x > 0), (X,), (np.ones(3),))
    np.testing.assert_array_equal(tangent[0], np.zeros((2, 2)))
    np.testing.assert_array_equal(tangent[1], np.ones(3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents_are_converted_to_the_dtype_of_the_argument(dtype):
    value, tangent = fnet.jvp(lambda x: x + ops.exp(x), (X.astype(dtype),), (X,))
    assert value.dtype == tangent.dtype == dtype


def test_a_rule_comes_from_the_reverse_one_transposed_twice():
    cube = fnet.ops.nn._log_softmax_vjp
    assert cube.jvp is None
    g = np.array([1.0, 2.0, -1.0])
    check_grads(lambda y, g: cube(y, g), ops.log_softmax(X), g, order=2)


def test_forward_over_reverse_over_forward():
    def scalar(x):
        return ops.sum(f(x) ** 2)

    v = np.array([1.0, 0.5, -2.0])
    h = fnet.hessian_vector_product(scalar, X, v)
    reverse = fnet.grad(lambda x: ops.sum(fnet.grad(scalar)(x) * v))(X)
    forward = fnet.grad(lambda x: fnet.jvp(scalar, (x,), (v,))[1])(X)
    np.testing.assert_allclose(h, reverse, rtol=1e-10)
    np.testing.assert_allclose(h, forward, rtol=1e-10)
    _, second = fnet.jvp(lambda x: fnet.jvp(scalar, (x,), (v,))[1], (X,), (v,))
    np.testing.assert_allclose(second, np.vdot(v, h), rtol=1e-10)


def test_hessian_of_a_quadratic_form_with_trees_and_arguments():
    a = np.array([[2.0, 1.0], [1.0, 3.0]])

    def form(p, a):
        return 0.5 * ops.sum(p["x"] * (a @ p["x"]))

    h = fnet.hessian_vector_product(form, {"x": X[:2]}, {"x": np.array([1.0, -1.0])}, a)
    np.testing.assert_allclose(h["x"], a @ [1.0, -1.0])


def test_hessians_are_symmetric():
    basis = np.eye(3)
    hessian = np.stack([fnet.hessian_vector_product(lambda x: ops.sum(f(x) * x), X, e) for e in basis])
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: fnet.jvp(f, (X,), (np.ones(2),)), ShapeError, r"expected float64\[3\], received float64\[2\]"),
        (lambda: fnet.jvp(f, (X,), (None,)), ShapeError, r"expected float64\[3\], received None"),
        (
            lambda: fnet.jvp(f, (np.arange(3),), (np.ones(3),)),
            DerivativeError,
            r"tangent was given for a int64\[3\] input",
        ),
        (lambda: fnet.jvp(f, (X,), ()), StructureError, "tuples of one length, received 1 primals and 0 tangents"),
        (
            lambda: fnet.jvp(np.sin, np.array([0.5]), np.array([1.0])),
            StructureError,
            r"expects primals in tuples.*received a ndarray of shape \(1,\). Write fnet.jvp\(f, \(x,\), \(t,\)\)",
        ),
        (lambda: fnet.jvp(np.sin, (X,), X), StructureError, "expects tangents in tuples.*received a ndarray"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_tangents_are_arrays_of_their_own():
    x, t = np.ones(3), np.ones(3)
    _, tangents = fnet.jvp(lambda x: (x, x, x.reshape((3, 1))), (x,), (t,))
    arrays = [x, t, *tangents]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])
