"""Primitives of the user's own: in every transform, missing rules by name, wrong rules found by `check_grads`."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import DerivativeError, DtypeError, ShapeError, StructureError
from fnet.spec import ArraySpec
from fnet.testing import check_grads

X = np.array([0.5, -1.0, 2.0])


@numba.njit
def cube_kernel(x, y):
    for i in range(x.size):
        y[i] = x[i] ** 3


@numba.njit
def split_kernel(x, whole, rest, size):
    for i in range(size):
        whole[i] = np.int64(np.floor(x[i]))
        rest[i] = x[i] - np.floor(x[i])


@numba.njit
def scaled_kernel(a, x, y, rows, cols):
    for i in range(rows):
        for j in range(cols):
            y[i * cols + j] = a[i] * x[i * cols + j]


def cube_with(**rules):
    return fnet.primitive("cube", shape=lambda x: x, kernel=cube_kernel, **rules)


cube = cube_with(vjp=lambda g, y, x: (g * 3 * x * x,))
split = fnet.primitive(
    "split",
    shape=lambda x: (ArraySpec(x.shape, np.dtype(np.int64)), x),
    kernel=split_kernel,
    sizes=lambda x: (x.size,),
    vjp=lambda g, y, x: (g[1],),
    multiple=True,
)
scaled = fnet.primitive(
    "scaled",
    shape=lambda a, x: x,
    kernel=scaled_kernel,
    sizes=lambda a, x: x.shape,
    vjp=lambda g, y, a, x: (ops.sum(g * x, axis=1), scaled(a, g)),
)


def test_a_kernel_in_every_transform():
    np.testing.assert_array_equal(cube(X), X**3)
    np.testing.assert_array_equal(fnet.jit(lambda x: cube(x) + 1.0)(X), X**3 + 1)
    np.testing.assert_allclose(fnet.jit(fnet.grad(lambda x: ops.sum(cube(x))))(X), 3 * X**2)
    assert fnet.eval_shape(cube, X).shape == (3,)
    check_grads(cube, X, order=2)


def filled_kernel(x, y, number):
    y[:] = x + number


@pytest.mark.parametrize(
    "settings",
    [(1, 1.0, True), (True, 1), (0.0, -0.0), ((1, 0.0), (1.0, 0), (True, -0.0)), ([1], [2], [1]), ([], ())],
    ids=str,
)
def test_settings_that_are_equal_but_not_the_same_are_told_apart_in_one_program(settings):
    told = {repr(setting): number for number, setting in enumerate(settings)}
    named = fnet.primitive(
        "named", shape=lambda x, *, of: x, kernel=filled_kernel, sizes=lambda x, *, of: (told[repr(of)],)
    )
    for found, setting in zip(fnet.jit(lambda x: [named(x, of=of) for of in settings])(X), settings, strict=True):
        np.testing.assert_array_equal(found, X + told[repr(setting)])


def test_kernels_see_contiguous_memory_and_their_sizes():
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(scaled(np.array([1.0, 2.0, 3.0])[::-1], x.T), x.T * [[3], [2], [1]])
    check_grads(scaled, np.array([1.0, 2.0]), x, order=2)


@numba.njit
def powers_kernel(x, square, cube):
    for i in range(x.size):
        square[i] = x[i] ** 2
        cube[i] = x[i] ** 3


@numba.njit
def pull_kernel(g, h, x, y):
    for i in range(x.size):
        y[i] = 2 * g[i] * x[i] + 3 * h[i] * x[i] ** 2


def test_results_that_nothing_depends_on_have_cotangents_of_zeros():
    pull = fnet.primitive("pull", shape=lambda g, h, x: x, kernel=pull_kernel)
    powers = fnet.primitive(
        "powers", shape=lambda x: (x, x), kernel=powers_kernel, vjp=lambda g, y, x: (pull(*g, x),), multiple=True
    )
    for chosen, slope in ((0, 2 * X), (1, 3 * X**2)):
        np.testing.assert_allclose(fnet.grad(lambda x, k=chosen: ops.sum(powers(x)[k]))(X), slope)


def test_several_results_of_which_one_has_a_derivative():
    whole, rest = split(np.array([1.25, -0.5]))
    assert whole.tolist() == [1, -1] and rest.tolist() == [0.25, 0.5]
    check_grads(lambda x: split(x * x)[1], np.array([1.2, 0.7]))
    check_grads(lambda x: split(x * x), np.array([1.2, 0.7]))


def test_a_missing_rule_is_named_only_when_a_cotangent_needs_it():
    bare = cube_with()
    value, pull = fnet.vjp(lambda x: (bare(x), x * 2.0), X)
    np.testing.assert_array_equal(value[0], X**3)
    assert pull((None, np.ones(3)))[0].tolist() == [2, 2, 2]
    with pytest.raises(DerivativeError, match=r"primitive 'cube' has no vjp rule.*fnet\.primitive"):
        pull((np.ones(3), None))
    with pytest.raises(DerivativeError, match="primitive 'cube' has no jvp rule"):
        fnet.jvp(bare, (X,), (X,))
    with pytest.raises(DerivativeError, match="primitive 'cube' has no vjp rule"):
        fnet.jit(fnet.grad(lambda x: ops.sum(bare(x))))(X)
    np.testing.assert_array_equal(fnet.grad(lambda x: ops.sum(x * 2.0) + ops.max(bare(X)))(X), [2, 2, 2])


def test_a_rule_may_give_none_for_an_operand():
    held = cube_with(vjp=lambda g, y, x: (None,))
    np.testing.assert_array_equal(fnet.grad(lambda x: ops.sum(held(x) + x))(X), np.ones(3))


@pytest.mark.parametrize("modes", [("rev",), ("fwd",), ("rev", "fwd")])
def test_a_derivative_wrong_by_a_thousandth_is_found(modes):
    wrong = cube_with(vjp=lambda g, y, x: (g * 3.003 * x * x,))
    with pytest.raises(AssertionError, match="of f in argument '0/w' against the central difference"):
        check_grads(lambda p: wrong(p["w"]) + p["b"], {"b": X, "w": X}, modes=modes)


@pytest.mark.parametrize("modes", [("rev",), ("rev", "fwd")])
def test_a_second_derivative_wrong_by_a_thousandth_is_found(modes):
    """The first derivative is right, but the rule of its rule, which only reverse mode uses, is not."""
    slope = fnet.primitive(
        "slope", shape=lambda g, x: x, kernel=slope_kernel, vjp=lambda h, y, g, x: (h * 3 * x * x, h * g * 6.006 * x)
    )
    wrong = cube_with(vjp=lambda g, y, x: (slope(g, x),))
    check_grads(wrong, X, modes=modes)
    with pytest.raises(AssertionError, match=r"derivative of the (reverse|forward) derivative of f in argument '0'"):
        check_grads(wrong, X, order=2, modes=modes)


@numba.njit
def slope_kernel(g, x, y):
    for i in range(x.size):
        y[i] = g[i] * 3 * x[i] * x[i]


def test_modes_that_disagree_are_found():
    odd = cube_with(vjp=lambda g, y, x: (g * 3 * x * x,), jvp=lambda t, y, x: t[0] * 3.0000001 * x * x)
    with pytest.raises(AssertionError, match="the modes disagree"):
        check_grads(odd, X)


X4 = X.astype(np.float32)


@pytest.mark.parametrize("transform", [lambda f: f, fnet.jit])
def test_derivatives_of_another_shape_or_dtype_are_refused(transform):
    where = r"cotangent of input 0 from the vjp rule of primitive 'cube'"
    wrong = {
        (ShapeError, rf"{where} must be float32\[3\], it is float32\[\]. Sum or reshape"): lambda g, y, x: (
            ops.sum(g),
        ),
        (DtypeError, rf"{where} must be float32\[3\], it is float64\[3\].*astype\('float32'\)"): lambda g, y, x: (
            X * 1,
        ),
        (DerivativeError, "rule of primitive 'cube' must return a tuple.*returned a ndarray"): lambda g, y, x: X4 * 1,
    }
    for (error, text), rule in wrong.items():
        with pytest.raises(error, match=text):
            transform(fnet.grad(lambda x, rule=rule: ops.sum(cube_with(vjp=rule)(x))))(X4)
    pushed = cube_with(jvp=lambda t, y, x: t[0][:1])
    with pytest.raises(ShapeError, match=r"tangent from the jvp rule of primitive 'cube' must be float32\[3\]"):
        fnet.jvp(pushed, (X4,), (X4,))


def test_a_cotangent_is_an_array_of_the_caller():
    held = np.full(3, 2.0)
    _, pull = fnet.vjp(cube_with(vjp=lambda g, y, x: (held,)), X)
    first, again = pull(np.ones(3))[0], pull(np.ones(3))[0]
    first += 1
    assert again.tolist() == held.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("sizes", "error", "text"),
    [
        (
            lambda x: (x.size / 1,),
            DtypeError,
            r"sizes of primitive 'odd' must be integers, received 3.0. Divide with //",
        ),
        (
            lambda x: x.size,
            StructureError,
            r"sizes of primitive 'odd' must return a tuple.*returned a int. Return \(n,\)",
        ),
    ],
)
def test_sizes_that_are_not_integers_are_refused(sizes, error, text):
    odd = fnet.primitive("odd", shape=lambda x: x, kernel=cube_kernel, sizes=sizes)
    for f in (odd, fnet.jit(odd)):
        with pytest.raises(error, match=text):
            f(X)


@pytest.mark.parametrize("dtype", [np.float64, "float64", float])
def test_a_shape_rule_may_name_the_dtype_as_numpy_does(dtype):
    def kernel(x, y):
        y[:] = x[:2]

    first = fnet.primitive("first_two", shape=lambda x: ArraySpec([2], dtype), kernel=kernel)
    x = np.arange(3.0)
    assert first(x).tolist() == fnet.jit(first)(x).tolist() == [0, 1]


def test_a_shape_rule_returns_specs():
    odd = fnet.primitive("odd", shape=lambda x: x.shape, kernel=cube_kernel)
    with pytest.raises(
        StructureError, match="shape rule of primitive 'odd' must return an ArraySpec, it returned a tuple"
    ):
        odd(X)
    with pytest.raises(DtypeError, match="float16 is not supported"):
        fnet.primitive("odd", shape=lambda x: ArraySpec((3,), np.dtype("f2")), kernel=cube_kernel)(X)


def test_a_rule_with_the_wrong_number_of_cotangents_is_named():
    broken = fnet.primitive("pair_sum", shape=lambda x, y: x, kernel=lambda x, y, z: None, vjp=lambda g, z, x, y: (g,))
    with pytest.raises(DerivativeError, match=r"vjp rule of primitive 'pair_sum'.*each of its 2 inputs.*returned 1"):
        fnet.grad(lambda x: np.sum(broken(x, x)))(np.ones(2))


@numba.njit
def _plus_one(x, y):
    for i in range(x.size):
        y[i] = x[i] + 1


@pytest.mark.parametrize("name", ["relu", "tanh", "negative", "reshape", "add", "multiply"])
def test_a_primitive_may_have_the_name_of_an_operation(name):
    """What the passes know of an operation does not hold for a primitive that is only called the same."""
    own = fnet.primitive(name, shape=lambda x: x, kernel=_plus_one)
    x, w = np.ones((2, 3)), np.full((3, 3), 2.0)
    np.testing.assert_array_equal(fnet.jit(lambda x, w: own(own(x @ w)))(x, w), x @ w + 2)
