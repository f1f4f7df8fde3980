"""What a user adds in a file of their own: one thing of each kind, which decorators enter under its names."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import Layer, tree
from fnet.activations import ACTIVATIONS
from fnet.constraints import CONSTRAINTS
from fnet.initializers import INITIALIZERS
from fnet.layers import LAYERS
from fnet.losses import LOSSES, define_loss
from fnet.metrics import METRICS, Metric
from fnet.optimizers import OPTIMIZERS, optimizer_constructor
from fnet.regularizers import REGULARIZERS
from fnet.schedules import SCHEDULES, Schedule


@LOSSES.named("own_cubic")
@define_loss("OwnCubicError", per="element")
def own_cubic_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: str = "mean") -> Any:
    return np.abs(y_pred - y_true) ** 3


@METRICS.named("OwnBias")
def own_bias() -> Metric:
    def update(state: Any, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return {"sum": state["sum"] + np.sum(y_pred - y_true), "count": state["count"] + y_true.shape[0]}

    return Metric(lambda: {"sum": np.zeros(()), "count": np.zeros(())}, update, lambda s: s["sum"] / s["count"])


@OPTIMIZERS.named("OwnDescent")
@optimizer_constructor
def own_descent(learning_rate: float = 0.05) -> Any:
    def update(grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return tree.map(lambda g: -learning_rate * g, grads), state

    return (lambda params: {}), update


@SCHEDULES.named()
def own_steps(initial_learning_rate: float) -> Schedule:
    return lambda step: initial_learning_rate / (step + 1)


@LAYERS.named()
def OwnScale(factor: float) -> Layer:  # noqa: N802 (a layer has a name like those of fnet)
    return Layer(
        lambda key, shape, dtype: ({}, {}), lambda params, state, x, key=None, train=False: (x * factor, state)
    )


@ACTIVATIONS.named()
def own_bend(x: Any) -> Any:
    return np.where(x > 0, x, x / 2)


@INITIALIZERS.named()
def own_halves() -> Any:
    return lambda key, shape, dtype: np.full(shape, 0.5, dtype)


@REGULARIZERS.named()
def own_penalty() -> Any:
    return lambda w: 0.01 * np.sum(w)


@CONSTRAINTS.named()
def own_limit() -> Any:
    return lambda w: np.clip(w, 0, 0.5)
