"""`fnet.adapt`: states that are learnt from data, by layers alone and in networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet.layers import Dense, Identity, Normalization
from fnet.networks.layer import Layer
from fnet.networks.learning import Learning

KEY = fnet.random.key(0)
X = np.random.default_rng(0).normal(3.0, 2.0, (40, 3)).astype("float32")


def adapted(net: Layer, data: Any, shape: Any = (3,)) -> Any:
    return fnet.adapt(net, *net.init(KEY, shape), data)


def around(inner: Layer) -> Layer:
    """A layer without a container, which calls another one."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        _, state = inner.init(key, shape, dtype)
        return {}, {"own": state}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return inner.apply({}, state["own"], x)[0], state

    return Layer(init, apply, name="around", children=[inner], entries=["own"])


def close(one: Any, other: Any) -> None:
    assert fnet.tree.structure(one) == fnet.tree.structure(other)
    for a, b in zip(fnet.tree.leaves(one), fnet.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@given(st.lists(st.integers(1, 39), max_size=6))
def test_batches_teach_what_all_samples_teach(cuts: list[int]) -> None:
    parts = np.split(X, sorted(cuts))
    close(adapted(Normalization(), iter([p for p in parts if len(p)])), adapted(Normalization(), X))


@pytest.mark.parametrize("axis", [-1, None, 1, (1, 2), (-1, 1)])
def test_the_output_has_mean_0_and_variance_1_and_inverts(axis: Any) -> None:
    data = np.random.default_rng(1).normal(5.0, 3.0, (30, 2, 4))
    layer, back = Normalization(axis), Normalization(axis, invert=True)
    params, _ = layer.init(KEY, (2, 4), "float64")
    state = fnet.adapt(layer, *layer.init(KEY, (2, 4), "float64"), data)
    y, _ = layer.apply(params, state, data)
    kept = () if axis is None else axis if isinstance(axis, tuple) else (axis,)
    over = tuple(a for a in range(3) if a not in {k % 3 for k in kept})
    np.testing.assert_allclose(y.mean(over), 0, atol=1e-9)
    np.testing.assert_allclose(y.var(over), 1, rtol=1e-9)
    np.testing.assert_allclose(back.apply(params, state, y)[0], data, rtol=1e-9)
    told = Normalization(axis, state["mean"], state["variance"])
    np.testing.assert_array_equal(told.apply({}, {}, data)[0], y)


def test_data_sets_in_files_and_pairs_of_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = adapted(Normalization(), X)
    monkeypatch.setattr("fnet.train.adapt.PIECE", 21)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = X
        close(adapted(Normalization(), file["x"]), expected)
    close(adapted(Normalization(), iter([(X[:9], 1), (X[9:], 2)])), expected)
    close(adapted(Normalization(), X.tolist()), expected)


def test_layers_of_a_network_learn_in_their_order() -> None:
    net = fnet.serial(Normalization(), fnet.fanout(Dense(2), fnet.named("late", Normalization())), Dense(1))
    params, state = net.init(KEY, (3,))
    state = fnet.adapt(net, params, state, fnet.data.batches(X, 11))
    np.testing.assert_allclose(state["normalization"]["mean"], X.mean(0), rtol=1e-6)
    np.testing.assert_allclose(state["fanout"]["late"]["mean"], 0, atol=1e-6)
    np.testing.assert_allclose(state["fanout"]["late"]["variance"], 1, rtol=1e-6)
    assert np.isfinite(fnet.jit(net.apply)(params, state, X)[0]).all()


def test_each_input_teaches_its_own_layer() -> None:
    net = fnet.parallel(Normalization(), Normalization())
    state = adapted(net, (X, 2 * X), ((3,), (3,)))
    np.testing.assert_allclose(state["normalization_1"]["mean"], 2 * X.mean(0), rtol=1e-6)
    np.testing.assert_allclose(state["normalization"]["mean"], X.mean(0), rtol=1e-6)


def test_steps_teach_the_layer_within_time_distributed() -> None:
    state = adapted(fnet.serial(fnet.layers.TimeDistributed(Normalization())), X.reshape(20, 2, 3), (2, 3))
    np.testing.assert_allclose(state["time_distributed"]["normalization"]["mean"], X.mean(0), rtol=1e-6)


def test_a_layer_of_ones_own_learns() -> None:
    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {}, {"most": np.zeros((), dtype)}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return x / state["most"], state

    most = Learning(
        lambda: 0.0,
        lambda summary, x: max(summary, x.max()),
        lambda summary, state: {"most": np.asarray(summary, state["most"].dtype)},
    )
    net = fnet.serial(Identity(), Layer(init, apply, name="most", learning=most))
    assert adapted(net, X)["most"]["most"] == X.max()


def test_a_state_that_was_learnt_is_kept_in_files(tmp_path: Path) -> None:
    net = fnet.serial(Normalization(), Dense(1))
    params, state = net.init(KEY, (3,))
    state = fnet.adapt(net, params, state, X)
    for suffix in (".keras", ".h5", ".weights.h5", ".safetensors"):
        path = tmp_path / f"net{suffix}"
        if suffix in (".keras", ".h5"):
            fnet.save_model(path, net, params, state, shape=(3,))
            _, _, found = fnet.load_model(path)
        elif suffix == ".safetensors":
            fnet.save_safetensors(path, (params, state))
            _, found = fnet.load_safetensors(path, net.init(KEY, (3,)))
        else:
            fnet.save_weights(path, net, params, state)
            _, found = fnet.load_weights(path, net, *net.init(KEY, (3,)))
        for name in ("mean", "variance", "count"):
            np.testing.assert_array_equal(found["normalization"][name], state["normalization"][name])


ERRORS = {
    "nothing learns": (
        lambda: adapted(fnet.serial(Dense(2)), X),
        r"^adapt: serial has no layer that learns from data, as Normalization or TextVectorization do, or what they "
        r"know was given to them\.$",
    ),
    "a generator for two": (
        lambda: adapted(fnet.serial(Normalization(), Normalization()), iter([X])),
        r"^adapt: several layers learn, each by a pass over the data, but a generator is used up after one\. Pass "
        r"arrays, or an object whose __iter__ begins anew\.$",
    ),
    "a single value": (
        lambda: adapted(Normalization(), np.float32(1.0)),
        r"^adapt: expected samples on the first axis of each array, received a single value\.$",
    ),
    "ragged rows": (
        lambda: adapted(Normalization(), [[1.0, 2.0], [3.0]]),
        r"^adapt: a list becomes an array if its rows have equally many entries\.$",
    ),
    "no batches": (lambda: adapted(Normalization(), iter([])), r"^adapt: there are no batches in the data\."),
    "unequal": (
        lambda: adapted(fnet.parallel(Normalization(), Identity()), (X, X[:2]), ((3,), (3,))),
        r"^adapt: expected samples, the same number in each array, received 40, 2\.$",
    ),
    "out of reach": (
        lambda: adapted(fnet.serial(around(Normalization())), X),
        r"^adapt: 'around/own' learns from data, but no container calls it: the layer around it is "
        r"no combinator\. Adapt it by itself: fnet\.adapt\(layer, params, state, data\)\.$",
    ),
    "another shape": (
        lambda: adapted(fnet.serial(Normalization()), X, (4,)),
        r"^in 'normalization': Normalization: expected data with \(4,\) entries on axis -1, received \(3,\)\. Init for "
        r"the shape of the data\.$",
    ),
    "variance alone": (
        lambda: Normalization(variance=1.0),
        r"^Normalization: mean is missing\. Give both, or none and learn them: fnet\.adapt\.$",
    ),
    "shapes of what is told": (
        lambda: Normalization(mean=[1.0, 2.0], variance=1.0),
        r"^Normalization: mean and variance have one shape, of at most 1 axes, as axis says; received \(2,\) and "
        r"\(\)\.$",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    attempt, text = ERRORS[case]
    with pytest.raises(fnet.errors.FnetError, match=text):
        attempt()
