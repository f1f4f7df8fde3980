"""Whole models in files of Keras' formats: what fnet wrote it reads again, bit for bit; the rest is refused."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fnet import Input, freeze, graph, load_model, load_weights, random, save_model, save_weights, trainable, tree
from fnet.errors import FileError, StructureError
from fnet.io.keras import legacy, variables_file
from fnet.io.keras.members import view
from fnet.layers import (
    LSTM,
    Add,
    Attention,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Lambda,
    LeakyReLU,
    MultiHeadAttention,
    TimeDistributed,
    ZeroPadding1D,
)
from fnet.masking import unmasked
from fnet.networks.combinators import fanout, named, parallel, repeat, residual, serial
from fnet.networks.layer import Layer
from tests.io.keras.hostile_files import without_checksums
from tests.tables import LAYERS, inputs
from tests.weights import any_weights

UNSAID = {  # rows whose layers Keras does not have
    "activation-step", "lambda", "attention-causal", "position-embedding", "sine-encoding", "rotary", "rnn-custom",
    "rnn-masked", "lstm-masked", "simple-rnn-masked", "gru-masked-steps", "bidirectional-masked", "stacked-rnn-cells",
    "time-distributed-masked", "time-distributed", "custom", "custom-state", "serial", "parallel-nested",
    "fanout-function", "fanout-none",
}  # fmt: skip
ONLY_KERAS = {"softmax-axes", "layer-norm-axes"}
SAID = [row for row in LAYERS if row.id not in UNSAID]


def with_two_ends() -> Layer:
    left, right = Input((4,), name="left"), Input((3,), name="right")
    twin = Dense(3, "tanh", name="twin")
    a, b = twin(Dense(5)(left)), Dense(5, "relu")(right)
    joined = Concatenate()([a, twin(b)])
    return graph({"left": left, "right": right}, {"sum": Dense(1)(joined), "raw": joined})


def nested() -> Layer:
    x = Input((6,))
    inner = graph(x, Add()([Dense(3)(x), Dense(3)(x)]))
    y = Input((6,))
    return graph(y, Dense(2)(fanout(inner, residual(serial(Dense(6), Dropout(0.1))))(y)))


NETS = {
    "two ends": (with_two_ends, {"left": (4,), "right": (3,)}),
    "nested": (nested, (6,)),
    "deep chain": (lambda: serial(Dense(4), serial(Dense(3), serial(BatchNormalization(), Dense(2)))), (5,)),
    "repeat": (lambda: serial(repeat(serial(Dense(4), named("kept", Dense(4))), 3), Dense(1)), (4,)),
    "attention": (lambda: residual(MultiHeadAttention(2, 4, causal=True)), (5, 6)),
    "parallel": (lambda: serial(parallel(Dense(4), serial(Flatten(), Dense(4))), Add()), ((3,), (2, 2))),
    "text": (lambda: serial(Embedding(9, 4, mask_zero=True), LSTM(3, return_sequences=True), LSTM(2)), (7,)),
    "image": (lambda: serial(Conv2D(3, 3, activation="relu"), BatchNormalization(), Flatten(), Dense(2)), (6, 6, 1)),
}


def leaves(*trees: Any) -> list[Any]:
    return [np.asarray(leaf) for leaf in tree.leaves(trees)]


def same(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and {x.tobytes() for x in one} == {x.tobytes() for x in other}


def draw(shape: Any, classes: int = 0) -> Any:
    if isinstance(shape, dict):
        return {name: draw(own) for name, own in shape.items()}
    if any(isinstance(n, tuple) for n in shape):
        return tuple(draw(own) for own in shape)
    rng = np.random.default_rng(1)
    return rng.integers(0, classes, (3, *shape)) if classes else rng.normal(size=(3, *shape)).astype("float32")


@pytest.mark.parametrize("row", SAID, ids=lambda row: row.id)
def test_every_layer_comes_back(tmp_path, row):
    net = row.make()
    params, state = any_weights(net, row.shape)
    for suffix in ("keras",) if row.id in ONLY_KERAS else ("keras", "h5"):
        save_model(tmp_path / f"m.{suffix}", net, params, state, shape=row.shape)
        loaded, *own = load_model(tmp_path / f"m.{suffix}")
        assert same(leaves(own[0]), leaves(params)) and same(leaves(own[1]), leaves(state))
        assert own[0].keys() <= set(loaded.entries)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("row", SAID, ids=lambda row: row.id)
def test_every_layer_computes_the_same(tmp_path, row, suffix):
    if suffix == "h5" and row.id in ONLY_KERAS:
        pytest.skip("refused")
    net = row.make()
    params, state = net.init(random.key(0), row.shape)
    x = inputs(row, "float32")
    save_model(tmp_path / f"m.{suffix}", net, params, state, shape=row.shape)
    loaded, *own = load_model(tmp_path / f"m.{suffix}")
    expected, found = (unmasked(n.apply(*w, x)[0]) for n, w in ((net, (params, state)), (loaded, own)))
    assert same(leaves(found), leaves(expected))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", NETS)
def test_networks_compute_the_same(tmp_path, name, suffix):
    make, shape = NETS[name]
    net = make()
    params, state = net.init(random.key(0), shape)
    x = draw(shape, 9 if name == "text" else 0)
    save_model(tmp_path / f"m.{suffix}", net, params, state, shape=shape)
    loaded, *own = load_model(tmp_path / f"m.{suffix}")
    expected, found = (unmasked(n.apply(*w, x)[0]) for n, w in ((net, (params, state)), (loaded, own)))
    assert same(leaves(found), leaves(expected))
    for other in (f"m.{suffix}",):  # weights of a whole model
        again = load_weights(tmp_path / other, loaded, tree.map(np.zeros_like, own[0]), own[1])
        assert tree.all_equal(again, tuple(own))


@pytest.mark.parametrize("suffix", ["weights.h5", "h5"])
def test_weights_files_are_those_of_keras_too(tmp_path, suffix):
    net = serial(Dense(3), BatchNormalization(), LSTM(2))
    params, state = any_weights(net, (5, 4))
    save_weights(tmp_path / f"w.{suffix}", net, params, state)
    with h5py.File(tmp_path / f"w.{suffix}", "r+") as file:
        for name in ("params", "state", "manifest"):
            del file[name]  # what is left is what Keras sees
    loaded = load_weights(
        tmp_path / f"w.{suffix}", net, tree.map(np.zeros_like, params), tree.map(np.zeros_like, state)
    )
    assert tree.all_equal(loaded, (params, state))


def test_long_lists_of_names_are_split(tmp_path):
    name = "n" * 700
    net = serial(*(named(f"{name}{i}", Dense(1)) for i in range(100)))
    params, state = any_weights(net, (1,))
    save_model(tmp_path / "m.h5", net, params, state)
    with h5py.File(tmp_path / "m.h5") as file:
        assert "layer_names1" in file["model_weights"].attrs and "layer_names" not in file["model_weights"].attrs
    assert tree.all_equal(load_model(tmp_path / "m.h5")[1], params)


def test_frozen_layers_stay_frozen(tmp_path):
    net = freeze(serial(Dense(3), BatchNormalization(), Dense(2)), "batch_normalization")
    params, state = any_weights(net, (4,))
    save_model(tmp_path / "m.h5", net, params, state)
    loaded, own, _ = load_model(tmp_path / "m.h5")
    assert trainable(loaded, own) == trainable(net, params)


def test_the_shape_of_inputs_is_found_or_asked_for(tmp_path):
    found = serial(Dense(3), LSTM(2))
    save_model(tmp_path / "m.h5", found, *any_weights(found, (5, 4)))
    with h5py.File(tmp_path / "m.h5") as file:
        assert json.loads(file.attrs["model_config"])["config"]["build_input_shape"] == [None, None, 4]
    asked = serial(Flatten(), Dense(2))
    with pytest.raises(StructureError, match="do not tell the shape of the inputs of serial. Give it"):
        save_model(tmp_path / "n.h5", asked, *any_weights(asked, (2, 2)))


@pytest.mark.parametrize(
    ("net", "path", "message"),
    [
        (serial(Dense(2), Lambda(np.sin)), "m.keras", "in 'lambda': Keras has no layer Lambda"),
        (fanout(Dense(2), Dense(2), merge=np.subtract), "m.keras", "in 'fanout': Keras has no layer for fanout"),
        (Dense(2), "m.weights.h5", "a file of a whole model ends in .keras, .h5 or .hdf5"),
        (Dense(2), "m.pickle", "a file of a whole model ends in .keras, .h5 or .hdf5"),
    ],
)
def test_what_cannot_be_said_is_named_and_nothing_is_written(tmp_path, net, path, message):
    with pytest.raises(StructureError, match=message):
        save_model(tmp_path / path, net, *any_weights(net, (4,)), shape=(4,))
    assert not list(tmp_path.iterdir())


NET = serial(Dense(3), Dense(2))
WEIGHTS = any_weights(NET, (4,))


def of_models(path: Path, net: Layer, params: Any, state: Any) -> None:
    """Write weights as Keras does for models within a model."""
    members = view(net, params, state, models=True)
    leaves_by_path = dict(tree.leaves_with_path({"params": params, "state": state}))

    def put(group: Any, name: str, variable: Any) -> None:
        group[name] = variable.to_keras(leaves_by_path[variable.path])

    with h5py.File(path, "w") as file:
        if path.name.endswith(".weights.h5"):
            variables_file.write(file, members, put)
        else:
            legacy.write(file, members, put)


@pytest.mark.parametrize("name", ["models.weights.h5", "models.h5"])
def test_weights_of_models_within_a_model_are_those_of_networks_within_a_network(tmp_path, name):
    x = Input((6,))
    inner = serial(Dense(4), BatchNormalization(), serial(Dense(3), Dense(4)))
    twin = graph(y := Input((4,)), Add()([Dense(4)(y), y]))
    net = graph(x, Dense(2)(twin(twin(inner(x)))))
    params, state = any_weights(net, (6,))
    of_models(tmp_path / name, net, params, state)
    with h5py.File(tmp_path / name) as file:
        assert ("layers/sequential/layers/sequential/layers/dense/vars/0" in file) == name.endswith(".weights.h5")
        assert ("graph/graph/layers/dense/kernel" in file) == (not name.endswith(".weights.h5"))
    loaded = load_weights(tmp_path / name, net, tree.map(np.zeros_like, params), tree.map(np.zeros_like, state))
    assert tree.all_equal(loaded, (params, state))


@pytest.mark.parametrize("name", ["models.weights.h5", "models.h5"])
def test_other_weights_of_models_within_a_model_list_all_differences(tmp_path, name):
    net, other = (serial(serial(Dense(4), Dense(n)), serial(Dense(2), Dense(n))) for n in (3, 5))
    of_models(tmp_path / name, net, *any_weights(net, (6,)))
    with pytest.raises(FileError) as caught:
        load_weights(tmp_path / name, other, *any_weights(other, (6,)))
    assert str(caught.value).count("expected (") == 5 and "missing" not in str(caught.value)


def of_steps() -> Layer:
    def inner() -> Layer:
        y = Input((4,))
        return graph(y, Add()([Dense(4)(y), y]))

    chain = serial(Dense(4, "relu"), serial(BatchNormalization(), inner()))
    return serial(TimeDistributed(chain), TimeDistributed(inner()))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_networks_within_a_layer_travel(tmp_path, suffix):
    net = of_steps()
    params, state = any_weights(net, (3, 4))
    save_model(tmp_path / f"m.{suffix}", net, params, state, shape=(3, 4))
    loaded, *weights = load_model(tmp_path / f"m.{suffix}")
    x = draw((3, 4))
    assert [child.children[0].kind for child in loaded.children] == ["serial", "graph"]
    np.testing.assert_array_equal(loaded.apply(*weights, x)[0], net.apply(params, state, x)[0])
    again = load_weights(tmp_path / f"m.{suffix}", net, tree.map(np.zeros_like, params), state)
    assert tree.all_equal(again, (params, state))
    twice = Dense(4)
    net = TimeDistributed(serial(twice, twice))
    with pytest.raises(StructureError, match="a Sequential model of Keras has no layer twice"):
        save_model(tmp_path / "n.keras", net, *net.init(random.key(0), (3, 4)), shape=(3, 4))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_network_that_was_loaded_knows_the_shape_of_its_inputs(tmp_path, suffix):
    net = serial(Flatten(), Dropout(0.5))
    save_model(tmp_path / f"m.{suffix}", net, {}, {}, shape=(3, None, 2))
    loaded, *weights = load_model(tmp_path / f"m.{suffix}")
    assert loaded.shape == (3, None, 2) and pickle.loads(pickle.dumps(loaded)).shape == (3, None, 2)
    save_model(tmp_path / f"again.{suffix}", loaded, *weights)
    assert loaded.init(random.key(0)) == ({}, {})


def test_outputs_in_a_dict_are_in_the_order_of_their_names(tmp_path):
    """As Keras lists their layers; their weights would go to one another."""
    x = Input((4,))
    net = graph(x, {"z": Dense(3, name="last")(x), "a": Dense(3, name="first")(x)})
    params, state = any_weights(net, (4,))
    save_model(tmp_path / "m.keras", net, params, state)
    with zipfile.ZipFile(tmp_path / "m.keras") as file:
        layers = json.loads(file.read("config.json"))["config"]["layers"]
    assert [layer["name"] for layer in layers] == ["input", "first", "last"]


def test_older_files_say_what_both_generations_of_keras_take(tmp_path):
    x = Input((4, 3))
    y = ZeroPadding1D(1)(LeakyReLU(0.2)(x))
    net = graph(x, Attention(causal=True)([y, y]))
    save_model(tmp_path / "m.h5", net, *net.init(random.key(0)))
    with h5py.File(tmp_path / "m.h5") as file:
        layers = {e["class_name"]: e for e in json.loads(file.attrs["model_config"])["config"]["layers"]}
    assert layers["LeakyReLU"]["config"]["alpha"] == 0.2 and "negative_slope" not in layers["LeakyReLU"]["config"]
    assert "data_format" not in layers["ZeroPadding1D"]["config"]
    assert layers["Attention"]["inbound_nodes"] == [[["zero_padding1d", 0, 0, {"use_causal_mask": True}]] * 2]
    loaded, *weights = load_model(tmp_path / "m.h5")
    given = draw((4, 3))
    np.testing.assert_array_equal(loaded.apply(*weights, given)[0], net.apply({}, {}, given)[0])


def test_weights_of_another_architecture_list_all_differences(tmp_path):
    save_model(tmp_path / "m.keras", NET, *WEIGHTS)
    other = serial(Dense(4), Dense(2), Dense(1))
    with pytest.raises(FileError) as told:
        load_weights(tmp_path / "m.keras", other, *any_weights(other, (4,)))
    for part in ("missing 'layers/dense_2/vars/0'", r"'layers/dense/vars/0' is (4, 3), expected (4, 4)",
                 "'layers/dense_1/vars/0' is (3, 2), expected (4, 2)"):  # fmt: skip
        assert part in str(told.value)
    save_model(tmp_path / "m.h5", NET, *WEIGHTS)
    with pytest.raises(FileError, match=r"2 layers with weights \(dense, dense_1\), expected 3"):
        load_weights(tmp_path / "m.h5", other, *any_weights(other, (4,)))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_changed_weight_is_found(tmp_path, suffix):
    path = tmp_path / f"m.{suffix}"
    save_model(path, NET, *WEIGHTS)
    if suffix == "h5":
        with h5py.File(path, "r+") as file:
            file["model_weights/dense/dense/kernel"][0, 0] = 7
    else:
        spoil_weights(path)
    with pytest.raises(FileError, match="does not have the checksum of the manifest"):
        load_model(path)


def spoil_weights(path: Path) -> None:
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    inner = path.with_suffix(".inner")
    inner.write_bytes(members["model.weights.h5"])
    with h5py.File(inner, "r+") as file:
        file["layers/dense/vars/0"][0, 0] = 7
    members["model.weights.h5"] = inner.read_bytes()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def test_a_file_of_weights_is_no_model(tmp_path):
    save_weights(tmp_path / "w.h5", NET, *WEIGHTS)
    with pytest.raises(FileError, match="there is no model in it, only weights"):
        load_model(tmp_path / "w.h5")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_model(tmp_path / "none.h5")


@pytest.mark.parametrize("version", ["2.21.0", "3.15.1"])
def test_the_hard_sigmoid_of_keras_2_is_another_function(tmp_path, version):
    path, net = tmp_path / "m.h5", serial(Dense(2, "hard_sigmoid"))
    save_model(path, net, *net.init(random.key(0), (3,)))
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = np.bytes_(version)
    if version.startswith("2"):
        with pytest.raises(FileError, match=r"Keras 2 wrote it, whose 'hard_sigmoid' has the slope 0.2"):
            load_model(path)
    else:
        load_model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(class_name="Pipe"), "expected a Sequential or Functional model, received Pipe"),
        (lambda m: m["config"]["layers"][1].update(class_name="Spell"), "fnet has no layer 'Spell'"),
        (lambda m: m["config"].update(layers={}), "layers: expected a list"),
        (lambda m: m["config"]["layers"][1]["config"].update(units=-1), "units: expected an integer >= 1"),
        (
            lambda m: m["config"]["layers"][1]["config"].update(units=2**31 - 1),
            "its config has the size 2147483647, and a file of",
        ),
        (lambda m: m.pop("config"), "there is no 'config'"),
    ],
)
def test_configs_that_are_refused(tmp_path, change, message):
    path = tmp_path / "m.h5"
    save_model(path, NET, *WEIGHTS)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config).encode()
        without_checksums(file)
    with pytest.raises(FileError, match=message):
        load_model(path)
