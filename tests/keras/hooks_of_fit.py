"""Which hooks of a callback are called, with what: the same program with Keras and with fnet.keras."""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path

import numpy as np


def calls(package):
    """The calls of all hooks in fit with validation, evaluate and predict: name, number, names and numbers of logs."""
    keras = importlib.import_module(package)
    found = []

    def hook(name):
        def call(self, *args, logs=None):
            *number, last = (*args, logs) if logs is not None else args
            numbers = {k: np.shape(v) if k == "outputs" else round(float(v), 4) for k, v in (last or {}).items()}
            found.append((name, *number, numbers))

        return call

    names = ["on_epoch_begin", "on_epoch_end"]
    names += [f"on_{what}_{when}" for what in ("train", "test", "predict") for when in ("begin", "end")]
    names += [f"on_{what}_batch_{when}" for what in ("train", "test", "predict") for when in ("begin", "end")]
    own = type("Own", (keras.callbacks.Callback,), {name: hook(name) for name in names})
    x = np.linspace(-1, 1, 40).reshape(10, 4).astype("float32")
    y = x.sum(1, keepdims=True)
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=["mae"])
    options = {"batch_size": 4, "verbose": 0, "callbacks": [own()]}
    model.fit(x, y, epochs=2, validation_data=(x[:6], y[:6]), shuffle=False, **options)
    model.evaluate(x, y, **options)
    model.predict(x, **options)
    return found


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(pickle.dumps(calls("keras")))
