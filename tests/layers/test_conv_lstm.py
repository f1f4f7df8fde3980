"""ConvLSTM: its formula in plain NumPy, masks, states that are kept, dropout, errors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers, random, tree
from fnet.errors import BatchSizeError, ShapeError, StructureError, ValueRangeError
from fnet.layers import ConvLSTM1D, ConvLSTM2D, reset_state
from fnet.masking import Masked
from fnet.networks.combinators import serial

KEY = random.key(5)
X = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 2))


def convolved(x: np.ndarray, kernel: np.ndarray, strides: int, same: bool, dilation: int) -> np.ndarray:
    """The convolution of images of two axes, one output after the other."""
    spans = [(n - 1) * dilation + 1 for n in kernel.shape[:2]]
    counts = [
        -(-n // strides) if same else (n - span) // strides + 1 for n, span in zip(x.shape[1:3], spans, strict=True)
    ]
    pads = [
        max(0, (c - 1) * strides + span - n) if same else 0
        for c, span, n in zip(counts, spans, x.shape[1:3], strict=True)
    ]
    x = np.pad(x, [(0, 0), *((p // 2, p - p // 2) for p in pads), (0, 0)])
    y = np.zeros((len(x), *counts, kernel.shape[-1]))
    for (i, j), (s, t) in itertools.product(np.ndindex(*counts), np.ndindex(*kernel.shape[:2])):
        y[:, i, j] += x[:, i * strides + s * dilation, j * strides + t * dilation] @ kernel[s, t]
    return y


def reference(params: Any, x: np.ndarray, strides: int = 1, same: bool = False, dilation: int = 1) -> np.ndarray:
    """All h of a ConvLSTM2D, (N, T, H', W', filters)."""
    h: Any = None
    c: Any = 0.0
    outputs = []
    for t in range(x.shape[1]):
        z = convolved(x[:, t], params["kernel"], strides, same, dilation) + params["bias"]
        z = z if h is None else z + convolved(h, params["recurrent_kernel"], 1, True, 1)
        i, f, g, o = np.split(z, 4, axis=-1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        outputs.append(h)
    return np.stack(outputs, 1)


def made(layer: fnet.Layer, shape: Any = X.shape[1:]) -> tuple[Any, Any]:
    params, state = layer.init(KEY, shape, "float64")
    rng = np.random.default_rng(1)
    return tree.map(lambda p: rng.normal(size=p.shape) * 0.5, params), state


@pytest.mark.parametrize(("strides", "padding", "dilation"), [(1, "valid", 1), (2, "same", 1), (1, "same", 2)])
def test_the_formula(strides: int, padding: str, dilation: int) -> None:
    options: Any = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    layer = ConvLSTM2D(3, (2, 3), **options, return_sequences=True, return_state=True)
    params, state = made(layer)
    (y, h, _), _ = layer.apply(params, state, X)
    expected = reference(params, X, strides, padding == "same", dilation)
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_array_equal(h, y[:, -1])
    back, _ = ConvLSTM2D(3, (2, 3), **options, return_sequences=True, go_backwards=True).apply(params, state, X)
    np.testing.assert_allclose(back, reference(params, X[:, ::-1], strides, padding == "same", dilation), rtol=1e-11)


def test_one_axis_and_three_are_cases_of_two() -> None:
    params, state = made(ConvLSTM2D(3, (2, 1)), (3, 4, 1, 2))
    flat = ConvLSTM1D(3, 2)
    x = X[:, :, :, 0]
    y, _ = flat.apply({**params, **{n: params[n][:, 0] for n in ("kernel", "recurrent_kernel")}}, state, x)
    np.testing.assert_allclose(y, ConvLSTM2D(3, (2, 1)).apply(params, state, x[:, :, :, None])[0][:, :, 0], rtol=1e-12)
    deep = {**params, **{n: params[n][..., None, :, :] for n in ("kernel", "recurrent_kernel")}}
    z, _ = layers.ConvLSTM3D(3, (2, 1, 1)).apply(deep, state, x[:, :, :, None, None])
    np.testing.assert_allclose(z[:, :, 0, 0], y, rtol=1e-12)


def test_masked_steps_change_nothing() -> None:
    layer = ConvLSTM2D(3, 2, return_sequences=True)
    params, state = made(layer)
    mask = np.array([[True, False, True], [False, True, True]])
    spoiled = Masked(np.where(mask[..., None, None, None], X, np.nan), mask)
    y, _ = layer.apply(params, state, spoiled)
    for n in range(2):
        alone, _ = layer.apply(params, state, X[n : n + 1, mask[n]])
        np.testing.assert_allclose(y.values[n, mask[n]], alone[0], rtol=1e-12)
    np.testing.assert_array_equal(y.values[0, 1], y.values[0, 0])
    assert not y.values[1, 0].any() and y.mask is not None
    spoiling = fnet.Layer(lambda key, shape, dtype: ({}, {}), lambda p, s, x, key=None, train=False: (spoiled, s))
    net = serial(spoiling, layer)
    g = fnet.grad(lambda p: np.sum(net.apply({"conv_lstm2d": p}, {}, X)[0].values))(params)
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves(g))
    zeros = ConvLSTM2D(3, 2, return_sequences=True, zero_output_for_mask=True)
    assert not zeros.apply(params, state, Masked(X, mask))[0].values[0, 1].any()


def test_states_are_given_returned_and_kept() -> None:
    layer = ConvLSTM2D(3, 2, stateful=True, batch_size=2, return_state=True)
    params, state = made(layer)
    assert [s.shape for s in state["recurrent_states"]] == [(2, 3, 4, 3)] * 2
    (_, h, c), kept = layer.apply(params, state, X[:, :2])
    (y, *_), _ = layer.apply(params, kept, X[:, 2:])
    np.testing.assert_allclose(y, reference(params, X)[:, -1], rtol=1e-11)
    given, _ = ConvLSTM2D(3, 2).apply(params, {}, (X[:, 2:], h, c))
    np.testing.assert_array_equal(given, y)
    assert not any(s.any() for s in reset_state(kept)["recurrent_states"])
    none, _ = ConvLSTM2D(3, 2).apply(params, {}, X[:, :0])
    assert none.shape == (2, 3, 4, 3) and not none.any()


def test_dropout_of_everything_leaves_the_biases_or_the_input() -> None:
    params, state = made(ConvLSTM2D(3, 2))
    y, _ = ConvLSTM2D(3, 2, dropout=1.0).apply(params, state, X, key=KEY, train=True)
    np.testing.assert_allclose(y, reference(params, 0 * X)[:, -1], rtol=1e-12)
    y, _ = ConvLSTM2D(3, 2, recurrent_dropout=1.0).apply(params, state, X, key=KEY, train=True)
    without = {**params, "recurrent_kernel": 0 * params["recurrent_kernel"]}
    np.testing.assert_allclose(y, reference(without, X)[:, -1], rtol=1e-12)


def test_the_gate_that_forgets_starts_open() -> None:
    params, _ = ConvLSTM1D(2, 2).init(KEY, (3, 4, 1))
    assert params["bias"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert not ConvLSTM1D(2, 2, unit_forget_bias=False).init(KEY, (3, 4, 1))[0]["bias"].any()


def test_in_both_directions() -> None:
    layer = layers.Bidirectional(ConvLSTM1D(2, 2, return_sequences=True))
    params, state = layer.init(KEY, (3, 4, 1), "float64")
    y, _ = layer.apply(params, state, X[:, :, :, 0, :1])
    back = ConvLSTM1D(2, 2, return_sequences=True, go_backwards=True)
    expected, _ = back.apply(params["backward_conv_lstm1d"], {}, X[:, :, :, 0, :1])
    np.testing.assert_array_equal(y[..., 2:], expected[:, ::-1])


ERRORS: list[tuple[Any, type, str]] = [
    (lambda: ConvLSTM2D(0, 2), ValueRangeError, "ConvLSTM2D: filters is a positive integer, received 0"),
    (lambda: ConvLSTM2D(2, 2, padding="causal"), ValueRangeError, "ConvLSTM2D: padding is one of valid, same"),
    (lambda: ConvLSTM2D(2, 2, 2, dilation_rate=2), ValueRangeError, "strides and dilation_rate cannot both be above 1"),
    (lambda: ConvLSTM2D(2, 2, data_format="channels_first"), ValueRangeError, "data_format is channels_last, received"),
    (lambda: ConvLSTM2D(2, 2, dropout=2.0), ValueRangeError, "ConvLSTM2D: dropout is a fraction"),
    (lambda: ConvLSTM2D(2, 2, stateful=True), StructureError, "so say how many there are: batch_size=32"),
    (lambda: ConvLSTM2D(2, 2).init(KEY, (3, 4, 2)), ShapeError,
     r"ConvLSTM2D reads images: expected steps of shape \(height, width, channels\), received \(4, 2\)"),
    (lambda: ConvLSTM2D(2, 2).init(KEY, (3,)), ShapeError, "ConvLSTM2D reads images"),
    (lambda: ConvLSTM2D(2, 5).init(KEY, (3, 4, 4, 2)), ShapeError, "ConvLSTM2D"),
    (lambda: ConvLSTM1D(2, 2).init(KEY, ((3, 4, 2), (3, 1), (3, 1))), ShapeError,
     r"ConvLSTM1D expects the shape \(time, steps, channels\), or \(\(time, steps, channels\), \(3, 2\), \(3, 2\)\)"),
    (lambda: ConvLSTM1D(2, 2).apply(ConvLSTM1D(2, 2).init(KEY, (3, 4, 2))[0], {}, np.ones((1, 3, 4, 3))), ShapeError,
     r"ConvLSTM1D: expected 2 channels on the last axis, received \(1, 3, 4, 3\)"),
    (lambda: ConvLSTM1D(2, 2).apply(ConvLSTM1D(2, 2).init(KEY, (3, 4, 2))[0], {}, (np.ones((1, 3, 4, 2)),) * 2),
     StructureError, r"a tuple of it and 2 initial state\(s\), received 1 behind"),
    (lambda: ConvLSTM1D(2, 2, dropout=0.5).apply(ConvLSTM1D(2, 2).init(KEY, (3, 4, 2))[0], {}, np.ones((1, 3, 4, 2)),
                                                 train=True), StructureError, "random in training and needs a key"),
    (lambda: ConvLSTM1D(2, 2, stateful=True, batch_size=2).apply(
        *ConvLSTM1D(2, 2, stateful=True, batch_size=2).init(KEY, (3, 4, 2)), np.ones((1, 3, 4, 2))), BatchSizeError,
     "it keeps the states of batch_size=2 sequences, received a batch of 1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_errors(call: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
