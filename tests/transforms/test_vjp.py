"""Reverse mode: linearity, the chain rule, structure of arguments and results, nesting, and every error by its text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.errors import DerivativeError, ShapeError, StructureError, TracingError
from fnet.testing import check_grads
from fnet.testing.strategies import arrays

X = np.array([0.5, -1.0, 2.0])


def f(x):
    return ops.tanh(x) * x + ops.exp(-x)


@given(arrays((3,)), arrays((3,)), arrays((3,)), st.floats(-2, 2))
def test_a_pullback_is_linear(x, g, h, c):
    _, pull = fnet.vjp(f, x)
    np.testing.assert_allclose(pull(g + c * h)[0], pull(g)[0] + c * pull(h)[0], rtol=1e-9, atol=1e-11)


@given(arrays((3,)), arrays((3,)))
def test_reverse_and_forward_are_adjoint(x, v):
    w = np.cos(v)
    _, tangent = fnet.jvp(f, (x,), (v,))
    np.testing.assert_allclose(np.vdot(fnet.vjp(f, x)[1](w)[0], v), np.vdot(w, tangent), rtol=1e-9, atol=1e-11)


@given(arrays((3,)))
def test_the_chain_rule(x):
    def h(x):
        return ops.sin(x) * 2.0

    y, pull_h = fnet.vjp(h, x)
    _, pull_f = fnet.vjp(f, y)
    composed = fnet.vjp(lambda x: f(h(x)), x)[1](np.ones(3))[0]
    np.testing.assert_allclose(pull_h(pull_f(np.ones(3))[0])[0], composed, rtol=1e-12, atol=1e-14)


def test_a_pullback_can_be_called_again():
    _, pull = fnet.vjp(f, X)
    first = pull(np.ones(3))[0]
    pull(np.zeros(3))
    np.testing.assert_array_equal(pull(np.ones(3))[0], first)


def test_structures_of_arguments_and_results():
    params = {"dense": {"kernel": np.ones((3, 2)), "bias": np.zeros(2)}, "extra": None}

    def g(p, x, n):
        return {"y": x @ p["dense"]["kernel"] + p["dense"]["bias"], "n": n + 1, "none": p["extra"]}

    y, pull = fnet.vjp(g, params, X, np.arange(2))
    assert y["n"].tolist() == [1, 2] and y["none"] is None
    grads, dx, dn = pull({"y": np.ones(2), "n": None, "none": None})
    np.testing.assert_array_equal(grads["dense"]["kernel"], np.stack([X, X], 1))
    assert grads["dense"]["bias"].tolist() == [1, 1] and grads["extra"] is None and dn is None
    np.testing.assert_array_equal(dx, [2, 2, 2])


def test_gradients_may_be_changed_by_the_caller():
    for function in (ops.sum, ops.mean, lambda x: ops.sum(x[0]), lambda x: 2.0):
        g = fnet.grad(lambda x, f=function: f(x) + ops.sum(x * 0.0))(np.ones((2, 3)))
        g *= 2
    fnet.grad(ops.sum)(X)[0] = 7.0


def test_arguments_that_do_not_matter_have_zero_gradients():
    da, db = fnet.grad(lambda a, b: ops.sum(a), argnums=(0, 1))(X, {"w": X})
    np.testing.assert_array_equal(da, np.ones(3))
    np.testing.assert_array_equal(db["w"], np.zeros(3))


def test_an_argument_returned_as_it_is():
    pair, pull = fnet.vjp(lambda x: (x, x), X)
    np.testing.assert_array_equal(pair, (X, X))
    np.testing.assert_array_equal(pull((np.ones(3), 2 * np.ones(3)))[0], np.full(3, 3.0))
    assert fnet.grad(lambda x: x)(2.0) == 1.0


def test_a_value_used_many_times_sums_its_cotangents():
    def g(x):
        y = x * x
        return y + y * y + 3.0 * y

    assert fnet.grad(g)(2.0) == 4 + 8 * 4 + 3 * 4


@pytest.mark.parametrize("argnums", [0, 1, -1, (0, 2), (1,)])
def test_argnums(argnums):
    args = (1.0, 2.0, 3.0)
    got = fnet.grad(lambda a, b, c: a * a + 10.0 * b * b + 100.0 * c * c, argnums)(*args)
    expected = np.array([2.0, 40.0, 600.0])[list(argnums) if isinstance(argnums, tuple) else argnums]
    assert isinstance(got, tuple) == isinstance(argnums, tuple)
    np.testing.assert_array_equal(got, expected)


def test_auxiliary_results_and_keywords():
    def loss(w, scale=1.0):
        y = w * scale
        return ops.sum(y * y), {"y": y, "n": 3}

    (value, aux), g = fnet.value_and_grad(loss, has_aux=True)(X, scale=2.0)
    np.testing.assert_array_equal(aux["y"], 2 * X)
    assert type(aux["y"]) is np.ndarray and aux["n"] == 3
    np.testing.assert_allclose(value, 4 * np.sum(X**2))
    again, aux = fnet.grad(loss, has_aux=True)(X, scale=2.0)
    np.testing.assert_array_equal(again, g)
    _, pull, aux = fnet.vjp(loss, X, has_aux=True)
    np.testing.assert_array_equal(pull(1.0)[0], 2 * X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cotangents_are_converted_to_the_dtype_of_the_value(dtype):
    _, pull = fnet.vjp(f, X.astype(dtype))
    for g in (np.ones(3, np.float32), np.ones(3, np.float64), np.ones(3, np.int64)):
        assert pull(g)[0].dtype == dtype


def test_python_numbers_are_arguments():
    g = fnet.grad(lambda x: x * x)(3.0)
    assert g == 6.0 and g.dtype == np.float64 and g.shape == ()
    assert fnet.grad(lambda x: x * x)(np.float32(3)).dtype == np.float32


def test_gradients_of_gradients():
    third = fnet.grad(fnet.grad(fnet.grad(lambda x: x**4)))
    assert third(2.0) == 48.0
    np.testing.assert_allclose(fnet.grad(lambda x: ops.sum(fnet.grad(lambda y: ops.sum(y**3))(x) ** 2))(X), 36 * X**3)
    check_grads(lambda x: fnet.grad(lambda y: ops.sum(f(y)))(x), X)


def test_nested_derivatives_do_not_mix():
    """d/dx (x * d/dy (x + y)) at x = 1 is 1: the perturbation confusion of Siskind and Pearlmutter."""
    assert fnet.grad(lambda x: x * fnet.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert fnet.jvp(lambda x: x * fnet.jvp(lambda y: x + y, (1.0,), (1.0,))[1], (1.0,), (1.0,))[1] == 1.0
    assert fnet.grad(lambda x: x * fnet.jvp(lambda y: x * y, (1.0,), (1.0,))[1])(3.0) == 6.0
    assert fnet.jvp(lambda x: x * fnet.grad(lambda y: x * y)(1.0), (3.0,), (1.0,))[1] == 6.0


def test_inner_functions_close_over_outer_values():
    def outer(x, w):
        inner = fnet.grad(lambda v: ops.sum(v * v * x) * w)
        return ops.sum(inner(ops.sin(x)))

    x, w = 0.7, 1.3
    value = 2 * np.sin(x) * x * w
    np.testing.assert_allclose(outer(np.float64(x), w), value)
    dx, dw = fnet.grad(outer, (0, 1))(x, w)
    np.testing.assert_allclose(dx, 2 * w * (np.cos(x) * x + np.sin(x)))
    np.testing.assert_allclose(dw, value / w)
    check_grads(outer, x, w, order=2)


def test_a_pullback_is_differentiable_in_its_cotangent():
    def g(x, w):
        _, pull = fnet.vjp(f, x)
        return pull(w)[0]

    check_grads(g, X, np.ones(3), order=2)


def test_arrays_are_not_written():
    x, g = X.copy(), np.ones(3)
    _, pull = fnet.vjp(lambda v: ops.concatenate([v, v * v])[1:4], x)
    pull(g)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(g, np.ones(3))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: fnet.grad(f)(X), ShapeError, r"scalar floating-point value, but the function returned float64\[3\]"),
        (lambda: fnet.grad(lambda x: x > 0)(1.0), ShapeError, r"returned bool\[\]"),
        (lambda: fnet.grad(lambda x: (x, x))(1.0), StructureError, "returned a tuple.*has_aux=True"),
        (lambda: fnet.grad(lambda x: {"loss": x})(1.0), StructureError, "returned a dict"),
        (lambda: fnet.grad(lambda x: None)(1.0), StructureError, "it returned None"),
        (lambda: fnet.grad(lambda x: x, has_aux=True)(1.0), StructureError, r"expects f to return \(value, aux\)"),
        (lambda: fnet.grad(lambda x: (x, x, x), has_aux=True)(1.0), StructureError, "it returned tuple"),
        (lambda: fnet.grad(lambda x: x, argnums=1)(1.0), StructureError, "argnums=1 .* only 1 were given"),
        (lambda: fnet.grad(lambda x: x, argnums=(0, -2))(1.0), StructureError, r"argnums=\(0, -2\)"),
        (lambda: fnet.grad(lambda x: x * 1.0)(np.arange(3)), DerivativeError, r"leaf '0' is int64\[3\].*astype"),
        (lambda: fnet.grad(lambda p: p["w"])({"w": 1.0, "n": 3}), DerivativeError, "leaf '0/n' is int64"),
        (lambda: fnet.vjp(f, X)[1](np.ones(2)), ShapeError, r"expected float64\[3\], received float64\[2\]"),
        (lambda: fnet.vjp(f, X)[1]((np.ones(3),)), StructureError, "trees differ at the root"),
        (lambda: fnet.vjp(lambda x: {"y": x}, X)[1]({"z": X}), StructureError, "unexpected key 'z'.*'y'"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


FUNCTIONS = {
    "the same": lambda a, b: (a, b),
    "twice": lambda a, b: (a, a),
    "swapped": lambda a, b: (b, a),
    "views": lambda a, b: (a.reshape((2, 2)), b[::-1]),
    "a sum": lambda a, b: (a + b, a - b),
    "broadcast": lambda a, b: (ops.sum(a) * ops.sum(b), ops.broadcast_to(a, (3, 4))),
    "transposed": lambda a, b: (ops.transpose(a.reshape((2, 2))), ops.concatenate([a, b])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_pullback_returns_shares_memory_with_nothing(name):
    a, b = np.arange(4.0), np.ones(4)
    y, pull = fnet.vjp(FUNCTIONS[name], a, b)
    given = tuple(np.ones(np.shape(part)) for part in y)
    arrays = [a, b, *given, *pull(given), *pull(given)]
    assert not any(np.shares_memory(p, q) for i, p in enumerate(arrays) for q in arrays[:i])
    assert all(array.flags.writeable for array in arrays)


@pytest.mark.parametrize("f", [np.exp, lambda x: x, lambda x: x.reshape(3, 1)], ids=["exp", "itself", "view"])
def test_writing_into_the_value_changes_neither_the_pullback_nor_the_argument(f):
    x = np.array([0.0, 1.0, 2.0])
    value, pull, aux = fnet.vjp(lambda x: (f(x), f(x)), x, has_aux=True)
    value[:] = aux[:] = 7.0
    np.testing.assert_array_equal(x, [0.0, 1.0, 2.0])
    expected = np.exp(x) if f is np.exp else np.ones(3)
    np.testing.assert_allclose(pull(np.ones(value.shape))[0], expected)


def test_gradients_of_several_arguments_are_several_arrays():
    a, b = fnet.grad(lambda a, b: ops.sum((a + b) ** 2), argnums=(0, 1))(np.ones(2), np.ones(2))
    a += 1
    assert b.tolist() == [4, 4]


def test_writing_into_what_a_function_read_does_not_change_its_pullback():
    x, w = np.array([1.0, 3.0]), np.array([2.0, 5.0])
    _, pull = fnet.vjp(lambda v: v * v * w, x)
    x[:], w[:] = 0.0, 0.0
    assert pull(np.ones(2))[0].tolist() == [4.0, 30.0]


def test_the_gradient_of_a_function_that_fills_one_buffer_again_and_again():
    buffer = np.zeros(2)

    def f(x):
        total = 0.0
        for i in range(3):
            buffer[:] = i
            total = total + ops.sum(x * buffer)
        return total

    assert fnet.grad(f)(np.ones(2)).tolist() == [3.0, 3.0]


@pytest.mark.parametrize("transform", [fnet.grad, lambda f: lambda x: fnet.jvp(f, (x,), (x,))], ids=["vjp", "jvp"])
def test_a_traced_value_that_outlived_its_transform_is_refused_eagerly_and_in_a_jitted_function(transform):
    kept = []
    transform(lambda x: kept.append(x) or ops.sum(x))(np.ones(3))
    for use in (lambda x: x + kept[0], fnet.jit(lambda x: x + kept[0])):
        with pytest.raises(TracingError, match=r"outlived the function it was traced in and reached 'add'"):
            use(np.ones(3))
