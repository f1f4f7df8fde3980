"""Keras: steps inside `fit`, on the backend that KERAS_BACKEND names, else on JAX or, without it, PyTorch."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

if "KERAS_BACKEND" not in os.environ:
    os.environ["KERAS_BACKEND"] = "jax" if importlib.util.find_spec("jax") else "torch"

import keras

from bench.problems import FIT_BATCHES, MLP, SMALL
from bench.protocol import Workload


def start(threads: int) -> str:
    """Set the number of threads where the backend has such a setting; returns what this peer is."""
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(threads)
    return f"keras {keras.__version__} on {keras.backend.backend()}"


def fit(problem: MLP) -> Callable[[int], int]:
    """Epochs of FIT_BATCHES batches."""
    *hidden, last = (keras.layers.Dense(n, activation="relu") for n in problem.sizes[1:])
    last.activation = keras.activations.linear
    model = keras.Sequential([keras.layers.Input(problem.sizes[:1]), *hidden, last])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if problem.classes else "mse"
    model.compile(keras.optimizers.Adam(1e-3), loss)
    x, t = problem.data(FIT_BATCHES)

    def run(count: int) -> int:
        epochs = -(-count // FIT_BATCHES)
        model.fit(x, t, batch_size=problem.batch, epochs=epochs, verbose=0)
        return epochs * FIT_BATCHES

    return run


WORKLOADS: dict[str, Workload] = {"fit_small": lambda: fit(SMALL)}
