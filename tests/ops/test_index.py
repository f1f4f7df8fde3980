"""Indexing of traced values and gathers against NumPy, with derivatives that add up repeated positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fnet
from fnet import ops
from fnet.errors import DtypeError, ShapeError, TracingError, ValueRangeError
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
        ((0, 0, 0, 0), ValueRangeError, "too many indices: 4 for an array with 3 axes"),
        ([7], ValueRangeError, "index 7 is outside an axis of size 3"),
        ([-4], ValueRangeError, "index -4 is outside an axis of size 3"),
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
