"""`fit` of models in the words of Keras: the same program with fnet.keras and with Keras, each in a process of its own.

``python -m bench.words PACKAGE`` prints the seconds of a step, and of the first `fit`, of each model.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.peer import interpreter

EPOCHS = 3


def models(keras: Any) -> dict[str, tuple[Any, tuple[int, ...], int, int, int]]:
    """``(model, shape of a sample, outputs, batch, steps)`` by name."""
    layers, dense = keras.layers, keras.layers.Dense
    mlp = keras.Sequential([keras.Input((16,)), dense(16, activation="relu"), dense(1)])
    cnn = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            dense(50, activation="relu"),
            dense(10, activation="softmax"),
        ]
    )
    rnn = keras.Sequential([keras.Input((50, 8)), layers.SimpleRNN(16), dense(1)])
    mlp.compile(optimizer="adam", loss="mse")
    rnn.compile(optimizer="adam", loss="mse")
    cnn.compile(optimizer="adam", loss="categorical_crossentropy")
    return {
        "MLP 16-16-1": (mlp, (16,), 1, 32, 200),
        "SimpleRNN(16), 50 steps of 8": (rnn, (50, 8), 1, 32, 50),
        "CNN 28x28x1": (cnn, (28, 28, 1), 10, 32, 50),
    }


def measured(package: str) -> dict[str, dict[str, float]]:
    """The least seconds of a step within `fit`, and those of the first `fit`, by the name of the model."""
    keras = importlib.import_module(package)
    rng, found = np.random.default_rng(0), {}
    for name, (model, shape, outputs, batch, steps) in models(keras).items():
        x = rng.standard_normal((batch * steps, *shape)).astype("float32")
        y = np.eye(outputs, dtype="float32")[rng.integers(0, outputs, len(x))]
        begin = time.perf_counter()
        model.fit(x[:batch], y[:batch], batch_size=batch, verbose=0)
        first = time.perf_counter() - begin
        times = []
        for _ in range(EPOCHS + 1):
            begin = time.perf_counter()
            model.fit(x, y, batch_size=batch, verbose=0)
            times.append((time.perf_counter() - begin) / steps)
        found[name] = {"step": min(times[1:]), "first": first}
    return found


def words_table(rounds: int, names: Sequence[str]) -> str:
    """Both side by side, in turns, the least of the rounds; names: of peers, Keras on TensorFlow if it is there."""
    known = [name for name in ("keras_tensorflow", "keras") if name in names]
    if not known:
        return "Keras is not among the peers."
    peer = known[0]
    found: dict[str, list[dict[str, dict[str, float]]]] = {"fnet.keras": [], "keras": []}
    for _ in range(rounds):
        for package, own in found.items():
            python = sys.executable if package == "fnet.keras" else interpreter(peer)
            backend = "tensorflow" if peer == "keras_tensorflow" else "jax"
            env = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
            done = subprocess.run(
                [python, "-m", "bench.words", package], capture_output=True, text=True, check=True, env=env
            )
            own.append(json.loads(done.stdout.splitlines()[-1]))
    lines = [
        f"| fit in the words of Keras, beside {peer} | fnet, us a step | Keras | Keras / fnet | first fit, s |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in found["keras"][0]:
        ours, theirs = (min(one[name]["step"] for one in found[package]) for package in ("fnet.keras", "keras"))
        first = min(one[name]["first"] for one in found["fnet.keras"])
        lines.append(f"| {name} | {1e6 * ours:.1f} | {1e6 * theirs:.0f} | {theirs / ours:.0f} | {first:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1])))
