"""Weights of models within models: read into a chain of the same layers, and written as Keras' models have them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from fnet import Input, graph, load_weights, random, save_model, save_weights, serial, tree
from fnet.errors import FileError
from fnet.io.keras import flattened
from fnet.keras import Sequential
from fnet.keras import layers as keras_layers
from fnet.layers import LSTM, Add, BatchNormalization, Bidirectional, Dense, Dropout, Flatten
from tests.io.test_models import of_models

SUFFIXES = ["weights.h5", "h5"]


def layers():
    return (
        [Dense(6)], [Dense(5), BatchNormalization(), Dropout(0.5), Dense(4), BatchNormalization()],
        [Bidirectional(LSTM(2)), Dense(3)], [Dense(2)],
    )  # fmt: skip


def nested_net():
    first, base, head, last = layers()
    return serial(*first, serial(*base), serial(*head), *last)


def chain():
    return serial(*(layer for part in layers() for layer in part))


def distinct(net, shape):
    """Params and state of which no two arrays are alike."""
    rng = np.random.default_rng(0)
    made = (
        tree.map(lambda leaf: rng.uniform(0.1, 1, leaf.shape).astype(leaf.dtype), part)
        for part in net.init(random.key(0), shape)
    )
    return tuple(made)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_weights_of_nested_models_are_those_of_a_chain(tmp_path, suffix):
    net, flat, shape = nested_net(), chain(), (3, 7)
    params, state = distinct(net, shape)
    of_models(tmp_path / f"w.{suffix}", net, params, state)
    start = flat.init(random.key(0), shape)
    found = load_weights(tmp_path / f"w.{suffix}", flat, *start)
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    np.testing.assert_array_equal(flat.apply(*found, x)[0], net.apply(params, state, x)[0])


def test_an_order_that_the_file_does_not_tell_is_refused(tmp_path):
    net, flat = serial(serial(Dense(4), Dense(4)), Dense(4)), serial(Dense(4), Dense(4), Dense(4))
    of_models(tmp_path / "w.weights.h5", net, *distinct(net, (4,)))
    with pytest.raises(FileError, match=r"several orders in which they fit this network.*Build the network of netw"):
        load_weights(tmp_path / "w.weights.h5", flat, *flat.init(random.key(0), (4,)))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "other",
    [
        serial(Dense(4, use_bias=False), Dense(3), Dense(4), Flatten()),
        serial(Dense(4), Dense(3)),
        serial(Dense(4), BatchNormalization(), Dense(3), Dense(4)),
        graph(x := Input((4,)), Add()([Dense(4)(y := Dense(4)(x)), Dense(4)(Dense(3)(y))])),
    ],
    ids=["bias", "short", "class", "branches"],
)
def test_weights_of_other_layers_are_refused(tmp_path, suffix, other):
    net = serial(serial(Dense(4), Dense(3)), Dense(4))
    of_models(tmp_path / f"w.{suffix}", net, *distinct(net, (4,)))
    with pytest.raises(FileError, match="it has the weights of another network"):
        load_weights(tmp_path / f"w.{suffix}", other, *other.init(random.key(0), (4,)))


def test_a_search_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(flattened, "_MOST_STEPS", 3)
    net, flat = serial(serial(Dense(4), Dense(3)), Dense(4)), serial(Dense(4), Dense(3), Dense(4))
    of_models(tmp_path / "w.weights.h5", net, *distinct(net, (4,)))
    with pytest.raises(FileError, match="it has the weights of another network: missing"):
        load_weights(tmp_path / "w.weights.h5", flat, *flat.init(random.key(0), (4,)))


def test_a_link_within_a_model_is_refused(tmp_path):
    net, flat = serial(serial(Dense(4)), Dense(3)), serial(Dense(4), Dense(3))
    of_models(tmp_path / "w.weights.h5", net, *distinct(net, (4,)))
    with h5py.File(tmp_path / "w.weights.h5", "r+") as file:
        file["layers/sequential/layers/other"] = h5py.ExternalLink("elsewhere.h5", "/x")
    with pytest.raises(FileError, match="other"):
        load_weights(tmp_path / "w.weights.h5", flat, *flat.init(random.key(0), (4,)))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_weights_are_written_as_those_of_nested_models(tmp_path, suffix):
    net, path = nested_net(), tmp_path / f"w.{suffix}"
    params, state = distinct(net, (3, 7))
    save_weights(path, net, params, state, nested=True)
    with h5py.File(path) as file:
        if suffix == "h5":
            names = [name.decode() for name in file["model_weights/serial"].attrs["weight_names"]]
            assert [name.rpartition("/")[2] for name in names][-4:] == ["moving_mean", "moving_variance"] * 2
        else:
            kernel = file["layers/sequential/layers/dense_1/vars/0"][()]
            np.testing.assert_array_equal(kernel, params["serial"]["dense_1"]["kernel"])
    assert tree.all_equal(load_weights(path, net, params, state), (params, state))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_models_of_keras_write_their_weights_nested(tmp_path, suffix):
    base = Sequential([keras_layers.Dense(3, input_shape=(4,))])
    model = Sequential([keras_layers.Input((4,)), base, keras_layers.Dense(2)])
    model.save_weights(tmp_path / f"w.{suffix}")
    with h5py.File(tmp_path / f"w.{suffix}") as file:
        names = file["layers" if suffix == "weights.h5" else "model_weights"]
        assert {"sequential", "dense"} <= set(names) and "dense_1" not in names


def test_weights_of_a_frozen_model_are_in_the_order_of_its_layers(tmp_path):
    """Keras lists what is not trained after all that is; a frozen model has its weights layer by layer."""
    net = serial(serial(BatchNormalization(), BatchNormalization()), Dense(3))
    params, state = distinct(net, (4,))
    of_models(tmp_path / "w.h5", net.with_trainable(False), params, state)
    with h5py.File(tmp_path / "w.h5") as file:
        names = [name.decode().rpartition("/")[2] for name in file["serial"].attrs["weight_names"]]
    assert names == ["gamma", "beta", "moving_mean", "moving_variance"] * 2
    assert tree.all_equal(load_weights(tmp_path / "w.h5", net, *net.init(random.key(0), (4,))), (params, state))


@pytest.mark.parametrize("first", [True, False])
def test_the_config_of_an_archive_tells_the_order(tmp_path, first):
    inner = serial(Dense(4), Dense(4))
    net, flat = serial(*((inner, Dense(4)) if first else (Dense(4), inner))), serial(Dense(4), Dense(4), Dense(4))
    params, state = distinct(net, (4,))
    save_model(tmp_path / "m.keras", net, params, state)
    found = load_weights(tmp_path / "m.keras", flat, *flat.init(random.key(0), (4,)))
    x = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    np.testing.assert_array_equal(flat.apply(*found, x)[0], net.apply(params, state, x)[0])
