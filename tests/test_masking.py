"""Masks that travel with values: how containers, custom layers, transforms and NumPy treat them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import Layer, Masked, fanout, parallel, random, residual, serial, tree
from fnet.errors import DtypeError, ShapeError
from fnet.layers import (
    Activation,
    Add,
    Concatenate,
    Conv1D,
    Dense,
    Dropout,
    Flatten,
    Identity,
    LayerNormalization,
    Maximum,
    Minimum,
    Multiply,
)

KEY = random.key(0)
VALUES = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
MASK = np.array([[True, True, False], [True, False, False]])
OTHER = np.array([[True, False, False], [True, True, False]])


def applied(net: Layer, x: Any, shape: Any = (3, 4)) -> Any:
    return net.apply(*net.init(KEY, shape), x)[0]


KEPT = [Dense(2), Activation("relu"), Dropout(0.5), LayerNormalization(), Identity(), residual(Dense(4)), serial()]
DROPPED = [Conv1D(2, 2), Flatten()]


@pytest.mark.parametrize("layer", KEPT, ids=repr)
def test_layers_that_hand_the_mask_on(layer: Layer) -> None:
    y = applied(serial(layer), Masked(VALUES, MASK))
    assert isinstance(y, Masked)
    np.testing.assert_array_equal(y.mask, MASK)
    np.testing.assert_array_equal(y.values, applied(serial(layer), VALUES))


@pytest.mark.parametrize("layer", DROPPED, ids=repr)
def test_layers_where_the_mask_ends(layer: Layer) -> None:
    y = applied(layer, Masked(VALUES, MASK))
    np.testing.assert_array_equal(y, applied(layer, VALUES))


WRONG_MASKS = [
    (
        np.ones((2, 9), bool),
        ShapeError,
        r"mask of an input of shape \(2, 3, 4\) is \(batch, steps\), received \(2, 9\)",
    ),
    (np.array(True), ShapeError, r"is \(batch, steps\), received \(\)"),
    (MASK.astype("float32"), DtypeError, r"a mask is boolean, true where a step counts, received float32\[2, 3\]"),
]


@pytest.mark.parametrize(("mask", "error", "text"), WRONG_MASKS, ids=[text for _, _, text in WRONG_MASKS])
def test_masks_that_do_not_fit_the_values(mask: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=rf"in 'dense': .*{text}"):
        applied(serial(Dense(2)), Masked(VALUES, mask))


def test_shapes_are_those_of_the_values() -> None:
    net = serial(fnet.layers.Masking(0.0) if hasattr(fnet.layers, "Masking") else Identity(), Dense(2))
    assert net.out_shape((None, 4)) == (None, 2)


def masked_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    m, o = MASK[..., None], OTHER[..., None]
    return np.where(m | o, np.where(m, a, 1) * np.where(o, b, 1), 0)


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        (Add(), lambda a, b: a + b),
        (Multiply(), masked_product),
        (Maximum(), lambda a, b: np.where(MASK & OTHER, 1, 0)[..., None] * 0 + _chosen(np.maximum, a, b)),
        (Minimum(), lambda a, b: _chosen(np.minimum, a, b)),
        (Concatenate(), lambda a, b: np.concatenate([a, b], -1)),
    ],
    ids=["add", "multiply", "maximum", "minimum", "concatenate"],
)
def test_merges_count_a_step_that_counts_in_one_input(merge: Layer, expected: Any) -> None:
    y = merge.apply({}, {}, (Masked(VALUES, MASK), Masked(-VALUES, OTHER)))[0]
    np.testing.assert_array_equal(y.mask, MASK | OTHER)
    np.testing.assert_array_equal(y.values, expected(VALUES, -VALUES))


def _chosen(choose: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    m, o = MASK[..., None], OTHER[..., None]
    b = np.where(o, b, a)
    return choose(np.where(m, a, b), b)


def test_merges_with_an_input_without_mask() -> None:
    for merge in (Add(), Multiply(), Maximum()):
        assert isinstance(merge.apply({}, {}, (Masked(VALUES, MASK), VALUES))[0], np.ndarray)
    joined = Concatenate(axis=1).apply({}, {}, (Masked(VALUES, MASK), VALUES))[0]
    np.testing.assert_array_equal(joined.mask, np.concatenate([MASK, np.ones_like(MASK)], 1))


def test_combinators() -> None:
    y = applied(fanout(Dense(2), Dense(3)), Masked(VALUES, MASK))
    np.testing.assert_array_equal(y.mask, MASK)
    long = applied(fanout(Dense(2), Dense(2), axis=1), Masked(VALUES, MASK))
    np.testing.assert_array_equal(long.mask, np.concatenate([MASK, MASK], 1))
    first, second = applied(parallel(Dense(2), Flatten()), (Masked(VALUES, MASK),) * 2, ((3, 4), (3, 4)))
    assert isinstance(first, Masked) and isinstance(second, np.ndarray)


@pytest.mark.parametrize("policy", ["dropped", "kept", "used"])
def test_custom_layers_choose(policy: Any) -> None:
    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        assert isinstance(x, Masked) is (policy == "used")
        return (x.values.sum((1, 2)) if policy == "used" else x * 2), state

    layer = Layer(lambda key, shape, dtype: ({}, {}), apply, masks=policy)
    y = layer.apply({}, {}, Masked(VALUES, MASK))[0]
    assert isinstance(y, Masked) is (policy == "kept")


def test_jit_and_gradients_take_masked_values() -> None:
    net = Dense(2)
    params, state = net.init(KEY, (3, 4))
    x = Masked(VALUES, MASK)
    compiled = fnet.jit(lambda params, x: net.apply(params, state, x)[0])(params, x)
    assert isinstance(compiled, Masked)
    np.testing.assert_allclose(compiled.values, net.apply(params, state, x)[0].values, rtol=1e-6)

    def loss(params: Any) -> Any:
        y = net.apply(params, state, x)[0]
        return fnet.ops.sum(fnet.ops.where(y.mask[..., None], y.values, 0))

    np.testing.assert_allclose(fnet.grad(loss)(params)["bias"], [3, 3])


def test_numpy_sees_the_values() -> None:
    y = Masked(VALUES, MASK)
    assert (y.shape, y.dtype, len(y)) == ((2, 3, 4), np.float32, 2)
    np.testing.assert_array_equal(np.asarray(y), VALUES)
    assert np.asarray(y, "float64").dtype == np.float64
    assert [leaf.shape for leaf in tree.leaves(y)] == [(2, 3, 4), (2, 3)]
    assert repr(Masked(1, 2)) == "Masked(values=1, mask=2)"
