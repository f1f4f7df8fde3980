"""Networks within networks are models within models in files, and come back as such."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fnet import (
    Input,
    Trainer,
    freeze,
    graph,
    keras,
    load_model,
    load_training,
    random,
    save_model,
    serial,
    trainable,
    tree,
)
from fnet.errors import FileError
from fnet.io import models
from fnet.io.keras.calls import calls_of
from fnet.io.keras.config import Config
from fnet.io.keras.networks import Origin, read_model
from fnet.layers import LSTM, Add, BatchNormalization, Dense, Masking
from fnet.masking import unmasked
from fnet.networks.combinators import named
from fnet.networks.layer import Layer
from fnet.networks.samples import Samples
from tests.keras.nested_models import NETS


def config_of(path: Path) -> Any:
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as file:
            return json.loads(file.read("config.json"))["config"]
    with h5py.File(path) as file:
        return json.loads(file.attrs["model_config"])["config"]


def outline(net: Any) -> Any:
    """The kinds of the layers, those of networks in lists."""
    if net.kind == "TimeDistributed":
        return outline(net.children[0])
    if net.kind not in ("serial", "graph"):
        return net.kind
    children = {entry: outline(child) for entry, child in zip(net.entries, net.children, strict=True)}
    return [net.kind, *children.values()]


def same(one: Any, other: Any) -> bool:
    """Whether the outputs have the same bits, whatever masks they have."""
    pairs = zip(tree.leaves(unmasked(one)), tree.leaves(unmasked(other)), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def draw(name: str) -> Any:
    rng, (_, shape) = np.random.default_rng(1), NETS[name]
    if isinstance(shape[0], tuple):
        return [rng.normal(size=(5, *own)).astype("float32") for own in shape]
    return rng.integers(0, 9, (5, *shape)) if name == "text" else rng.normal(size=(5, *shape)).astype("float32")


QUICK = {("twins", "keras"), ("several_ends", "h5"), ("steps", "keras")}
CASES = [
    pytest.param(name, suffix, id=f"{name}-{suffix}", marks=() if (name, suffix) in QUICK else pytest.mark.slow)
    for name in NETS for suffix in ("keras", "h5")
]  # fmt: skip


@pytest.mark.parametrize(("name", "suffix"), CASES)
def test_they_come_back_as_networks_within_networks(tmp_path, name, suffix):
    make, shape = NETS[name]
    net, path = make(), tmp_path / f"m.{suffix}"
    params, state = net.init(random.key(0), shape)
    save_model(path, net, params, state, shape=shape)
    loaded, *weights = load_model(path)
    assert same(loaded.apply(*weights, draw(name))[0], net.apply(params, state, draw(name))[0])
    if name != "chain":  # a residual network is a graph in files
        assert outline(loaded) == outline(net)
        if suffix == "keras":
            assert tree.all_equal(weights[0], params)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_training_goes_on_with_the_memory_of_each_layer(tmp_path, suffix):
    """The two networks have layers of equal names and sizes; one of the second is frozen."""
    net = serial(*(named(name, serial(Dense(3), BatchNormalization(), Dense(3))) for name in ("a", "b")))
    net = freeze(net, "b/dense")
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    trainer = Trainer(net, "mse", "adam")
    ts, _ = trainer.fit(trainer.init(random.key(0), (3,)), x, x[:, ::-1], epochs=2, verbose=False)
    save_model(tmp_path / f"m.{suffix}", net, ts.params, ts.state, trainer, ts)
    other, again = load_training(tmp_path / f"m.{suffix}")
    assert tree.leaves(trainable(other._net, again.params)) == tree.leaves(trainable(net, ts.params))
    expected, _ = trainer.fit(ts, x, x[:, ::-1], verbose=False)
    found, _ = other.fit(again, x, x[:, ::-1], verbose=False)
    assert same(found, expected)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_files_of_before_have_their_layers_in_one_model(tmp_path, monkeypatch, suffix):
    make, shape = NETS["twins"]
    net = make()
    params, state = net.init(random.key(0), shape)
    with monkeypatch.context() as patch:
        patch.setattr(models, "calls_of", lambda *given: calls_of(*given[:4]))
        save_model(tmp_path / f"m.{suffix}", net, params, state, shape=shape)
    loaded, *weights = load_model(tmp_path / f"m.{suffix}")
    assert "twin_deep_half" in weights[0]
    assert same(loaded.apply(*weights, draw("twins"))[0], net.apply(params, state, draw("twins"))[0])


def test_calls_of_a_functional_model_are_numbered_for_both_generations(tmp_path):
    """The odd numbers mean one call whether they count from 0 or from 1."""
    make, shape = NETS["several_ends"]
    net = make()
    save_model(tmp_path / "m.h5", net, *net.init(random.key(0), shape))
    config = config_of(tmp_path / "m.h5")
    pair, dense = config["layers"][2:]
    assert pair["inbound_nodes"] == [[["x", 0, 0, {}], ["y", 0, 0, {}]]] * 2
    assert dense["inbound_nodes"] == [[["pair", 1, 1, {}]]]
    assert config["output_layers"] == [["pair", 1, 0], ["dense", 0, 0], ["pair", 1, 1]]
    save_model(tmp_path / "m.keras", net, *net.init(random.key(0), shape))
    config = config_of(tmp_path / "m.keras")
    assert len(config["layers"][2]["inbound_nodes"]) == 1
    assert config["output_layers"] == [["pair", 1, 0], ["dense", 0, 0], ["pair", 1, 1]]


def test_names_of_older_files_differ_in_all_models_but_for_chosen_ones(tmp_path):
    net = serial(named("a", serial(Dense(3), Dense(3, name="own"))), named("b", serial(Dense(3), Dense(3, name="own"))))
    save_model(tmp_path / "m.h5", net, *net.init(random.key(0), (3,)))
    loaded, params, _ = load_model(tmp_path / "m.h5")
    assert [list(params[name]) for name in ("a", "b")] == [["dense", "own"], ["dense_1", "own"]]
    assert loaded.children[0].children[1].named


@pytest.mark.parametrize("why", ["a layer is used outside, too", "inputs in a dict", "two shapes"])
def test_what_no_model_within_a_model_can_be_lies_in_the_outer_one(tmp_path, why):
    if why == "inputs in a dict":
        a, b = Input((3,), name="a"), Input((3,), name="b")
        inner = named("inner", graph({"a": a, "b": b}, Add()([Dense(3)(a), b])))
        x = Input((3,))
        net = graph(x, Dense(2)(inner({"a": x, "b": Dense(3)(x)})))
    elif why == "two shapes":
        x, inner = Input((4, 3)), named("inner", serial(Dense(3)))
        net = graph(x, [inner(x), inner(Dense(3)(x[:, 0]))])
    else:
        x, twin = Input((3,)), Dense(3)
        net = graph(x, Add()([twin(x), named("inner", serial(twin, Dense(3)))(x)]))
    params, state = net.init(random.key(0))
    save_model(tmp_path / "m.keras", net, params, state)
    assert not {"Sequential", "Functional"} & {
        layer["class_name"] for layer in config_of(tmp_path / "m.keras")["layers"]
    }
    loaded, *weights = load_model(tmp_path / "m.keras")
    given = np.random.default_rng(0).normal(size=(2, *x.samples.shape)).astype("float32")
    expected, found = (n.apply(*w, given)[0] for n, w in ((net, (params, state)), (loaded, weights)))
    assert same(found, expected)


def test_models_of_keras_words_keep_theirs_and_what_is_frozen(tmp_path):
    layers = keras.layers
    enc = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="first"), layers.Dense(2)], name="enc")
    model = keras.Sequential([keras.Input((4,)), enc, layers.Dense(4, name="out")])
    enc.trainable = False
    model.compile("adam", "mse")
    x = np.ones((4, 4), "float32")
    model.fit(x, x, verbose=0)
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"m.{suffix}")
        loaded = keras.models.load_model(tmp_path / f"m.{suffix}")
        inner = loaded.get_layer("enc")
        assert inner.get_layer("first").units == 3 and not inner.trainable and loaded.get_layer("out").trainable
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
        assert loaded.optimizer.iterations == 1
    assert keras.models.model_from_json(model.to_json()).get_layer("enc").get_layer("first").units == 3
    enc.trainable = True  # in the file as it is now, with an optimizer that has not begun
    model.save(tmp_path / "now.keras")
    now = keras.models.load_model(tmp_path / "now.keras")
    assert len(now.trainable_weights) == 6
    now.fit(x, x, verbose=0)


@pytest.mark.parametrize("where", ["outside", "inside", "nowhere"])
def test_a_merge_of_keras_2_under_a_mask_from_outside_is_refused(tmp_path, where):
    """Its mask would be another one than in Keras 2, whose rule for merges is not that of Keras 3."""
    a, b = Input((3, 2)), Input((3, 2))
    inner = named("inner", graph([a, b], LSTM(2)(Add()([a, Masking()(b) if where == "inside" else b]))))
    x, y = Input((3, 2)), Input((3, 2))
    net = graph([x, y], inner([Masking()(x) if where == "outside" else x, y]))
    save_model(tmp_path / "m.h5", net, *net.init(random.key(0)))
    described = {"class_name": "Functional", "config": config_of(tmp_path / "m.h5")}
    if where == "outside":
        with pytest.raises(FileError, match="the mask of an input is computed by several layers"):
            read_model(Config(described, "model"), Origin(keras_2=True))
    else:
        assert read_model(Config(described, "model"), Origin(keras_2=True)).net.kind == "graph"


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_stateful_layer_knows_the_batch_of_the_outer_model(tmp_path, suffix):
    net = serial(named("inner", serial(LSTM(2, stateful=True, batch_size=4))), Dense(1))
    weights, x = net.init(random.key(0), (3, 2)), np.ones((4, 3, 2), "float32")
    save_model(tmp_path / f"m.{suffix}", net, *weights, shape=(3, 2))
    loaded, *found = load_model(tmp_path / f"m.{suffix}")
    assert same(loaded.apply(*found, x)[0], net.apply(*weights, x)[0])


def test_models_that_begin_with_models_take_time_with_their_depth():
    """Read twice at each level, 60 levels would take for ever."""
    config: dict[str, Any] = {"name": "m", "layers": [{"class_name": "Dense", "config": {"name": "d", "units": 2}}]}
    for _ in range(60):
        config = {"name": "m", "layers": [{"class_name": "Sequential", "config": config}]}
    start = time.process_time()
    assert read_model(Config({"class_name": "Sequential", "config": config}, "model")).samples is None
    assert time.process_time() - start < 2


def test_networks_that_lie_flat_at_each_level_take_time_with_their_depth():
    def level(depth: int) -> Layer:
        return serial(level(depth - 1), serial(), Dense(2)) if depth else serial(Dense(2))

    net = level(12)
    params, state = net.init(random.key(0), (2,))
    start = time.process_time()
    calls_of(net, params, state, Samples((2,), np.dtype("float32")), True)
    assert time.process_time() - start < 4
