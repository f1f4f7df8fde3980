"""Keras for tests of training configs: reads jobs as JSON from stdin, writes what Keras gives to stdout.

A job trains a Dense layer: with a compiled configuration of its own ("theirs"), or of fnet, from weights and variables
of the optimizer ("ours"). The data are in the job.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras.src.saving import serialization_lib


def made(what: Any) -> Any:
    """Objects of Keras from lists ``[module, class, arguments]``."""
    if isinstance(what, list) and len(what) == 3 and str(what[0]).startswith("keras"):
        module = keras
        for name in what[0].split(".")[1:]:
            module = getattr(module, name)
        return getattr(module, what[1])(**{key: made(value) for key, value in what[2].items()})
    return what


def model_of(x: np.ndarray) -> Any:
    return keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Dense(2, activation="sigmoid", name="d")])


def trained(model: Any, x: np.ndarray, y: np.ndarray, steps: int) -> dict[str, Any]:
    losses = []
    for _ in range(steps):
        losses.append(model.train_on_batch(x, y, return_dict=True))
    weights = [w.tolist() for w in model.get_weights()]
    return {"logs": {k: [float(np.sum(log[k])) for log in losses] for k in losses[0]}, "weights": weights}


def run(job: dict[str, Any]) -> dict[str, Any]:
    x, y = (np.array(job[key], np.float32) for key in ("x", "y"))
    model = model_of(x)
    model.set_weights([np.array(w, np.float32) for w in job["weights"]])
    if "theirs" in job:
        model.compile(**{key: made(value) for key, value in job["theirs"].items()}, jit_compile=False)
        trained(model, x, y, job["before"])
        start = [w.tolist() for w in model.get_weights()]
        variables = [v.numpy().tolist() for v in model.optimizer.variables]
        config = model.get_compile_config()
        return {"config": config, "start": start, "variables": variables, **trained(model, x, y, 5)}
    model.compile(**serialization_lib.deserialize_keras_object({**job["ours"], "jit_compile": False}))
    model.optimizer.build(model.trainable_variables)
    own = [v.shape for v in model.optimizer.variables]
    if "variables" in job:
        assert len(own) == len(job["variables"]), (own, job["names"])
        for variable, value in zip(model.optimizer.variables, job["variables"], strict=True):
            assert tuple(variable.shape) == np.shape(value), (variable.path, np.shape(value))
            variable.assign(np.array(value, variable.dtype))
    return trained(model, x, y, 5)


with contextlib.redirect_stdout(sys.stderr):
    results = []
    for job in json.load(sys.stdin):
        try:
            results.append(run(job))
        except Exception as error:
            results.append({"error": f"{type(error).__name__}: {error}"})
print(json.dumps(results))
