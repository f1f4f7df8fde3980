"""Places in an order: values, derivatives through the k largest, the same under jit, errors by text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.errors import ShapeError, ValueRangeError
from fnet.testing import check_grads
from tests.ops.table import close

COVERED = {"searchsorted", "top_k", "edit_distance"}


@given(st.sampled_from(["left", "right"]), st.integers(0, 99))
def test_searchsorted_is_numpys(side, seed):
    rng = np.random.default_rng(seed)
    edges, x = np.sort(rng.integers(0, 5, 4)), rng.integers(-1, 6, (2, 3)) / 2
    close(ops.searchsorted(edges, x, side), np.searchsorted(edges, x, side))
    close(fnet.jit(lambda e, x: ops.searchsorted(e, x, side))(edges, x), np.searchsorted(edges, x, side))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("count", [2, 9])  # few edges are compared with one by one
def test_no_number_is_behind_an_edge_that_is_not_a_number(side, count):
    edges = np.append(np.arange(count - 1.0), np.nan)
    x = np.array([-1.0, 0.0, 0.5, np.inf])
    close(ops.searchsorted(edges, x, side), np.searchsorted(edges, x, side))


def test_edges_and_numbers_meet_in_one_dtype():
    x = np.array([0.3], np.float32)  # a little above 0.3
    assert ops.searchsorted(np.array([0.3]), x) == 1
    assert ops.searchsorted(np.array([0.3], np.float32), x) == 0
    assert ops.searchsorted([1, 2], 2.5) == 2


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (0, 5)])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k(shape, k):
    x = np.random.default_rng(0).normal(size=shape)
    positions = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    for values, found in (ops.top_k(x, k), fnet.jit(lambda x: ops.top_k(x, k))(x)):
        close(found, positions)
        close(values, np.take_along_axis(x, positions, -1))


def test_the_derivative_of_the_largest_goes_to_their_elements():
    x = np.random.default_rng(0).normal(size=(3, 4))
    check_grads(lambda x: ops.top_k(x, 2)[0] ** 2, x)


def test_edit_distance_under_jit():
    a, b = np.array([[1, 2, -1], [3, 3, 3]], np.int32), np.array([[2, 2], [-1, -1]])
    assert ops.edit_distance(a, b).tolist() == fnet.jit(ops.edit_distance)(a, b).tolist() == [1, 3]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ops.searchsorted([2.0, 1.0], 1.5), ValueRangeError, "edge 1 is below the one before it. Sort"),
        (lambda: ops.searchsorted([[1.0]], 1.5), ShapeError, "expected edges of shape (edges,), received (1, 1)"),
        (
            lambda: ops.searchsorted([1.0], 1.5, "middle"),
            ValueRangeError,
            "'left' or 'right', received 'middle'",
        ),
        (
            lambda: ops.top_k(np.ones((2, 3)), 4),
            ValueRangeError,
            "1 <= k <= 3 for rows of 3 elements, received 4",
        ),
        (lambda: ops.top_k(np.float64(1), 1), ShapeError, "expected rows of shape (..., elements), received a scalar"),
        (lambda: ops.edit_distance([[1.5]], [[1]]), TypeError, "a holds integers, received float64[1, 1]. Use .astype"),
        (lambda: ops.edit_distance([[1]], [1]), ShapeError, "expected b of shape (batch, labels), received (1,)"),
        (
            lambda: ops.edit_distance([[1]], [[1], [2]]),
            ShapeError,
            "rows in a as in b, received (1, 1) and (2, 1)",
        ),
    ],
)
def test_errors_say_what_was_meant(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
