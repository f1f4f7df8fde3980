"""Cells one by one and over sequences: RNN, stacks, cells of one's own, regularizers, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import random, tree
from fnet.errors import FnetError, ShapeError, StructureError, ValueRangeError
from fnet.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Dense,
    GRUCell,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
)
from fnet.masking import Masked
from fnet.networks.layer import Layer
from fnet.regularizers import reported_penalties
from tests.custom_layers import average_cell

KEY = random.key(7)
X = np.random.default_rng(0).normal(size=(3, 5, 4))
MASK = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1]], bool)
PAIRS = {
    "simple_rnn_cell": (SimpleRNNCell, SimpleRNN, {"activation": "relu"}),
    "lstm_cell": (LSTMCell, LSTM, {"unit_forget_bias": False}),
    "gru_cell": (GRUCell, GRU, {}),
    "gru_cell-before": (GRUCell, GRU, {"reset_after": False}),
    "lstm_cell-steps": (LSTMCell, LSTM, {"activation": "softsign", "use_bias": False}),
}
EACH = pytest.mark.parametrize("name", PAIRS)


def ran(layer: Layer, params: Any, x: Any, **given: Any) -> Any:
    return layer.apply(params, {}, x, **given)[0]


@EACH
@pytest.mark.parametrize("backwards", [False, True])
def test_rnn_of_a_cell_is_the_layer(name: str, backwards: bool) -> None:
    make_cell, make, options = PAIRS[name]
    how = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
    layer, whole = RNN(make_cell(3, **options), **how), make(3, **options, **how)
    params, _ = layer.init(KEY, (5, 4), "float64")
    (entry,) = params
    assert entry == name.split("-")[0]
    for x in (X, Masked(X, MASK)):
        assert tree.all_equal(ran(layer, params, x), ran(whole, params[entry], x))


@EACH
def test_a_cell_does_one_step(name: str) -> None:
    make_cell, make, options = PAIRS[name]
    cell, whole = make_cell(3, **options), make(3, return_sequences=True, return_state=True, **options)
    count = 2 if make is LSTM else 1
    params, _ = cell.init(KEY, ((4,), *[(3,)] * count), "float64")
    assert tree.structure(params) == tree.structure(whole.init(KEY, (5, 4))[0])
    states: Any = [np.zeros((3, 3))] * count
    expected, *last = ran(whole, params, X)
    for t in range(5):
        y, *states = ran(cell, params, (X[:, t], *states))
        np.testing.assert_allclose(y, expected[:, t], rtol=1e-10, atol=1e-14)
    for a, b in zip(states, last, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)


def walked(cell: Layer) -> Layer:
    """The same cell as one that RNN does not know, so that it goes step by step."""
    sizes = {"StackedRNNCells": (3, 2, 2), "LSTMCell": (3, 3)}[cell.kind]
    return Layer(*cell, name=cell.name, config={"state_size": sizes}, masks="used")


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_stack_is_read_cell_by_cell(masked: bool, backwards: bool) -> None:
    """All steps of one cell before the next gives what all cells in every step give, also where steps are masked."""
    cell = StackedRNNCells([GRUCell(3), LSTMCell(2)])
    how = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
    fast, slow = RNN(cell, **how), RNN(walked(cell), **how)
    params, _ = fast.init(KEY, (5, 4), "float64")
    assert list(params["stacked_rnn_cells"]) == ["gru_cell", "lstm_cell"]
    x = Masked(X, MASK & (np.arange(5) > 0)) if masked else X
    y, *states = ran(fast, params, x)
    steps, *expected = ran(slow, params, x)
    y, steps = (v.values[MASK] if masked else v for v in (y, steps))
    np.testing.assert_allclose(y, steps, rtol=1e-10, atol=1e-14)
    for a, b in zip(states, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)
    one_by_one = ran(GRU(3, **how), params["stacked_rnn_cells"]["gru_cell"], x)
    assert tree.all_equal(states[0], one_by_one[1])


def test_one_cell_twice_shares_its_weights() -> None:
    cell = LSTMCell(4)
    layer = RNN([cell, cell])
    params, _ = layer.init(KEY, (5, 4), "float64")
    assert list(params["stacked_rnn_cells"]) == ["lstm_cell"]
    own = params["stacked_rnn_cells"]["lstm_cell"]
    np.testing.assert_array_equal(ran(layer, params, X), ran(LSTM(4), own, ran(LSTM(4, return_sequences=True), own, X)))


def test_a_cell_of_ones_own_with_control_flow() -> None:
    """The sum of the numbers so far, and how many they are, with a branch at every other call while it is traced."""
    calls: list[int] = []

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        x, total, count = x
        calls.append(1)
        signed = x if len(calls) % 2 else -x
        total = total + params["scale"] * np.sum(signed, axis=1)
        return (total[:, None] / (count[:, None] + 1.0), total, count + 1.0), state

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        assert shape == ((4,), (), ())
        return {"scale": np.array(2.0, dtype)}, {}

    cell = Layer(init, apply, name="total", config={"state_size": ((), ())})
    layer = RNN(cell, return_sequences=True, return_state=True)
    params, state = layer.init(KEY, (None, 4), "float64")
    calls.clear()
    (y, total, count), _ = fnet.jit(layer.apply)(params, state, X)
    expected = 2 * np.cumsum(X.sum(2) * (-1.0) ** np.arange(5), axis=1)
    np.testing.assert_allclose(y[..., 0], expected / np.arange(1, 6), rtol=1e-10)
    np.testing.assert_allclose(total, expected[:, -1], rtol=1e-10)
    np.testing.assert_array_equal(count, 5)
    assert len(calls) == 5


def test_masked_steps_of_an_output_that_is_no_state() -> None:
    layer = RNN(average_cell(), return_sequences=True, return_state=True)
    params, state = layer.init(KEY, (5, 4), "float64")
    (y, *states), _ = layer.apply(params, state, Masked(X, MASK))
    for n in range(3):
        (alone, *own), _ = layer.apply(params, state, X[n : n + 1, MASK[n]])
        before, place = np.zeros(8), 0
        for t in range(5):
            if MASK[n, t]:
                before, place = alone[0, place], place + 1
            np.testing.assert_allclose(y.values[n, t], before, rtol=1e-12)
        for a, b in zip(states, own, strict=True):
            np.testing.assert_allclose(a[n], b[0], rtol=1e-12)


def test_steps_may_have_several_axes() -> None:
    """A recurrence over images: the state is an image, too."""

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        x, seen = x
        seen = np.maximum(seen, x)
        return (seen, seen), state

    cell = Layer(lambda key, shape, dtype: ({}, {}), apply, config={"state_size": ((2, 3),)})
    layer = RNN(cell, return_sequences=True)
    assert layer.out_shape((None, 2, 3)) == (None, 2, 3)
    x = np.abs(np.random.default_rng(0).normal(size=(2, 4, 2, 3)))
    np.testing.assert_array_equal(ran(layer, {}, x), np.maximum.accumulate(x, axis=1))
    shown = ran(layer, {}, Masked(x, np.array([[1, 0, 1, 1]] * 2, bool))).values
    np.testing.assert_array_equal(shown[:, 1], x[:, 0])
    assert ran(layer, {}, x[:, :0]).shape == (2, 0, 2, 3)
    np.testing.assert_array_equal(ran(RNN(cell), {}, (x[:, :0], x[:, 0])), x[:, 0])


def test_a_cell_with_a_state_of_its_own_and_randomness() -> None:
    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {}, {"steps": np.zeros((), "int64")}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        noise = random.normal(key, (4,), "float64") if train else 0.0
        return (x[0] + noise, x[1]), {"steps": state["steps"] + 1}

    layer = RNN(Layer(init, apply, name="noisy", config={"state_size": 1}), return_sequences=True)
    params, state = layer.init(KEY, (5, 4), "float64")
    y, state = layer.apply(params, state, X, key=KEY, train=True)
    assert state == {"noisy": {"steps": 5}}
    noise = y - X
    np.testing.assert_allclose(noise, np.broadcast_to(noise[:1, :1], noise.shape), atol=1e-12)
    assert np.ptp(noise[0, 0]) > 0


@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"dropout": 0.3, "recurrent_dropout": 0.5}])
@pytest.mark.parametrize("stacked", [False, True])
def test_dropout_of_cells_is_the_same_in_all_steps(rates: Any, stacked: bool) -> None:
    cell = LSTMCell(3, **rates)
    cell = StackedRNNCells([GRUCell(3, **rates), LSTMCell(2, **rates)]) if stacked else cell
    params, _ = RNN(cell).init(KEY, (5, 4), "float64")
    fast, slow = RNN(cell), RNN(walked(cell))
    a, b = (ran(layer, params, X, key=KEY, train=True) for layer in (fast, slow))
    np.testing.assert_allclose(a, b, rtol=1e-10)
    assert np.abs(a - ran(fast, params, X)).max() > 1e-3


def test_regularizers_and_constraints_of_cells() -> None:
    cell = LSTMCell(3, kernel_regularizer="l2", recurrent_constraint="non_neg")
    layer = RNN(cell)
    params, _ = layer.init(KEY, (5, 4), "float64")
    own = params["lstm_cell"]
    assert float(fnet.penalty(layer, params)) == pytest.approx(0.01 * np.sum(own["kernel"] ** 2))
    np.testing.assert_array_equal(
        fnet.constrain(layer, params)["lstm_cell"]["recurrent_kernel"], np.maximum(own["recurrent_kernel"], 0)
    )
    both = Bidirectional(LSTM(3, kernel_regularizer="l2", activity_regularizer="l2", trainable=False))
    params, _ = both.init(KEY, (5, 4), "float64")
    assert fnet.penalty(both, params) == 0.0
    with reported_penalties() as found:
        y = ran(both, params, X)
    assert float(sum(found)) == pytest.approx(0.01 * np.sum(y**2) / 3)
    half = Bidirectional(fnet.freeze(LSTM(3), "kernel"))
    expected = {"kernel": False, "recurrent_kernel": True, "bias": True}
    assert fnet.trainable(half, params) == {"forward_lstm": expected, "backward_lstm": expected}


def test_the_outputs_of_a_cell_are_penalised_step_by_step() -> None:
    plain, cell = RNN(GRUCell(3), return_sequences=True), RNN(GRUCell(3, activity_regularizer="l2"))
    params, _ = plain.init(KEY, (5, 4), "float64")
    with reported_penalties() as found:
        y = ran(cell, params, X)
    sequence = ran(plain, params, X)
    np.testing.assert_allclose(y, sequence[:, -1], rtol=1e-12)
    assert float(sum(found)) == pytest.approx(2 * 0.01 * np.sum(sequence**2) / 3)  # h' is output and state


def test_bidirectional_of_cells() -> None:
    layer = Bidirectional(RNN([GRUCell(3), LSTMCell(2)], return_sequences=True), "sum")
    params, state = layer.init(KEY, (5, 4), "float64")
    assert list(params) == ["forward_rnn", "backward_rnn"]
    one = RNN([GRUCell(3), LSTMCell(2)], return_sequences=True)
    expected = ran(one, params["forward_rnn"], X) + ran(one, params["backward_rnn"], X[:, ::-1])[:, ::-1]
    np.testing.assert_allclose(layer.apply(params, state, X)[0], expected, rtol=1e-12)


def test_layers_in_graphs_take_states_of_other_layers() -> None:
    x, y = fnet.Input((5, 4)), fnet.Input((2, 4))
    _, h, c = LSTM(3, return_state=True)(x)
    net = fnet.graph([x, y], LSTM(3)((y, h, c)))
    params, state = net.init(KEY, ((5, 4), (2, 4)), "float64")
    names = list(params)
    _, h, c = ran(LSTM(3, return_state=True), params[names[0]], X)
    expected = ran(LSTM(3), params[names[1]], (X[:, :2], h, c))
    np.testing.assert_array_equal(net.apply(params, state, (X, X[:, :2]))[0], expected)


def test_names_and_repr() -> None:
    layer = RNN([LSTMCell(3), GRUCell(2, name="top")], return_sequences=True)
    assert repr(layer) == "RNN(StackedRNNCells(LSTMCell(units=3), GRUCell(units=2, name='top')), return_sequences=True)"
    assert layer.name == "rnn" and layer.children[0].entries == ("lstm_cell", "top")


def returning(made: Any, sizes: Any = 3) -> Layer:
    return Layer(
        lambda key, shape, dtype: ({}, {}),
        lambda params, state, x, key=None, train=False: (made(*x), state),
        name="mine",
        config={"state_size": sizes},
    )


def rnn_on_x(cell: Layer, x: Any = X, shape: Any = (5, 4)) -> Any:
    layer = RNN(cell)
    return layer.apply(*layer.init(KEY, shape, "float64"), x)


ERRORS: list[tuple[Any, type[FnetError], str]] = [
    (lambda: RNN(LSTM(3)), StructureError, r"RNN: LSTM\(units=3\) is no cell, .*Give LSTMCell"),
    (lambda: RNN(Dense(3)), StructureError, r"RNN: Dense\(units=3\) is no cell.*config=\{'state_size': 32\}"),
    (lambda: RNN(3), StructureError, r"RNN: argument 0 is a int, expected a Layer"),
    (lambda: RNN([]), StructureError, r"StackedRNNCells expects a list of cells, received none"),
    (lambda: RNN([LSTMCell(2), 3]), StructureError, r"StackedRNNCells: argument 1 is a int, expected a Layer"),
    (lambda: StackedRNNCells(LSTMCell(2)), StructureError, r"expects a list of cells, received LSTMCell"),
    (lambda: LSTMCell(0), ValueRangeError, r"LSTMCell: units is a positive integer, received 0"),
    (lambda: RNN(returning(lambda x, h: x, sizes=0)), ValueRangeError, r"mine: state_size is a positive integer"),
    (
        lambda: rnn_on_x(returning(lambda x, h: x)),
        StructureError,
        r"mine: expected the tuple \(y, \*states\) from a cell that says it has states of shapes \(\(3,\),\), "
        r"received shapes \(4,\)",
    ),
    (
        lambda: rnn_on_x(returning(lambda x, h: (x, h, h))),
        StructureError,
        r"received shapes \(\(4,\), \(3,\), \(3,\)\)",
    ),
    (lambda: rnn_on_x(returning(lambda x, h: (x, x))), StructureError, r"received shapes \(\(4,\), \(4,\)\)"),
    (
        lambda: RNN(returning(lambda x, h: (x, x))).apply({}, {}, X),
        StructureError,
        r"in 'mine': mine: expected the tuple .*received shapes \(\(4,\), \(4,\)\)",
    ),
    (
        lambda: GRUCell(2).init(KEY, (3,)),
        ShapeError,
        r"GRUCell expects the shapes of x and of its states, \(\(features,\), \(2,\)\), received \(3,\)",
    ),
    (
        lambda: LSTMCell(2).apply(LSTMCell(2).init(KEY, ((4,), (2,), (2,)))[0], {}, X[:, 0]),
        ShapeError,
        r"LSTMCell: expected a tuple of shapes \(N, features\), \(N, 2\), \(N, 2\), received \(3, 4\)",
    ),
    (lambda: RNN(GRUCell(2)).init(KEY, (4,)), ShapeError, r"RNN expects the shape \(time, features\), or .*\(4,\)"),
    (lambda: RNN(GRUCell(2)).init(KEY, (5, 4, 3)), ShapeError, r"GRUCell reads vectors: .*received \(4, 3\)"),
    (lambda: rnn_on_x(GRUCell(2), X[0]), ShapeError, r"RNN: expected an input \(batch, time, features\), .*x\[None\]"),
    (lambda: rnn_on_x(GRUCell(2), X[..., :3]), ShapeError, r"in 'gru_cell': GRUCell: expected .*time, 4\), received"),
    (
        lambda: rnn_on_x(LSTMCell(2), (X, np.ones((3, 2)))),
        StructureError,
        r"RNN: expected a sequence, or a tuple of it and 2 initial state\(s\), received 1",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type[FnetError], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3
