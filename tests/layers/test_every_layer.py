"""What holds for every constructor of a layer: it has a row, takes penalties by name, keeps masks or drops them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers, random, tree
from fnet.masking import Masked, unmasked
from fnet.networks.combinators import serial
from tests.layers.category_table import CATEGORIES
from tests.layers.constructors import CONSTRUCTORS, is_of_one_array, kinds
from tests.layers.image_table import IMAGES
from tests.tables import LAYERS, Row, inputs

KEY = random.key(3)
ROWS = {row.id: row for row in LAYERS}


def test_every_constructor_has_a_row_in_the_table() -> None:
    tabled = set().union(*(kinds(row.make()) for row in (*LAYERS, *CATEGORIES, *IMAGES)))
    assert set(CONSTRUCTORS) - tabled == set()


def test_keras_names_are_the_same_constructors() -> None:
    for name in ("Convolution1D", "Convolution2D", "Convolution3D"):
        assert getattr(layers, name) is getattr(layers, name.replace("Convolution", "Conv"))
        assert getattr(layers, f"{name}Transpose") is getattr(layers, f"{name.replace('olution', '')}Transpose")
    assert layers.SeparableConvolution1D is layers.SeparableConv1D
    assert layers.SeparableConvolution2D is layers.SeparableConv2D


def parts_of(kind: str) -> list[str]:
    """The parts of the names of weights that the constructor takes regularizers for."""
    arguments = inspect.signature(CONSTRUCTORS[kind]).parameters
    return [a.removesuffix("_regularizer") for a in arguments if a.endswith("_regularizer") and "activity" not in a]


WEIGHTED = {row.make().kind: row for row in LAYERS if row.make().kind in CONSTRUCTORS and parts_of(row.make().kind)}


def squares(params: Any, leaf: str) -> float:
    return sum(np.sum(v**2) for path, v in tree.leaves_with_path(params) if path.split("/")[-1] == leaf)


@pytest.mark.parametrize("kind", WEIGHTED)
def test_every_weight_takes_a_regularizer_and_a_constraint_by_name(kind: str) -> None:
    config = {k: v for k, v in WEIGHTED[kind].make().config.items() if not k.endswith(("_regularizer", "_constraint"))}
    for option in ("use_bias", "center", "scale"):
        config |= {option: True} if option in config else {}
    shape = WEIGHTED[kind].shape
    plain = CONSTRUCTORS[kind](**config)
    params, _ = plain.init(KEY, shape, "float64")
    params = tree.map(lambda p: p - 0.3, params)
    for part in parts_of(kind):
        layer = CONSTRUCTORS[kind](**config, **{f"{part}_regularizer": "l2", f"{part}_constraint": "non_neg"})
        (leaf,) = layer.regularizers
        assert list(layer.constraints) == [leaf] and not plain.regularizers and not plain.constraints
        assert layer.regularizers[leaf] == fnet.regularizers.l2()
        amount = squares(params, leaf)
        assert amount > 0
        assert fnet.penalty(layer, params) == pytest.approx(0.01 * amount)
        projected = dict(tree.leaves_with_path(fnet.constrain(layer, params)))
        for path, value in tree.leaves_with_path(params):
            np.testing.assert_array_equal(
                projected[path], np.maximum(value, 0) if path.split("/")[-1] == leaf else value
            )


def masked(row: Row) -> Any:
    """The inputs of a row, each under a mask in which everything counts."""

    def mask(x: Any) -> Any:
        return Masked(x, np.ones(x.shape[:2], bool)) if x.ndim > 1 else x

    return tree.map(mask, inputs(row))


@pytest.mark.parametrize("row", [*filter(is_of_one_array, LAYERS)], ids=lambda row: row.id)
def test_masks_are_kept_or_dropped_and_change_nothing_where_all_steps_count(row: Row) -> None:
    layer = row.make()
    params, state = layer.init(KEY, row.shape, "float64")
    x = masked(row)
    y, new = layer.apply(params, state, x, key=KEY, train=True)
    expected, plain = layer.apply(params, state, inputs(row), key=KEY, train=True)
    got = zip(tree.leaves(unmasked((y, new))), tree.leaves(unmasked((expected, plain))), strict=True)
    for a, b in got:
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    first = y[0] if type(y) is tuple else y
    if not row.kept:
        assert not isinstance(first, Masked)
    elif len(row.shape) > 0:
        assert isinstance(first, Masked)
        assert first.mask.all() or layer.config.get("mask_zero")


@pytest.mark.slow
@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.id)
def test_an_empty_batch_has_gradients_of_zero_and_leaves_a_finite_state(row: Row) -> None:
    layer = row.make()
    params, state = layer.init(KEY, row.shape)
    x = tree.map(lambda a: a[:0], inputs(row, "float32"))

    def loss(params: Any) -> Any:
        y, new = layer.apply(params, state, x, key=KEY, train=True)
        return sum(np.sum(part) for part in tree.leaves(unmasked(y))), new

    (value, new), g = fnet.value_and_grad(loss, has_aux=True)(params) if params else (loss(params), {})
    assert np.isfinite(value)
    assert all(np.isfinite(part).all() for part in tree.leaves(new))
    for part in tree.leaves(g):
        np.testing.assert_array_equal(part, 0)


PRODUCTS = [
    "dense",
    "einsum-dense",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv2d-transpose",
    "depthwise-conv2d",
    "separable-conv2d",
    "attention",
    "group-query-attention",
    "plain-attention",
    "dot-axes",
    "lstm",
    "gru",
    "simple-rnn",
]


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_stay_close_at_medium_precision(name: str) -> None:
    row = ROWS[name]
    layer = row.make()
    params, state = layer.init(KEY, row.shape)
    x = inputs(row, "float32", batch=16)

    def loss(params: Any, x: Any) -> Any:
        y, _ = layer.apply(params, state, x)
        return sum(np.sum(np.sin(part)) for part in tree.leaves(y))

    def run() -> list[np.ndarray]:
        return [
            *tree.leaves(layer.apply(params, state, x)[0]),
            *tree.leaves(fnet.grad(loss, argnums=(0, 1))(params, x)),
        ]

    exact = run()
    with fnet.precision("medium"):
        rough = run()
    for a, b in zip(exact, rough, strict=True):
        assert b.dtype == np.float32
        assert np.linalg.norm(a - b) <= 1e-2 * np.linalg.norm(a) + 1e-6


@pytest.mark.slow
def test_serial_of_layers_with_masks_trains() -> None:
    net = serial(
        layers.Embedding(9, 6, mask_zero=True),
        layers.Dense(6, "tanh"),
        layers.BatchNormalization(),
        layers.MultiHeadAttention(2, 3),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1),
    )
    x = np.random.default_rng(0).integers(1, 9, (64, 7))
    x[np.arange(7) >= np.random.default_rng(1).integers(2, 8, (64, 1))] = 0
    t = (np.sum(x == 3, axis=1, keepdims=True) / np.sum(x > 0, axis=1, keepdims=True)).astype("float32")
    trainer = fnet.Trainer(net, loss="mse", optimizer=fnet.optimizers.adam(0.02))
    _, history = trainer.fit(trainer.init(KEY, (7,)), x, t, epochs=30, verbose=False)
    assert history["loss"][-1] < 0.2 * history["loss"][0]
