"""Hooks of callbacks in fit, its validation, evaluate and predict."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fnet.keras import Input, Model, Sequential, callbacks, layers
from tests.keras.hooks_of_fit import calls

X = np.linspace(-1, 1, 40).reshape(10, 4).astype("float32")


def test_hooks_of_batches_are_called_in_validation_evaluate_and_predict():
    found = calls("fnet.keras")
    names = [name for name, *_ in found]
    validation = ["on_test_begin", *["on_test_batch_begin", "on_test_batch_end"] * 2, "on_test_end", "on_epoch_end"]
    at = names.index("on_test_begin")
    assert names[at : at + len(validation)] == validation
    assert found[-2] == ("on_predict_batch_end", 2, {"outputs": (2, 1)}) and found[-1] == ("on_predict_end", {})
    ends = [logs for name, *_, logs in found if name == "on_test_end"]
    epochs = [logs for name, *_, logs in found if name == "on_epoch_end"]
    assert [{f"val_{key}": value for key, value in logs.items()} for logs in ends[:2]] == [
        {key: value for key, value in logs.items() if key.startswith("val_")} for logs in epochs
    ]
    assert list(epochs[0]) == ["loss", "mae", "val_loss", "val_mae"]  # the learning rate belongs to what changes it


def test_hooks_change_no_number_and_see_the_weights_of_the_moment():
    seen = []

    class Own(callbacks.Callback):
        def on_test_begin(self, logs=None):
            seen.append(self.model.get_weights()[0][0, 0])

        def on_test_batch_end(self, batch, logs=None):
            seen.append(logs["loss"])

    class Stepping(Model):
        def test_step(self, data):
            return super().test_step(data)

    model = Sequential([Input((4,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    assert model.evaluate(X, X[:, :1], batch_size=4, verbose=0, callbacks=[Own()]) == seen[-1]
    assert model.evaluate(X, X[:, :1], batch_size=4, verbose=0) == seen[-1] and len(seen) == 4
    model.fit(X, X[:, :1], verbose=0, validation_data=(X, X[:, :1]), callbacks=[Own()])
    assert seen[4] == model.get_weights()[0][0, 0] != 1
    own = Stepping(model.inputs, model.outputs)
    own.compile("sgd", "mse")
    own.evaluate(X, X[:, :1], batch_size=5, verbose=0, callbacks=Own())
    assert len(seen) == 9 and seen[-1] == pytest.approx(model.evaluate(X, X[:, :1], verbose=0))


@pytest.mark.slow
def test_hooks_are_those_of_keras(tmp_path):
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("torch") is None:
        pytest.skip("needs Keras and PyTorch")
    worker, root = Path(__file__).with_name("hooks_of_fit.py"), Path(__file__).parents[2]
    env = os.environ | {"PYTHONPATH": str(root), "KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, worker, tmp_path / "calls"], check=True, cwd=root, env=env)
    assert calls("fnet.keras") == pickle.loads((tmp_path / "calls").read_bytes())
