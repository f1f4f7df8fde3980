"""How each layer is said in Keras' configs: the table of translations, and the way through it in both directions."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fnet.errors import FileError, FnetError, StructureError, plain
from fnet.io.keras.config import TEXT, Config
from fnet.io.keras.parts import keras_object
from fnet.io.keras.variables import Variables
from fnet.layers.constructor import entry_name
from fnet.networks.layer import DEEPEST, Layer

Inputs = Literal["one", "list", "each", "states"]
"""How Keras' layer is called: ``layer(x)``; ``layer([x, y])``; ``layer(query, value, key)``, for self-attention
``layer(x, x)``; ``layer(x, initial_state=[h])``."""

FAMILIES = (
    "activation",
    "attention",
    "conv",
    "dense",
    "embedding",
    "merge",
    "normalization",
    "pooling",
    "recurrent",
    "regularization",
    "reshape",
    "wrappers",
)
"""The modules of `fnet.io.keras.layers`."""

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
    ``masked`` has its mask as the last input. omits: fields of all layers that this one does not take.
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

    def call_keywords(self, layer: Layer) -> dict[str, bool]:
        """The keywords of Keras' call that this layer needs; a mask among its inputs is not in it."""
        return {key: True for argument, key in self.in_call.items() if argument != "masked" and layer.config[argument]}


def row_of_kind(kind: str) -> Translation:
    """The translation of layers of this kind of fnet; a `StructureError` for one that Keras does not have."""
    rows = keras_kinds()
    if kind not in rows:
        raise StructureError(f"Keras has no layer {plain(kind)}. {REFUSED.get(kind, _OWN)} {_WEIGHTS_ALONE}")
    return rows[kind]


def row_of_class(class_name: str, path: str) -> Translation:
    """The translation of Keras' layers of this class; a `FileError` for one that fnet does not have."""
    rows = keras_layers()
    if class_name not in rows:
        raise FileError(
            f"{path}: fnet has no layer {plain(repr(class_name))}. Build the network in fnet, and load "
            f"the weights alone: fnet.load_weights."
        )
    return rows[class_name]


def full_config(layer: Layer, name: str) -> dict[str, Any]:
    """Keras 3's config of a layer under this name."""
    row = row_of_kind(layer.kind)
    if not isinstance(layer.trainable, bool):
        raise StructureError(f"{layer.kind}: Keras trains all of a layer or nothing. Freeze the whole layer.")
    shared = {"name": name, "trainable": layer.trainable, "dtype": "float32"}
    return {key: value for key, value in shared.items() if key not in row.omits} | row.to_config(layer)


def write_layer(layer: Layer, name: str | None = None) -> dict[str, Any]:
    """The object that says a layer within the config of another one, under a name."""
    row = row_of_kind(layer.kind)
    for argument in row.in_call:
        if layer.config[argument]:
            raise StructureError(
                f"{layer.kind}: {argument}=True is an argument of the call in Keras, and a layer within another one is "
                f"called without arguments. Put the layer into a graph."
            )
    return keras_object("keras.layers", row.class_name, full_config(layer, name or layer.name))


def read_layer(config: Config, prefix: str = "") -> Layer:
    """The layer that an object within the config of another one says, with its name where somebody chose it.

    prefix: what Keras has put before this name.
    """
    class_name = config.read("class_name", TEXT)
    row, own = row_of_class(class_name, config.path), config.object("config")
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
