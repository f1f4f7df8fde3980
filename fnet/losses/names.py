"""The table of losses by name: the names of their functions and constructors, and Keras' aliases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet.errors import ValueRangeError, did_you_mean
from fnet.losses import crossentropy, ctc, focal, hinge, overlap, probabilistic, regression, similarity
from fnet.losses.define import Loss, from_function, takes_weights

_ALIASES: dict[Loss, str] = {
    regression.mean_squared_error: "mse MSE",
    regression.mean_absolute_error: "mae MAE",
    regression.mean_absolute_percentage_error: "mape MAPE",
    regression.mean_squared_logarithmic_error: "msle MSLE",
    regression.huber: "huber_loss",
    regression.log_cosh: "logcosh",
    regression.cosine_similarity: "",
    probabilistic.kl_divergence: "kld KLD kullback_leibler_divergence",
    probabilistic.poisson: "",
    probabilistic.gaussian_nll: "",
    crossentropy.binary_crossentropy: "bce BCE",
    crossentropy.categorical_crossentropy: "",
    crossentropy.sparse_categorical_crossentropy: "",
    crossentropy.crossentropy: "ce",
    focal.binary_focal_crossentropy: "",
    focal.categorical_focal_crossentropy: "",
    hinge.hinge: "",
    hinge.squared_hinge: "",
    hinge.categorical_hinge: "",
    overlap.dice: "",
    overlap.tversky: "",
    similarity.contrastive: "",
    similarity.triplet: "",
    similarity.triplet_semihard: "",
    similarity.circle: "",
    ctc.ctc: "",
}
LOSSES: dict[str, Loss] = {
    name: loss for loss, aliases in _ALIASES.items() for name in (loss.kind, loss.constructor, *aliases.split())
}


def get(loss: str | Loss | Callable[..., Any]) -> Callable[..., Any]:
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
    of = getattr(loss, "__self__", None)
    if isinstance(of, Loss) and loss == of.configured:
        return of
    if callable(loss):
        return loss if isinstance(loss, Loss) or takes_weights(loss) else from_function(loss)
    raise unknown("loss", loss, LOSSES)


def unknown(kind: str, name: Any, known: Any) -> ValueRangeError:
    """The error for a name that is not in a table, with the nearest name that is."""
    return ValueRangeError(f"unknown {kind} {name!r}: expected a name or a function.{did_you_mean(name, known)}")
