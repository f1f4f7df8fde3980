"""Activations that are layers, in layers and in files."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest

import fnet
from fnet import load_model, load_weights, random, save_model, save_weights, serial, tree
from fnet.errors import FileError, StructureError
from fnet.io.keras.config import Config
from fnet.io.keras.translation import read_layer
from fnet.keras import Sequential
from fnet.keras import layers as keras_layers
from fnet.layers import LSTM, Bidirectional, Conv1D, Dense, LeakyReLU, PReLU, ReLU

X = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")


def net():
    return serial(
        Dense(4, activation=LeakyReLU(0.1)), Conv1D(3, 2, activation=PReLU("ones", alpha_regularizer="l2")),
        Bidirectional(LSTM(2, activation=ReLU(1.0))),
    )  # fmt: skip


def weights(shape=(5, 4)):
    params, state = net().init(random.key(0), shape)
    return tree.map(lambda leaf: np.full_like(leaf, 0.3) + np.arange(leaf.size).reshape(leaf.shape) / 50, params), state


def test_a_layer_in_the_place_of_a_function_acts_last():
    params, _ = weights()
    dense, conv = Dense(4, activation=LeakyReLU(0.1)), Conv1D(3, 2, activation=PReLU())
    plain = Dense(4).apply(params["dense"], {}, X)[0]
    np.testing.assert_array_equal(dense.apply(params["dense"], {}, X)[0], np.where(plain > 0, plain, plain * 0.1))
    own = params["conv1d"]
    assert list(own) == ["kernel", "bias", "activation"] and own["activation"]["alpha"].shape == (4, 3)
    plain = Conv1D(3, 2).apply({key: own[key] for key in ("kernel", "bias")}, {}, X)[0]
    found = conv.apply(own, {}, X)[0]
    np.testing.assert_allclose(found, np.where(plain > 0, plain, plain * own["activation"]["alpha"]), rtol=1e-6)


def test_its_parameters_are_trained_and_have_penalties():
    params, _ = weights()
    assert float(fnet.penalty(net(), params)) == pytest.approx(
        0.01 * (params["conv1d"]["activation"]["alpha"] ** 2).sum()
    )
    trainer = fnet.Trainer(net(), "mse", "sgd")
    ts, _ = trainer.fit(trainer.init(random.key(0), (5, 4)), X, np.zeros((3, 4), "float32"), verbose=0)
    assert (ts.params["conv1d"]["activation"]["alpha"] != 1).any()


@pytest.mark.parametrize("kept", ["keras", "h5", "pickle", "weights.h5", "weights"])
def test_it_is_kept(tmp_path, kept):
    params, state = weights()
    path = tmp_path / f"model.{kept}"
    if kept == "pickle":
        again, found = pickle.loads(pickle.dumps(net())), (params, state)
    elif kept.startswith("weights"):
        path = tmp_path / ("model.weights.h5" if "." in kept else "model.h5")
        save_weights(path, net(), params, state)
        again, found = net(), load_weights(path, net(), *weights())
    else:
        save_model(path, net(), params, state, shape=(5, 4))
        again, *found = load_model(path)
    np.testing.assert_array_equal(again.apply(*found, X)[0], net().apply(params, state, X)[0])
    assert repr(again.children[0]).startswith("Dense(units=4, activation=LeakyReLU(negative_slope=0.1)")


def test_keras_is_told_the_input_of_an_activation_with_parameters(tmp_path):
    save_model(tmp_path / "model.keras", net(), *weights(), shape=(5, 4))
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        layers = json.loads(file.read("config.json"))["config"]["layers"]
    assert layers[2]["config"]["activation"]["build_config"] == {"input_shape": [None, 4, 3]}
    assert layers[1]["config"]["activation"]["config"]["negative_slope"] == 0.1


def test_layers_of_keras_take_layers():
    model = Sequential([
        keras_layers.Dense(4, activation=keras_layers.LeakyReLU(0.1), input_shape=(5, 4)),
        keras_layers.Activation(keras_layers.PReLU(alpha_initializer="ones")),
    ])  # fmt: skip
    assert [weight.path.rpartition("/")[2] for weight in model.weights] == ["kernel", "bias", "alpha"]
    kernel, bias, _ = model.get_weights()
    plain = X @ kernel + bias
    np.testing.assert_allclose(model.predict(X, verbose=0), np.where(plain > 0, plain, plain * 0.1), rtol=1e-5)


def test_what_is_no_activation_is_refused():
    with pytest.raises(StructureError, match=r"LSTM: the activation of a recurrent layer has no parameters of its own"):
        LSTM(3, activation=PReLU())
    activation = {"class_name": "Dense", "config": {"units": 3}}
    with pytest.raises(FileError, match=r"l \(Dense 'dense'\)/activation: the activation is 'Dense', expected a func"):
        read_layer(Config({"class_name": "Dense", "config": {"units": 3, "activation": activation}}, "l"))
