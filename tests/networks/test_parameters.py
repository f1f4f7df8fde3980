"""Penalties, constraints and frozen parameters of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import Layer, constraints, fanout, freeze, graph, random, regularizers, repeat, residual, serial, tree
from fnet.errors import DtypeError, StructureError
from fnet.layers import LSTM, Activation, BatchNormalization, Bidirectional, Dense, MultiHeadAttention, TimeDistributed
from fnet.networks.parameters import placed_layers

KEY = random.key(0)


def squares(*arrays: np.ndarray) -> float:
    return 0.01 * sum(float((a.astype("float64") ** 2).sum()) for a in arrays)


def test_walk_names_every_layer_once() -> None:
    shared = Dense(4)
    net = serial(shared, shared, repeat(Dense(4), 2), TimeDistributed(Dense(3)), Bidirectional(LSTM(2)))
    assert [(place.path, place.layer.kind) for place in placed_layers(net)] == [
        ("", "serial"),
        ("dense", "Dense"),
        ("repeat", "repeat"),
        ("repeat/dense", "Dense"),
        ("repeat/dense_1", "Dense"),
        ("time_distributed", "TimeDistributed"),
        ("time_distributed/dense", "Dense"),
        ("bidirectional", "Bidirectional"),
        ("bidirectional/forward_lstm", "LSTM"),
        ("bidirectional/backward_lstm", "LSTM"),
    ]


@pytest.mark.parametrize("wrapped", [False, True])
def test_penalty_sums_each_parameter_once(wrapped: bool) -> None:
    shared = Dense(4, kernel_regularizer="l2", bias_initializer="ones", bias_regularizer=regularizers.l1(2.0))
    net = serial(shared, Activation("tanh"), shared)
    if wrapped:
        net = serial(fanout(net, Dense(2)))
    params, _ = net.init(KEY, (4,))
    own = params["serial_1" if "serial_1" in params else "fanout"]["serial"] if wrapped else params
    assert float(fnet.penalty(net, params)) == pytest.approx(squares(own["dense"]["kernel"]) + 8.0, rel=1e-6)


def test_penalty_reaches_nested_parameters_and_both_directions() -> None:
    net = serial(
        MultiHeadAttention(2, 3, kernel_regularizer="l2"),
        Bidirectional(
            LSTM(2, kernel_regularizer="l2", recurrent_regularizer="l1"), backward_layer=LSTM(2, go_backwards=True)
        ),
    )
    params, _ = net.init(KEY, (4, 5))
    kernels = [part["kernel"] for part in params["multi_head_attention"].values()]
    forward = params["bidirectional"]["forward_lstm"]
    expected = squares(*kernels, forward["kernel"]) + 0.01 * float(np.abs(forward["recurrent_kernel"]).sum())
    assert float(fnet.penalty(net, params)) == pytest.approx(expected, rel=1e-5)


def test_no_regularizer_costs_nothing() -> None:
    net = Dense(2)
    params, state = net.init(KEY, (3,))
    assert fnet.penalty(net, params) == 0.0 and type(fnet.penalty(net, params)) is float
    x = np.ones((2, 3), "float32")
    y, _, extra = fnet.apply_with_penalty(net, params, state, x)
    assert extra == 0.0
    np.testing.assert_array_equal(y, net.apply(params, state, x)[0])


def test_penalties_of_outputs_count_every_use_and_divide_by_the_batch() -> None:
    shared = Dense(3, activity_regularizer="l2", kernel_regularizer="l2")
    net = serial(shared, shared)
    params, state = net.init(KEY, (3,))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    _, _, extra = fnet.apply_with_penalty(net, params, state, x)
    first = shared.apply(params["dense"], {}, x)[0]
    second = shared.apply(params["dense"], {}, first)[0]
    assert float(extra) == pytest.approx(squares(params["dense"]["kernel"]) + squares(first, second) / 5, rel=1e-5)


def test_the_gradient_of_penalties_is_right() -> None:
    net = serial(Dense(3, "tanh", activity_regularizer="l2"), Dense(2, kernel_regularizer="orthogonal"))
    params, state = net.init(KEY, (4,), "float64")
    x = np.random.default_rng(0).normal(size=(3, 4))
    fnet.testing.check_grads(lambda params: fnet.apply_with_penalty(net, params, state, x)[2], params)


def test_jit_gives_the_same_penalty() -> None:
    net = Dense(3, activity_regularizer="l1", kernel_regularizer="l2")
    params, state = net.init(KEY, (4,))
    x = np.ones((2, 4), "float32")
    compiled = fnet.jit(lambda params, x: fnet.apply_with_penalty(net, params, state, x)[2])
    assert float(compiled(params, x)) == pytest.approx(
        float(fnet.apply_with_penalty(net, params, state, x)[2]), rel=1e-6
    )


def test_constraints_project_their_parameters_only() -> None:
    net = serial(Dense(3, kernel_constraint=constraints.unit_norm(), bias_constraint="non_neg"), Dense(2))
    params, _ = net.init(KEY, (4,))
    params["dense"]["bias"] -= 1
    before = tree.map(np.array, params)
    projected = fnet.constrain(net, params)
    np.testing.assert_allclose(np.linalg.norm(projected["dense"]["kernel"], axis=0), 1, rtol=1e-5)
    assert (projected["dense"]["bias"] == 0).all()
    assert tree.all_equal(projected["dense_1"], params["dense_1"]) and tree.all_equal(params, before)
    twice = fnet.constrain(net, projected)
    np.testing.assert_allclose(twice["dense"]["kernel"], projected["dense"]["kernel"], rtol=1e-6)


def frozen_leaves(net: Layer, shape: Any) -> set[str]:
    flags = fnet.trainable(net, net.init(KEY, shape)[0])
    return {path for path, flag in tree.leaves_with_path(flags) if not flag}


def test_freezing_by_argument_by_path_by_predicate_and_of_parts() -> None:
    body = serial(Dense(3), Dense(3))
    everything = {f"serial/{d}/{leaf}" for d in ("dense", "dense_1") for leaf in ("kernel", "bias")}
    assert frozen_leaves(serial(Dense(3, trainable=False), Dense(2)), (3,)) == {"dense/kernel", "dense/bias"}
    assert frozen_leaves(serial(freeze(body), Dense(2)), (3,)) == everything
    assert frozen_leaves(serial(freeze(body, "dense"), Dense(2)), (3,)) == {"serial/dense/kernel", "serial/dense/bias"}
    biases = freeze(serial(body, Dense(2)), lambda path: path.endswith("bias"))
    assert frozen_leaves(biases, (3,)) == {"serial/dense/bias", "serial/dense_1/bias", "dense/bias"}
    both = freeze(freeze(serial(body, Dense(2)), "serial/dense/kernel"), "dense")
    assert frozen_leaves(both, (3,)) == {"serial/dense/kernel", "dense/kernel", "dense/bias"}
    assert frozen_leaves(Dense(2, trainable=False), (3,)) == {"kernel", "bias"}
    x = fnet.Input((3,))
    assert frozen_leaves(graph(x, freeze(body)(x)), (3,)) == everything


def test_frozen_parameters_have_no_penalty_and_no_constraint() -> None:
    net = Dense(3, kernel_regularizer="l2", bias_constraint="non_neg")
    params, _ = net.init(KEY, (4,))
    params["bias"] -= 1
    assert fnet.penalty(freeze(net), params) == 0.0
    assert tree.all_equal(fnet.constrain(freeze(net), params), params)
    assert fnet.penalty(freeze(net, "kernel"), params) == 0.0


def test_a_frozen_network_computes_the_same() -> None:
    net = serial(Dense(3, "relu"), Dense(2))
    params, state = net.init(KEY, (4,))
    x = np.ones((2, 4), "float32")
    for other in (freeze(net), freeze(net, "dense")):
        assert tree.all_equal(other.init(KEY, (4,))[0], params)
        np.testing.assert_array_equal(other.apply(params, state, x, train=True)[0], net.apply(params, state, x)[0])


def test_a_frozen_batch_normalization_keeps_its_statistics() -> None:
    net = serial(Dense(3), BatchNormalization())
    params, state = net.init(KEY, (4,))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    y, after = freeze(net).apply(params, state, x, train=True)
    assert tree.all_equal(after, state)
    np.testing.assert_allclose(y, net.apply(params, state, x)[0], rtol=1e-5)
    assert not tree.all_equal(net.apply(params, state, x, train=True)[1], state)


def encoder(norm: Layer) -> Layer:
    return serial(fnet.named("encoder", serial(Dense(3), residual(norm))), Dense(1))


@pytest.mark.parametrize(
    ("where", "frozen"),
    [
        ("encoder", True),
        ("encoder/residual", True),
        ("encoder/residual/batch_normalization/gamma", False),
        ("encoder/dense", False),
        (lambda path: path.startswith("encoder"), True),
        (lambda path: path.endswith("kernel"), False),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_statistics_of_what_is_frozen_by_path_stay(where: Any, frozen: bool, compiled: bool) -> None:
    for norm in (BatchNormalization(), BatchNormalization(center=False, scale=False)):
        net = freeze(encoder(norm), where)
        params, state = net.init(KEY, (3,))
        if where == "encoder/residual/batch_normalization/gamma" and not norm.init(KEY, (3,))[0]:
            continue
        x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
        apply = fnet.jit(net.apply, static="train") if compiled else net.apply
        _, new = apply(params, state, x, train=True)
        assert tree.all_equal(new, state) == frozen
        thawed = net.with_trainable(True)
        assert not tree.all_equal(thawed.apply(params, state, x, train=True)[1], state)


def test_a_part_that_is_frozen_by_path_knows_its_place() -> None:
    inner = freeze(serial(Dense(3), BatchNormalization()), "batch_normalization")
    net = serial(BatchNormalization(), inner)
    params, state = net.init(KEY, (3,))
    _, new = net.apply(params, state, np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), train=True)
    assert tree.all_equal(new["serial"], state["serial"])
    assert not tree.all_equal(new["batch_normalization"], state["batch_normalization"])


def around(inner: Layer, **children: Any) -> Layer:
    """A hand-written layer around another."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        params, state = inner.init(key, shape, dtype)
        return {"inside": params}, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return inner.apply(params["inside"], state, x, key=key, train=train)

    return Layer(init, apply, name="around", **children)


@pytest.mark.parametrize(
    "inner",
    [
        Dense(2, kernel_regularizer="l2"),
        Dense(2, bias_constraint="non_neg"),
        Dense(2, trainable=False),
        serial(Dense(2), serial(freeze(Dense(2)))),
        around(Dense(2, trainable=False), children=[Dense(2, trainable=False)], entries=["inside"]),
    ],
    ids=repr,
)
def test_a_hand_written_layer_must_tell_what_it_holds(inner: Layer) -> None:
    for net in (around(inner), serial(around(inner))):
        with pytest.raises(
            StructureError, match="which the hand-written layer around it hides. Name it there"
        ) as caught:
            net.init(KEY, (3,))
        assert len(str(caught.value).splitlines()) <= 3
    if inner.kind == "around":
        return
    told = serial(around(inner, children=[inner], entries=["inside"]))
    params, state = told.init(KEY, (3,))
    own = inner.init(KEY, (3,))[0]
    assert fnet.penalty(told, params) == fnet.penalty(inner, params["around"]["inside"])
    assert fnet.trainable(told, params)["around"]["inside"] == fnet.trainable(inner, own)
    with pytest.raises(StructureError, match="hides"):
        around(inner).apply({"inside": own}, state, np.ones((1, 3)))
    around(Dense(2)).init(KEY, (3,))


def test_errors() -> None:
    with pytest.raises(StructureError, match="freeze: expected a Layer, received a dict"):
        freeze({})  # type: ignore[arg-type]
    with pytest.raises(DtypeError, match="where is a function of a path, a path or None, received 3"):
        freeze(Dense(2), 3)  # type: ignore[arg-type]
    with pytest.raises(StructureError, match="freeze: no layer 'dens': no 'dens' in serial. Did you mean 'dense'"):
        freeze(serial(Dense(2)), "dens")
    with pytest.raises(StructureError, match="no layer 'serial/head/kernel': no 'head' in serial. Known: dense"):
        freeze(serial(serial(Dense(2))), "serial/head/kernel")
    with pytest.raises(DtypeError, match="Dense: trainable is True or False, received 'no'"):
        Dense(2, trainable="no")
    with pytest.raises(fnet.errors.ShapeError, match="in 'dense/bias': regularizer orthogonal: expected a matrix"):
        net = serial(Dense(2, bias_regularizer="orthogonal"))
        fnet.penalty(net, net.init(KEY, (3,))[0])
