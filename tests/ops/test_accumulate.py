"""Running sums and sums by index: values, derivatives, the same under jit, errors by text."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.testing import check_grads
from tests.ops.table import close

COVERED = {"cumsum", "bincount"}
X = np.random.default_rng(0).normal(size=(2, 3, 4))
INDEX = np.array([[0, 3, 3], [-1, 7, 1]])


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "?"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_cumsum_is_numpys(axis, dtype):
    x = (4 * X).round().astype(dtype)
    expected = np.cumsum(x, axis=axis, dtype=np.int64 if dtype in "i4?" else dtype)
    close(ops.cumsum(x, axis), expected)
    close(fnet.jit(lambda x: ops.cumsum(x, axis))(x), expected)
    close(ops.cumsum(x, axis, reverse=True), np.flip(ops.cumsum(np.flip(x, axis), axis), axis))


@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives_of_cumsum(reverse):
    check_grads(lambda x: ops.cumsum(x, 1, reverse) ** 2, X)


def test_bincount():
    weights = np.arange(6.0).reshape(2, 3)
    expected = np.array([0.0, 5.0, 0.0, 3.0, 0.0])
    close(ops.bincount(INDEX, weights, 5), expected)
    close(fnet.jit(lambda i, w: ops.bincount(i, w, 5))(INDEX, weights), expected)
    close(ops.bincount(INDEX.astype(np.int8), weights, 0), np.zeros(0))


@pytest.mark.parametrize("length", [0, 2, 5])
def test_derivatives_of_bincount(length):
    check_grads(lambda w: ops.bincount(INDEX, w, length) ** 2, X[0, :2, :3])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: ops.bincount([0.5], [1.0], 2),
            DtypeError,
            "the index holds integers, received float64[1]. Use",
        ),
        (lambda: ops.bincount([0, 1], [1.0], 2), ShapeError, "weights shaped like the index, (2,), received (1,)"),
        (lambda: ops.bincount([0], [1.0], -1), ValueRangeError, "expected a length of 0 or more, received -1"),
        (lambda: ops.cumsum(X, 3), ShapeError, "axis 3 is out of range for an array with 3 axes"),
    ],
)
def test_errors_say_what_was_meant(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
