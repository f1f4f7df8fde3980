"""Keras: steps inside `fit`, on the backend that KERAS_BACKEND names, else on JAX or, without it, PyTorch."""

from __future__ import annotations

import importlib.util
import os

if "KERAS_BACKEND" not in os.environ:
    os.environ["KERAS_BACKEND"] = "jax" if importlib.util.find_spec("jax") else "torch"

import keras

from bench.problems import Network, Problem
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError
from bench.workers.keras.networks import network


def start(threads: int) -> str:
    """Set the number of threads where the backend has such a setting; returns what this peer is."""
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(threads)
    elif keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    return f"keras {keras.__version__} on {keras.backend.backend()}, steps inside fit"


def workload(do: str, problem: Problem) -> Run:
    """Whole epochs of `fit`, for a row of training steps too: Keras has no other step."""
    if do not in ("step", "fit") or not isinstance(problem, Network):
        raise UnavailableError(NO_SUCH_ROW)
    model = _compiled(problem)
    x, t = map(_lists, problem.data(problem.epoch))

    def run(count: int) -> int:
        epochs = -(-count // problem.epoch)
        model.fit(x, t, batch_size=problem.batch, epochs=epochs, verbose=0)
        return epochs * problem.epoch

    return run


def losses(problem: Network, count: int) -> list[float]:
    """The losses of the first steps: epochs of one batch."""
    x, t = map(_lists, problem.data())
    history = _compiled(problem).fit(x, t, batch_size=problem.batch, epochs=count, verbose=0, shuffle=False)
    return [float(loss) for loss in history.history["loss"]]


def _compiled(problem: Network) -> keras.Model:
    model = network(problem)
    weights = problem.weights()
    for layer in model.layers:
        for variable in layer.trainable_weights:
            variable.assign(weights[layer.name][variable.name])
    classes = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    binary = keras.losses.BinaryCrossentropy(from_logits=True)
    loss = {"mse": "mse", "classes": classes, "ticket": [binary, classes]}[problem.loss]
    model.compile(keras.optimizers.Adam(1e-3), loss, loss_weights=[1.0, 0.2] if problem.loss == "ticket" else None)
    return model


def _lists(arrays: object) -> object:
    """Several inputs or targets are a list in Keras."""
    return list(arrays) if isinstance(arrays, tuple) else arrays
