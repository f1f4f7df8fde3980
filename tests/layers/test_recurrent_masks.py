"""Recurrent layers on masked sequences: against plain loops, Keras' golden values, laws of padding, wrappers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fnet
from fnet import random, serial, tree
from fnet.errors import ShapeError
from fnet.layers import GRU, LSTM, RNN, Bidirectional, Dense, LSTMCell, SimpleRNN, SimpleRNNCell, TimeDistributed
from fnet.masking import Masked, split_mask
from fnet.networks.layer import Layer
from tests.custom_layers import average_cell

KEY = random.key(7)
LAYERS = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}
EACH = pytest.mark.parametrize("make", LAYERS.values())
UNITS, FEATURES, STEPS, BATCH = 3, 2, 5, 4
MASKS = hnp.arrays(bool, (BATCH, STEPS))
X = np.random.default_rng(0).normal(size=(BATCH, STEPS, FEATURES))
A_MASK = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1], [1, 0, 1, 1, 1]], bool)


def full(value: float) -> Any:
    return lambda key, shape, dtype: np.full(shape, value, dtype)


CONSTANT = {"kernel_initializer": full(0.01), "recurrent_initializer": full(0.02), "bias_initializer": full(0.03)}


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def one_step(kind: str, params: Any, x: Any, states: Any, activation: Any, reset_after: bool) -> Any:
    """One sample, one step, written from the formulas."""
    h, units = states[0], UNITS
    bias = params.get("bias", np.zeros(1))
    bias, recurrent_bias = bias if bias.ndim == 2 else (bias, 0.0)
    z, r = x @ params["kernel"] + bias, h @ params["recurrent_kernel"] + recurrent_bias
    if kind == "SimpleRNN":
        return (activation(z + r),)
    blocks = [slice(i * units, (i + 1) * units) for i in range(4)]
    if kind == "LSTM":
        i, f, g, o = ((z + r)[block] for block in blocks)
        c = sigmoid(f) * states[1] + sigmoid(i) * activation(g)
        return sigmoid(o) * activation(c), c
    update, reset = (sigmoid((z + r)[block]) for block in blocks[:2])
    last = blocks[2]
    inner = reset * r[last] if reset_after else (reset * h) @ params["recurrent_kernel"][:, last]
    return (update * h + (1 - update) * activation(z[last] + inner),)


def looped(kind: str, params: Any, x: Any, mask: Any, states: Any, activation: Any, **how: Any) -> Any:
    """All outputs in the order of reading, and the last states."""
    outputs, order = np.zeros((BATCH, STEPS, UNITS)), range(STEPS)[:: -1 if how["go_backwards"] else 1]
    last = [np.array(s) for s in states]
    for n in range(BATCH):
        own: Any = tuple(s[n] for s in states)
        for place, t in enumerate(order):
            if mask[n, t]:
                own = one_step(kind, params, x[n, t], own, activation, how["reset_after"])
            outputs[n, place] = own[0] if mask[n, t] or not how["zero_output_for_mask"] else 0
        for s, value in zip(last, own, strict=True):
            s[n] = value
    return outputs, last


@settings(max_examples=60)
@given(
    kind=st.sampled_from(list(LAYERS)), mask=MASKS, activation=st.sampled_from(["tanh", "relu", "softsign"]),
    reset_after=st.booleans(), go_backwards=st.booleans(), zero_output_for_mask=st.booleans(), use_bias=st.booleans(),
    unroll=st.booleans(), started=st.booleans(), sequences=st.booleans(),
)  # fmt: skip
def test_masked_steps_agree_with_a_plain_loop(
    kind: str, mask: Any, activation: str, reset_after: bool, use_bias: bool, unroll: bool, started: bool,
    sequences: bool, **how: bool,
) -> None:  # fmt: skip
    own = {"reset_after": reset_after} if kind == "GRU" else {}
    options = {**how, **own, "use_bias": use_bias, "unroll": unroll, "bias_initializer": "normal"}
    layer = LAYERS[kind](UNITS, activation, return_sequences=sequences, return_state=True, **options)
    params, _ = layer.init(KEY, (STEPS, FEATURES), "float64")
    count = 2 if kind == "LSTM" else 1
    rng = np.random.default_rng(1)
    states = [rng.normal(size=(BATCH, UNITS)) if started else np.zeros((BATCH, UNITS)) for _ in range(count)]
    x = Masked(X, mask)
    (y, *last), _ = layer.apply(params, {}, (x, *states) if started else x)
    function = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0), "softsign": lambda v: v / (1 + abs(v))}[activation]
    outputs, expected = looped(kind, params, X, mask, states, function, reset_after=reset_after, **how)
    y, own_mask = split_mask(y)
    np.testing.assert_allclose(y, outputs if sequences else expected[0], rtol=1e-9, atol=1e-12)
    for a, b in zip(last, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    if sequences:
        np.testing.assert_array_equal(own_mask, mask[:, ::-1] if how["go_backwards"] else mask)
    else:
        assert own_mask is None


@pytest.mark.parametrize(
    ("make", "mask", "expected"),
    [
        (
            LSTM,
            [[1, 1, 1, 0], [1, 1, 0, 0]],
            [[0.0158891, 0.05552048, 0.11755939, 0.11755939], [0.14185596, 0.28556206, 0.28556206, 0.28556206]],
        ),
        (
            GRU,
            [[1, 1, 0, 1], [1, 0, 0, 1]],
            [[0.03606692, 0.09497581, 0.09497581, 0.19393763], [0.16051409, 0.16051409, 0.16051409, 0.30818558]],
        ),
    ],
)
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("unroll", [False, True])
def test_masked_values_of_keras(make: Any, mask: Any, expected: Any, zeros: bool, unroll: bool) -> None:
    x, mask = Masked(np.arange(24.0).reshape(2, 4, 3), np.array(mask, bool)), np.array(mask, bool)
    layer = make(2, return_sequences=True, zero_output_for_mask=zeros, unroll=unroll, **CONSTANT)
    y, _ = layer.apply(layer.init(KEY, (4, 3), "float64")[0], {}, x)
    wanted = np.where(mask, expected, 0.0) if zeros else np.array(expected)
    np.testing.assert_allclose(y.values, np.repeat(wanted[..., None], 2, 2), rtol=2e-6)
    np.testing.assert_array_equal(y.mask, mask)


def test_masked_values_of_keras_backwards() -> None:
    x = Masked(np.arange(24.0).reshape(2, 4, 3), np.array([[0, 1, 1, 1], [0, 0, 1, 1]], bool))
    layer = LSTM(2, go_backwards=True, **CONSTANT)
    y, _ = layer.apply(layer.init(KEY, (4, 3), "float64")[0], {}, x)
    np.testing.assert_allclose(y, np.repeat([[0.15341201], [0.3844719]], 2, 1), rtol=2e-6)


def masked_layers() -> dict[str, Layer]:
    return {
        "simple": SimpleRNN(UNITS),
        "lstm-stack": serial(LSTM(4, return_sequences=True), LSTM(UNITS)),
        "gru-steps": GRU(UNITS, unroll=True),
        "bidirectional": Bidirectional(GRU(UNITS)),
        "bidirectional-stack": serial(Bidirectional(LSTM(2, return_sequences=True)), Bidirectional(LSTM(2), "sum")),
        "cells": RNN([average_cell_of(FEATURES), LSTMCell(UNITS), SimpleRNNCell(2, "softsign")]),
        "time-distributed": serial(TimeDistributed(Dense(4, "tanh")), LSTM(UNITS, go_backwards=True)),
        "dense-between": serial(LSTM(4, return_sequences=True), Dense(3), GRU(UNITS)),
    }


def average_cell_of(features: int) -> Layer:
    """The table's cell for another number of features."""
    init, apply = average_cell()
    return Layer(init, apply, name="average", config={"state_size": (features, features)})


@pytest.mark.parametrize("name", masked_layers())
def test_padding_changes_nothing(name: str) -> None:
    """Masked steps, with any values, may stand before, behind and between those that count, also without any."""
    layer = masked_layers()[name]
    params, state = layer.init(KEY, (None, FEATURES), "float64")
    rng = np.random.default_rng(2)
    x = rng.normal(size=(1, 3, FEATURES))
    expected, _ = layer.apply(params, state, Masked(x, np.ones((1, 3), bool)))
    np.testing.assert_allclose(expected, layer.apply(params, state, x)[0], rtol=1e-12)
    for places in ([0, 1, 2], [3, 4, 5], [0, 2, 5], [1, 3, 4]):
        padded, mask = 9 * rng.normal(size=(1, 6, FEATURES)), np.zeros((1, 6), bool)
        padded[:, places], mask[:, places] = x, True
        y, _ = layer.apply(params, state, Masked(padded, mask))
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14)
    nothing = [layer.apply(params, state, Masked(padded[:, :n], np.zeros((1, n), bool)))[0] for n in (0, 6)]
    np.testing.assert_array_equal(*nothing)


@pytest.mark.parametrize("name", masked_layers())
def test_a_masked_sample_does_not_depend_on_its_batch(name: str) -> None:
    layer = masked_layers()[name]
    params, state = layer.init(KEY, (None, FEATURES), "float64")
    together, _ = layer.apply(params, state, Masked(X, A_MASK))
    for n in range(BATCH):
        alone, _ = layer.apply(params, state, Masked(X[n : n + 1], A_MASK[n : n + 1]))
        np.testing.assert_allclose(alone[0], together[n], rtol=1e-12, atol=1e-14)


@EACH
@pytest.mark.parametrize(("backwards", "zeros"), [(False, True), (True, False)])
def test_masked_gradients_agree_with_differences_and_steps(make: Any, backwards: bool, zeros: bool) -> None:
    options = {"return_sequences": True, "return_state": True, "go_backwards": backwards, "zero_output_for_mask": zeros}
    fused, steps = make(UNITS, **options), make(UNITS, unroll=True, **options)
    params, _ = fused.init(KEY, (STEPS, FEATURES), "float64")
    states = [np.random.default_rng(n).normal(size=(BATCH, UNITS)) for n in range(2 if make is LSTM else 1)]

    def output(layer: Layer, params: Any, x: Any, *states: Any) -> Any:
        (y, *last), _ = layer.apply(params, {}, (Masked(x, A_MASK), *states))
        return y.values, *last

    def of_steps(*args: Any) -> Any:
        return output(steps, *args)

    fnet.testing.check_grads(of_steps, params, X, *states)
    y, pull = fnet.vjp(lambda *args: output(fused, *args), params, X, *states)
    expected, pull_steps = fnet.vjp(of_steps, params, X, *states)
    for a, b in zip(tree.leaves((y, pull(y))), tree.leaves((expected, pull_steps(y))), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    assert not np.any(pull(y)[1][~A_MASK])


def test_unrolled_layers_have_second_derivatives() -> None:
    layer = LSTM(2, unroll=True)
    params, _ = layer.init(KEY, (3, FEATURES), "float64")
    x = Masked(X[:2, :3], A_MASK[:2, :3])
    fnet.testing.check_grads(lambda p: layer.apply(p, {}, x)[0], params, order=2)


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_masks_under_jit(make: Any, dtype: str) -> None:
    layer = serial(make(4, return_sequences=True, dropout=0.3), make(UNITS, go_backwards=True, return_sequences=True))
    params, state = layer.init(KEY, (STEPS, FEATURES), dtype)
    x = Masked(X.astype(dtype), A_MASK)
    eager, _ = layer.apply(params, state, x, KEY, True)
    compiled, _ = fnet.jit(layer.apply, static=("train",))(params, state, x, KEY, True)
    assert isinstance(compiled, Masked) and compiled.dtype == eager.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(compiled.mask, A_MASK[:, ::-1])
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(compiled.values, eager.values, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
def test_bidirectional_zeros_masked_steps_of_sequences(merge: Any) -> None:
    layer = Bidirectional(LSTM(UNITS, return_sequences=True, return_state=True), merge)
    params, _ = layer.init(KEY, (STEPS, FEATURES), "float64")
    made, _ = layer.apply(params, {}, Masked(X, A_MASK))
    split = 2 if merge is None else 1
    y, states = made[:split], made[split:]
    one = LSTM(UNITS, return_sequences=True, return_state=True)
    (ahead, *of_ahead), _ = one.apply(params["forward_lstm"], {}, Masked(X, A_MASK))
    (back, *of_back), _ = one.apply(params["backward_lstm"], {}, Masked(X[:, ::-1], A_MASK[:, ::-1]))
    kept = A_MASK[..., None]
    ahead, back = ahead.values * kept, back.values[:, ::-1] * kept
    merged = {"concat": np.concatenate([ahead, back], -1), "sum": ahead + back, "mul": ahead * back}
    expected = [ahead, back] if merge is None else [{**merged, "ave": (ahead + back) / 2}[merge]]
    for a, b in zip(y, expected, strict=True):
        np.testing.assert_allclose(a.values, b, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(a.mask, A_MASK)
    for a, b in zip(states, [*of_ahead, *of_back], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_time_distributed_keeps_the_mask_and_hands_inner_ones_to_its_layer() -> None:
    layer = TimeDistributed(Dense(3))
    params, _ = layer.init(KEY, (STEPS, FEATURES), "float64")
    y, _ = layer.apply(params, {}, Masked(X, A_MASK))
    np.testing.assert_array_equal(y.mask, A_MASK)
    np.testing.assert_allclose(y.values, Dense(3).apply(params["dense"], {}, X)[0])

    x = np.random.default_rng(0).normal(size=(2, 3, STEPS, FEATURES))
    mask = np.stack([A_MASK[:3], A_MASK[1:]])
    for inner in (GRU(UNITS), GRU(UNITS, return_sequences=True)):
        layer = TimeDistributed(inner)
        params, _ = layer.init(KEY, x.shape[1:], "float64")
        y, _ = layer.apply(params, {}, Masked(x, mask))
        for t in range(3):
            own, own_mask = split_mask(inner.apply(params["gru"], {}, Masked(x[:, t], mask[:, t]))[0])
            np.testing.assert_allclose(y.values[:, t], own, rtol=1e-12)
            np.testing.assert_array_equal(y.mask[:, t], mask[:, t].any(1) if own_mask is None else own_mask)


def wrong(layer: Layer, mask: Any, shape: Any = (STEPS, FEATURES), x: Any = X) -> Any:
    return lambda: layer.apply(*layer.init(KEY, shape, "float64"), Masked(x, mask))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (wrong(LSTM(2), A_MASK[:, :4]), r"LSTM: expected a mask \(N, T\) = \(4, 5\) of the input \(4, 5, 2\), "),
        (wrong(GRU(2, unroll=True), A_MASK[:2]), r"GRU: expected a mask \(N, T\) = \(4, 5\) .*received \(2, 5\)"),
        (wrong(RNN(SimpleRNNCell(2)), X > 0), r"RNN: expected a mask \(N, T\) = \(4, 5\) .*received \(4, 5, 2\)"),
        (wrong(Bidirectional(LSTM(2)), A_MASK[0]), r"in 'forward_lstm': LSTM: expected a mask .*received \(5,\)"),
        (wrong(TimeDistributed(Dense(2)), A_MASK[:, 1:]), r"TimeDistributed: expected a mask .*received \(4, 4\)"),
        (wrong(TimeDistributed(Dense(2)), A_MASK[:, 0]), r"TimeDistributed: expected a mask .*received \(4,\)"),
    ],
)  # fmt: skip
def test_a_mask_of_another_shape_is_refused(call: Any, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        call()
