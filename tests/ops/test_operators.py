"""Traced values as arrays: Python operators, methods and NumPy's own functions give what the operations give."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import DtypeError, TracingError
from fnet.ops.operators import FUNCTIONS, UFUNCS
from fnet.testing import check_grads
from fnet.transforms.jit import Jitted
from tests.ops.table import BY_NAME, close

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
X = np.random.default_rng(0).uniform(0.2, 0.9, (2, 3))
Y = np.random.default_rng(1).uniform(0.2, 0.9, (2, 3))
V = np.array([1.0, 2.0, 3.0])
MATRIX_UFUNCS = {np.matmul: (X, Y.T)}
CALLS = {
    np.sum: [((X,), {}), ((X,), {"axis": 0}), ((X,), {"axis": (0, 1), "keepdims": True})],
    np.mean: [((X,), {}), ((X, 1), {})],
    np.var: [((X,), {"axis": 1}), ((X,), {"ddof": 1})],
    np.std: [((X,), {"axis": 1, "keepdims": True})],
    np.max: [((X,), {}), ((X, 0), {})],
    np.min: [((X,), {}), ((X, 0), {})],
    np.prod: [((X,), {"axis": 0})],
    np.amax: [((X,), {}), ((X, 0), {})],
    np.amin: [((X,), {}), ((X, 0), {})],
    np.any: [((X > 0.5,), {"axis": 0})],
    np.all: [((X > 0.5,), {"axis": 0})],
    np.argmax: [((X,), {}), ((X, 0), {})],
    np.argmin: [((X,), {}), ((X,), {"axis": 1})],
    np.linalg.norm: [((X,), {}), ((X, 2, 1), {}), ((X,), {"ord": "fro", "keepdims": True}), ((X,), {"axis": 0})],
    np.cumsum: [((X,), {}), ((X, 1), {})],
    np.searchsorted: [((V, X), {}), ((V, V), {"side": "right"})],
    np.pad: [((X, 1), {}), ((X, (1, 2)), {"constant_values": 3.0}), ((X, [(0, 1), (2, 0)]), {})],
    np.where: [((X > 0.5, X, Y), {}), ((X > 0.5, X, 0.0), {})],
    np.clip: [((X, 0.3, 0.6), {}), ((X,), {"a_min": 0.3, "a_max": None}), ((X,), {"min": 0.3, "max": 0.4})],
    np.reshape: [((X, (3, 2)), {}), ((X, -1), {})],
    np.transpose: [((X,), {}), ((X, (1, 0)), {})],
    np.swapaxes: [((X, 0, 1), {})],
    np.moveaxis: [((X, 0, 1), {})],
    np.expand_dims: [((X, 1), {})],
    np.squeeze: [((X[:1],), {}), ((X[:1],), {"axis": 0})],
    np.ravel: [((X,), {})],
    np.broadcast_to: [((X, (2, 2, 3)), {})],
    np.concatenate: [(([X, Y],), {}), (([X, Y], 1), {}), (([X, Y],), {"axis": None})],
    np.stack: [(([X, Y],), {}), (([X, Y],), {"axis": -1})],
    np.split: [((X, 3), {"axis": 1})],
    np.flip: [((X,), {}), ((X, 0), {}), ((X, (0, 1)), {})],
    np.take: [((X, np.array([4, 0])), {}), ((X, np.array([1, 0])), {"axis": 1})],
    np.dot: [((X, V), {}), ((X, 2.0), {})],
    np.outer: [((V, V), {})],
    np.tensordot: [((X, Y), {}), ((X, Y), {"axes": ([1], [1])})],
    np.einsum: [(("ij,kj->ik", X, Y), {})],
    np.round: [((X,), {})],
    np.shape: [((X,), {})],
    np.ndim: [((X,), {})],
    np.size: [((X,), {})],
    np.zeros_like: [((X,), {}), ((X,), {"dtype": np.float32})],
    np.ones_like: [((X,), {})],
    np.full_like: [((X, 2.0), {})],
}


def traced(f, *args):
    """The value of `f` on traced arguments."""
    return fnet.vjp(f, *args)[0]


def test_every_supported_numpy_function_is_tested_here():
    assert set(CALLS) == set(FUNCTIONS)


@pytest.mark.parametrize("ufunc", list(UFUNCS), ids=lambda u: u.__name__)
def test_ufuncs(ufunc):
    name = {"rint": "round", "fabs": "absolute", "float_power": "power"}.get(ufunc.__name__, ufunc.__name__)
    args = (X,) if ufunc is np.positive else MATRIX_UFUNCS.get(ufunc) or BY_NAME[name].operands((2, 3))
    expected = np.asarray(ufunc(*args))
    close(traced(ufunc, *args), expected, 5)
    if expected.dtype.kind == "f":
        check_grads(ufunc, *args)


def test_powers_and_sizes_that_are_floating_whatever_they_are_of():
    small = np.array([20, 3, -128], np.int8)
    close(traced(np.float_power, small, 2), np.float_power(small, 2))
    close(traced(np.float_power, small, small[1:2]), np.float_power(small, small[1:2]))
    close(traced(lambda x: np.float_power(x, -1), X.astype(np.float32)), np.float_power(X.astype(np.float32), -1), 5)
    assert traced(np.fabs, small).tolist() == [20, 3, 128]


@pytest.mark.parametrize("function", list(CALLS), ids=lambda f: f.__name__)
def test_functions(function):
    for args, kwargs in CALLS[function]:
        expected = function(*args, **kwargs)
        text = [a for a in args if isinstance(a, str)]
        got = traced(lambda *a, text=text, kw=kwargs: function(*text, *a, **kw), *args[len(text) :])
        for mine, numpys in zip(fnet.tree.leaves(got), fnet.tree.leaves(expected), strict=True):
            if isinstance(numpys, int):
                assert mine == numpys
            else:
                close(np.asarray(mine), np.asarray(numpys), 5)


@pytest.mark.parametrize("sign", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
def test_arithmetic_operators_from_both_sides(sign):
    f = getattr(operator, sign)
    close(traced(f, X, Y), f(X, Y))
    close(traced(lambda a: f(a, Y), X), f(X, Y))
    close(traced(lambda b: f(X, b), Y), f(X, Y))
    close(traced(lambda a: f(a, 2.5), X), f(X, 2.5))
    close(traced(lambda b: f(2.5, b), Y), f(2.5, Y))
    close(traced(lambda b: f(np.float64(2.5), b), Y), f(2.5, Y))
    check_grads(lambda a, b: f(2.0 + a, b), X, Y)


@pytest.mark.parametrize("sign", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons_from_both_sides(sign):
    f = getattr(operator, sign)
    close(traced(f, X, Y), f(X, Y))
    close(traced(lambda a: f(a, 0.5), X), f(X, 0.5))
    close(traced(lambda b: f(X, b), Y), f(X, Y))


def test_other_operators():
    close(traced(operator.matmul, X, Y.T), X @ Y.T)
    close(traced(lambda b: X @ b, Y.T), X @ Y.T)
    close(traced(lambda a: -a, X), -X)
    close(traced(lambda a: +a, X), X)
    close(traced(abs, -X), X)
    close(traced(lambda a: (a > 0.3) & (a < 0.6) | ~(a > 0.2), X), (X > 0.3) & (X < 0.6) | ~(X > 0.2))
    close(fnet.jit(lambda a: (a > 0.3) & (a < 0.6) | ~(a > 0.2))(X), (X > 0.3) & (X < 0.6) | ~(X > 0.2))


def test_methods_and_attributes():
    def f(a):
        assert (a.shape, a.ndim, a.size, a.dtype) == ((2, 3), 2, 6, np.float64)
        return [
            a.sum(), a.mean(axis=0), a.var(1), a.std(), a.max(), a.min(axis=1, keepdims=True), a.prod(), a.T,
            a.reshape(3, 2), a.reshape((3, -1)), a.reshape(-1), a.transpose(), a.transpose(1, 0), a.transpose((1, 0)),
            a.swapaxes(0, 1), a.ravel(), a.flatten(), a.clip(0.3, 0.6), a.clip(max=0.5), a.dot(Y.T), a[:1].squeeze(),
            a.take([0, 5]), a.take([1, 0], axis=1), a.argmax(), a.argmin(axis=0), a.astype(np.float32), a.copy(),
            (a > 0.5).any(axis=0), (a > 0.5).all(), a.cumsum(), a.cumsum(axis=1), (3 * a).round(), a.mT,
        ]  # fmt: skip

    for mine, numpys in zip(traced(f, X), f(X), strict=True):
        close(np.asarray(mine), np.asarray(numpys), 5)


def test_lists_of_traced_values_become_arrays():
    close(traced(lambda a: ops.sum([a[0] * 2, a[1]], 0), X), X[0] * 2 + X[1])
    check_grads(lambda a: ops.multiply([a[0, 0], a[0, 1]], 2.0), X)


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: np.bincount(x, minlength=3), r"np\.bincount .* Use fnet\.ops\.bincount\."),
        (
            lambda x: np.partition(x, 1),
            r"np\.partition is not supported on traced values\. fnet\.ops\.sort comes near to",
        ),
        (np.spacing, r"np\.spacing .* fnet\.ops has nothing of that kind: .* fnet\.primitive"),
        (lambda x: np.vectorize(abs)(x), r"a traced float64\[2, 3\] cannot become a NumPy array"),
        (lambda x: np.linalg.norm(x, 1), r"np\.linalg\.norm on traced values is the Euclidean one, received ord=1"),
        (np.add.reduce, r"np\.add\.reduce is not supported on traced values\. Use np\.sum"),
        (lambda x: np.add.outer(x, x), r"np\.add\.outer is not supported"),
        (lambda x: np.sum(x, dtype=np.float32), r"np\.sum .* does not take these arguments"),
        (
            lambda x: np.exp(x, out=np.zeros((2, 3))),
            r"np\.exp .* does not take these arguments.*x = x \+ y, not x \+= y",
        ),
        (lambda x: x.item(), r"a traced float64\[2, 3\] cannot become Python numbers"),
        (fnet.jit(lambda x: x.tolist()), r"a traced float64\[2, 3\] cannot become Python numbers"),
        (
            lambda x: np.pad(x, 1, constant_values=(1, 2)),
            r"np\.pad .* one number as constant_values, received \(1, 2\)",
        ),
        (lambda x: np.pad(x, (1, 2, 3)), r"np\.pad expected pad_width .* each of the 2 axes; received \(1, 2, 3\)"),
        (lambda x: np.round(x, out=np.zeros((2, 3))), r"np\.round .* does not take these arguments"),
        (fnet.jit(lambda x: np.where(x > 0)), "result of unknown size; give both choices"),
        (lambda x: np.array(x), r"a traced float64\[2, 3\] cannot become a NumPy array"),
        (lambda x: math.exp(x[0, 0]), r"float\(\) of a traced float64\[\] would drop its derivative"),
    ],
)
def test_what_is_not_supported_says_so(f, text):
    with pytest.raises(TracingError, match=text):
        f(X) if isinstance(f, Jitted) else traced(f, X)


def test_a_missing_attribute_says_what_to_use_instead():
    for name, text in {
        "sort": r"Use fnet\.ops\.sort",
        "searchsorted": r"Use fnet\.ops\.searchsorted",
        "fill": "nothing",
    }.items():
        with pytest.raises(AttributeError, match=rf"a traced float64\[2, 3\] has no '{name}', which NumPy.*{text}"):
            traced(lambda x, name=name: getattr(x, name), X)
    with pytest.raises(AttributeError, match="object has no attribute 'wheight'"):
        traced(lambda x: x.wheight, X)
    assert traced(lambda x: [float(hasattr(x, name)) for name in ("shape", "sort", "__array_interface__")], X) == [
        1,
        0,
        0,
    ]


def test_bitwise_operators_need_integers_or_booleans():
    for f in (lambda x: x & x, lambda x: x | True, lambda x: ~x):
        with pytest.raises(DtypeError, match=r"takes integers or booleans, received float64\[2, 3\]"):
            traced(f, X)


def test_adding_into_a_numpy_array_is_refused():
    def f(x):
        total = np.zeros(3)
        total += x[0]
        return total

    with pytest.raises(TracingError, match="does not take these arguments"):
        traced(f, X)


def test_values_steer_python_where_they_are_known():
    def f(x):
        total = 0.0
        while total < 3:
            total = total + x * x if x > 0 else total + 1
        return total if int(x) == 1 else -total

    assert fnet.grad(f)(1.5) == 6.0  # two rounds of x * x
    assert fnet.jvp(f, (np.float64(1.5),), (1.0,))[1] == 6.0
    with pytest.raises(TracingError, match=r"bool\(\).*not known while fnet.jit traces"):
        fnet.jit(f)(1.5)


@pytest.mark.parametrize("bad", [np.ones(2, np.float16), np.ones(2, complex), np.array([None]), "a", None, 1j], ids=str)
def test_unsupported_element_types(bad):
    for f in (lambda: ops.add(bad, 1.0), lambda: ops.sum(bad), lambda: traced(lambda x: x * bad, X[0, :2])):
        text = "is not supported; expected one of float32, float64, bool or an integer"
        with pytest.raises(DtypeError, match=text if bad is not None else "a tree of them, received None"):
            f()
