"""Attention layers and encodings of positions: Keras' rules, laws, decoding step by step, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import tree
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.layers import (
    Dense,
    Dropout,
    MultiHeadAttention,
    PositionEmbedding,
    RotaryEmbedding,
    SinePositionEncoding,
)
from fnet.layers.attention import decode_step, key_value_cache
from fnet.layers.position import rotate_by_position
from fnet.networks.combinators import residual, serial

KEY = fnet.random.key(3)


def drawn(*shape: int, seed: int = 0, dtype: Any = "float64") -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def init(layer: Any, shape: Any, dtype: Any = "float64") -> Any:
    params, state = layer.init(KEY, shape, dtype)
    return tree.map(lambda p: p + 0.1, params), state


def test_parameters_have_the_names_and_shapes_of_keras() -> None:
    layer = MultiHeadAttention(2, 4, value_dim=3, output_shape=(5, 6))
    params, _ = layer.init(KEY, ((7, 8), (9, 10), (9, 11)))
    shapes = {path: leaf.shape for path, leaf in tree.leaves_with_path(params)}
    assert shapes == {
        "query/kernel": (8, 2, 4), "query/bias": (2, 4), "key/kernel": (11, 2, 4), "key/bias": (2, 4),
        "value/kernel": (10, 2, 3), "value/bias": (2, 3), "attention_output/kernel": (2, 3, 5, 6),
        "attention_output/bias": (5, 6),
    }  # fmt: skip
    limit = np.sqrt(6 / (8 + 2 * 4))  # features, and heads of their size
    assert 0.9 * limit < np.abs(params["query"]["kernel"]).max() <= limit
    assert layer.out_shape(((7, 8), (9, 10), (9, 11))) == (7, 5, 6)


def test_formula() -> None:
    layer = MultiHeadAttention(2, 4, value_dim=3)
    query, value, key = drawn(2, 5, 6), drawn(2, 7, 8, seed=1), drawn(2, 7, 9, seed=2)
    params, state = init(layer, ((5, 6), (7, 8), (7, 9)))
    q, k, v = (
        np.einsum("ntf,fhd->nthd", x, params[role]["kernel"]) + params[role]["bias"]
        for x, role in ((query, "query"), (key, "key"), (value, "value"))
    )
    weights = fnet.activations.softmax(np.einsum("nthd,nshd->nhts", q, k) / 2)
    gathered = np.einsum("nhts,nshe->nthe", weights, v)
    expected = np.einsum("nthe,hef->ntf", gathered, params["attention_output"]["kernel"])
    y, _ = layer.apply(params, state, (query, value, key))
    np.testing.assert_allclose(y, expected + params["attention_output"]["bias"], rtol=1e-12)


def test_self_attention_is_cross_attention_to_itself() -> None:
    layer, x = MultiHeadAttention(2, 4, causal=True), drawn(2, 5, 6)
    params, state = init(layer, (5, 6))
    y, _ = layer.apply(params, state, x)
    for same in ((x,), (x, x), (x, x, x)):
        np.testing.assert_array_equal(layer.apply(params, state, same)[0], y)


def test_masks_hide_keys() -> None:
    layer, x = MultiHeadAttention(2, 4, masked=True), drawn(2, 5, 6)
    params, state = init(layer, ((5, 6), (5,)))
    padding = np.array([[True] * 5, [True] * 3 + [False] * 2])
    y, _ = layer.apply(params, state, (x, padding))
    shorter, _ = layer.apply(params, state, (x[1:, :3], np.ones((1, 3), bool)))
    np.testing.assert_allclose(y[1:, :3], shorter, rtol=1e-12)
    for mask in (np.repeat(padding[:, None], 5, 1), np.repeat(padding[:, None, None], 5, 2), padding.astype("int32")):
        np.testing.assert_array_equal(layer.apply(params, state, (x, mask))[0], y)
    nothing, _ = layer.apply(params, state, (x, np.zeros((2, 5), bool)))
    np.testing.assert_array_equal(nothing, np.broadcast_to(params["attention_output"]["bias"], nothing.shape))


def test_a_mask_of_floats_is_of_zeros_and_ones() -> None:
    layer, x = MultiHeadAttention(2, 4, masked=True), drawn(2, 5, 6)
    params, state = init(layer, ((5, 6), (5, 5)))
    visible = np.tri(5, dtype=bool)[None].repeat(2, 0)
    expected, _ = layer.apply(params, state, (x, visible))
    np.testing.assert_array_equal(layer.apply(params, state, (x, visible.astype("float32")))[0], expected)
    additive = np.where(visible, 0, -np.inf)
    with pytest.raises(ValueRangeError, match=r"received -inf. For an additive mask, 0 where .*: mask == 0"):
        layer.apply(params, state, (x, additive))
    half = np.where(visible, 1, [[[0.5]], [[0.0]]])
    y, _ = fnet.jit(layer.apply)(params, state, (x, half))
    assert np.isnan(y[0]).all()
    np.testing.assert_allclose(y[1], expected[1], rtol=1e-12)


@pytest.mark.parametrize("shape", [(3, 5), (2, 4), (2, 4, 5), (2, 3, 5, 4), (5,)])
def test_a_mask_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    layer, x = MultiHeadAttention(2, 4, masked=True), drawn(2, 5, 6)
    params, state = init(layer, ((5, 6), (5,)))
    with pytest.raises(ShapeError, match=r"expected a mask \(N, S\), .* for a query of shape \(2, 5, 6\)"):
        layer.apply(params, state, (x, np.ones(shape, bool)))


def test_a_causal_layer_does_not_see_the_future() -> None:
    layer, x = MultiHeadAttention(2, 4, causal=True), drawn(1, 6, 6)
    params, state = init(layer, (6, 6))
    changed = x.copy()
    changed[:, 4:] = 9
    before, after = (layer.apply(params, state, given)[0] for given in (x, changed))
    np.testing.assert_array_equal(after[:, :4], before[:, :4])
    assert (after[:, 4:] != before[:, 4:]).all()


def test_dropout_of_weights_keeps_their_mean() -> None:
    layer, x = MultiHeadAttention(1, 4, dropout=0.5, use_bias=False), drawn(1, 3, 6)
    params, state = init(layer, (3, 6))
    outputs = [layer.apply(params, state, x, key=k, train=True)[0] for k in fnet.random.split(KEY, 400)]
    spread = np.std(outputs, axis=0) / np.sqrt(400)
    assert (np.abs(np.mean(outputs, axis=0) - layer.apply(params, state, x)[0]) < 5 * spread).all()


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_decoding_gives_what_the_whole_sequence_gives(rotary: bool, compiled: bool) -> None:
    layer, x = MultiHeadAttention(2, 4, value_dim=3, causal=True, rotary=rotary), drawn(2, 7, 6)
    params, state = init(layer, (7, 6))
    whole, _ = layer.apply(params, state, x)

    def step(params: Any, x: Any, cache: Any) -> Any:
        return decode_step(layer, params, x, cache)

    cache, outputs = key_value_cache(params, 2, 9), []
    for start, stop in ((0, 3), (3, 4), (4, 5), (5, 6), (6, 7)):
        y, cache = (fnet.jit(step) if compiled else step)(params, x[:, start:stop], cache)
        outputs.append(y)
    np.testing.assert_allclose(np.concatenate(outputs, 1), whole, rtol=1e-12, atol=1e-14)
    assert cache["used"] == 7


def test_a_full_cache_is_an_error_or_nan() -> None:
    layer = MultiHeadAttention(2, 4, causal=True)
    params, _ = init(layer, (7, 6))
    cache = key_value_cache(params, 1, 2)
    with pytest.raises(ValueRangeError, match="decode_step: 0 of 2 positions of the cache are used, no room for 3"):
        decode_step(layer, params, drawn(1, 3, 6), cache)
    y, _ = fnet.jit(lambda *args: decode_step(layer, *args))(params, drawn(1, 3, 6), cache)
    assert np.isnan(y).all()
    with pytest.raises(StructureError, match="decode_step: expected a causal MultiHeadAttention, received "):
        decode_step(MultiHeadAttention(2, 4), params, drawn(1, 1, 6), cache)


def test_position_embedding_is_a_row_of_the_table_for_each_step() -> None:
    layer = PositionEmbedding(8)
    params, state = layer.init(KEY, (None, 3))
    assert params["position_embeddings"].shape == (8, 3)
    x = drawn(2, 5, 3, dtype="float32")
    np.testing.assert_array_equal(
        layer.apply(params, state, x)[0], np.broadcast_to(params["position_embeddings"][:5], (2, 5, 3))
    )
    summed = residual(layer)
    params, state = summed.init(KEY, (8, 3))
    np.testing.assert_array_equal(
        summed.apply(params, state, x)[0], x + params["position_embedding"]["position_embeddings"][:5]
    )


def test_sine_encoding_is_that_of_the_paper() -> None:
    y, _ = SinePositionEncoding(100.0).apply({}, {}, np.zeros((2, 6, 5)))
    for t in range(6):
        for i in range(5):
            angle = t / 100 ** (2 * (i // 2) / 5)
            assert y[1, t, i] == pytest.approx(np.cos(angle) if i % 2 else np.sin(angle), abs=1e-15)


def test_rotations_keep_lengths_and_show_distances_only() -> None:
    x = drawn(1, 1, 8).repeat(20, axis=1)
    turned, _ = RotaryEmbedding(max_wavelength=50.0, scaling_factor=2.0).apply({}, {}, x)
    np.testing.assert_allclose(np.sum(turned**2, -1), np.sum(x**2, -1), rtol=1e-12)
    products = turned[0] @ turned[0].T
    for distance in range(20):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-12)
    later = rotate_by_position(x[:, 12:], np.arange(12, 20), 50.0, 2.0)
    np.testing.assert_array_equal(later, turned[:, 12:])
    pair = rotate_by_position(np.array([[[0.0] * 4, [0.0, 1.0, 0.0, 0.0]]]), None, 100.0)[0, 1]
    np.testing.assert_allclose(pair, [0, np.cos(0.1), 0, np.sin(0.1)], rtol=1e-15)


def test_a_transformer_block_trains() -> None:
    attention = serial(MultiHeadAttention(2, 4, causal=True, dropout=0.1), Dropout(0.1))
    net = serial(Dense(8), residual(PositionEmbedding(6)), residual(attention), Dense(1))
    x = drawn(16, 6, 2, dtype="float32")
    t = np.cumsum(x[..., :1], axis=1)
    trainer = fnet.Trainer(net, loss="mse", optimizer=fnet.optimizers.adam(0.01))
    _, history = trainer.fit(trainer.init(KEY, (6, 2)), x, t, epochs=60, verbose=False)
    losses = history["loss"]
    assert losses[-1] < 0.3 * losses[0]


def test_errors() -> None:
    layer = MultiHeadAttention(2, 4)
    params, state = layer.init(KEY, (5, 6))
    with pytest.raises(ValueRangeError, match="MultiHeadAttention: num_heads is a positive integer, received 0"):
        MultiHeadAttention(0, 4)
    with pytest.raises(ValueRangeError, match="MultiHeadAttention: dropout is a fraction"):
        MultiHeadAttention(1, 4, dropout=2)
    with pytest.raises(ShapeError, match=r"expected a query \(batch, steps, 6\), received \(2, 5, 7\)"):
        layer.apply(params, state, np.ones((2, 5, 7), "float32"))
    with pytest.raises(ShapeError, match=r"key and value need as many steps, all equal batches: received query \(2, "):
        layer.apply(params, state, (np.ones((2, 5, 6), "float32"), np.ones((3, 5, 6), "float32")))
    with pytest.raises(StructureError, match=r"takes x, \(query, value\) or \(query, value, key\), received 4 inputs"):
        layer.apply(params, state, (np.ones((2, 5, 6), "float32"),) * 4)
    with pytest.raises(StructureError, match="and the mask last, received 1 inputs"):
        MultiHeadAttention(2, 4, masked=True).init(KEY, (5, 6))
    with pytest.raises(ShapeError, match=r"expected a shape \(steps, features\), received \(5,\)"):
        layer.init(KEY, (5,))
    with pytest.raises(ShapeError, match=r"its size must be known, received \(5, None\)"):
        layer.init(KEY, (5, None))
    with pytest.raises(ShapeError, match=r"expected a mask \(N, S\), \(N, T, S\) or \(N, H, T, S\), received \(2,\)"):
        MultiHeadAttention(2, 4, masked=True).apply(params, state, (np.ones((2, 5, 6), "float32"), np.ones(2, bool)))
    with pytest.raises(StructureError, match="MultiHeadAttention query: parameters do not fit: missing 'bias'"):
        layer.apply({**params, "query": {"kernel": params["query"]["kernel"]}}, state, np.ones((2, 5, 6), "float32"))
    positions = PositionEmbedding(4)
    params, state = positions.init(KEY, (4, 3))
    with pytest.raises(ShapeError, match=r"expected \(batch, up to 4 steps, 3\), received \(1, 5, 3\)"):
        positions.apply(params, state, np.ones((1, 5, 3), "float32"))
    with pytest.raises(ShapeError, match=r"PositionEmbedding: expected a shape \(steps, features\), received \(3,\)"):
        positions.init(KEY, (3,))
    with pytest.raises(ValueRangeError, match="SinePositionEncoding: max_wavelength is positive, received 0"):
        SinePositionEncoding(0)
    with pytest.raises(
        ShapeError, match=r"SinePositionEncoding: expected \(batch, steps, features\), received \(2, 3\)"
    ):
        SinePositionEncoding().apply({}, {}, np.ones((2, 3)))
    with pytest.raises(ValueRangeError, match="RotaryEmbedding: scaling_factor is positive, received -1"):
        RotaryEmbedding(scaling_factor=-1)
    with pytest.raises(ShapeError, match=r"even number of features\), received \(1, 2, 3\)"):
        RotaryEmbedding().apply({}, {}, np.ones((1, 2, 3)))
