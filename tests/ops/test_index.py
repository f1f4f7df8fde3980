"""Indexing of traced values and gathers against NumPy, with derivatives that add up repeated positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fnet
from fnet import ops
from fnet.errors import DtypeError, IndexRangeError, ShapeError, TracingError, ValueRangeError
from fnet.testing import check_grads
from tests.ops.table import close

COVERED = {"take", "one_hot"}
X = np.random.default_rng(0).normal(size=(3, 4, 5))
ROWS = np.array([2, 0, -1, 2])
INDICES = [
    1, -1, slice(None), slice(1, None), slice(None, None, -1), slice(3, 0, -2), slice(5, 2), ..., None, (0, 1, 2),
    (..., 0), (0, ..., None), (slice(None), None, 2), (slice(None, None, 2), slice(1, 3), -1), ROWS, [0, 2], [],
    (slice(None), ROWS), (..., ROWS), (1, ROWS), (ROWS, 1), (ROWS, ROWS - 1), (slice(1, 3), ROWS, ROWS),
    ROWS.reshape(2, 2), np.array([True, False, True]), X[:, :, 0] > 0, X > 0, (slice(None), X[0, :, 0] > 0),
    np.int64(1), np.array(1), (ROWS[:, None], np.array([0, 1])),
]  # fmt: skip

INTEGERS = [np.int8, np.int16, np.uint8, np.uint64]
PICKED = fnet.jit(fnet.value_and_grad(lambda x, i, j: ops.sum(x[i, j])))


@pytest.mark.parametrize("number", range(len(INDICES)))
def test_indexing_is_numpys_and_differentiable(number):
    index = INDICES[number]
    value, _ = fnet.vjp(lambda v: v[index], X)
    close(value, np.asarray(X[index]))
    check_grads(lambda v: v[index] * v[index], X)


@given(hnp.basic_indices((3, 4, 5), min_dims=0, max_dims=4, allow_newaxis=True))
def test_any_basic_index(index):
    value, pull = fnet.vjp(lambda v: v[index], X)
    close(value, np.asarray(X[index]))
    expected = np.zeros_like(X)
    expected[index] = 1
    np.testing.assert_array_equal(pull(np.ones_like(value))[0], expected)


@given(st.lists(st.integers(-3, 2), max_size=6), st.integers(0, 2))
def test_take_and_its_scatter(positions, axis):
    index = np.array(positions, np.int64)
    value, pull = fnet.vjp(lambda v: ops.take(v, index, axis), X)
    close(value, np.take(X, index, axis))
    g = np.random.default_rng(1).normal(size=value.shape)
    expected = np.zeros_like(X)
    np.add.at(expected, (slice(None),) * axis + (index,), g)
    np.testing.assert_allclose(pull(g)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint8, np.int64])
def test_positions_of_any_integer_dtype(dtype):
    close(ops.take(X, np.array([[2, 0], [1, 1]], dtype)), X[[[2, 0], [1, 1]]])


def test_take_twice_differentiable():
    check_grads(lambda v: ops.take(v, ROWS) ** 3, X[:, 0, 0], order=2)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_one_hot(dtype):
    labels = np.array([[0, 2], [1, 1]])
    close(ops.one_hot(labels, 3, dtype), np.eye(3, dtype=dtype)[labels])


def test_one_hot_of_a_label_outside_is_zero():
    np.testing.assert_array_equal(ops.one_hot(np.array([-1, 3, 1]), 3), [[0, 0, 0], [0, 0, 0], [0, 1, 0]])


def test_iteration_and_length():
    rows = fnet.vjp(lambda v: list(v), X)[0]
    assert len(rows) == 3
    for row, expected in zip(rows, X, strict=True):
        close(row, expected)
    with pytest.raises(TypeError, match="len"):
        fnet.vjp(len, np.float64(1.0))


@pytest.mark.parametrize(
    ("index", "error", "text"),
    [
        ((0, 0, 0, 0), IndexRangeError, "too many indices: 4 for an array with 3 axes"),
        ([7], IndexRangeError, "index 7 is outside an axis of size 3"),
        ([-4], IndexRangeError, "index -4 is outside an axis of size 3"),
        (7, IndexError, "index 7 is out of bounds for axis 0 with size 3"),
        (True, TracingError, "single True or False"),
        ((ROWS, slice(None), ROWS), TracingError, "neighbouring axes"),
        ((0, slice(None), ROWS), TracingError, "neighbouring axes"),
        (np.array([0.5]), DtypeError, r"positions must be integers, received float64\[1\]"),
        ("kernel", TypeError, "str"),
    ],
)
def test_errors(index, error, text):
    with pytest.raises(error, match=text):
        fnet.vjp(lambda v: v[index], X)


@settings(max_examples=10)
@given(st.sampled_from(INTEGERS), st.lists(st.tuples(st.integers(0, 127), st.integers(0, 127)), min_size=1, max_size=4))
def test_positions_are_added_up_exactly_in_any_dtype(dtype, drawn):
    """Sizes and products of positions are beyond narrow integers."""
    i, j = np.array(drawn, dtype).T
    x = np.arange(300.0 * 300).reshape(300, 300)
    value, gradient = PICKED(x, i, j)
    close(value, x[i, j].sum())
    expected = np.zeros_like(x)
    np.add.at(expected, (i, j), 1)
    np.testing.assert_array_equal(gradient, expected)
    if np.iinfo(dtype).min < 0:
        close(fnet.vjp(lambda v: v[-i, -j], x)[0], x[-i, -j])
        close(ops.take(x, -i), x[-i])


def test_positions_outside_two_axes_are_nan_and_give_nothing_back():
    x, i = np.ones((3, 4), np.float32), np.array([0, 4, -5])
    np.testing.assert_array_equal(fnet.jit(lambda x, i: -x[np.arange(3), i])(x, i), [-1, np.nan, np.nan])
    gradient = fnet.jit(lambda x, i: fnet.grad(lambda x: ops.sum(-x[np.arange(3), i]))(x))(x, i)
    np.testing.assert_array_equal(gradient, [[-1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    beyond = np.array([2**64 - 1, 1], np.uint64)
    np.testing.assert_array_equal(fnet.jit(lambda x, i: ops.take(x, i))(np.arange(4.0), beyond), [np.nan, 1])


@pytest.mark.parametrize(
    ("mask", "masked"),
    [
        (np.array([True, False]), r"\(2,\) was given for axes of sizes \(3,\)"),
        (np.ones((4, 3), bool), r"\(4, 3\) was given for axes of sizes \(3, 4\)"),
        ((..., [True, False]), r"\(2,\) was given for axes of sizes \(5,\)"),
        ((0, np.ones(5, bool)), r"\(5,\) was given for axes of sizes \(4,\)"),
    ],
)
def test_masks_of_other_shapes(mask, masked):
    with pytest.raises(IndexError):
        X[mask]
    with pytest.raises(IndexError, match=masked):
        fnet.vjp(lambda v: v[mask], X)


def test_take_names_the_position():
    with pytest.raises(ValueRangeError, match=r"position 4 \(element 1\) is outside axis 1 of size 4"):
        ops.take(X, np.array([0, 4]), axis=1)
    with pytest.raises(DtypeError, match=r"positions must be integers, received float64\[1\]"):
        ops.take(X, np.array([0.0]))
    with pytest.raises(ShapeError, match="take: axis 3 is out of range"):
        ops.take(X, ROWS, axis=3)


def test_writing_in_place_is_refused():
    def f(v):
        v[0] = 1.0
        return v

    with pytest.raises(TracingError, match="cannot be written in place"):
        fnet.vjp(f, X)


def test_positions_of_32_bits_are_read_in_place():
    table, index = np.arange(12.0, dtype=np.float32).reshape(4, 3), np.array([2, -1, 0, 2], np.int32)
    jitted = fnet.jit(ops.take)
    assert [call.label for call in jitted.plan(table, index).calls] == ["take"]
    np.testing.assert_array_equal(jitted(table, index), table[index])
    gradient = fnet.jit(fnet.grad(lambda t: ops.sum(ops.take(t, index))))(table)
    np.testing.assert_array_equal(gradient, np.repeat([[1], [0], [2], [1]], 3, 1))
