"""Layers of one's own in files of models, and things as plain data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import fnet
from fnet import tree
from fnet.errors import DtypeError, FileError, StructureError, ValueRangeError
from fnet.io.keras import registry
from fnet.keras import (
    Input,
    Model,
    Sequential,
    activations,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    saving,
)

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X[:, :1]


@pytest.fixture(autouse=True)
def own_names(monkeypatch):
    monkeypatch.setattr(registry, "_made", {})


class Scale(layers.Layer):
    """As the recorder's: weights of its own, and a Dense layer."""

    def __init__(self, units=3, initial=1.0, **options):
        super().__init__(**options)
        self.units, self.initial = units, initial
        self.inner, self.blocks = layers.Dense(units), [layers.Dense(units), layers.Dense(units, activation="tanh")]

    def build(self, shape):
        value = initializers.Constant(self.initial)
        self.gain = self.add_weight(shape=(shape[-1],), initializer=value, name="gain", regularizer="l2")
        self.offset = self.add_weight(shape=(), initializer="ones", name="offset", trainable=False)

    def call(self, x):
        y = self.inner(x * self.gain) + self.offset
        for block in self.blocks:
            y = block(y)
        return y

    def get_config(self):
        return {**super().get_config(), "units": self.units, "initial": self.initial}


class Joined(layers.Layer):
    """A call of two inputs."""

    def call(self, a, b):
        return a * b + a


def registered():
    return [saving.register_keras_serializable("lab")(kind) for kind in (Scale, Joined)]


def model():
    x = Input((4,))
    y = Joined()(Scale(3, 2.0)(x), Scale(3, 0.5, name="second")(x))
    made = Model(x, layers.Dense(1)(y))
    made.compile("adam", "mse")
    return made


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_layers_of_ones_own_travel(tmp_path, suffix):
    registered()
    made = model()
    made.fit(X, Y, verbose=0)
    made.save(tmp_path / f"model.{suffix}")
    again = models.load_model(tmp_path / f"model.{suffix}")
    own = again.get_layer("second")
    assert type(own) is Scale and (own.units, own.initial) == (3, 0.5) and again.optimizer.iterations == 1
    np.testing.assert_array_equal(again.predict(X, verbose=0), made.predict(X, verbose=0))
    assert again.evaluate(X, Y, verbose=0) == pytest.approx(made.evaluate(X, Y, verbose=0))  # with the penalty
    for one in (made, again):
        one.fit(X, Y, verbose=0, shuffle=False)
    for mine, theirs in zip(made.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    net, params, state = fnet.load_model(tmp_path / f"model.{suffix}")
    assert float(fnet.penalty(net, params)) > 0 and tree.leaves(state)


def test_layers_of_ones_own_are_cloned_and_said_by_texts():
    registered()
    made = model()
    for again in (models.clone_model(made), models.model_from_json(made.to_json())):
        assert type(again.layers[1]) is Scale and again.layers[1] is not made.layers[1]
        assert again.count_params() == made.count_params()
        assert (again.get_weights()[0] == made.get_weights()[0]).all()  # a constant
        assert (again.get_weights()[-2] != made.get_weights()[-2]).any()


def test_a_layer_without_a_name_needs_custom_objects(tmp_path, monkeypatch):
    with pytest.raises(StructureError, match=r"Keras has no layer Scale.*If it is yours: fnet.register"):
        model().save(tmp_path / "model.keras")
    registered()
    model().save(tmp_path / "model.keras")
    monkeypatch.setattr(registry, "_made", {})
    with pytest.raises(FileError, match=r"fnet has no layer 'lab>(Joined|Scale)'"):
        models.load_model(tmp_path / "model.keras")
    own = {"Scale": Scale, "lab>Joined": Joined}
    assert type(models.load_model(tmp_path / "model.keras", custom_objects=own).layers[1]) is Scale
    with saving.custom_object_scope(own):
        assert models.load_model(tmp_path / "model.keras", compile=False).layers
        assert saving.get_registered_object("lab>Joined") is Joined
    assert saving.get_registered_object("lab>Joined") is None


def test_a_config_that_a_class_refuses_is_an_error_of_the_file():
    registered()
    described = json.loads(model().to_json())
    for config, text in (({"units": "three"}, "lab>Scale cannot be made of its config"), ({"other": 1}, "other")):
        entry = next(e for e in described["config"]["layers"] if e["name"] == "second")
        entry["config"] = {"name": "second", **config}
        with pytest.raises(FileError, match=text):
            models.model_from_json(json.dumps(described))


def test_names_are_given_once():
    registered()
    assert saving.get_registered_name(Scale) == "lab>Scale" and saving.get_registered_name(Sequential) == "Sequential"
    registered()  # the same classes again
    with pytest.raises(ValueRangeError, match="'lab>Scale' is the name of"):
        saving.register_keras_serializable("lab", "Scale")(Joined)


def test_layers_as_plain_data():
    registered()
    described = saving.serialize_keras_object(Scale(5, name="own"))
    assert (described["registered_name"], described["config"]["units"]) == ("lab>Scale", 5)
    again = layers.deserialize(described)
    assert type(again) is Scale and (again.name, again.units, again.built) == ("own", 5, False)
    dense = layers.deserialize(layers.serialize(layers.Dense(3, "relu", name="head")))
    assert dense.name == "head" and dense(X).shape == (8, 3)
    wrapped = layers.TimeDistributed(layers.Dense(2))
    again = saving.deserialize_keras_object(saving.serialize_keras_object(wrapped))
    assert again.layer.units == 2
    assert (
        saving.deserialize_keras_object(saving.serialize_keras_object(model())).count_params() == model().count_params()
    )
    with pytest.raises(DtypeError, match="expected a layer or a model of fnet.keras"):
        saving.serialize_keras_object(3)


@pytest.mark.parametrize(
    ("module", "thing"),
    [
        (activations, activations.relu), (regularizers, regularizers.L1L2(0.1, 0.2)),
        (constraints, constraints.MaxNorm(3.0)), (initializers, initializers.HeNormal()),
        (losses, losses.Huber(0.5)), (metrics, metrics.TopKCategoricalAccuracy(3)),
        (optimizers, optimizers.Adam(0.01, beta_1=0.8)),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)  # fmt: skip
def test_things_as_plain_data(module, thing):
    described = json.loads(json.dumps(module.serialize(thing)))
    again = module.serialize(module.deserialize(described))
    assert again == described
    if isinstance(described, dict):
        assert module.serialize(module.get(described)) == described
    with pytest.raises(FileError):
        module.deserialize({"class_name": "Nothing", "config": {}})


@pytest.mark.slow
@pytest.mark.skipif(find_spec("keras") is None or find_spec("jax") is None, reason="Keras is not installed")
@pytest.mark.parametrize("python", [sys.executable, os.environ.get("FNET_TF_KERAS")], ids=["keras", "tf_keras"])
def test_layers_of_ones_own_between_fnet_and_keras(tmp_path, python):
    if python is None:
        pytest.skip("FNET_TF_KERAS names no Python with tf_keras")
    registered()
    made = model()
    made.fit(X, Y, verbose=0)
    np.save(tmp_path / "x.npy", X)
    for suffix in ("keras", "h5"):
        made.save(tmp_path / f"ours.{suffix}")
    which = "keras" if python == sys.executable else "tf_keras"
    command = [python, "-W", "ignore", str(Path(__file__).with_name("own_files_recorder.py")), str(tmp_path), which]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for suffix in ("keras", "h5"):
        if which == "keras":
            np.testing.assert_allclose(np.load(tmp_path / f"ours.{suffix}.npy"), made.predict(X, verbose=0), rtol=1e-5)
            assert float(np.load(tmp_path / f"ours.{suffix}.loss.npy")) == pytest.approx(made.evaluate(X, Y, verbose=0))
        again = models.load_model(tmp_path / f"theirs.{suffix}", compile=which == "keras")
        np.testing.assert_allclose(np.load(tmp_path / "theirs.npy"), again.predict(X, verbose=0), rtol=1e-5, atol=1e-5)
        if which == "keras":
            assert float(np.load(tmp_path / "theirs.loss.npy")) == pytest.approx(
                again.evaluate(X, Y, verbose=0), rel=1e-5
            )
