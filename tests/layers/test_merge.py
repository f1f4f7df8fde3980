"""Merge layers and their functions against NumPy: broadcasting behind the batch, axes, contraction, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.layers import Add, Average, Concatenate, Dense, Dot, Identity, Maximum, Minimum, Multiply, Subtract
from fnet.masking import Masked
from fnet.networks.combinators import fanout
from fnet.networks.layer import Layer

KEY = fnet.random.key(0)
RNG = np.random.default_rng(0)
A, B, C = (RNG.normal(size=(2, 3, 4)) for _ in range(3))


def run(layer: fnet.Layer, *x: Any) -> np.ndarray:
    return layer.apply({}, {}, x)[0]


@pytest.mark.parametrize(
    ("layer", "function", "expected"),
    [
        (Add(), layers.add, A + B + C), (Multiply(), layers.multiply, A * B * C),
        (Average(), layers.average, (A + B + C) / 3), (Maximum(), layers.maximum, np.maximum(np.maximum(A, B), C)),
        (Minimum(), layers.minimum, np.minimum(np.minimum(A, B), C)),
        (Concatenate(), layers.concatenate, np.concatenate([A, B, C], -1)),
    ],
    ids=lambda v: v.name if isinstance(v, fnet.Layer) else "",
)  # fmt: skip
def test_values(layer: Any, function: Any, expected: np.ndarray) -> None:
    np.testing.assert_allclose(run(layer, A, B, C), expected, rtol=1e-14)
    np.testing.assert_array_equal(function([A, B, C]), run(layer, A, B, C))
    np.testing.assert_array_equal(run(layer, A), A)
    assert layer.name == function.__name__


def test_subtract_takes_two() -> None:
    np.testing.assert_array_equal(run(Subtract(), A, B), A - B)
    np.testing.assert_array_equal(layers.subtract((A, B)), A - B)


def test_fewer_axes_are_filled_up_behind_the_batch() -> None:
    rows, one = RNG.normal(size=(2, 4)), RNG.normal(size=(2, 1))
    np.testing.assert_array_equal(run(Add(), A, rows), A + rows[:, None])
    np.testing.assert_array_equal(run(Multiply(), one, A), A * one[:, None])
    np.testing.assert_array_equal(run(Maximum(), A[:, :1], B), np.maximum(A[:, :1], B))


def test_nan_and_none_of_the_inputs_is_changed() -> None:
    x = A.copy()
    x[0, 0, 0] = np.nan
    for layer in (Maximum(), Minimum(), Add(), Average()):
        assert np.isnan(run(layer, x, B)).sum() == np.isnan(run(layer, B, x)).sum() == 1


def test_concatenate_along_an_axis_that_counts_the_batch() -> None:
    wide = RNG.normal(size=(2, 5, 4))
    np.testing.assert_array_equal(run(Concatenate(1), A, wide), np.concatenate([A, wide], 1))
    np.testing.assert_array_equal(layers.concatenate([A, wide], axis=-2), np.concatenate([A, wide], 1))


@pytest.mark.parametrize(
    ("axes", "a", "b", "subscripts"),
    [
        (-1, A, B, "nik,njk->nij"), (2, A, B, "nik,njk->nij"), (1, A, B, "nki,nkj->nij"),
        ((1, 2), A, B[:, :, :3], "nki,njk->nij"), ((2, -1), A, RNG.normal(size=(2, 4)), "nik,nk->ni"),
        ((-1, 1), RNG.normal(size=(2, 4)), A.swapaxes(1, 2), "nk,nkj->nj"),
        ((1, 2), RNG.normal(size=(2, 5, 3, 2)), RNG.normal(size=(2, 4, 5)), "nkij,nlk->nijl"),
    ],
)  # fmt: skip
def test_dot_contracts_sample_by_sample(axes: Any, a: np.ndarray, b: np.ndarray, subscripts: str) -> None:
    np.testing.assert_allclose(run(Dot(axes), a, b), np.einsum(subscripts, a, b), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(layers.dot([a, b], axes), run(Dot(axes), a, b))


def test_dot_of_vectors_has_one_feature_and_normalized_is_the_cosine() -> None:
    a, b = A[:, 0], B[:, 0]
    np.testing.assert_allclose(run(Dot(1), a, b), np.sum(a * b, 1, keepdims=True), rtol=1e-13)
    cosine = np.sum(a * b, 1, keepdims=True) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)[:, None]
    np.testing.assert_allclose(run(Dot(-1, normalize=True), a, b), cosine, rtol=1e-13)


def test_in_a_network() -> None:
    net = fnet.serial(fnet.parallel(Dense(4), Dense(4)), Add(), Dense(2))
    params, state = net.init(KEY, ((3,), (5,)))
    y, _ = fnet.jit(net.apply)(params, state, (np.ones((6, 3), "f4"), np.ones((6, 5), "f4")))
    assert y.shape == (6, 2) and list(params) == ["parallel", "dense"]


ERRORS = [
    (lambda: run(Add(), A, B[:, :2]), ShapeError, r"Add: inputs of shapes \(2, 3, 4\), \(2, 2, 4\) do not broadcast"),
    (lambda: Add().init(KEY, (3,)), ShapeError, r"Add merges a tuple of inputs, so it expects a tuple of shapes, rec"),
    (lambda: Add().apply({}, {}, A), StructureError, "Add merges a tuple of one or more inputs, received one ndarray"),
    (lambda: layers.maximum([]), StructureError, "Maximum merges a tuple of one or more inputs, received 0"),
    (lambda: run(Subtract(), A, B, C), StructureError, "Subtract merges a tuple of 2 inputs, received 3"),
    (lambda: layers.add([1.0, 2.0]), ShapeError, "Add: expected inputs with a batch axis, received shapes"),
    (lambda: Concatenate(0), ValueRangeError, "Concatenate: axis 0 is the batch"),
    (lambda: Concatenate("last"), DtypeError, "Concatenate: axis is an integer, received str 'last'"),
    (lambda: run(Concatenate(), A, B[:, :2]), ShapeError, "concatenate on axis 2 needs equal sizes on the other axes"),
    (lambda: Dot("k"), DtypeError, "Dot: axes is an integer or a pair of them, received 'k'"),
    (lambda: run(Dot(0), A, B), ShapeError, "Dot: axis 0 is not an axis of an array with 3 axes behind the batch"),
    (lambda: run(Dot((1, 2)), A, B), ShapeError, r"axis 1 of \(2, 3, 4\) has 3, axis 2 of \(2, 3, 4\) has 4"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for *_, text in ERRORS])
def test_errors(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        wrong()


MERGES = [Add(), Multiply(), Maximum(), Concatenate(), fanout(Identity(), Identity())]


@pytest.mark.parametrize("merge", MERGES, ids=repr)
def test_a_mask_of_another_shape_is_refused(merge: Layer) -> None:
    x, mask = np.ones((2, 3, 4)), np.ones((2, 3), bool)
    for wrong in (mask[:1], mask[:, :2], np.ones((3, 2), bool)):
        given = Masked(x, wrong) if merge.kind == "fanout" else (Masked(x, mask), Masked(x, wrong))
        with pytest.raises(ShapeError, match=r"mask of an input of shape \(2, 3, 4\) is \(batch, steps\), received"):
            merge.apply({}, {}, given)
    with pytest.raises(DtypeError, match="a mask is boolean, true where a step counts, received float64"):
        merge.apply({}, {}, Masked(x, mask * 1.0) if merge.kind == "fanout" else (Masked(x, mask * 1.0), x))


def test_masks_of_other_steps_are_refused() -> None:
    steps, row = Masked(np.ones((2, 3, 4)), np.ones((2, 3), bool)), Masked(np.ones((2, 4)), np.ones((2, 4), bool))
    with pytest.raises(ShapeError, match=r"masked at the same steps, received masks of shapes \(2, 3\), \(2, 4\)"):
        Add().apply({}, {}, (steps, row))


def test_dot_of_other_batches_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"Dot: expected two inputs of equal batches, received shapes \(2, 3\) and"):
        Dot(1).apply({}, {}, (np.ones((2, 3)), np.ones((4, 3))))
