"""The dtypes of layers in files of models: those of what they compute."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest

from fnet import Input, graph, load_model, random, save_model, serial
from fnet.layers import Dense, Embedding, Flatten, TimeDistributed

X = np.random.default_rng(0).normal(size=(5, 6, 4))


def nets():
    """Layers within layers, and operations; TimeDistributed of a graph that is a chain."""
    x, y = Input((6, 4)), Input((4,))
    inner = graph(y, Dense(2)(Dense(3, "tanh")(y)))
    return {
        "chain": serial(TimeDistributed(inner), Flatten(), Dense(2)),
        "operations": graph(x, Dense(2)(Flatten()(x * 2.0 + 1.0))),
    }


def config_of(path):
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as file:
            return json.loads(file.read("config.json"))
    with h5py.File(path) as file:
        return json.loads(file.attrs["model_config"])


def dtypes(part):
    """Those of all layers in a config."""
    if isinstance(part, list):
        return [dtype for item in part for dtype in dtypes(item)]
    if not isinstance(part, dict):
        return []
    own = [part["dtype"]] if "dtype" in part and ("trainable" in part or "sparse" in part) else []
    return own + [dtype for item in part.values() for dtype in dtypes(item)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", ["chain", "operations"])
def test_a_file_says_the_dtype_of_layers(tmp_path, name, suffix, dtype):
    net, path = nets()[name], tmp_path / f"model.{suffix}"
    params, state = net.init(random.key(0), (6, 4), dtype)
    save_model(path, net, params, state, shape=(6, 4))
    assert set(dtypes(config_of(path))) == {dtype}
    loaded, *weights = load_model(path)
    found, expected = loaded.apply(*weights, X)[0], net.apply(params, state, X)[0]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_integers_stay_integers(tmp_path):
    net = serial(Embedding(7, 3), Dense(2))
    save_model(tmp_path / "model.keras", net, *net.init(random.key(0), (4,), "float64"))
    assert dtypes(config_of(tmp_path / "model.keras")) == ["int32", "float64", "float64"]


def test_a_graph_within_a_layer_is_a_functional_model(tmp_path):
    net = nets()["chain"]
    save_model(tmp_path / "model.keras", net, *net.init(random.key(0), (6, 4)), shape=(6, 4))
    inner = config_of(tmp_path / "model.keras")["config"]["layers"][1]["config"]["layer"]
    assert inner["class_name"] == "Functional" and inner["config"]["input_layers"] == ["input", 0, 0]
