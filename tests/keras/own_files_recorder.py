"""Keras for tests of layers of one's own: predicts with fnet's files in a folder, and leaves files of its own there.

python own_files_recorder.py FOLDER keras|tf_keras
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np

folder, which = Path(sys.argv[1]), sys.argv[2]
keras = __import__(which)
x = np.load(folder / "x.npy")


@keras.saving.register_keras_serializable("lab")
class Scale(keras.layers.Layer):
    def __init__(self, units=3, initial=1.0, **options):
        super().__init__(**options)
        self.units, self.initial = units, initial
        self.inner = keras.layers.Dense(units)
        self.blocks = [keras.layers.Dense(units), keras.layers.Dense(units, activation="tanh")]

    def build(self, shape):
        value = keras.initializers.Constant(self.initial)
        self.gain = self.add_weight(shape=(shape[-1],), initializer=value, name="gain", regularizer="l2")
        self.offset = self.add_weight(shape=(), initializer="ones", name="offset", trainable=False)
        if which == "keras":  # the older one builds them when they are called, under names of their own
            self.inner.build(shape)
            for block in self.blocks:
                block.build((None, self.units))
        super().build(shape)

    def call(self, x):
        y = self.inner(x * self.gain) + self.offset
        for block in self.blocks:
            y = block(y)
        return y

    def get_config(self):
        return {**super().get_config(), "units": self.units, "initial": self.initial}


@keras.saving.register_keras_serializable("lab")
class Joined(keras.layers.Layer):
    def call(self, a, b):
        return a * b + a


if which == "keras":
    for suffix in ("keras", "h5"):
        model = keras.models.load_model(folder / f"ours.{suffix}")
        np.save(folder / f"ours.{suffix}.npy", model.predict(x, verbose=0))
        np.save(folder / f"ours.{suffix}.loss.npy", model.evaluate(x, x[:, :1], verbose=0))
start = keras.Input((4,))
parts = Scale(3, 2.0)(start), Scale(3, 0.5, name="second")(start)
model = keras.Model(start, keras.layers.Dense(1)(Joined()(*parts)))
model.compile("sgd", "mse")
model.fit(x, x[:, :1], verbose=0)
np.save(folder / "theirs.npy", model.predict(x, verbose=0))
np.save(folder / "theirs.loss.npy", model.evaluate(x, x[:, :1], verbose=0))
for suffix in ("keras", "h5"):
    model.save(folder / f"theirs.{suffix}")
