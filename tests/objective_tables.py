"""One table of losses, one of optimizers, one of metrics: each row pairs fnet's form with a plain NumPy reference.

A new loss, optimizer or metric is a new row here; the generic tests run over all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fnet import losses, metrics
from fnet import optimizers as optim

Array = np.ndarray
EPSILON = 1e-7


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def one_hot(labels: Array, classes: int) -> Array:
    return np.eye(classes)[labels]


# Makers: (rng, lead) -> (y_true, y_pred) in float64 or int64, the lead axes being (B,) or (B, T).


def reals(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    return rng.normal(size=(*lead, 3)), rng.normal(size=(*lead, 3))


def bits(rng: np.random.Generator, lead: tuple[int, ...], logits: bool = False) -> tuple[Array, Array]:
    y, z = rng.integers(0, 2, size=(*lead, 3)).astype(float), rng.normal(size=(*lead, 3), scale=2)
    return y, z if logits else 1 / (1 + np.exp(-z))


def classes(
    rng: np.random.Generator, lead: tuple[int, ...], logits: bool = False, sparse: bool = False
) -> tuple[Array, Array]:
    y, z = rng.integers(0, 4, size=lead), rng.normal(size=(*lead, 4), scale=2)
    return y if sparse else one_hot(y, 4), z if logits else softmax(z)


# References: (y_true, y_pred) in float64 -> values (B, ...), by the formulas of Keras.


def bce(y: Array, p: Array, smoothing: float = 0.0) -> Array:
    y, p = y * (1 - smoothing) + smoothing / 2, np.clip(p, EPSILON, 1 - EPSILON)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(-1)


def bce_logits(y: Array, z: Array, smoothing: float = 0.0) -> Array:
    y = y * (1 - smoothing) + smoothing / 2
    return (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).mean(-1)


def cce(y: Array, p: Array, smoothing: float = 0.0) -> Array:
    y = y * (1 - smoothing) + smoothing / p.shape[-1]
    return -(y * np.log(np.clip(p / p.sum(-1, keepdims=True), EPSILON, 1 - EPSILON))).sum(-1)


def cce_logits(y: Array, z: Array, smoothing: float = 0.0) -> Array:
    y, top = y * (1 - smoothing) + smoothing / z.shape[-1], z.max(-1, keepdims=True)
    return -(y * (z - top - np.log(np.exp(z - top).sum(-1, keepdims=True)))).sum(-1)


def saturated(y: Array) -> Array:
    """Logits that give the targets with certainty."""
    return 60.0 * (2 * y - 1)


@dataclass(frozen=True)
class LossCase:
    """`best` gives the predictions at which the loss of given targets is smallest."""

    id: str
    loss: Callable[..., Any]
    make: Callable[..., tuple[Array, Array]]
    reference: Callable[[Array, Array], Array]
    best: Callable[[Array], Array]
    minimum_is_zero: bool = True


_bce, _cce = losses.binary_crossentropy, losses.categorical_crossentropy
_scce = losses.sparse_categorical_crossentropy
LOSSES = [
    LossCase("mse", losses.mean_squared_error, reals, lambda y, p: ((y - p) ** 2).mean(-1), lambda y: y),
    LossCase("mae", losses.mean_absolute_error, reals, lambda y, p: abs(y - p).mean(-1), lambda y: y),
    LossCase("bce", _bce, bits, bce, lambda y: y),
    LossCase("bce_logits", partial(_bce, from_logits=True), partial(bits, logits=True), bce_logits, saturated),
    LossCase(
        "bce_smooth",
        partial(_bce, label_smoothing=0.2),
        bits,
        partial(bce, smoothing=0.2),
        lambda y: y * 0.8 + 0.1,
        minimum_is_zero=False,
    ),
    LossCase("cce", _cce, classes, cce, lambda y: y),
    LossCase("cce_logits", partial(_cce, from_logits=True), partial(classes, logits=True), cce_logits, saturated),
    LossCase(
        "cce_logits_smooth",
        partial(_cce, from_logits=True, label_smoothing=0.2),
        partial(classes, logits=True),
        partial(cce_logits, smoothing=0.2),
        lambda y: np.log(y * 0.8 + 0.05),
        minimum_is_zero=False,
    ),
    LossCase(
        "scce",
        _scce,
        partial(classes, sparse=True),
        lambda y, p: cce(one_hot(y, 4), p),
        lambda y: one_hot(y, 4),
    ),
    LossCase(
        "scce_logits",
        partial(_scce, from_logits=True),
        partial(classes, sparse=True, logits=True),
        lambda y, z: cce_logits(one_hot(y, 4), z),
        lambda y: saturated(one_hot(y, 4)),
    ),
]


# References of optimizers: generators that take a gradient and give the change of w, in float64.


def sgd(lr: float = 0.01, momentum: float = 0.0, nesterov: bool = False) -> Iterator[Any]:
    m, change = 0.0, None
    while True:
        g = yield change
        m = momentum * m - lr * g
        change = momentum * m - lr * g if nesterov else m


def adam(lr: float = 0.001, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-7) -> Iterator[Any]:
    m = v = 0.0
    t, change = 0, None
    while True:
        g = yield change
        t += 1
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        change = -lr * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)


def rmsprop(
    lr: float = 0.001, rho: float = 0.9, momentum: float = 0.0, eps: float = 1e-7, centered: bool = False
) -> Iterator[Any]:
    v = a = p = 0.0
    change = None
    while True:
        g = yield change
        v, a = rho * v + (1 - rho) * g * g, rho * a + (1 - rho) * g
        p = momentum * p + lr * g / np.sqrt(v - a * a * centered + eps)
        change = -p


@dataclass(frozen=True)
class OptimizerCase:
    """`slots` are the trees in its state; `torch` names the class of the same rule (with epsilon to zero)."""

    id: str
    make: Callable[[], optim.Optimizer]
    reference: Callable[[], Iterator[Any]]
    slots: tuple[str, ...] = ()
    torch: tuple[str, dict[str, Any]] | None = None


OPTIMIZERS = [
    OptimizerCase("sgd", lambda: optim.sgd(0.1), lambda: sgd(0.1), torch=("SGD", {"lr": 0.1})),
    OptimizerCase(
        "sgd_momentum",
        lambda: optim.sgd(0.1, momentum=0.9),
        lambda: sgd(0.1, 0.9),
        ("momentum",),
        ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ),
    OptimizerCase(
        "sgd_nesterov",
        lambda: optim.sgd(0.1, momentum=0.9, nesterov=True),
        lambda: sgd(0.1, 0.9, True),
        ("momentum",),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ),
    OptimizerCase("adam", optim.adam, adam, ("momentum", "velocity"), ("Adam", {"lr": 1e-3, "eps": 1e-9})),
    OptimizerCase(
        "adam_options",
        lambda: optim.adam(0.05, beta_1=0.5, beta_2=0.8, epsilon=1e-3),
        lambda: adam(0.05, 0.5, 0.8, 1e-3),
        ("momentum", "velocity"),
    ),
    OptimizerCase(
        "rmsprop", optim.rmsprop, rmsprop, ("velocity",), ("RMSprop", {"lr": 1e-3, "alpha": 0.9, "eps": 1e-9})
    ),
    OptimizerCase(
        "rmsprop_all",
        lambda: optim.rmsprop(0.01, rho=0.8, momentum=0.5, epsilon=1e-4, centered=True),
        lambda: rmsprop(0.01, 0.8, 0.5, 1e-4, True),
        ("velocity", "momentum", "average_gradient"),
    ),
]


@dataclass(frozen=True)
class MetricCase:
    """`reference` gives the values of the samples, (B, ...)."""

    id: str
    make: Callable[[], metrics.Metric]
    data: Callable[..., tuple[Array, Array]]
    reference: Callable[[Array, Array], Array]
    names: tuple[str, ...] = ()


def _agree(y: Array, p: Array) -> Array:
    return (y.argmax(-1) == p.argmax(-1)).astype(float)


METRICS = [
    MetricCase(
        "mse", metrics.mse, reals, LOSSES[0].reference, ("mse", "MSE", "mean_squared_error", "MeanSquaredError")
    ),
    MetricCase("mae", metrics.mae, reals, LOSSES[1].reference, ("mae", "MAE", "MeanAbsoluteError")),
    MetricCase(
        "binary_accuracy",
        metrics.binary_accuracy,
        bits,
        lambda y, p: ((p > 0.5) == y).astype(float),
        ("binary_accuracy", "BinaryAccuracy"),
    ),
    MetricCase(
        "categorical_accuracy",
        metrics.categorical_accuracy,
        classes,
        _agree,
        ("categorical_accuracy", "CategoricalAccuracy"),
    ),
    MetricCase(
        "sparse_categorical_accuracy",
        metrics.sparse_categorical_accuracy,
        partial(classes, sparse=True),
        lambda y, p: (y == p.argmax(-1)).astype(float),
        ("sparse_categorical_accuracy", "SparseCategoricalAccuracy"),
    ),
    MetricCase("accuracy", metrics.accuracy, classes, _agree, ("accuracy", "acc", "Accuracy")),
    MetricCase("mean_of_bce", lambda: metrics.mean_of("bce"), bits, bce, ("bce", "binary_crossentropy")),
]
