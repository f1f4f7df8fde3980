"""How each layer is said in Keras' configs: the table of translations, and the way through it in both directions."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fnet.errors import FileError, FnetError, StructureError, plain
from fnet.io.keras import registry
from fnet.io.keras.config import TEXT, Config, optional
from fnet.io.keras.parts import keras_object
from fnet.io.keras.variables import Variables
from fnet.layers.constructor import LAYERS, entry_name
from fnet.networks.layer import DEEPEST, Layer

Inputs = Literal["one", "list", "each", "states", "reversible"]
"""How Keras' layer is called: ``layer(x)``; ``layer([x, y])``; ``layer(query, value, key)``, for self-attention
``layer(x, x)``; ``layer(x, initial_state=[h])``; ``layer(x, reverse=True)`` for fnet's ``layer({"reverse": x})``."""

FAMILIES = (
    "activation",
    "attention",
    "conv",
    "dense",
    "embedding",
    "merge",
    "models",
    "normalization",
    "pooling",
    "images",
    "preprocessing",
    "recurrent",
    "regularization",
    "reshape",
    "spectrogram",
    "vocabularies",
    "wrappers",
)
"""The modules of `fnet.io.keras.layers`."""

MODELS = {"serial": "Sequential", "graph": "Functional"}
"""Combinators that Keras has as models, and the names of their classes."""

REFUSED: Mapping[str, str] = {
    "Lambda": "A file cannot hold a function. Build the network again where it is loaded.",
    "PositionEmbedding": "Build the network again where it is loaded.",
    "SinePositionEncoding": "Build the network again where it is loaded.",
    "RotaryEmbedding": "Build the network again where it is loaded.",
}
"""Layers that Keras does not have, with what to do instead."""

_OWN = "Build the network again where it is loaded."
_WEIGHTS_ALONE = "fnet.save_weights keeps the weights of any network."


@dataclass(frozen=True)
class Translation:
    """A layer of Keras.

    class_name: Keras' name; kind: fnet's; aliases: other names that files have for it.
    to_config: Keras 3's config of a layer, without what all layers have (see `full_config`). from_config: the layer of
    a config, without its name. variables: those of a layer, in Keras' order.
    inputs: how Keras calls it. in_call: arguments of fnet's layer that are keywords of Keras' call, by their names; a
    config to be read has them, and the ``batch_size`` of a stateful layer, beside Keras' fields. What is true in
    ``masked`` has its mask as the last input. learnt: the arguments that say what is in a layer's state, for a layer of
    which Keras keeps that in its config. omits: fields of all layers that this one does not take.
    registered: the name of a layer that is not Keras' own, see `fnet.register`.
    """

    class_name: str
    to_config: Callable[[Layer], dict[str, Any]]
    from_config: Callable[[Config], Layer]
    variables: Callable[[Layer], Variables]
    kind: str
    aliases: tuple[str, ...] = ()
    inputs: Inputs = "one"
    in_call: Mapping[str, str] = field(default_factory=dict)
    omits: tuple[str, ...] = ()
    registered: str | None = None
    learnt: Callable[[Layer, Any], dict[str, Any]] | None = None

    def told(self, layer: Layer, state: Any) -> Layer:
        """The layer with what its state holds as arguments, where its config says that; None for an unknown state."""
        if self.learnt is None:
            return layer
        if state is None:
            raise StructureError(
                f"{layer.kind}: what it has learnt is not kept in a file where another layer is around it. Put it "
                f"before that layer, or into a serial or a graph."
            )
        made: Layer = LAYERS.find(layer.kind)(**{**layer.config, **self.learnt(layer, state)})
        made = made if layer.trainable is True else made.with_trainable(layer.trainable)
        return made.relabel(layer.name, layer.named)

    def call_keywords(self, layer: Layer) -> dict[str, bool]:
        """The keywords of Keras' call that this layer needs; a mask among its inputs is not in it."""
        return {key: True for argument, key in self.in_call.items() if argument != "masked" and layer.config[argument]}


def row_of(layer: Layer) -> Translation | None:
    """The translation of a layer, None for one that neither Keras has nor a user has registered."""
    if layer.recipe is None:
        return None
    make = layer.recipe.make
    name = registry.name_of(make)
    if name is not None:
        return _registered_row(name, make)
    return keras_kinds().get(layer.kind) if LAYERS.has(make) or layer.kind in MODELS else None


def known_row(layer: Layer) -> Translation:
    """The translation of a layer; a `StructureError` for one that files cannot say."""
    row = row_of(layer)
    if row is None:
        own = "" if layer.container or layer.kind in LAYERS else f" {registry.hint(layer.kind)}"
        raise StructureError(
            f"Keras has no layer {plain(layer.kind)}. {REFUSED.get(layer.kind, _OWN)} {_WEIGHTS_ALONE}{own}"
        )
    return row


def row_of_object(config: Config) -> Translation:
    """The translation of the layer that an object says; a `FileError` for one that fnet does not have.

    What is not of Keras' own module, or has a name of its own there, is what a user has registered.
    """
    class_name = config.read("class_name", TEXT)
    said = config.read("registered_name", optional(TEXT)) if "registered_name" in config else None
    module = config.read("module", optional(TEXT)) if "module" in config else "keras"
    name = said or class_name
    foreign = name != class_name or (module or "").partition(".")[0] not in ("keras", "tf_keras")
    if not foreign and class_name in keras_layers():
        return keras_layers()[class_name]
    make = registry.found(name)
    if make is None:
        hint = "" if name in REFUSED or (not foreign and "module" in config) else f" {registry.hint(name)}"
        raise FileError(
            f"{config.path}: fnet has no layer {plain(repr(name))}. Build the network in fnet, and load "
            f"the weights alone: fnet.load_weights.{hint}"
        )
    return _registered_row(name, make)


def _registered_row(name: str, make: Callable[..., Any]) -> Translation:
    row: Translation = importlib.import_module("fnet.io.keras.layers.registered").row(name, make)
    return row


def full_config(layer: Layer, name: str) -> dict[str, Any]:
    """Keras 3's config of a layer under this name."""
    row = known_row(layer)
    if not isinstance(layer.trainable, bool):
        raise StructureError(f"{layer.kind}: Keras trains all of a layer or nothing. Freeze the whole layer.")
    shared = {"name": name, "trainable": layer.trainable, "dtype": "float32"}
    return {key: value for key, value in shared.items() if key not in row.omits} | row.to_config(layer)


def write_layer(layer: Layer, name: str | None = None) -> dict[str, Any]:
    """The object that says a layer within the config of another one, under a name."""
    row = known_row(layer)
    row.told(layer, None)
    for argument in row.in_call:
        if layer.config[argument]:
            raise StructureError(
                f"{layer.kind}: {argument}=True is an argument of the call in Keras, and a layer within another one is "
                f"called without arguments. Put the layer into a graph."
            )
    config = full_config(layer, name or layer.name)
    if layer.kind in MODELS:
        module = "keras" if row.class_name == "Sequential" else "keras.src.models.functional"
        registered = None if row.class_name == "Sequential" else row.class_name
        return keras_object(module, row.class_name, config, registered)
    return keras_object(None if row.registered else "keras.layers", row.class_name, config, row.registered)


def read_layer(config: Config, prefix: str = "") -> Layer:
    """The layer that an object within the config of another one says, with its name where somebody chose it.

    prefix: what Keras has put before this name.
    """
    class_name = config.read("class_name", TEXT)
    row, own = row_of_object(config), config.object("config")
    name = own.read("name", TEXT) if "name" in own else entry_name(row.kind)
    if own.depth > DEEPEST:
        raise FileError(f"{config.path}: layers are nested deeper than {DEEPEST} levels.")
    layer = row.from_config(Config(own.fields, f"{config.path} ({class_name} {plain(repr(name))})", own.depth + 1))
    return named_as(layer, name.removeprefix(prefix), own.path)


def named_as(layer: Layer, name: str, path: str) -> Layer:
    """The layer under the name of a config, unless Keras gave it this name: ``dense``, ``dense_1``."""
    if is_automatic(name, layer.kind):
        return layer
    try:
        return layer.relabel(name, named=True)
    except FnetError as error:
        raise FileError(f"{path}/name: {error}") from None


def is_automatic(name: str, kind: str) -> bool:
    """Whether Keras gave a layer of this kind its name.

    >>> is_automatic("conv2d_3", "Conv2D"), is_automatic("head", "Dense")
    (True, False)
    """
    return re.fullmatch(rf"{re.escape(entry_name(kind))}(_\d+)?", name) is not None


@functools.cache
def keras_layers() -> dict[str, Translation]:
    """All translations by the names of Keras' classes."""
    modules = [importlib.import_module(f"fnet.io.keras.layers.{family}") for family in FAMILIES]
    rows = [row for module in modules for row in module.ROWS]
    return {name: row for row in rows for name in (row.class_name, *row.aliases)}


@functools.cache
def keras_kinds() -> dict[str, Translation]:
    """All translations by the kinds of fnet's layers."""
    return {row.kind: row for row in keras_layers().values()}
