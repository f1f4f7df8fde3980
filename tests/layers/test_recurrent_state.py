"""Recurrent layers that are stateful: Keras' golden values, sequences in pieces, resetting, batches of another size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import random, serial, tree
from fnet.errors import BatchSizeError, DtypeError, FnetError, ShapeError, StructureError, ValueRangeError
from fnet.layers import (
    GRU,
    LSTM,
    RNN,
    BatchNormalization,
    Bidirectional,
    Dense,
    GRUCell,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
    reset_state,
)
from fnet.masking import Masked
from fnet.networks.layer import Layer
from tests.custom_layers import average_cell

KEY = random.key(7)
X = np.random.default_rng(0).normal(size=(2, 6, 4))
KEEPING = {"stateful": True, "batch_size": 2}


def constant(value: float) -> Any:
    return lambda key, shape, dtype: np.full(shape, value, dtype)


CONSTANT = {
    "kernel_initializer": constant(0.01),
    "recurrent_initializer": constant(0.02),
    "bias_initializer": constant(0.03),
}


def layers(**options: Any) -> dict[str, Layer]:
    return {
        "simple": SimpleRNN(3, **options),
        "lstm": LSTM(3, **options),
        "lstm-unroll": LSTM(3, unroll=True, **options),
        "gru-reset-before": GRU(3, reset_after=False, **options),
        "stack": RNN([GRUCell(3), LSTMCell(2)], **options),
        "custom": RNN([average_cell(), SimpleRNNCell(3, "softsign")], **options),
    }


EACH = pytest.mark.parametrize("name", layers())


@pytest.mark.parametrize(("make", "expected"), [(LSTM, [0.3124785, 0.6863672]), (GRU, [0.29542392, 0.5885018])])
def test_the_second_call_gives_the_values_of_keras(make: Any, expected: Any) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    for layer in (make(4, **KEEPING, **CONSTANT), make(4, unroll=True, **KEEPING, **CONSTANT)):
        params, state = layer.init(KEY, (3, 4), "float64")
        first, kept = layer.apply(params, state, x)
        second, again = layer.apply(params, kept, x)
        np.testing.assert_allclose(second, np.repeat(np.array(expected)[:, None], 4, 1), rtol=2e-6)
        np.testing.assert_array_equal(kept["recurrent_states"][0], first)
        np.testing.assert_array_equal(again["recurrent_states"][0], second)
        np.testing.assert_array_equal(layer.apply(params, reset_state(again), x)[0], first)


@EACH
@pytest.mark.parametrize("masked", [False, True])
def test_a_sequence_in_pieces_is_the_whole_one(name: str, masked: bool) -> None:
    mask = np.array([[1, 0, 1, 0, 1, 1], [0, 0, 1, 1, 1, 0]], bool)
    layer, plain = layers(**KEEPING)[name], layers()[name]
    params, state = layer.init(KEY, (None, 4), "float64")
    assert all(not np.any(leaf) for leaf in tree.leaves(state)) and len(tree.leaves(state)) >= 1
    assert tree.all_equal(params, plain.init(KEY, (None, 4), "float64")[0])
    for start, stop in ((0, 2), (2, 2), (2, 5), (5, 6)):
        piece = X[:, start:stop]
        y, state = layer.apply(params, state, Masked(piece, mask[:, start:stop]) if masked else piece, train=start > 0)
    whole, _ = plain.apply(params, {}, Masked(X, mask) if masked else X)
    np.testing.assert_allclose(y, whole, rtol=1e-12)


@EACH
def test_the_state_is_a_value(name: str) -> None:
    layer = layers(**KEEPING)[name]
    params, state = layer.init(KEY, (6, 4), "float32")
    before = tree.map(np.copy, state)
    x = X.astype("float32")
    y, new = layer.apply(params, state, x)
    assert tree.all_equal(state, before) and not tree.all_equal(new, before)
    assert [(s.shape, s.dtype) for s in tree.leaves(new)] == [(s.shape, s.dtype) for s in tree.leaves(state)]
    step = fnet.jit(layer.apply)
    for _ in range(3):
        expected, new_state = layer.apply(params, new, x)
        y, new = step(params, new, x)
        np.testing.assert_allclose(y, expected, rtol=2e-6, atol=2e-6)
        for a, b in zip(tree.leaves(new), tree.leaves(new_state), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6)


def test_initial_states_that_are_given_come_first() -> None:
    layer, plain = LSTM(3, **KEEPING), LSTM(3)
    params, state = layer.init(KEY, ((6, 4), (3,), (3,)), "float64")
    _, state = layer.apply(params, state, X)
    given = (X, np.ones((2, 3)), np.ones((2, 3)))
    np.testing.assert_array_equal(layer.apply(params, state, given)[0], plain.apply(params, {}, given)[0])


def test_bidirectional_keeps_the_states_of_both_directions() -> None:
    layer = Bidirectional(GRU(3, return_sequences=True, **KEEPING))
    params, state = layer.init(KEY, (6, 4), "float64")
    assert list(state) == ["forward_gru", "backward_gru"]
    _, state = layer.apply(params, state, X)
    y, _ = layer.apply(params, state, X)
    first = tuple(state[name]["recurrent_states"][0] for name in state)
    expected, _ = Bidirectional(GRU(3, return_sequences=True)).apply(params, {}, (X, *first))
    np.testing.assert_array_equal(y, expected)


def test_reset_state_leaves_everything_else() -> None:
    net = serial(LSTM(3, return_sequences=True, **KEEPING), BatchNormalization(), Bidirectional(GRU(2, **KEEPING)))
    params, start = net.init(KEY, (6, 4), "float64")
    _, state = net.apply(params, start, X, train=True)
    again = reset_state(state)
    assert tree.structure(again) == tree.structure(state)
    assert tree.all_equal(again["batch_normalization"], state["batch_normalization"])
    assert tree.all_equal({**again, "batch_normalization": {}}, {**start, "batch_normalization": {}})
    assert not tree.all_equal(state["lstm"], start["lstm"])


def test_shapes_are_found_for_the_batch_that_a_layer_keeps() -> None:
    net = serial(
        LSTM(3, return_sequences=True, stateful=True, batch_size=5), Dense(2), GRU(4, **{**KEEPING, "batch_size": 5})
    )
    assert net.out_shape((None, 4)) == (4,)
    params, state = net.init(KEY, (None, 4))
    assert net.apply(params, state, np.ones((5, 7, 4), "float32"))[0].shape == (5, 4)


def test_a_trainer_carries_the_states_from_batch_to_batch() -> None:
    net = serial(LSTM(3, **KEEPING), Dense(1))
    trainer = fnet.Trainer(net, loss="mse", optimizer=fnet.optimizers.sgd(0.0))
    start = trainer.init(KEY, (6, 4))
    x = np.random.default_rng(0).normal(size=(6, 6, 4)).astype("float32")
    trained, _ = trainer.fit(start, x, x[:, :1, 0], batch_size=2, shuffle=False, verbose=0)
    state = start.state
    for batch in np.split(x, 3):
        _, state = net.apply(start.params, state, batch)
    for a, b in zip(tree.leaves(trained.state), tree.leaves(state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    with pytest.raises(BatchSizeError, match=r"in 'lstm': LSTM: .*batch_size=2 sequences, received a batch of 3"):
        trainer.fit(start, x, x[:, :1, 0], batch_size=3, verbose=0)


def applied(layer: Layer, x: Any, state: Any = None) -> Any:
    params, own = layer.init(KEY, (6, 4))
    return layer.apply(params, own if state is None else state, x)


def of_two_batches() -> Layer:
    return serial(LSTM(2, return_sequences=True, **KEEPING), GRU(2, stateful=True, batch_size=3))


ERRORS: list[tuple[Any, type[FnetError], str]] = [
    (lambda: LSTM(2, stateful=True), StructureError, r"LSTM: stateful=True .*say how many there are: batch_size=32"),
    (lambda: RNN(GRUCell(2), stateful=True), StructureError, r"RNN: stateful=True keeps the states"),
    (lambda: GRU(2, stateful=1, batch_size=2), DtypeError, r"GRU: stateful is True or False, received 1"),
    (lambda: GRU(2, stateful=True, batch_size=0), ValueRangeError, r"GRU: batch_size is a positive integer, rec.* 0"),
    (
        lambda: applied(LSTM(2, **KEEPING), X[:1]),
        BatchSizeError,
        r"LSTM: it keeps the states of batch_size=2 sequences, received a batch of 1\. Give batches of 2",
    ),
    (lambda: applied(LSTM(2, **KEEPING), X, {}), StructureError, r"LSTM: its state has no 'recurrent_states'\. Pass"),
    (
        lambda: of_two_batches().out_shape((6, 4)),
        ShapeError,
        r"in 'gru': GRU: it keeps the states of batch_size=3 sequences, received a batch of 2",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type[FnetError], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3
