"""One Layer object in several containers has one entry: its weights are shared, gradients add up, state is threaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import random, tree
from fnet.layers import RNN, Add, Bidirectional, Dense, GRUCell, TimeDistributed
from fnet.networks.combinators import fanout, named, repeat, residual, serial
from fnet.networks.graph import Input, graph
from fnet.networks.layer import Layer
from tests.custom_layers import counter

KEY = random.key(0)
QUICK = settings(deadline=None, max_examples=25)
X = np.random.default_rng(0).normal(size=(2, 3))


def paths(params: Any) -> list[str]:
    return [path for path, _ in tree.leaves_with_path(params)]


def nested(layers: dict[str, Layer], plan: Any) -> Layer:
    """A network of shape-keeping layers: a name of one, or a combinator with plans within."""
    if isinstance(plan, str):
        return layers[plan]
    kind, parts = plan
    inner = [nested(layers, part) for part in parts]
    if kind == "serial":
        return serial(*inner)
    if kind == "fanout":
        return fanout(*inner, merge="add")
    if kind == "graph":
        x = y = Input((3,))
        for layer in inner:
            y = Add()([layer(y), x])
        return graph(x, y)
    return residual(serial(*inner))


def computed(weights: dict[str, Any], plan: Any, x: Any) -> Any:
    """The same by hand."""
    if isinstance(plan, str):
        return np.tanh(x @ weights[plan]["kernel"] + weights[plan]["bias"])
    kind, parts = plan
    if kind == "fanout":
        return sum(computed(weights, part, x) for part in parts)
    y = x
    for part in parts:
        y = computed(weights, part, y) + (x if kind == "graph" else 0)
    return y + x if kind == "residual" else y


KINDS = ["serial", "fanout", "graph", "residual"]
PLANS = st.recursive(
    st.sampled_from(["a", "b"]),
    lambda part: st.tuples(st.sampled_from(KINDS), st.lists(part, min_size=1, max_size=3)),
    max_leaves=6,
)


@given(PLANS.filter(lambda plan: not isinstance(plan, str)))
@QUICK
def test_one_entry_wherever_a_layer_is_used(plan: Any) -> None:
    layers: dict[str, Layer] = {name: Dense(3, "tanh", name=name) for name in "ab"}
    net = nested(layers, plan)
    params, state = net.init(KEY, (3,), "float64")
    owners = {path.rpartition("/")[0]: path.split("/")[-2] for path in paths(params)}
    assert len(set(owners.values())) == len(owners)
    assert net.out_shape((3,)) == (3,)
    dense = [place for place in fnet.networks.parameters.placed_layers(net) if place.layer.kind == "Dense"]
    assert len(dense) == len(owners)
    assert fnet.summary(net, (3,)).to_dict()["total_params"] == 12 * len(owners)

    def entry(params: Any, path: str) -> Any:
        for part in path.split("/"):
            params = params[part]
        return params

    def by_hand(params: Any) -> Any:
        return np.sum(np.sin(computed({name: entry(params, path) for path, name in owners.items()}, plan, X)))

    value, g = fnet.value_and_grad(lambda p: np.sum(np.sin(net.apply(p, state, X)[0])))(params)
    expected, g_expected = fnet.value_and_grad(by_hand)(params)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    for a, b in zip(tree.leaves(g), tree.leaves(g_expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_the_entry_is_at_the_first_use() -> None:
    twin = Dense(3)
    assert paths(serial(twin, residual(twin)).init(KEY, (3,))[0]) == ["dense/kernel", "dense/bias"]
    inner = serial(twin)
    net = serial(residual(twin), inner, fanout(twin, inner, merge=None))
    assert paths(net.init(KEY, (3,))[0]) == ["residual/dense/kernel", "residual/dense/bias"]


def test_layers_within_others_share_too() -> None:
    twin, cell = Dense(3, "tanh"), GRUCell(3)
    net = serial(TimeDistributed(twin), RNN(cell, return_sequences=True), residual(twin), RNN(cell))
    params, state = net.init(KEY, (4, 3))
    assert {path.rpartition("/")[0] for path in paths(params)} == {"time_distributed/dense", "rnn/gru_cell"}
    x = np.random.default_rng(1).normal(size=(2, 4, 3)).astype("float32")
    y, _ = net.apply(params, state, x)
    first = TimeDistributed(Dense(3, "tanh")), RNN(GRUCell(3), return_sequences=True)
    apart = serial(*first, residual(Dense(3, "tanh")), RNN(GRUCell(3)))
    cells, dense = params["rnn"], params["time_distributed"]
    copied = {"time_distributed": dense, "rnn": cells, "residual": dense, "rnn_1": cells}
    np.testing.assert_array_equal(y, apart.apply(copied, {}, x)[0])


def test_copies_and_names_have_weights_of_their_own() -> None:
    block = serial(Dense(3))
    for net in (repeat(block, 2), serial(named("a", block), named("b", block)), serial(block, named("a", block))):
        assert len(paths(net.init(KEY, (3,))[0])) == 4
    twin = Dense(3)
    net = serial(repeat(serial(twin), 2), twin)
    assert len(paths(net.init(KEY, (3,))[0])) == 6
    enclosed = serial(named("encoder", serial(twin)), named("decoder", serial(twin)), twin)
    assert paths(enclosed.init(KEY, (3,))[0]) == ["encoder/dense/kernel", "encoder/dense/bias"]


def test_both_directions_have_weights_of_their_own() -> None:
    cell = GRUCell(3)
    params, _ = Bidirectional(RNN(cell)).init(KEY, (4, 3))
    assert list(params) == ["forward_rnn", "backward_rnn"]


@pytest.mark.parametrize("compiled", [False, True])
def test_state_is_threaded_through_all_uses(compiled: bool) -> None:
    count = counter()
    inner = serial(count, serial(count))
    net = serial(fanout(count, inner, merge="add"), inner, count)
    params, state = net.init(KEY, (3,))
    assert paths(state) == ["fanout/counter/steps", "fanout/counter/total"]
    apply = fnet.jit(net.apply, static="train") if compiled else net.apply
    for uses in (6, 12):
        _, state = apply(params, state, X, train=True)
        assert (
            paths(state) == ["fanout/counter/steps", "fanout/counter/total"]
            and int(state["fanout"]["counter"]["steps"]) == uses
        )


def test_shared_layers_train_save_and_penalise_once(tmp_path: Any) -> None:
    twin = Dense(3, kernel_regularizer="l2")
    net = serial(residual(twin), serial(twin), Dense(1))
    params, state = net.init(KEY, (3,))
    np.testing.assert_allclose(
        fnet.penalty(net, params), 0.01 * np.sum(params["residual"]["dense"]["kernel"] ** 2), rtol=1e-6
    )
    fnet.save_weights(tmp_path / "w.h5", net, params, state)
    loaded, _ = fnet.load_weights(tmp_path / "w.h5", net, params, state)
    assert tree.all_equal(loaded, params)
