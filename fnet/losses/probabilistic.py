"""Losses that are negative log-likelihoods, or distances of distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.errors import ShapeError, ValueRangeError
from fnet.losses.align import as_floating, pair
from fnet.losses.define import LOSSES, Loss, define_loss, loss_constructor
from fnet.losses.rule import Reduction
from fnet.losses.values import EPSILON, Options, in_unit_interval, sample_of
from fnet.ops.arithmetic import clip, divide, equal, multiply, negative, subtract, where
from fnet.ops.maths import exp, log, squared_difference
from fnet.ops.nn import log_softmax
from fnet.ops.promotion import lift
from fnet.ops.shape import expand_dims


def _shares(name: str, y_true: np.ndarray, shape: tuple[int, ...], options: Options) -> None:
    in_unit_interval(y_true, f"{name}: expected y_true in [0, 1]", "Divide the rows by their sums.")


def _probabilities(name: str, y_pred: np.ndarray, options: Options) -> None:
    if not options["from_logits"]:
        in_unit_interval(y_pred, f"{name}: expected y_pred in [0, 1]", "End the network with softmax.")


@LOSSES.named("KLD", "kullback_leibler_divergence")
@define_loss("KLDivergence", per="term", activation="softmax", targets=_shares, outputs=_probabilities)
def kl_divergence(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean", from_logits: bool = False
) -> Any:
    """``sum(y log(y / p))`` over the last axis, both clipped to [1e-7, 1]; y_true, y_pred: (B, ..., C) -> scalar.

    Rows are taken as they are, they need not sum to 1. With `from_logits`, and of probabilities that a softmax over the
    classes has just made, p is not clipped, and a share y of 0 adds 0. Raises `ValueRangeError` naming the sample for
    values outside [0, 1]. Source: Keras ``KLDivergence``.

    >>> round(float(kl_divergence([[0.0, 1.0]], [[0.5, 0.5]])), 4)  # log(2)
    0.6931
    """
    y = clip(y_true, EPSILON, 1)
    if not from_logits:
        return multiply(y, log(divide(y, clip(y_pred, EPSILON, 1))))
    return where(equal(y_true, 0), 0, multiply(y, subtract(log(y), log_softmax(y_pred))))


@loss_constructor
def KLDivergence(from_logits: bool = False, reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`kl_divergence` with these options and this name."""
    return kl_divergence


def _rates(name: str, y_pred: np.ndarray, options: Options) -> None:
    if y_pred.size and y_pred.min() < 0:
        sample = sample_of(int(y_pred.argmin()), y_pred.shape)
        raise ValueRangeError(
            f"{name}: expected rates of at least 0, received {y_pred.min()} in sample {sample}. "
            f"End the network with exponential or softplus."
        )


@LOSSES.named()
@define_loss("Poisson", per="element", outputs=_rates)
def poisson(y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean") -> Any:
    """``mean(p - y log(p + 1e-7))``: counts y with the rate p, up to a constant; y_true, y_pred: (B, ..., D) -> scalar.

    Raises `ValueRangeError` naming the sample for a negative rate (under jit its value is NaN). Source: Keras
    ``Poisson``.

    >>> round(float(poisson([[0.0, 1.0]], [[2.0, 1.0]])), 4)
    1.5
    """
    return subtract(y_pred, multiply(y_true, log(y_pred + EPSILON)))


@loss_constructor
def Poisson(reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`poisson` with these options and this name."""
    return poisson


def _moments(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Targets like the means, and the predictions; y_true: (B, ..., D), y_pred: (B, ..., 2 D)."""
    y_pred, y_true = as_floating(y_pred), lift(y_true)
    have, wanted = y_true.shape, y_pred.shape
    if not wanted or wanted[-1] % 2:
        raise ShapeError(
            f"{name}: expected y_pred of shape (batch, 2 D), D means before D log-variances, received {wanted}. "
            f"Let the network end in twice as many units as there are targets."
        )
    if wanted[-1] == 2 and have == wanted[:-1]:
        y_true = expand_dims(y_true, -1)
    return pair(name, y_true, y_pred[..., : wanted[-1] // 2])[0], y_pred


@LOSSES.named()
@define_loss("GaussianNLL", per="element", align=_moments)
def gaussian_nll(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean", full: bool = False
) -> Any:
    """``mean(s + (y - m)^2 e^-s) / 2``: targets y of mean m and variance ``e^s``; y_true: (B, ..., D) -> scalar.

    y_pred: (B, ..., 2 D), the D means before the D log-variances, so that a network ends in ``Dense(2 * D)`` without
    an activation; full: add the constant ``log(2 pi) / 2``. Raises `ShapeError` for an odd number of predictions.
    Source: Nix and Weigend 1994.

    >>> gaussian_nll([[1.0]], [[3.0, 0.0]])
    array(2.)
    """
    size = y_true.shape[-1]
    mean, log_variance = y_pred[..., :size], y_pred[..., size:]
    constant = math.log(2 * math.pi) if full else 0.0
    squares = multiply(squared_difference(y_true, mean), exp(negative(log_variance)))
    return multiply(log_variance + squares + constant, 0.5)


@loss_constructor
def GaussianNLL(full: bool = False, reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`gaussian_nll` with these options and this name."""
    return gaussian_nll
