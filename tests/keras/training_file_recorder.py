"""Keras for tests of training files: goes on with fnet's files in a folder, and leaves files of its own there.

Data are in ``data.npz``. What Keras has after five more steps goes to ``<name>.npz``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import h5py
import keras
import numpy as np

folder = Path(sys.argv[1])
data = np.load(folder / "data.npz")
x, y = data["x"], data["y"]


def goes_on(model, name: str) -> None:
    for _ in range(5):
        model.train_on_batch(x, y)
    np.savez(folder / f"{name}.npz", *model.get_weights(), iterations=int(model.optimizer.iterations))


for suffix in ("keras", "h5"):
    model = keras.models.load_model(folder / f"ours.{suffix}")
    if suffix == "h5":  # Keras 3 builds the optimizer of such a file, of its own too, without variables
        stored = h5py.File(folder / "ours.h5")["optimizer_weights"]
        model.optimizer = keras.optimizers.Adam(0.01)
        model.optimizer.build(model.trainable_variables)
        for variable, name in zip(model.optimizer.variables, stored.attrs["weight_names"], strict=True):
            variable.assign(stored[name][()])
    goes_on(model, f"ours.{suffix}")
    layers = [keras.layers.Dense(4, "tanh"), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    for _ in range(3):
        model.train_on_batch(x, y)
    model.save(folder / f"theirs.{suffix}")
    goes_on(model, f"theirs.{suffix}")
