"""Matrix products against NumPy in every rank and layout, with first and second derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.errors import ShapeError, ValueRangeError
from fnet.testing import check_complex_step, check_grads
from fnet.testing.strategies import arrays
from tests.ops.table import close, laid_out, layouts

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
COVERED = {"matmul", "dot", "outer", "tensordot", "einsum"}
SIZES = st.integers(0, 5)
RANKS = [
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((4, 2, 3), (3, 2)),
    ((4, 2, 3), (3,)),
    ((3,), (4, 3, 2)),
    ((4, 2, 3), (4, 3, 2)),
    ((2, 1, 2, 3), (4, 3, 2)),
    ((2, 3), (4, 3, 2)),
    ((1, 1), (1, 1)),
]
EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,kj->ik", (2, 3), (4, 3)),
    ("ij,ij->ij", (2, 3), (2, 3)),
    ("ij,ij->", (2, 3), (2, 3)),
    ("ij,ij", (2, 3), (2, 3)),
    ("ij,jk", (2, 3), (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 2), (2, 2, 4, 2)),
    ("ij->ji", (2, 3)),
    ("ijk->j", (2, 3, 4)),
    ("i,j->ij", (2,), (3,)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 4)),
    ("ij,k->j", (2, 3), (4,)),
    ("a,->a", (3,), ()),
]


def drawn(*shapes, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [np.asarray(rng.normal(size=s), dtype) for s in shapes]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shapes", RANKS, ids=str)
def test_matmul_is_numpys_in_every_rank(shapes, dtype):
    a, b = drawn(*shapes, dtype=dtype)
    close(ops.matmul(a, b), np.asarray(np.matmul(a, b)), 5)


@given(st.data(), SIZES, SIZES, SIZES, layouts(), layouts())
def test_matmul_of_any_size_and_layout(data, m, k, n, one, other):
    a, b = data.draw(arrays((m, k))), data.draw(arrays((k, n)))
    close(ops.matmul(laid_out(a, one), laid_out(b, other)), a @ b, 5)


@given(st.data(), st.integers(0, 3), SIZES, SIZES, layouts())
def test_stacks_of_any_size_and_layout(data, count, m, k, layout):
    a, b = data.draw(arrays((count, m, k))), data.draw(arrays((count, k, 2)))
    close(ops.matmul(laid_out(a, layout), b), a @ b, 5)
    close(ops.matmul(laid_out(b.swapaxes(1, 2), layout), a.swapaxes(1, 2)), b.swapaxes(1, 2) @ a.swapaxes(1, 2), 5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_stacks_of_few_large_products(count):
    a, b = drawn((count, 140, 150), (count, 130, 150), dtype=np.float32)
    close(ops.matmul(a, b.swapaxes(1, 2)), a @ b.swapaxes(1, 2), 5)


@pytest.mark.parametrize("case", EINSUMS, ids=lambda c: c[0])
def test_einsum_is_numpys(case):
    text, *shapes = case
    operands = drawn(*shapes)
    close(ops.einsum(text, *operands), np.asarray(np.einsum(text, *operands)), 5)
    check_grads(lambda *x: ops.einsum(text, *x), *operands)


@pytest.mark.parametrize(
    "shapes", [((), (3,)), ((3,), ()), ((3,), (3,)), ((2, 3), (3, 2)), ((2, 3), (4, 3, 2))], ids=str
)
def test_dot_is_numpys(shapes):
    a, b = drawn(*shapes)
    close(ops.dot(a, b), np.asarray(np.dot(a, b)), 5)


@pytest.mark.parametrize("axes", [0, 1, 2, ([0, 1], [1, 0]), ([-1], [0]), (1, 0)], ids=str)
def test_tensordot_is_numpys(axes):
    a, b = drawn((3, 3), (3, 3))
    close(ops.tensordot(a, b, axes), np.asarray(np.tensordot(a, b, axes)), 5)


@pytest.mark.parametrize(("m", "k", "n"), [(1, 5, 1), (1, 5, 3), (3, 5, 1), (5, 1, 1)])
def test_rows_and_columns_have_one_order_of_sums_however_they_came_about(m, k, n):
    """The stride of an axis of one element says nothing, and NumPy's transposes leave any number there."""
    rng = np.random.default_rng(0)
    f = fnet.jit(lambda a, b: ops.matmul(ops.swapaxes(a, 0, 1), ops.swapaxes(b, 0, 1)))
    for _ in range(8):
        a, b = rng.standard_normal((k, m), np.float32), rng.standard_normal((n, k), np.float32)
        wanted = ops.matmul(ops.swapaxes(a, 0, 1), ops.swapaxes(b, 0, 1))
        np.testing.assert_array_equal(f(a, b), wanted)
        np.testing.assert_array_equal(ops.matmul(a.T, b.T), wanted)


@pytest.mark.parametrize("stack", [(), (2,)])
def test_a_column_has_one_order_of_sums_whatever_the_gaps_of_the_operands(stack):
    """Eager calls copy operands with gaps to where there are none, plans read them in place."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((*stack, 66, 33), np.float32), rng.standard_normal((*stack, 33, 2), np.float32)

    def f(a: Any, b: Any) -> tuple[Any, ...]:
        rows, column = a[..., ::2, :], b[..., :1]
        turned = ops.swapaxes(rows, -1, -2)
        return ops.matmul(rows, column), ops.matmul(rows[..., ::2], column[..., ::2, :]), ops.matmul(turned, column)

    for value, wanted in zip(fnet.jit(f, executor="walk")(a, b), f(a, b), strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_outer_is_numpys():
    a, b = drawn((3,), (2,))
    close(ops.outer(a, b), np.outer(a, b))


def test_integers_are_multiplied_as_floats():
    """Unlike NumPy, whose integer products are integers: every matrix product here is a floating one."""
    a = np.arange(6).reshape(2, 3)
    close(ops.matmul(a, a.T), (a @ a.T).astype(np.float64))
    close(ops.matmul(a.astype(np.float32), a.T.astype(np.int8)), (a @ a.T).astype(np.float32))


def test_nan_and_inf_travel():
    a = np.array([[1.0, np.nan], [np.inf, 0.0], [0.0, 0.0]])
    b = np.array([[0.0, 1.0], [1.0, 2.0]])
    close(ops.matmul(a, b), a @ b)


@pytest.mark.parametrize("shapes", RANKS, ids=str)
def test_derivatives_in_every_rank(shapes):
    check_grads(ops.matmul, *drawn(*shapes))


def test_second_derivatives():
    check_grads(ops.matmul, *drawn((2, 3), (3, 2)), order=2)
    check_grads(ops.matmul, *drawn((2, 2, 3), (2, 3, 2)), order=2)
    check_complex_step(ops.matmul, np.matmul, *drawn((2, 3), (3, 2)))


@pytest.mark.parametrize("sizes", [(0, 2, 3), (2, 0, 3), (2, 3, 0)], ids=str)
def test_derivatives_of_empty_products(sizes):
    m, k, n = sizes
    check_grads(ops.matmul, *drawn((m, k), (k, n)))


def products(a: Any, b: Any) -> list[Any]:
    """Products of a stack and a matrix, which may be traced, by NumPy's functions."""
    dot = [np.dot(a[0], b), np.tensordot(a, b, 1), np.einsum("sij,jk->ik", a, b), np.einsum("sij->j", a)]
    return [a @ b, a[0, 0] @ b, np.matmul(a, b[:, 0]), a @ np.swapaxes(a, -1, -2), *dot]


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 0)])
def test_products_of_integers_are_those_of_numpy(dtype, shape):
    """Modulo the size of the type and exact, while those of `fnet.ops` are floating-point numbers."""
    rng = np.random.default_rng(0)
    low, high = (0, 1) if dtype is bool else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    a, b = (rng.integers(low, high, s, np.int64, endpoint=True).astype(dtype) for s in (shape, (shape[2], 5)))
    for got, want in zip(fnet.jit(products)(a, b), products(a, b), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda a: ops.matmul(a, a),
            ShapeError,
            r"matmul cannot multiply \(2, 3\) by \(2, 3\).*last size of the first, 3",
        ),
        (lambda a: ops.matmul(a, a[0, :2]), ShapeError, "the only size of the second, 2"),
        (lambda a: ops.matmul(a, 2.0), ShapeError, "at least one axis"),
        (
            lambda a: ops.matmul(np.ones((2, 1, 3)), np.ones((3, 3, 1))),
            ShapeError,
            "leading axes of .* do not broadcast",
        ),
        (lambda a: ops.einsum("ij,jk->ik", a), ValueRangeError, "names 2 operands, received 1"),
        (lambda a: ops.einsum("ij,jk->ik", a, a), ShapeError, "axis 'j' has sizes 3 and 2"),
        (lambda a: ops.einsum("ijk->i", a), ShapeError, r"must name each of the 2 axes of \(2, 3\) once"),
        (lambda a: ops.einsum("ii->i", a), ShapeError, "once"),
        (lambda a: ops.einsum("ij->ii", a), ValueRangeError, "each once"),
        (lambda a: ops.einsum("ij->k", a), ValueRangeError, "'k' must name axes of the operands"),
        (lambda a: ops.einsum("...i->i", a), ValueRangeError, "the ellipsis is not supported"),
        (lambda a: ops.tensordot(a, a, ([0], [1])), ShapeError, "sizes 2 and 3"),
        (lambda a: ops.tensordot(a, a, ([0, 1], [1])), ShapeError, "as many axes"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call(np.ones((2, 3)))
