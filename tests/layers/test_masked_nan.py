"""NaN and infinities in steps that a mask leaves out reach neither what counts nor a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import random, tree
from fnet.errors import ShapeError
from fnet.layers import (
    GRU,
    LSTM,
    RNN,
    Add,
    AdditiveAttention,
    Attention,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Dense,
    GlobalAveragePooling1D,
    GroupQueryAttention,
    GRUCell,
    LayerNormalization,
    LSTMCell,
    Masking,
    Maximum,
    MultiHeadAttention,
    Multiply,
    SimpleRNN,
    SimpleRNNCell,
    Softmax,
    TimeDistributed,
)
from fnet.masking import Masked, split_mask, unmasked
from fnet.networks.combinators import fanout, residual, serial
from fnet.networks.layer import Layer
from tests.custom_layers import average_cell

KEY = random.key(2)
MASK = np.array([[1, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
X = np.random.default_rng(0).normal(size=(3, 4, 4))
LAYERS: dict[str, Any] = {
    "simple-rnn": lambda: SimpleRNN(2, return_sequences=True),
    "lstm": lambda: LSTM(2, return_sequences=True),
    "lstm-dropout": lambda: LSTM(2, dropout=0.3),
    "lstm-steps": lambda: LSTM(2, return_sequences=True, unroll=True, go_backwards=True),
    "lstm-recurrent-dropout": lambda: LSTM(2, recurrent_dropout=0.3, dropout=0.3),
    "gru": lambda: GRU(2),
    "gru-reset-before": lambda: GRU(2, reset_after=False, return_sequences=True),
    "rnn": lambda: RNN([LSTMCell(3), SimpleRNNCell(2, "softsign")]),
    "rnn-gru": lambda: RNN(GRUCell(2), unroll=True),
    "rnn-custom": lambda: RNN(average_cell(), return_sequences=True),
    "bidirectional": lambda: Bidirectional(LSTM(2, return_sequences=True, recurrent_dropout=0.2)),
    "batch-norm": lambda: BatchNormalization(),
    "batch-norm-axis": lambda: BatchNormalization(axis=1),
    "attention": lambda: MultiHeadAttention(2, 3),
    "attention-scores": lambda: MultiHeadAttention(2, 2, causal=True, rotary=True, return_attention_scores=True),
    "group-query-attention": lambda: GroupQueryAttention(2, 4, 2),
    "plain-attention": lambda: Attention(use_scale=True),
    "plain-attention-concat": lambda: Attention(score_mode="concat", causal=True),
    "additive-attention": lambda: AdditiveAttention(),
    "softmax": lambda: Softmax(),
    "masking": lambda: Masking(0.5),
    "global-average": lambda: GlobalAveragePooling1D(),
    "time-distributed": lambda: TimeDistributed(serial(Dense(3, "tanh"), BatchNormalization())),
    "dense": lambda: serial(Dense(3, "tanh"), LayerNormalization(), Dense(2)),
    "residual": lambda: residual(BatchNormalization()),
    "fanout": lambda: fanout(Dense(4), BatchNormalization(), merge="multiply"),
}


def counted(y: Any) -> Any:
    """What counts of the outputs, 0 elsewhere."""
    parts = [split_mask(part) for part in tree.leaves(y, is_leaf=lambda part: isinstance(part, Masked))]
    return [v if m is None else fnet.ops.where(fnet.ops.reshape(m, (*m.shape, 1)), v, 0) for v, m in parts]


def results(layer: Layer, x: Any, shape: Any) -> list[np.ndarray]:
    """Outputs that count, new state, and gradients of a function of them in parameters and in x."""
    params, state = layer.init(KEY, shape, "float64")
    params = tree.map(lambda p: p + 0.1, params)

    def loss(params: Any, x: Any) -> Any:
        y, new = layer.apply(params, state, x, key=KEY, train=True)
        y = counted(y)
        return sum(np.sum(np.sin(part)) for part in y), (y, new)

    (_, made), gradients = fnet.value_and_grad(loss, argnums=0, has_aux=True)(params, x)
    return tree.leaves(unmasked((made, gradients)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", LAYERS)
def test_a_masked_step_has_no_influence(name: str, value: float) -> None:
    layer = LAYERS[name]()
    clean, spoiled = (Masked(np.where(MASK[..., None], X, v), MASK) for v in (0.25, value))
    for a, b in zip(results(layer, spoiled, (4, 4)), results(layer, clean, (4, 4)), strict=True):
        assert np.isfinite(b).all()
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("layer", [Add(), Multiply(), Maximum(), Concatenate()], ids=repr)
def test_a_step_masked_in_all_inputs_has_no_influence(layer: Layer) -> None:
    clean, spoiled = ((Masked(np.where(MASK[..., None], x, v), MASK) for x in (X, X[::-1])) for v in (0.25, np.nan))
    y, expected = (layer.apply({}, {}, tuple(x))[0] for x in (spoiled, clean))
    np.testing.assert_array_equal(y.mask, MASK)
    np.testing.assert_array_equal(y.values[MASK], expected.values[MASK])


def test_a_key_that_no_query_sees_has_no_influence() -> None:
    layer = MultiHeadAttention(2, 3, masked=True)
    x = X.copy()
    x[:, 2] = np.nan
    visible = np.arange(4) != 2
    for mask in (np.tile(visible, (3, 1)), np.tile(visible, (3, 4, 1)), np.tile(visible, (3, 2, 4, 1)).astype("uint8")):
        params, _ = layer.init(KEY, ((4, 4), (4, 4), mask.shape[1:]), "float64")

        def loss(params: Any, keys: Any, mask: Any = mask) -> Any:
            return np.sum(layer.apply(params, {}, (X, keys, mask))[0] ** 2)

        got, expected = (tree.leaves(fnet.value_and_grad(loss)(params, keys)) for keys in (x, X))
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_padding_is_in_no_statistics_within_time_distributed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, mask = rng.normal(size=(3, 4, 5)), rng.random((3, 4)) < 0.6
    plain, layer = BatchNormalization(), TimeDistributed(serial(residual(BatchNormalization()), Dense(5)))
    params, state = plain.init(KEY, (5,), "float64")
    y, expected = plain.apply(params, state, Masked(x, mask), train=True)
    params, state = layer.init(KEY, (4, 5), "float64")
    out, new = layer.apply(params, state, Masked(x, mask), train=True)
    for a, b in zip(tree.leaves(new), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    dense = Dense(5).apply(params["serial"]["dense"], {}, x + y.values)[0]
    np.testing.assert_allclose(out.values[mask], dense[mask], rtol=1e-12)

    deeper = TimeDistributed(TimeDistributed(BatchNormalization()))
    params, state = deeper.init(KEY, (3, 4, 5), "float64")
    outer = rng.random((2, 3)) < 0.7
    given = Masked(np.stack([x, 2 * x]), outer[..., None] & np.stack([mask, mask]))
    new = tree.leaves(deeper.apply(params, state, given, train=True)[1])
    flat = Masked(given.values.reshape(6, 4, 5), given.mask.reshape(6, 4))
    expected = plain.apply(*plain.init(KEY, (5,), "float64"), flat, train=True)[1]
    for a, b in zip(new, tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_layer_within_time_distributed_must_keep_the_batch_under_a_mask() -> None:
    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        y, state = BatchNormalization().apply(params, state, np.concatenate([x, x]), train=train)
        return y[: len(x)], state

    layer = TimeDistributed(Layer(BatchNormalization().init, apply, name="twice"))
    params, state = layer.init(KEY, (4, 4), "float64")
    with pytest.raises(ShapeError, match="must keep the batch, of which a mask .*: expected 12 samples, received 24"):
        layer.apply(params, state, Masked(X, MASK), train=True)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("mask", [None, np.zeros((2, 3), bool)], ids=["empty", "masked"])
def test_a_batch_of_nothing_teaches_nothing(compiled: bool, mask: Any) -> None:
    layer = BatchNormalization()
    params, state = layer.init(KEY, (3, 4))
    state = tree.map(lambda s: s + 0.5, state)
    x = np.zeros((0, 3, 4), "float32") if mask is None else Masked(np.ones((2, 3, 4), "float32"), mask)

    def loss(params: Any, x: Any) -> Any:
        y, new = layer.apply(params, state, x, train=True)
        return sum(np.sum(part) for part in counted(y)), new

    run = fnet.value_and_grad(loss, has_aux=True)
    (value, new), g = (fnet.jit(run) if compiled else run)(params, x)
    assert value == 0
    for a, b in zip(tree.leaves(new), tree.leaves(state), strict=True):
        np.testing.assert_array_equal(a, b)
    for part in tree.leaves(g):
        np.testing.assert_array_equal(part, 0)
