"""Calls that are as in inference where the network around them is trained, in graphs and in files."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest

from fnet import Input, graph, load_model, random, save_model, serial, tree
from fnet.errors import FileError, StructureError
from fnet.io.keras.config import Config
from fnet.io.keras.networks import read_model
from fnet.layers import LSTM, BatchNormalization, Dense, Dropout
from fnet.networks.graph import wiring_of

X = np.random.default_rng(0).normal(2.0, 3.0, (8, 4)).astype("float32")
KEY = random.key(1)


def base():
    return serial(BatchNormalization(), Dropout(0.9))


def frozen():
    """A base called as in inference, and then as the network is."""
    x, own = Input((4,), name="x"), base()
    return graph(x, [own(x, train=False), own(x)])


def outputs(net, params, state, train):
    (calm, other), state = net.apply(params, state, X, key=KEY, train=train)
    return calm, other, state


def test_a_call_in_inference_drops_nothing_and_learns_no_statistics():
    x, own = Input((4,)), base()
    net = graph(x, own(x, train=False))
    params, state = net.init(random.key(0))
    trained, after = net.apply(params, state, X, key=KEY, train=True)
    np.testing.assert_array_equal(trained, net.apply(params, state, X)[0])
    assert tree.all_equal(after, state)


def test_one_layer_is_called_both_ways():
    net = frozen()
    params, state = net.init(random.key(0))
    assert list(params) == ["serial"]
    calm, other, after = outputs(net, params, state, train=True)
    np.testing.assert_array_equal(calm, outputs(net, params, state, train=False)[0])
    assert (other == 0).mean() > 0.5 and not tree.all_equal(after, state)


@pytest.mark.parametrize("kept", ["keras", "h5", "pickle"])
def test_a_call_in_inference_is_kept(tmp_path, kept):
    net = frozen()
    weights = net.init(random.key(0))
    if kept == "pickle":
        again, *found = (pickle.loads(pickle.dumps(net)), *weights)
    else:
        save_model(tmp_path / f"model.{kept}", net, *weights)
        again, *found = load_model(tmp_path / f"model.{kept}")
    for train in (False, True):
        for mine, theirs in zip(outputs(net, *weights, train)[:2], outputs(again, *found, train)[:2], strict=True):
            assert (mine == 0).mean() == pytest.approx((theirs == 0).mean(), abs=0.25)
    np.testing.assert_array_equal(outputs(again, *found, True)[0], outputs(net, *weights, False)[0])


def described(class_name, config, node):
    """A model of a layer of Keras that is called once."""
    entry = {"class_name": class_name, "module": "keras.layers", "config": config, "name": "own", "inbound_nodes": node}
    shape = {"batch_shape": [None, 4], "dtype": "float32", "name": "x"}
    start = {"class_name": "InputLayer", "config": shape, "name": "x", "inbound_nodes": []}
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["own", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": [start, entry], **ends}}


def called(keywords, older=False):
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
    return [[["x", 0, 0, keywords]]] if older else [{"args": [tensor], "kwargs": keywords}]


@pytest.mark.parametrize(
    ("class_name", "config", "node", "train"),
    [
        ("Dropout", {"rate": 0.5}, called({"training": False}), None),  # what Keras 3 writes for each Dropout
        ("Dropout", {"rate": 0.5}, called({"training": False}, older=True), False),
        ("Dropout", {"rate": 0.5}, called({"training": None}, older=True), None),
        ("Dropout", {"rate": 0.5}, called({"training": True}, older=True), True),
        ("Dropout", {"rate": 0.5}, called({"training": True}), True),
        ("BatchNormalization", {}, called({"training": False, "mask": None}), False),
        ("BatchNormalization", {}, called({"training": None}), None),
    ],
)
def test_what_a_node_says(class_name, config, node, train):
    net = read_model(Config(described(class_name, config, node), "model")).net
    assert [call.train for call in wiring_of(net).calls] == [train]


def deep(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"training": "no"}, "/training: expected True, False or null, received 'no'."),
        ({"training": 0}, "/training: expected True, False or null, received 0."),
        ({"training": {"class_name": "__ellipsis__"}}, "training: expected True, False or null"),
        ({"training": deep(500)}, "nested deeper than 100 levels"),
        ({"mask": {"a": deep(500)}}, "nested deeper than 100 levels"),
        ({"mask": 3}, "expected a tensor as the mask of an input, received 3."),
        ([1, 2], "expected keywords of a call, received"),
        ({f"k{i}": 1 for i in range(1000)}, "called without the keyword k0=1"),
    ],
)
@pytest.mark.parametrize("older", [False, True])
def test_other_keywords_are_refused(keywords, text, older):
    with pytest.raises(FileError) as caught:
        read_model(Config(described("Dropout", {"rate": 0.5}, called(keywords, older)), "model"))
    assert text in str(caught.value) and len(str(caught.value)) < 600


def test_a_call_without_an_input_is_refused():
    node = [{"args": [[]], "kwargs": {}}]
    with pytest.raises(FileError, match="a layer is called without an input"):
        read_model(Config(described("Dropout", {"rate": 0.5}, node), "model"))


def test_what_no_node_can_say_is_refused(tmp_path):
    x, h, c = Input((3, 4)), Input((2,)), Input((2,))
    for rate in (0.0, 0.5):
        net = graph([x, h, c], LSTM(2, dropout=rate)((x, h, c), train=False))
        if rate == 0:
            save_model(tmp_path / "model.keras", net, *net.init(random.key(0)))
            continue
        with pytest.raises(StructureError, match="LSTM: files of Keras cannot say train=False of a call that gets"):
            save_model(tmp_path / "model.keras", net, *net.init(random.key(0)))


def test_the_older_form_says_it_where_keras_3_writes_the_default(tmp_path):
    x, norm, drop = Input((4,), name="x"), BatchNormalization(), Dropout(0.9)
    net = graph(x, [drop(norm(x, train=False), train=False), drop(norm(x))])
    save_model(tmp_path / "model.keras", net, *net.init(random.key(0)))
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        entries = {
            e["class_name"]: e["inbound_nodes"] for e in json.loads(file.read("config.json"))["config"]["layers"]
        }
    assert entries["Dropout"][0] == [["batch_normalization", 0, 0, {"training": False}]]
    assert entries["Dropout"][1]["kwargs"] == {} and entries["BatchNormalization"][0]["kwargs"] == {"training": False}


def test_a_network_that_is_called_in_inference_is_a_model_that_is(tmp_path):
    net = frozen()
    save_model(tmp_path / "model.keras", net, *net.init(random.key(0)))
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        _, entry = json.loads(file.read("config.json"))["config"]["layers"]
    assert entry["class_name"] == "Sequential"
    assert [node["kwargs"] for node in entry["inbound_nodes"]] == [{"training": False}, {}]


def test_a_call_in_training_draws_in_inference():
    x = Input((4,))
    net = graph(x, Dropout(0.5)(x, train=True))
    params, state = net.init(random.key(0))
    first, after = net.apply(params, state, X)
    np.testing.assert_array_equal(first, net.apply(params, state, X)[0])  # a pure function of the state
    assert (first == 0).any() and (first != net.apply(params, after, X)[0]).any()
    assert (int(state["seed_generator"]["count"]), int(after["seed_generator"]["count"])) == (0, 1)
    given, kept = net.apply(params, state, X, key=KEY)
    np.testing.assert_array_equal(given, net.apply(params, state, X, key=KEY, train=True)[0])
    assert tree.all_equal(kept, state)
    with pytest.raises(
        StructureError, match=r"calls layer\(x, train=True\) has an entry 'seed_generator'. Pass what init"
    ):
        net.apply(params, {}, X)


@pytest.mark.parametrize("kept", ["keras", "h5", "pickle"])
def test_a_call_in_training_is_kept(tmp_path, kept):
    x = Input((4,))
    net = graph(x, Dropout(0.5)(Dense(3)(x), train=True))
    weights = net.init(random.key(0))
    if kept == "pickle":
        again, *found = (pickle.loads(pickle.dumps(net)), *weights)
    else:
        save_model(tmp_path / f"model.{kept}", net, *weights)
        again, *found = load_model(tmp_path / f"model.{kept}")
    mine, theirs = net.apply(*weights, X, key=KEY)[0], again.apply(*found, X, key=KEY)[0]
    np.testing.assert_array_equal(mine, theirs)
    assert (mine == 0).any() and (again.apply(*found, X)[0] == 0).any()
