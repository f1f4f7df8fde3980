"""How each layer is said in Keras' configs: the table of translations, and the way through it in both directions."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fnet.configured import is_default
from fnet.errors import FileError, FnetError, StructureError, plain
from fnet.io.keras.config import FLAG, TEXT, Config, ValueKind
from fnet.io.keras.parts import CONSTRAINT, DTYPE, REGULARIZER, keras_object
from fnet.io.keras.variables import Variables
from fnet.layers.constructor import LAYERS, entry_name
from fnet.networks.layer import DEEPEST, Layer

FAMILIES = ("dense", "normalization", "recurrent", "wrappers")
"""The modules of `fnet.io.keras.layers`."""

REFUSED: Mapping[str, str] = {}
"""Layers that Keras does not have, with what to do instead."""

_OWN = "Give one of your own a name with fnet.register, or keep its weights alone: fnet.save_weights."
_OWN_CLASS = "Give fnet the function that makes it: fnet.register."
_ONLY: Mapping[str, tuple[Any, ...]] = {"data_format": ("channels_last", None)}
_HINTS = {"data_format": "Make the network with data_format='channels_last' and save it again."}
_WEIGHTS_ALONE = "fnet.save_weights keeps its weights alone."


@dataclass(frozen=True)
class Translation:
    """A layer of Keras.

    class_name: Keras' name; kind: fnet's; aliases: other names that files have for it.
    to_config: Keras 3's config of a layer without ``name``, ``trainable``, ``dtype``; from_config: the layer of a
    config, without its name. variables: those of a layer, in Keras' order.
    """

    class_name: str
    to_config: Callable[[Layer], dict[str, Any]]
    from_config: Callable[[Config], Layer]
    variables: Callable[[Layer], Variables]
    kind: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Field:
    """An argument of a layer that Keras has, too; `key` is Keras' name for it, `others` are older ones."""

    argument: str
    kind: ValueKind
    key: str = ""
    others: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key or self.argument, *self.others)


def fields(kind: ValueKind, *arguments: str) -> tuple[Field, ...]:
    """Fields of one kind."""
    return tuple(Field(argument, kind) for argument in arguments)


def layer_row(
    kind: str,
    takes: Iterable[Field],
    variables: Callable[[Layer], Variables],
    *,
    weights: Iterable[str] = (),
    only: Mapping[str, tuple[Any, ...]] = {},
    lacks: Mapping[str, str] = {},
    adds: Mapping[str, Any] = {},
    aliases: tuple[str, ...] = (),
) -> Translation:
    """The translation of a layer whose arguments are those of Keras under the same names.

    takes: the arguments. weights: the parts that have a ``_regularizer`` and a ``_constraint``. only: the values that
    fields which fnet does not have may have in a file. lacks: arguments that Keras does not have, with what to do
    instead. adds: fields that Keras needs beside.
    """
    shared = (*fields(REGULARIZER, *(f"{part}_regularizer" for part in weights), "activity_regularizer"),
              *fields(CONSTRAINT, *(f"{part}_constraint" for part in weights)))  # fmt: skip
    known = {given.argument: given for given in (*takes, *shared)}

    def to_config(layer: Layer) -> dict[str, Any]:
        defaults = _defaults(kind)
        config: dict[str, Any] = dict(adds)
        for argument, value in layer.config.items():
            if argument in known:
                config[known[argument].keys[0]] = known[argument].kind.write(value)
            elif argument != "trainable" and not is_default(value, defaults[argument]):
                hint = lacks.get(argument, f"Leave it out, or {_WEIGHTS_ALONE}")
                raise StructureError(f"Keras' {kind} has no {argument}={plain(repr(value))}. {hint}")
        return config

    def from_config(config: Config) -> Layer:
        for key, allowed in {**_ONLY, **only}.items():
            if key in config and config.raw(key) not in allowed:
                hint = _HINTS.get(key, "Save the network without it.")
                raise FileError(f"{config.path}/{key}: fnet's {kind} cannot do {plain(repr(config.raw(key)))}. {hint}")
        arguments = {}
        for argument, given in known.items():
            there = [key for key in given.keys if key in config]
            if there:
                arguments[argument] = config.read(there[0], given.kind)
        return made(kind, arguments, config)

    return Translation(kind, to_config, from_config, variables, kind, aliases)


def made(kind: str, arguments: Mapping[str, Any], config: Config) -> Layer:
    """The layer of this kind with these arguments of a config, not trainable if the config says so.

    What the constructor refuses is an error of the file.
    """
    if "dtype" in config:
        config.read("dtype", DTYPE)
    frozen = "trainable" in config and not config.read("trainable", FLAG)
    try:
        return LAYERS.find(kind)(**arguments, **({"trainable": False} if frozen else {}))
    except (FnetError, TypeError) as error:
        raise FileError(f"{config.path}: {error}") from None


def row_of_kind(kind: str) -> Translation:
    """The translation of layers of this kind of fnet; a `StructureError` for one that Keras does not have."""
    rows = {row.kind: row for row in KERAS_LAYERS().values()}
    if kind not in rows:
        raise StructureError(f"Keras has no layer {plain(kind)}. {REFUSED.get(kind, _OWN)}")
    return rows[kind]


def row_of_class(class_name: str, path: str) -> Translation:
    """The translation of Keras' layers of this class; a `FileError` for one that fnet does not have."""
    rows = KERAS_LAYERS()
    if class_name not in rows:
        raise FileError(f"{path}: fnet has no layer {plain(repr(class_name))} of Keras. {_OWN_CLASS}")
    return rows[class_name]


def write_layer(layer: Layer, name: str | None = None) -> dict[str, Any]:
    """The object that says a layer within the config of another one, under a name."""
    row = row_of_kind(layer.kind)
    if not isinstance(layer.trainable, bool):
        raise StructureError(f"{layer.kind}: Keras trains all of a layer or nothing. Freeze the whole layer.")
    shared = {"name": name or layer.name, "trainable": layer.trainable, "dtype": "float32"}
    return keras_object("keras.layers", row.class_name, shared | row.to_config(layer))


def read_layer(config: Config) -> Layer:
    """The layer that an object within the config of another one says, with its name where somebody chose it."""
    if config.path.count("/config") > DEEPEST:
        raise FileError(f"{plain(config.path)}: layers are nested deeper than {DEEPEST} levels.")
    class_name = config.read("class_name", TEXT)
    own = config.object("config")
    layer = row_of_class(class_name, config.path).from_config(own)
    name = own.read("name", TEXT) if "name" in own else layer.name
    if is_automatic(name, layer.kind):
        return layer
    try:
        return layer.relabel(name, named=True)
    except FnetError as error:
        raise FileError(f"{own.path}/name: {error}") from None


def is_automatic(name: str, kind: str) -> bool:
    """Whether Keras gave a layer of this kind its name: ``dense``, ``dense_1``.

    >>> is_automatic("conv2d_3", "Conv2D"), is_automatic("head", "Dense")
    (True, False)
    """
    return re.fullmatch(rf"{re.escape(entry_name(kind))}(_\d+)?", name) is not None


@functools.cache
def KERAS_LAYERS() -> dict[str, Translation]:  # noqa: N802 (a table, made on first use)
    """All translations by the names of Keras' classes."""
    modules = [importlib.import_module(f"fnet.io.keras.layers.{family}") for family in FAMILIES]
    rows = [row for module in modules for row in module.ROWS]
    return {name: row for row in rows for name in (row.class_name, *row.aliases)}


@functools.cache
def _defaults(kind: str) -> dict[str, Any]:
    """The defaults of the arguments of a constructor."""
    return {name: parameter.default for name, parameter in inspect.signature(LAYERS.find(kind)).parameters.items()}
