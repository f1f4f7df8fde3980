"""Every operation and its derivatives under `jit` give what they give eagerly."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import ops
from tests.ops.table import OPS, SMOOTH, Op
from tests.ops.test_index import INDICES, ROWS, X
from tests.ops.test_linalg import EINSUMS, RANKS, drawn
from tests.ops.test_nn import LABELS, TARGETS, Z
from tests.ops.test_shape import LINEAR

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def same(f, *args):
    """Value and pulled-back ones of `f` under jit, against the eager ones, in shape, dtype and value."""

    def both(*args):
        y, pull = fnet.vjp(f, *args)
        return y, pull(fnet.tree.map(np.ones_like, y))

    for got, expected in zip(fnet.tree.leaves(fnet.jit(both)(*args)), fnet.tree.leaves(both(*args)), strict=True):
        assert got.dtype == expected.dtype and got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("op", SMOOTH, ids=str)
def test_smooth_elementwise(op: Op):
    same(op.function, *op.operands((2, 3)))


@pytest.mark.parametrize("op", [op for op in OPS if not op.smooth], ids=str)
def test_other_elementwise(op: Op):
    operands = op.operands((2, 3))
    np.testing.assert_array_equal(fnet.jit(op.function)(*operands), op.function(*operands))


def test_broadcast_operands():
    a, b, c = drawn((2, 1, 3), (4, 1), (3,))
    same(lambda a, b, c: ops.where(a > b, a * c, b / (c * c + 1.0)), a, b, c)


AXES = [None, 0, 1, 2, (0, 1), (0, 2), (1, 2)]
# One reduction over all kinds of axes, the others over the outer ones, and the rest slowly: each has loops of its own.
REDUCTIONS = [
    pytest.param(name, axis, marks=[] if name == "sum" or axis in (None, (0, 1)) else pytest.mark.slow)
    for name in ("sum", "max", "var", "std", "prod")
    for axis in AXES
]


@pytest.mark.parametrize(("name", "axis"), REDUCTIONS)
def test_reductions(name, axis):
    same(lambda x: getattr(ops, name)(ops.sin(x) + 2.0, axis), drawn((2, 3, 4))[0])


@pytest.mark.parametrize("name", ["argmax", "argmin", "any", "all"])
def test_positions(name):
    x = drawn((3, 4))[0]
    for axis in (None, 0, 1):
        got = fnet.jit(lambda x, a=axis: getattr(ops, name)(x, a))(x)
        np.testing.assert_array_equal(got, getattr(np, name)(x, axis))


@pytest.mark.parametrize("number", range(len(LINEAR)))
def test_shapes(number):
    same(LINEAR[number], drawn((2, 3, 4))[0])


@pytest.mark.parametrize("number", range(len(INDICES)))
def test_indices_known_in_advance(number):
    same(lambda x: x[INDICES[number]] * 2.0, X)


def test_traced_positions():
    np.testing.assert_array_equal(fnet.jit(lambda x, i: x[i])(X, ROWS), X[ROWS])
    np.testing.assert_array_equal(fnet.jit(lambda x, i: x[i, i])(X, ROWS), X[ROWS, ROWS])
    same(lambda x, i: ops.take(x, i, 1), X, ROWS)
    out = fnet.jit(lambda x, i: ops.take(x, i))(X, np.array([0, 3, -4]))
    np.testing.assert_array_equal(out[0], X[0])
    assert np.isnan(out[1:]).all()


@pytest.mark.parametrize("shapes", RANKS, ids=str)
def test_matmul(shapes):
    same(ops.matmul, *drawn(*shapes))


@pytest.mark.parametrize("case", EINSUMS, ids=lambda c: c[0])
def test_einsum(case):
    same(lambda *x: ops.einsum(case[0], *x), *drawn(*case[1:]))


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "l2_normalize"])
def test_rows(name, axis):
    same(lambda z: getattr(ops, name)(z, axis), Z)


def test_losses_and_dropout():
    same(lambda z: ops.sparse_crossentropy(z, LABELS), Z)
    same(ops.sparse_crossentropy, Z, LABELS)
    same(ops.categorical_crossentropy, Z, TARGETS)
    same(ops.binary_crossentropy_with_logits, Z, TARGETS)
    same(lambda z, key: ops.dropout(z, key, 0.5), Z, np.array([1, 2], np.uint32))


def test_second_derivatives():
    def f(x):
        return ops.sum(ops.log_softmax(ops.tanh(x) * x) ** 2)

    x = drawn((4,))[0]
    got = fnet.jit(lambda x, v: fnet.hessian_vector_product(f, x, v))(x, np.ones(4))
    np.testing.assert_allclose(got, fnet.hessian_vector_product(f, x, np.ones(4)), rtol=1e-11)
