"""Recurrent layers: Keras' golden values, directions, states, dropout, step by step, wrappers, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import random, serial
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.initializers import constant
from fnet.layers import GRU, LSTM, Bidirectional, Dense, Flatten, RepeatVector, SimpleRNN, TimeDistributed
from fnet.networks.layer import Layer

KEY = random.key(7)
A, B, C = (np.arange(float(np.prod(shape))).reshape(shape) for shape in ((3, 6, 4), (2, 3, 4), (2, 4, 3)))
FIRST = np.array([[0.0, 1.0], [2.0, 3.0]])
RECURRENT = pytest.mark.parametrize("make", [SimpleRNN, LSTM, GRU])


CONSTANT = {
    "kernel_initializer": constant(0.01),
    "recurrent_initializer": constant(0.02),
    "bias_initializer": constant(0.03),
}


def output(layer: Layer, x: Any, shape: Any = None, **given: Any) -> Any:
    params, state = layer.init(KEY, x.shape[1:] if shape is None else shape, "float64")
    return layer.apply(params, state, x, **given)[0]


@pytest.mark.parametrize(
    ("layer", "x", "expected"),
    [
        (SimpleRNN(4, **CONSTANT), B, [0.405432, 0.73605347]),
        (LSTM(3, **CONSTANT), A, [0.6288687, 0.86899155, 0.9460773]),
        (LSTM(3, go_backwards=True, **CONSTANT), A, [0.35622165, 0.74789524, 0.8872726]),
        (LSTM(3, unit_forget_bias=False, **CONSTANT), A, [0.57019705, 0.8661914, 0.9459622]),
        (LSTM(3, use_bias=False, **CONSTANT), A, [0.54986924, 0.86226785, 0.9443936]),
        (GRU(3, **CONSTANT), A, [0.5217289, 0.6371659, 0.39384964]),
        (GRU(3, reset_after=False, **CONSTANT), A, [0.51447755, 0.6426879, 0.40208298]),
        (Bidirectional(SimpleRNN(2, **CONSTANT), "ave"), B, [0.24845785, 0.6288199]),
    ],
    ids=repr,
)
def test_values_of_keras(layer: Layer, x: Any, expected: Any) -> None:
    y = output(layer, x)
    np.testing.assert_allclose(y, np.broadcast_to(np.array(expected)[:, None], y.shape), rtol=2e-6)


@pytest.mark.parametrize(
    ("layer", "states", "expected"),
    [
        (LSTM(2, **CONSTANT), 2, [[0.20574439, 0.3558822], [0.64930826, 0.66276]]),
        (LSTM(2, go_backwards=True, **CONSTANT), 2, [[0.13281618, 0.2790356], [0.5839337, 0.5992567]]),
        (GRU(2, **CONSTANT), 1, [[0.23774096, 0.33508456], [0.83659905, 1.0227708]]),
        (GRU(2, go_backwards=True, **CONSTANT), 1, [[0.13486053, 0.23261218], [0.78257304, 0.9691353]]),
    ],
    ids=repr,
)
def test_values_of_keras_with_initial_states(layer: Layer, states: int, expected: Any) -> None:
    params, state = layer.init(KEY, ((4, 3), *[(2,)] * states), "float64")
    y, _ = layer.apply(params, state, (C, *[FIRST] * states))
    np.testing.assert_allclose(y, expected, rtol=2e-6)


def test_bidirectional_values_of_keras() -> None:
    y = output(Bidirectional(SimpleRNN(2, **CONSTANT)), B)
    np.testing.assert_allclose(y[:, [0, 2]], [[0.39687276, 0.10004295], [0.7237238, 0.53391594]], rtol=2e-6)


def test_parameters_are_those_of_keras() -> None:
    shapes = {
        layer: {name: leaf.shape for name, leaf in layer.init(KEY, (5, 3))[0].items()}
        for layer in (SimpleRNN(4), LSTM(4), GRU(4), GRU(4, reset_after=False), LSTM(4, use_bias=False))
    }
    assert list(shapes.values()) == [
        {"kernel": (3, 4), "recurrent_kernel": (4, 4), "bias": (4,)},
        {"kernel": (3, 16), "recurrent_kernel": (4, 16), "bias": (16,)},
        {"kernel": (3, 12), "recurrent_kernel": (4, 12), "bias": (2, 12)},
        {"kernel": (3, 12), "recurrent_kernel": (4, 12), "bias": (12,)},
        {"kernel": (3, 16), "recurrent_kernel": (4, 16)},
    ]
    params, _ = LSTM(4, bias_initializer="normal").init(KEY, (5, 3), "float64")
    np.testing.assert_allclose(params["recurrent_kernel"] @ params["recurrent_kernel"].T, np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(params["bias"][4:8], 1)
    assert len(np.unique(params["bias"])) == 13


@RECURRENT
def test_what_is_returned(make: Any) -> None:
    count = 2 if make is LSTM else 1
    params, state = make(3).init(KEY, (5, 2), "float64")
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    for backwards in (False, True):
        kind = {"go_backwards": backwards}
        last, _ = make(3, **kind).apply(params, state, x)
        sequence, _ = make(3, return_sequences=True, **kind).apply(params, state, x)
        both, _ = make(3, return_sequences=True, return_state=True, **kind).apply(params, state, x)
        assert len(both) == 1 + count
        np.testing.assert_array_equal(sequence[:, -1], last)
        np.testing.assert_array_equal(both[0], sequence)
        np.testing.assert_array_equal(both[1], last)
    forward, _ = make(3, return_sequences=True).apply(params, state, x[:, ::-1])
    np.testing.assert_array_equal(sequence, forward)


@RECURRENT
def test_the_state_returned_continues_the_sequence(make: Any) -> None:
    layer = make(3, return_sequences=True, return_state=True)
    params, state = layer.init(KEY, (5, 2), "float64")
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    (first, *states), _ = layer.apply(params, state, x[:, :2])
    (second, *last), _ = layer.apply(params, state, (x[:, 2:], *states))
    (whole, *end), _ = layer.apply(params, state, x)
    np.testing.assert_array_equal(np.concatenate([first, second], 1), whole)
    assert all(np.array_equal(a, b) for a, b in zip(last, end, strict=True))


@RECURRENT
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
def test_steps_agree_with_kernels(make: Any, backwards: bool, use_bias: bool) -> None:
    kind = {
        "return_sequences": True, "return_state": True, "go_backwards": backwards, "use_bias": use_bias,
        "bias_initializer": "normal",
    }  # fmt: skip
    params, state = make(3, **kind).init(KEY, (5, 2), "float64")
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    fused, pull = fnet.vjp(lambda p, x: make(3, **kind).apply(p, state, x)[0], params, x)
    # A function that the kernels do not know, though it computes the same.
    steps, pull_steps = fnet.vjp(lambda p, x: make(3, lambda v: np.tanh(v), **kind).apply(p, state, x)[0], params, x)
    for a, b in zip(fnet.tree.leaves((fused, pull(fused))), fnet.tree.leaves((steps, pull_steps(fused))), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"dropout": 0.3, "recurrent_dropout": 0.5}])
@RECURRENT
def test_dropout_drops_the_same_features_in_all_steps(make: Any, rates: Any) -> None:
    layer = make(4, return_sequences=True, **rates)
    params, state = layer.init(KEY, (6, 3), "float64")
    x = np.random.default_rng(0).normal(size=(2, 6, 3))
    _, pull = fnet.vjp(lambda x: layer.apply(params, state, x, key=KEY, train=True)[0], x)
    off = pull(np.ones((2, 6, 4)))[0] == 0
    assert (off == off[:, :1]).all()
    if "recurrent_dropout" not in rates:
        assert 0 < off[:, 0].sum() < 6


def test_recurrent_dropout_drops_states() -> None:
    layer = SimpleRNN(4, recurrent_dropout=1.0, return_sequences=True)
    params, state = layer.init(KEY, (6, 3), "float64")
    x = np.random.default_rng(0).normal(size=(2, 6, 3))
    y, _ = layer.apply(params, state, x, key=KEY, train=True)
    np.testing.assert_allclose(y, np.tanh(x @ params["kernel"]), rtol=1e-12)


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("sequences", [False, True])
def test_bidirectional_merges_both_directions(merge: Any, sequences: bool) -> None:
    layer = Bidirectional(LSTM(3, return_sequences=sequences), merge)
    params, state = layer.init(KEY, (5, 2), "float64")
    assert list(params) == ["forward_lstm", "backward_lstm"]
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    y, _ = layer.apply(params, state, x)
    ahead, _ = LSTM(3, return_sequences=sequences).apply(params["forward_lstm"], {}, x)
    back, _ = LSTM(3, return_sequences=sequences, go_backwards=True).apply(params["backward_lstm"], {}, x)
    if sequences:
        back = back[:, ::-1]
    merged = {"concat": np.concatenate([ahead, back], -1), "sum": ahead + back, "mul": ahead * back}
    merged |= {"ave": (ahead + back) / 2, None: np.stack([ahead, back])}
    np.testing.assert_array_equal(np.stack(y) if merge is None else y, merged[merge])


def test_bidirectional_is_symmetric() -> None:
    layer = Bidirectional(GRU(3, return_sequences=True))
    params, state = layer.init(KEY, (5, 2), "float64")
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    y, _ = layer.apply(params, state, x)
    swapped = {"forward_gru": params["backward_gru"], "backward_gru": params["forward_gru"]}
    turned, _ = layer.apply(swapped, state, x[:, ::-1])
    np.testing.assert_array_equal(turned[:, ::-1], np.concatenate([y[..., 3:], y[..., :3]], -1))
    other = Bidirectional(GRU(3, return_sequences=True, go_backwards=True))
    back, _ = other.apply(swapped, state, x)
    np.testing.assert_array_equal(back[:, ::-1], np.concatenate([y[..., 3:], y[..., :3]], -1))


def test_bidirectional_takes_and_returns_states() -> None:
    layer = Bidirectional(LSTM(3, return_state=True), "sum")
    params, state = layer.init(KEY, ((5, 2), *[(3,)] * 4), "float64")
    rng = np.random.default_rng(0)
    x, first = rng.normal(size=(4, 5, 2)), [rng.normal(size=(4, 3)) for _ in range(4)]
    (y, *states), _ = layer.apply(params, state, (x, *first))
    (ahead, *ahead_states), _ = LSTM(3, return_state=True).apply(params["forward_lstm"], {}, (x, *first[:2]))
    turned = LSTM(3, return_state=True, go_backwards=True)
    (back, *back_states), _ = turned.apply(params["backward_lstm"], {}, (x, *first[2:]))
    for a, b in zip([y, *states], [ahead + back, *ahead_states, *back_states], strict=True):
        np.testing.assert_array_equal(a, b)


def test_bidirectional_of_two_layers() -> None:
    layer = Bidirectional(LSTM(3), backward_layer=LSTM(5, go_backwards=True, name="other"))
    assert layer.out_shape((4, 2)) == (8,)
    assert list(layer.init(KEY, (4, 2))[0]) == ["forward_lstm", "backward_other"]


def test_time_distributed_applies_the_layer_to_every_step() -> None:
    layer = TimeDistributed(Dense(3, "tanh"))
    params, state = layer.init(KEY, (5, 2, 4), "float64")
    x = np.random.default_rng(0).normal(size=(6, 5, 2, 4))
    y, _ = layer.apply(params, state, x)
    for t in range(5):
        np.testing.assert_allclose(y[:, t], Dense(3, "tanh").apply(params["dense"], {}, x[:, t])[0], rtol=1e-12)
    assert TimeDistributed(Flatten()).out_shape((None, 2, 3)) == (None, 6)


def test_time_may_vary() -> None:
    for layer in (LSTM(3, return_sequences=True), Bidirectional(GRU(3, return_sequences=True), "sum")):
        assert layer.out_shape((None, 2)) == (None, 3)
        params, state = layer.init(KEY, (None, 2))
        assert [layer.apply(params, state, np.ones((2, n, 2)))[0].shape[1] for n in (0, 1, 7)] == [0, 1, 7]
    steps = LSTM(3, "softsign", return_sequences=True)
    params, state = steps.init(KEY, (2, 2))
    assert [steps.apply(params, state, np.ones((2, n, 2)))[0].shape[1] for n in (0, 1, 3)] == [0, 1, 3]


def test_names() -> None:
    assert [layer.name for layer in (SimpleRNN(1), LSTM(1), GRU(1), Bidirectional(GRU(1)))] == [
        "simple_rnn", "lstm", "gru", "bidirectional",
    ]  # fmt: skip
    assert [layer(1, name="n").name for layer in (SimpleRNN, LSTM, GRU)] == ["n"] * 3
    assert Bidirectional(LSTM(1, name="n"), name="b").children[1].name == "backward_n"
    assert TimeDistributed(Dense(1), name="t").name == "t"
    assert LSTM(2, dropout=0.5).config["dropout"] == 0.5
    np.testing.assert_array_equal(output(LSTM(2, implementation=1), A), output(LSTM(2), A))


@pytest.mark.parametrize(
    ("net", "shape", "expected"),
    [
        (serial(RepeatVector(5), LSTM(3, return_sequences=True), TimeDistributed(Dense(2))), (4,), (5, 2)),
        (serial(LSTM(3), Dense(2)), (None, 4), (2,)),
        (serial(GRU(3, return_sequences=True), TimeDistributed(Dense(2))), (None, 4), (None, 2)),
        (serial(GRU(3), RepeatVector(7), GRU(5, return_sequences=True), Dense(2)), (None, 4), (7, 2)),
    ],
    ids=["one-to-many", "many-to-one", "many-to-many", "encoder-decoder"],
)
def test_topologies(net: Layer, shape: Any, expected: Any) -> None:
    assert net.out_shape(shape) == expected
    params, state = net.init(KEY, shape)
    x = np.ones((2, *(6 if n is None else n for n in shape)), "float32")
    sizes = tuple(6 if n is None else n for n in expected)
    assert net.apply(params, state, x)[0].shape == (2, *sizes)


def applied(layer: Layer, shape: Any, x: Any) -> Any:
    params, state = layer.init(KEY, shape)
    return layer.apply(params, state, x)


ERRORS: list[tuple[Any, type, str]] = [
    (lambda: LSTM(0), ValueRangeError, r"LSTM: units is a positive integer, received 0"),
    (lambda: GRU("3"), DtypeError, r"GRU: units is a positive integer, received str '3'"),
    (lambda: LSTM(2, dropout=1.5), ValueRangeError, r"LSTM: dropout is a fraction, expected 0 <= dropout <= 1"),
    (
        lambda: SimpleRNN(2, recurrent_dropout="a"),
        DtypeError,
        r"SimpleRNN: recurrent_dropout is a number, received str",
    ),
    (lambda: LSTM(2, "tanhh"), ValueRangeError, r"unknown activation 'tanhh'. Did you mean 'tanh'\?"),
    (lambda: LSTM(2).init(KEY, (3,)), ShapeError, r"LSTM expects the shape \(time, features\), .*received \(3,\)"),
    (
        lambda: GRU(2).init(KEY, ((3, 4), (5,))),
        ShapeError,
        r"or \(\(time, features\), \(2,\)\), received \(\(3, 4\), \(5,",
    ),
    (lambda: LSTM(2).init(KEY, ((3, 4), (2,))), ShapeError, r"or \(\(time, features\), \(2,\), \(2,\)\), received"),
    (lambda: LSTM(2).init(KEY, (3, None)), ShapeError, r"LSTM makes parameters for axis -1"),
    (
        lambda: applied(LSTM(2), (3, 4), np.ones((3, 4))),
        ShapeError,
        r"LSTM: expected an input \(batch, time, features\), received \(3, 4\)\. Add a batch axis: x\[None\]",
    ),
    (
        lambda: applied(LSTM(2), (3, 4), np.ones((2, 3, 5))),
        ShapeError,
        r"input \(batch, time, 4\), received \(2, 3, 5\)",
    ),
    (
        lambda: applied(LSTM(2), (3, 4), (np.ones((2, 3, 4)), np.ones((2, 2)))),
        StructureError,
        r"LSTM: expected a sequence, or a tuple of it and 2 initial state\(s\), received 1 behind the sequence",
    ),
    (
        lambda: applied(GRU(2), (3, 4), (np.ones((2, 3, 4)), np.ones((2, 3)))),
        ShapeError,
        r"GRU: expected an initial state \(2, 2\), received \(2, 3\)",
    ),
    (
        lambda: GRU(2).apply({}, {}, np.ones((1, 2, 3))),
        StructureError,
        r"GRU: .*missing 'bias', 'kernel', 'recurrent_k",
    ),
    (lambda: Bidirectional(Dense(2)), StructureError, r"wraps a SimpleRNN, LSTM, GRU or RNN, received Dense"),
    (lambda: Bidirectional(LSTM), StructureError, r"wraps a SimpleRNN, LSTM, GRU or RNN, received function"),
    (lambda: Bidirectional(LSTM(2), "add"), ValueRangeError, r"Bidirectional: unknown merge_mode 'add'"),
    (lambda: Bidirectional(LSTM(2), "sun"), ValueRangeError, r"merge_mode 'sun'. Did you mean 'sum'\?"),
    (
        lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2)),
        StructureError,
        r"go_backwards of layer and backward_layer",
    ),
    (
        lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2, go_backwards=True, return_sequences=True)),
        StructureError,
        r"must have the same return_sequences",
    ),
    (
        lambda: applied(Bidirectional(LSTM(2)), (3, 4), np.ones((2, 3, 5))),
        ShapeError,
        r"in 'forward_lstm': LSTM: expected an input",
    ),
    (
        lambda: TimeDistributed(Dense(2)).init(KEY, (3,)),
        ShapeError,
        r"expects the shape \(time, \.\.\., features\), rec",
    ),
    (
        lambda: applied(TimeDistributed(Dense(2)), (3, 4), np.ones((3, 4))),
        ShapeError,
        r"TimeDistributed: expected an input \(batch, time, \.\.\., features\), received \(3, 4\)",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3
