"""Shape operations against NumPy: values, derivatives as linear maps, and errors that show the shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fnet
from fnet import ops
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.testing import check_grads
from fnet.testing.strategies import arrays, shapes
from tests.ops.table import close, laid_out, layouts

COVERED = {
    "reshape", "transpose", "swapaxes", "moveaxis", "expand_dims", "squeeze", "ravel", "broadcast_to", "flip", "pad",
    "concatenate", "stack", "split",
}  # fmt: skip
X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("reshape", ((4, 6),)),
        ("reshape", ((-1, 3),)),
        ("reshape", (24,)),
        ("transpose", ()),
        ("transpose", ((1, -1, 0),)),
        ("swapaxes", (0, -1)),
        ("moveaxis", (0, 2)),
        ("moveaxis", (-1, 0)),
        ("expand_dims", (1,)),
        ("expand_dims", (-1,)),
        ("ravel", ()),
        ("broadcast_to", ((5, 2, 3, 4),)),
        ("flip", (1,)),
        ("flip", (-1,)),
        ("squeeze", ()),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.int32, bool])
def test_moves_are_numpys(name, args, dtype):
    x = X.astype(dtype)
    close(getattr(ops, name)(x, *args), getattr(np, name)(x, *args))


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
def test_squeeze(axis):
    x = np.ones((1, 3, 1))
    close(ops.squeeze(x, axis), np.squeeze(x, axis))


@given(arrays(shapes(min_dims=1)), layouts(), st.randoms(use_true_random=False))
def test_copies_of_any_layout_keep_the_order(x, layout, random):
    order = list(range(x.ndim))
    random.shuffle(order)
    moved = laid_out(x, layout)
    close(ops.concatenate([ops.transpose(moved, order)] * 2), np.concatenate([np.transpose(x, order)] * 2))
    close(ops.reshape(ops.flip(moved, 0), (-1,)), np.flip(x, 0).ravel())


@given(st.data(), shapes(min_dims=1), st.integers(1, 3))
def test_concatenate_and_split_undo_each_other(data, shape, parts):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    pieces = [data.draw(arrays(shape)) for _ in range(parts)]
    joined = ops.concatenate(pieces, axis)
    close(joined, np.concatenate(pieces, axis))
    for piece, again in zip(pieces, ops.split(joined, parts, axis), strict=True):
        close(again, piece)
    close(ops.stack(pieces, axis), np.stack(pieces, axis))


def test_split_at_positions():
    for mine, numpys in zip(ops.split(X, [1, 3], 2), np.split(X, [1, 3], 2), strict=True):
        close(mine, numpys)


def test_joining_promotes_dtypes():
    assert ops.concatenate([np.ones(2, np.float32), np.ones(2)]).dtype == np.float64
    assert ops.stack([np.ones(2, np.int32), np.ones(2, np.float32)]).dtype == np.float64
    close(ops.concatenate([np.zeros(0), np.ones(2)]), np.ones(2))


@pytest.mark.parametrize("value", [0, 2.5, -np.inf, np.nan, 1e30])
def test_pad_keeps_the_inside_exactly(value):
    widths = [(1, 0), (0, 2), (0, 0)]
    close(ops.pad(X, widths, value), np.pad(X, widths, constant_values=value))


@given(hnp.mutually_broadcastable_shapes(num_shapes=1, max_dims=3, max_side=3))
def test_broadcast_to_and_its_sum(shapes_drawn):
    (shape,) = shapes_drawn.input_shapes
    x = np.random.default_rng(0).normal(size=shape)
    wide = ops.broadcast_to(x, (2, *shape))
    close(wide, np.broadcast_to(x, (2, *shape)))
    np.testing.assert_allclose(
        fnet.grad(lambda v: ops.sum(ops.broadcast_to(v, (2, *shape)) * 3.0))(x), np.full(shape, 6.0)
    )


def test_the_gradient_of_a_flip_is_a_view():
    step = fnet.jit(fnet.grad(lambda x: ops.sum(ops.square(ops.flip(x, 1)))))
    x = np.random.default_rng(0).normal(size=(3, 4))
    close(step(x), 2 * x)
    assert "fill" not in str(step.plan(x))


LINEAR = [
    lambda x: ops.reshape(x, (6, 4)),
    lambda x: ops.transpose(x, (2, 0, 1)),
    lambda x: ops.flip(x, 1),
    lambda x: ops.broadcast_to(x, (2, 2, 3, 4)),
    lambda x: ops.pad(x, [(1, 1), (0, 2), (1, 0)]),
    lambda x: ops.pad(x, [(1, 1), (0, 2), (1, 0)], 5.0),
    lambda x: ops.concatenate([x, 2.0 * x[:1]], 0),
    lambda x: ops.stack([x, x], 1),
    lambda x: ops.split(x, 2, 2),
    lambda x: ops.split(x, [1], 1)[1],
    lambda x: ops.moveaxis(x, 0, 2),
    lambda x: ops.expand_dims(x, 1),
]


@pytest.mark.parametrize("number", range(len(LINEAR)))
def test_derivatives(number):
    x = np.random.default_rng(0).normal(size=X.shape)
    check_grads(LINEAR[number], x)
    check_grads(
        lambda v: [y * y for y in fnet.tree.leaves(LINEAR[number](v))], x[:1, :, :2] if number == 1 else x, order=2
    )


@pytest.mark.parametrize(
    "move",
    [
        lambda x: ops.flip(x, 0),
        lambda x: ops.swapaxes(x, 0, 1),
        lambda x: ops.moveaxis(x, 0, -1),
        lambda x: ops.expand_dims(x, 0),
        lambda x: ops.squeeze(x, 2),
        lambda x: ops.split(x, 2)[1],
    ],
    ids=["flip", "swapaxes", "moveaxis", "expand_dims", "squeeze", "split"],
)
def test_lists_of_traced_values_become_arrays(move):
    a, b = np.arange(6.0).reshape(2, 3, 1)
    expected = move(np.stack([a, b]))
    np.testing.assert_array_equal(fnet.jit(lambda a, b: move([a, b]))(a, b), expected)
    np.testing.assert_array_equal(fnet.grad(lambda a: ops.sum(move([a, b])[..., :1]))(a).shape, a.shape)


def test_a_joined_constant_gets_no_cotangent():
    g = fnet.grad(lambda v: ops.sum(ops.concatenate([v, np.ones(2)]) ** 2))(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(g, [2.0, 4.0])


@pytest.mark.parametrize("source", [np.float32, np.float64, np.int64, np.uint8, bool])
@pytest.mark.parametrize("target", ["float32", "float64", "int32", "int64", "bool"])
def test_astype_is_numpys(source, target):
    x = np.array([0, 1, 2, 100]).astype(source)
    close(ops.astype(x, target), x.astype(target))


def test_astype_carries_derivatives_back_in_the_first_dtype():
    g = fnet.grad(lambda v: ops.sum(ops.astype(v, "float64") ** 2))(np.array([1.0, 2.0], np.float32))
    assert g.dtype == np.float32 and g.tolist() == [2.0, 4.0]
    g = fnet.grad(lambda v: ops.sum(ops.astype(ops.astype(v, "int64"), "float64") * v))(np.array([1.5]))
    np.testing.assert_array_equal(g, [1.0])
    with pytest.raises(DtypeError, match="complex64 is not supported"):
        ops.astype(X, np.complex64)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ops.reshape(X, (5, 5)), ShapeError, r"cannot reshape \(2, 3, 4\) \(24 elements\) to \(5, 5\)"),
        (lambda: ops.reshape(X, (-1, -1)), ShapeError, "numbers of elements differ"),
        (lambda: ops.reshape(X, (-1, 7)), ShapeError, "numbers of elements differ"),
        (lambda: ops.transpose(X, (0, 0, 1)), ShapeError, "not a permutation of the 3 axes"),
        (lambda: ops.swapaxes(X, 0, 3), ShapeError, "swapaxes: axis 3 is out of range"),
        (lambda: ops.moveaxis(X, 3, 0), ShapeError, "moveaxis: axis 3 is out of range"),
        (lambda: ops.expand_dims(X, 5), ShapeError, "expand_dims: axis 5 is out of range"),
        (lambda: ops.squeeze(X, 1), ShapeError, r"squeeze: expected size 1 on axis 1, received shape \(2, 3, 4\)"),
        (lambda: ops.broadcast_to(X, (2, 3, 5)), ShapeError, r"cannot broadcast \(2, 3, 4\) to \(2, 3, 5\)"),
        (lambda: ops.broadcast_to(X, (4,)), ShapeError, "cannot broadcast"),
        (lambda: ops.concatenate([]), ShapeError, "at least one array"),
        (
            lambda: ops.concatenate([X, X[:, :2]], 0),
            ShapeError,
            r"expected \(2, 3, 4\), received \(2, 2, 4\) as input 1",
        ),
        (lambda: ops.concatenate([X, X[0]], 0), ShapeError, "as input 1"),
        (lambda: ops.concatenate([np.float64(1), np.float64(2)]), ShapeError, "out of range for an array with 0 axes"),
        (lambda: ops.split(X, 3, 2), ShapeError, "cannot cut axis 2 of size 4 into 3 equal sections"),
        (lambda: ops.pad(X, [(1, 1)]), ValueRangeError, "expected 3 pairs of non-negative widths"),
        (lambda: ops.pad(X, [(1, 1), (0, 0), (0, -1)]), ValueRangeError, "non-negative"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
