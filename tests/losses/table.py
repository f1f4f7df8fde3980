"""The table of losses: each row pairs fnet's form with a plain NumPy reference; a new loss is a new row here.

The rows are losses that give a value for each row of the predictions; the generic tests run over all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fnet import losses

Array = np.ndarray
EPSILON = 1e-7


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(z: Array) -> Array:
    return z - z.max(-1, keepdims=True) - np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True))


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def one_hot(labels: Array, classes: int) -> Array:
    return np.eye(classes)[labels]


# Makers: (rng, lead) -> (y_true, y_pred) in float64 or int64, the lead axes being (B,) or (B, T).


def reals(rng: np.random.Generator, lead: tuple[int, ...], away: float = 0.0) -> tuple[Array, Array]:
    """Targets have at least the size `away`."""
    y = rng.normal(size=(*lead, 3))
    return y + away * np.sign(y), rng.normal(size=(*lead, 3))


def positives(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    return rng.uniform(0.1, 4, (*lead, 3)), rng.uniform(0.1, 4, (*lead, 3))


def moments(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    return rng.normal(size=(*lead, 3)), rng.normal(size=(*lead, 6))


def bits(rng: np.random.Generator, lead: tuple[int, ...], logits: bool = False) -> tuple[Array, Array]:
    y, z = rng.integers(0, 2, size=(*lead, 3)).astype(float), rng.normal(size=(*lead, 3))
    return y, z if logits else sigmoid(z)


def signs(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    y, z = bits(rng, lead, logits=True)
    return 2 * y - 1, z


def distances(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    return bits(rng, lead)[0], rng.uniform(0.05, 3, (*lead, 3))


def distributions(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    return softmax(rng.normal(size=(*lead, 4))), softmax(rng.normal(size=(*lead, 4)))


def classes(
    rng: np.random.Generator, lead: tuple[int, ...], logits: bool = False, sparse: bool = False
) -> tuple[Array, Array]:
    y, z = rng.integers(0, 4, size=lead), rng.normal(size=(*lead, 4), scale=2)
    return y if sparse else one_hot(y, 4), z if logits else softmax(z)


# References: (y_true, y_pred) in float64 -> values (B, ...), by the formulas of Keras.


def normalized(x: Array) -> Array:
    return x / np.sqrt(np.maximum((x * x).sum(-1, keepdims=True), EPSILON**2))


def msle(y: Array, p: Array) -> Array:
    return ((np.log1p(np.maximum(p, EPSILON)) - np.log1p(np.maximum(y, EPSILON))) ** 2).mean(-1)


def huber(y: Array, p: Array, delta: float = 1.0) -> Array:
    e = abs(y - p)
    return np.where(e <= delta, e * e / 2, delta * e - delta**2 / 2).mean(-1)


def kld(y: Array, p: Array) -> Array:
    y, p = np.clip(y, EPSILON, 1), np.clip(p, EPSILON, 1)
    return (y * np.log(y / p)).sum(-1)


def gaussian(y: Array, p: Array, constant: float = 0.0) -> Array:
    mean, log_variance = np.split(p, 2, -1)
    return (log_variance + (y - mean) ** 2 / np.exp(log_variance) + constant).mean(-1) / 2


def bce(y: Array, p: Array, smoothing: float = 0.0) -> Array:
    y, p = y * (1 - smoothing) + smoothing / 2, np.clip(p, EPSILON, 1 - EPSILON)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(-1)


def bce_logits(y: Array, z: Array, smoothing: float = 0.0) -> Array:
    y = y * (1 - smoothing) + smoothing / 2
    return (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).mean(-1)


def focal(y: Array, p: Array, gamma: float = 2.0, alpha: float | None = None, smoothing: float = 0.0) -> Array:
    y, q = y * (1 - smoothing) + smoothing / 2, np.clip(p, EPSILON, 1 - EPSILON)
    values = -(y * np.log(q) + (1 - y) * np.log(1 - q)) * (1 - (y * p + (1 - y) * (1 - p))) ** gamma
    return (values if alpha is None else values * (y * alpha + (1 - y) * (1 - alpha))).mean(-1)


def cce(y: Array, p: Array, smoothing: float = 0.0) -> Array:
    y = y * (1 - smoothing) + smoothing / p.shape[-1]
    return -(y * np.log(np.clip(p / p.sum(-1, keepdims=True), EPSILON, 1 - EPSILON))).sum(-1)


def cce_logits(y: Array, z: Array, smoothing: float = 0.0) -> Array:
    return -((y * (1 - smoothing) + smoothing / z.shape[-1]) * log_softmax(z)).sum(-1)


def categorical_focal(y: Array, p: Array, alpha: Any = 0.25, gamma: float = 2.0) -> Array:
    p = np.clip(p / p.sum(-1, keepdims=True), EPSILON, 1 - EPSILON)
    return -(np.asarray(alpha) * (1 - p) ** gamma * y * np.log(p)).sum(-1)


def hinge(y: Array, p: Array, power: int = 1) -> Array:
    y = 2 * y - 1 if np.isin(y, (0, 1)).all() else y
    return (np.maximum(1 - y * p, 0) ** power).mean(-1)


def categorical_hinge(y: Array, p: Array) -> Array:
    return np.maximum(((1 - y) * p).max(-1) - (y * p).sum(-1) + 1, 0)


def dice(y: Array, p: Array) -> Array:
    return 1 - 2 * (y * p).sum(-1) / (y.sum(-1) + p.sum(-1) + EPSILON)


def tversky(y: Array, p: Array, alpha: float = 0.5, beta: float = 0.5) -> Array:
    both = (y * p).sum(-1)
    return 1 - both / (both + alpha * ((1 - y) * p).sum(-1) + beta * (y * (1 - p)).sum(-1) + EPSILON)


def contrastive(y: Array, d: Array) -> Array:
    return (y * d**2 + (1 - y) * np.maximum(1 - d, 0) ** 2).mean(-1)


def saturated(y: Array) -> Array:
    """Logits that give the targets with certainty."""
    return 60.0 * (2 * y - 1)


def same(y: Array) -> Array:
    return y


@dataclass(frozen=True)
class LossCase:
    """`best` gives the predictions at which the loss of given targets is smallest, where there are such.

    `least` is the value there, where it does not depend on the targets.
    """

    id: str
    loss: Callable[..., Any]
    make: Callable[..., tuple[Array, Array]]
    reference: Callable[[Array, Array], Array]
    best: Callable[[Array], Array] | None = same
    least: float | None = 0.0


_logit_bits, _logit_classes = partial(bits, logits=True), partial(classes, logits=True)
_labels, _logit_labels = partial(classes, sparse=True), partial(classes, sparse=True, logits=True)
LOSSES = [
    LossCase("mse", losses.mean_squared_error, reals, lambda y, p: ((y - p) ** 2).mean(-1)),
    LossCase("mae", losses.mean_absolute_error, reals, lambda y, p: abs(y - p).mean(-1)),
    LossCase("mape", losses.mape, partial(reals, away=0.5), lambda y, p: 100 * abs((y - p) / y).mean(-1)),
    LossCase("msle", losses.msle, positives, msle),
    LossCase("huber", losses.huber, reals, huber),
    LossCase("huber_wide", losses.Huber(delta=2.5), reals, partial(huber, delta=2.5)),
    LossCase("log_cosh", losses.log_cosh, reals, lambda y, p: np.log(np.cosh(p - y)).mean(-1)),
    LossCase(
        "cosine", losses.cosine_similarity, reals, lambda y, p: -(normalized(y) * normalized(p)).sum(-1), least=-1.0
    ),
    LossCase("kld", losses.kl_divergence, distributions, kld),
    LossCase("poisson", losses.poisson, positives, lambda y, p: (p - y * np.log(p + EPSILON)).mean(-1), least=None),
    LossCase("gaussian_nll", losses.gaussian_nll, moments, gaussian, best=None),
    LossCase(
        "gaussian_nll_full",
        losses.GaussianNLL(full=True),
        moments,
        partial(gaussian, constant=np.log(2 * np.pi)),
        best=None,
    ),
    LossCase("bce", losses.binary_crossentropy, bits, bce),
    LossCase("bce_logits", losses.BinaryCrossentropy(from_logits=True), _logit_bits, bce_logits, saturated),
    LossCase(
        "bce_smooth",
        partial(losses.binary_crossentropy, label_smoothing=0.2),
        bits,
        partial(bce, smoothing=0.2),
        lambda y: y * 0.8 + 0.1,
        least=None,
    ),
    LossCase("cce", losses.categorical_crossentropy, classes, cce),
    LossCase(
        "cce_logits", partial(losses.categorical_crossentropy, from_logits=True), _logit_classes, cce_logits, saturated
    ),
    LossCase(
        "cce_logits_smooth",
        losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
        _logit_classes,
        partial(cce_logits, smoothing=0.2),
        lambda y: np.log(y * 0.8 + 0.05),
        least=None,
    ),
    LossCase(
        "scce",
        losses.sparse_categorical_crossentropy,
        _labels,
        lambda y, p: cce(one_hot(y, 4), p),
        lambda y: one_hot(y, 4),
    ),
    LossCase(
        "scce_logits",
        losses.SparseCategoricalCrossentropy(from_logits=True),
        _logit_labels,
        lambda y, z: cce_logits(one_hot(y, 4), z),
        lambda y: saturated(one_hot(y, 4)),
    ),
    LossCase("ce", losses.crossentropy, _labels, lambda y, p: cce(one_hot(y, 4), p), lambda y: one_hot(y, 4)),
    LossCase(
        "generalized",
        losses.categorical_generalized_cross_entropy,
        _labels,
        lambda y, p: (1 - (one_hot(y, 4) * p).sum(-1) ** 0.5) / 0.5,
        lambda y: one_hot(y, 4),
    ),
    LossCase(
        "generalized_q",
        losses.CategoricalGeneralizedCrossEntropy(0.9),
        _labels,
        lambda y, p: (1 - (one_hot(y, 4) * p).sum(-1) ** 0.9) / 0.9,
        lambda y: one_hot(y, 4),
    ),
    LossCase("focal", losses.binary_focal_crossentropy, bits, focal),
    LossCase(
        "focal_logits",
        losses.BinaryFocalCrossentropy(True, alpha=0.3, gamma=1.5, from_logits=True),
        _logit_bits,
        lambda y, z: focal(y, sigmoid(z), 1.5, 0.3),
        saturated,
    ),
    LossCase(
        "focal_smooth",
        losses.BinaryFocalCrossentropy(gamma=0.5, label_smoothing=0.2),
        bits,
        partial(focal, gamma=0.5, smoothing=0.2),
        best=None,
    ),
    LossCase("categorical_focal", losses.categorical_focal_crossentropy, classes, categorical_focal),
    LossCase(
        "categorical_focal_logits",
        losses.CategoricalFocalCrossentropy(alpha=(0.1, 0.2, 0.3, 0.4), gamma=1.5, from_logits=True),
        _logit_classes,
        lambda y, z: categorical_focal(y, softmax(z), (0.1, 0.2, 0.3, 0.4), 1.5),
        saturated,
    ),
    LossCase("hinge", losses.hinge, _logit_bits, hinge, saturated),
    LossCase("hinge_signs", losses.hinge, signs, hinge, lambda y: 9 * y),
    LossCase("squared_hinge", losses.squared_hinge, _logit_bits, partial(hinge, power=2), saturated),
    LossCase("categorical_hinge", losses.categorical_hinge, _logit_classes, categorical_hinge, saturated),
    LossCase("dice", losses.Dice(axis=-1), classes, dice),
    LossCase("tversky", losses.Tversky(0.3, 0.7, axis=-1), classes, partial(tversky, alpha=0.3, beta=0.7)),
    LossCase("contrastive", losses.contrastive, distances, contrastive, lambda y: 2 * (1 - y)),
]
