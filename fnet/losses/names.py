"""The table of losses by name: the names of their functions and constructors, and Keras' aliases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet.errors import ValueRangeError, did_you_mean
from fnet.losses.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    crossentropy,
    sparse_categorical_crossentropy,
)
from fnet.losses.ctc import ctc
from fnet.losses.define import MADE_BY, Loss, from_function, takes_weights
from fnet.losses.focal import binary_focal_crossentropy, categorical_focal_crossentropy
from fnet.losses.hinge import categorical_hinge, hinge, squared_hinge
from fnet.losses.overlap import dice, tversky
from fnet.losses.probabilistic import gaussian_nll, kl_divergence, poisson
from fnet.losses.regression import (
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from fnet.losses.similarity import circle, contrastive, triplet, triplet_semihard

_ALIASES: dict[Loss, str] = {
    mean_squared_error: "mse MSE",
    mean_absolute_error: "mae MAE",
    mean_absolute_percentage_error: "mape MAPE",
    mean_squared_logarithmic_error: "msle MSLE",
    huber: "huber_loss",
    log_cosh: "logcosh",
    cosine_similarity: "",
    kl_divergence: "kld KLD kullback_leibler_divergence",
    poisson: "",
    gaussian_nll: "",
    binary_crossentropy: "bce BCE",
    categorical_crossentropy: "",
    sparse_categorical_crossentropy: "",
    crossentropy: "ce",
    binary_focal_crossentropy: "",
    categorical_focal_crossentropy: "",
    hinge: "",
    squared_hinge: "",
    categorical_hinge: "",
    dice: "",
    tversky: "",
    contrastive: "",
    triplet: "",
    triplet_semihard: "",
    circle: "",
    ctc: "",
}
LOSSES: dict[str, Loss] = {
    name: loss for loss, aliases in _ALIASES.items() for name in (loss.kind, loss.constructor, *aliases.split())
}


LossLike = str | Callable[..., Any]
"""What `get` takes for a loss."""


def get(loss: LossLike) -> Callable[..., Any]:
    """The loss of this name (Keras' names and aliases); a `Loss` or another function with sample weights itself.

    A plain function ``f(y_true, y_pred) -> values`` becomes a `Loss`, with weights, masks and reductions; a constructor
    (``losses.Huber``) gives the loss with its defaults.

    >>> from fnet import losses
    >>> losses.get("mse") is losses.mean_squared_error
    True

    Raises `ValueRangeError` for an unknown name. For options give a configured loss: ``losses.Huber(delta=2.0)``.
    """
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    if callable(loss):
        if loss in MADE_BY:
            return MADE_BY[loss]
        return loss if isinstance(loss, Loss) or takes_weights(loss) else from_function(loss)
    raise unknown("loss", loss, LOSSES)


def unknown(kind: str, name: Any, known: Any) -> ValueRangeError:
    """The error for a name that is not in a table, with the nearest name that is."""
    return ValueRangeError(f"unknown {kind} {name!r}: expected a name or a function.{did_you_mean(name, known)}")
