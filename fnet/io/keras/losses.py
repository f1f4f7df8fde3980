"""Losses as Keras' configs say them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import losses
from fnet.errors import FileError, StructureError, did_you_mean, plain
from fnet.io.keras import registry
from fnet.io.keras.objects import made, plain_value, read_object, written_value
from fnet.io.keras.parts import keras_object, own_object
from fnet.losses import Loss
from fnet.losses.names import as_loss

_OPTIONS = {
    "BinaryCrossentropy": ("from_logits", "label_smoothing", "axis"),
    "BinaryFocalCrossentropy": ("apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis"),
    "CTC": (),
    "CategoricalCrossentropy": ("from_logits", "label_smoothing", "axis"),
    "CategoricalFocalCrossentropy": ("alpha", "gamma", "from_logits", "label_smoothing", "axis"),
    "CategoricalGeneralizedCrossEntropy": ("q",),
    "CategoricalHinge": (),
    "Circle": ("gamma", "margin", "remove_diagonal"),
    "CosineSimilarity": ("axis",),
    "Dice": ("axis",),
    "Hinge": (),
    "Huber": ("delta",),
    "KLDivergence": (),
    "LogCosh": (),
    "MeanAbsoluteError": (),
    "MeanAbsolutePercentageError": (),
    "MeanSquaredError": (),
    "MeanSquaredLogarithmicError": (),
    "Poisson": (),
    "SparseCategoricalCrossentropy": ("from_logits", "ignore_class", "axis"),
    "SquaredHinge": (),
    "Tversky": ("alpha", "beta", "axis"),
}
"""The options that Keras has, by its class, which fnet's constructor is called like."""

_TO_KERAS = {"mean": "sum_over_batch_size", None: "none"}
_FROM_KERAS = {"auto": "mean", "sum_over_batch_size": "mean", None: "none"}


def write_loss(loss: Any) -> dict[str, Any]:
    """The object that says a loss, given as trainers take it."""
    make = getattr(loss, "make", None)
    if make is not None:  # of a class of the user's own
        arguments = {key: written_value(value) for key, value in loss.arguments.items()}
        return own_object(registry.name_of_class(make), arguments)
    registered = registry.name_of(loss)
    if registered is not None:
        return own_object(registered)
    function = losses.get(loss)
    found = as_loss(function)
    registered = registry.name_where(lambda own: found is not None and isinstance(own, Loss) and own.rule == found.rule)
    if found is not None and registered is not None:
        options = {key: written_value(value) for key, value in found.config.items()}
        options["reduction"] = _TO_KERAS.get(options["reduction"], options["reduction"])
        return own_object(registered, {"name": found.name} | options)
    if found is None or found.constructor not in _OPTIONS:
        name = getattr(function, "name", getattr(function, "__name__", repr(function)))
        raise StructureError(
            f"Keras has no loss {plain(str(name))}. Train with one of Keras, or save the network without the trainer."
        )
    options = dict(found.config)
    reduction = options.pop("reduction")
    kept = {key: written_value(options.pop(key)) for key in _OPTIONS[found.constructor]}
    defaults = getattr(losses, found.constructor)().config
    for key, value in options.items():
        if not np.array_equal(value, defaults[key]):
            raise StructureError(
                f"Keras' {found.constructor} has no {key}={plain(repr(value))}. Leave it out, or save the network "
                f"without the trainer."
            )
    if found.constructor == "Tversky":
        kept = _swapped(kept)
    name = _default_name(found) if found.name == found.kind else found.name
    shared = {"name": name, "reduction": _TO_KERAS.get(reduction, reduction)}
    return keras_object("keras.losses", found.constructor, shared | kept)


def read_loss(given: Any, path: str) -> Any:
    """The loss that a name or an object in a config says."""
    named = read_object(given, path)
    name, config = named.name, named.arguments
    if isinstance(named.own, Loss):
        loss = named.own
    elif named.own is not None:
        return named.thing()
    elif name in losses.LOSSES:
        loss = losses.LOSSES[name]
    else:
        nearest = did_you_mean(name, _OPTIONS)
        raise FileError(f"{path}: fnet has no loss {plain(repr(name))}.{nearest} {registry.hint(name)}")
    options = {key: plain_value(config.raw(key), f"{config.path}/{key}") for key in loss.config if key in config}
    if "axis" in options and isinstance(options["axis"], list):
        options["axis"] = tuple(options["axis"])
    if loss.constructor == "Tversky":
        options = _swapped(options)
    if "reduction" in options:
        reduction = options["reduction"]
        if reduction is not None and not isinstance(reduction, str):
            raise FileError(
                f"{config.path}/reduction: expected the name of a reduction, received {plain(repr(reduction))}."
            )
        options["reduction"] = _FROM_KERAS.get(reduction, reduction)
    own = plain_value(config.raw("name"), f"{config.path}/name")
    if isinstance(own, str) and own not in (loss.kind, _default_name(loss)):
        options["name"] = own
    return made(loss.configured, options, path) if options else loss


def _swapped(options: dict[str, Any]) -> dict[str, Any]:
    """With alpha and beta in each other's place: Keras' alpha is the weight of misses, against its documentation."""
    return {{"alpha": "beta", "beta": "alpha"}.get(key, key): value for key, value in options.items()}


def _default_name(loss: Loss) -> str:
    """What Keras calls the loss of a class, where nobody chose a name."""
    return "huber_loss" if loss.constructor == "Huber" else loss.kind
