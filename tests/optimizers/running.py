"""Runs of optimizers over given gradients, for the tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import optimizers as optim


def run(opt: Any, params: Any, gradients: Any, update: Any = None) -> tuple[list[Any], Any]:
    """The parameters after each of the gradients, and the last state."""
    state, path = opt.init(params), []
    for g in gradients:
        updates, state = (update or opt.update)(g, state, params)
        params = optim.apply_updates(params, updates)
        path.append(params)
    return path, state


def once(opt: Any, w: Any, g: Any) -> Any:
    """The parameters after one step."""
    return run(opt, np.asarray(w, float), [np.asarray(g, float)])[0][0]


def updates_of(opt: Any, grads: Any, params: Any = None) -> Any:
    """The updates of the first step."""
    return opt.update(grads, opt.init(grads if params is None else params), params)[0]


def a_tree(rng: np.random.Generator, dtype: Any = np.float32) -> Any:
    return {"dense": {"kernel": rng.normal(size=(2, 3)).astype(dtype), "bias": rng.normal(size=3).astype(dtype)}}
