"""Keras for tests of layers of users' own: predicts with fnet's files in a folder, and leaves files of its own there.

Inputs are in ``x.npy``. What Keras predicts goes to ``<name>.npy``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

folder = Path(sys.argv[1])
x = np.load(folder / "x.npy")


@keras.saving.register_keras_serializable("lab")
class Scale(keras.layers.Layer):
    def __init__(self, initial=1.0, shift="zeros", **options):
        super().__init__(**options)
        self.initial, self.shift_initializer = initial, keras.initializers.get(shift)

    def build(self, shape):
        value = keras.initializers.Constant(self.initial)
        self.gain = self.add_weight(shape=shape[-1:], initializer=value, name="gain")
        self.offset = self.add_weight(shape=(), initializer="ones", trainable=False, name="offset")
        self.shift = keras.layers.Dense(shape[-1], bias_initializer=self.shift_initializer)
        self.shift.build(shape)

    def call(self, x):
        return self.shift(x * self.gain) + self.offset

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        shift = keras.initializers.serialize(self.shift_initializer)
        return {**super().get_config(), "initial": self.initial, "shift": shift}


@keras.saving.register_keras_serializable("lab")
def bend(x):
    return keras.ops.where(x > 0, x, x / 2)


@keras.saving.register_keras_serializable("lab")
class Halves(keras.initializers.Initializer):
    def __init__(self, value=0.5):
        self.value = value

    def __call__(self, shape, dtype=None, **options):
        return keras.ops.full(shape, self.value, dtype)

    def get_config(self):
        return {"value": self.value}


@keras.saving.register_keras_serializable("lab")
def cubic(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_pred - y_true) ** 3, axis=-1)


for suffix in ("keras", "h5"):
    model = keras.models.load_model(folder / f"ours.{suffix}")
    np.save(folder / f"ours.{suffix}.npy", model.predict(x, verbose=0))
    np.save(folder / f"ours.{suffix}.loss.npy", model.evaluate(x, x[:, :2], verbose=0))
    layers = [Scale(2.0, "ones"), keras.layers.Dense(3, activation=bend, kernel_initializer=Halves(0.25))]
    wrapped = [keras.layers.Reshape((3, 1)), keras.layers.TimeDistributed(Scale(0.5)), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input((4,)), *layers, *wrapped, keras.layers.Dense(2)])
    model.compile("sgd", cubic, metrics=[cubic])
    model.fit(x, x[:, :2], verbose=0)
    model.save(folder / f"theirs.{suffix}")
    np.save(folder / f"theirs.{suffix}.npy", model.predict(x, verbose=0))
    np.save(folder / f"theirs.{suffix}.loss.npy", model.evaluate(x, x[:, :2], verbose=0))
