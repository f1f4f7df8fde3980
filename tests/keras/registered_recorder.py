"""Keras for tests of things of users' own: predicts with fnet's files in a folder, and leaves files of its own there.

Inputs are in ``x.npy``. What Keras predicts goes to ``<name>.npy``, after one more epoch to ``<name>.after.npy``.
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


@keras.saving.register_keras_serializable("lab")
class Shrink(keras.optimizers.Optimizer):
    def __init__(self, learning_rate=0.1, momentum=0.5, name="shrink", **options):
        super().__init__(learning_rate=learning_rate, name=name, **options)
        self.momentum = momentum

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.momenta = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        momentum = self.momenta[self._get_variable_index(variable)]
        self.assign(momentum, gradient + self.momentum * momentum)
        self.assign_sub(variable, keras.ops.cast(learning_rate, variable.dtype) * momentum)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


@keras.saving.register_keras_serializable("lab")
class Waves(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate, length=3):
        self.rate, self.length = rate, length

    def __call__(self, step):
        return self.rate / (1 + keras.ops.cast(step % self.length, "float32"))

    def get_config(self):
        return {"rate": self.rate, "length": self.length}


def train_on(model, name):
    model.fit(x, x[:, :2], batch_size=4, shuffle=False, verbose=0)
    np.save(folder / f"{name}.after.npy", model.predict(x, verbose=0))


for suffix in ("keras", "h5"):
    model = keras.models.load_model(folder / f"ours.{suffix}")
    np.save(folder / f"ours.{suffix}.npy", model.predict(x, verbose=0))
    np.save(folder / f"ours.{suffix}.loss.npy", model.evaluate(x, x[:, :2], verbose=0))
    if suffix == "keras":  # of an h5 file it makes an optimizer that cannot go on, also where that is its own
        train_on(model, "ours.keras")
    layers = [Scale(2.0, "ones"), keras.layers.Dense(3, activation=bend, kernel_initializer=Halves(0.25))]
    wrapped = [keras.layers.Reshape((3, 1)), keras.layers.TimeDistributed(Scale(0.5)), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input((4,)), *layers, *wrapped, keras.layers.Dense(2)])
    model.compile(Shrink(Waves(0.0002, 2), momentum=0.25), cubic, metrics=[cubic])
    model.fit(x, x[:, :2], batch_size=4, verbose=0)
    model.save(folder / f"theirs.{suffix}")
    np.save(folder / f"theirs.{suffix}.npy", model.predict(x, verbose=0))
    np.save(folder / f"theirs.{suffix}.loss.npy", model.evaluate(x, x[:, :2], verbose=0))
    train_on(model, f"theirs.{suffix}")
