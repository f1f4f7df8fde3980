"""Layers whose arguments are those of Keras: their translations are lists of fields."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fnet.configured import is_default
from fnet.errors import FileError, FnetError, StructureError, plain, scope
from fnet.io.keras.config import FLAG, Config, ValueKind, integers
from fnet.io.keras.layer_activations import with_activation
from fnet.io.keras.parts import CONSTRAINT, DATA_FORMAT, DTYPE, REGULARIZER
from fnet.io.keras.translation import Inputs, Translation, known_row, read_layer, write_layer
from fnet.io.keras.variables import Variables
from fnet.layers.constructor import LAYERS
from fnet.networks.layer import Layer

_BATCH_SIZE = integers(optional=True)


@dataclass(frozen=True)
class Field:
    """An argument of a layer that Keras has, too, under the same name; `others` are older names of it."""

    argument: str
    kind: ValueKind
    others: tuple[str, ...] = ()


class Child(NamedTuple):
    """A layer within a layer.

    argument: Keras' and fnet's. attribute: of Keras' object. prefix: what Keras puts before the name of the layer.
    """

    argument: str
    attribute: str
    prefix: str = ""


def fields(kind: ValueKind, *arguments: str) -> tuple[Field, ...]:
    """Fields of one kind."""
    return tuple(Field(argument, kind) for argument in arguments)


def layer_row(
    kind: str,
    takes: Iterable[Field],
    variables: Callable[[Layer], Variables] | None = None,
    *,
    children: tuple[Child, ...] = (),
    weights: Iterable[str] = (),
    only: Mapping[str, tuple[Any, ...]] = {},
    lacks: Mapping[str, str] = {},
    in_call: Mapping[str, str] = {},
    beside: tuple[str, ...] = (),
    without_effect: tuple[str, ...] = (),
    omits: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
    inputs: Inputs = "one",
    learnt: Callable[[Layer, Any], dict[str, Any]] | None = None,
) -> Translation:
    """The translation of a layer whose arguments are those of Keras under the same names.

    takes: the arguments. variables: those of a layer; without it, those of its `children`. weights: the parts that have
    a ``_regularizer`` and a ``_constraint``. only: the values that fields which fnet does not have may have in a file.
    lacks: what to do instead of arguments that Keras does not have.
    in_call, beside, omits, aliases, inputs, learnt: see `Translation`. without_effect: arguments that a file need not
    keep.
    """
    penalties = [f"{part}_regularizer" for part in weights] + ["activity_regularizer"]
    shared = (*fields(REGULARIZER, *penalties), *fields(CONSTRAINT, *(f"{part}_constraint" for part in weights)))
    known = {given.argument: given for given in (*takes, *shared) if given.argument not in omits}
    elsewhere = {**dict.fromkeys(in_call, FLAG), **dict.fromkeys(beside, _BATCH_SIZE)}
    silent = {"trainable", *elsewhere, *without_effect, *(child.argument for child in children)}

    def to_config(layer: Layer) -> dict[str, Any]:
        config: dict[str, Any] = {}
        for child, entry, inner in zip(children, layer.entries, layer.children, strict=True) if children else ():
            with scope(entry):
                config[child.argument] = write_layer(inner, entry)
        for argument, value in layer.config.items():
            if argument in known:
                config[argument] = known[argument].kind.write(value)
            elif argument not in silent and not is_default(value, _defaults(kind)[argument]):
                hint = lacks.get(argument, "Leave it out, or keep the weights alone: fnet.save_weights.")
                raise StructureError(f"Keras' {kind} has no {argument}={plain(repr(value))}. {hint}")
        return config

    def from_config(config: Config) -> Layer:
        for key, allowed in only.items():
            if key in config and config.raw(key) not in allowed:
                received = plain(repr(config.raw(key)))
                raise FileError(f"{config.path}/{key}: fnet's {kind} cannot do {received}. Save the network without.")
        if "data_format" in config and "data_format" not in known:
            config.read("data_format", DATA_FORMAT)
        found = {a: next((key for key in (a, *given.others) if key in config), None) for a, given in known.items()}
        arguments = {a: config.read(key, known[a].kind) for a, key in found.items() if key is not None}
        arguments |= {a: config.read(a, value_kind) for a, value_kind in elsewhere.items() if a in config}
        for child in children:
            if config.raw(child.argument) is not None:
                arguments[child.argument] = read_layer(config.object(child.argument), child.prefix)
        return made(kind, arguments, config, "dtype" not in omits)

    def of_children(layer: Layer) -> Variables:
        attributes = [child.attribute for child in children]
        return children_variables(layer, attributes)

    def of_layer(layer: Layer) -> Variables:
        return of_children(layer) if variables is None else with_activation(variables(layer), layer)

    return Translation(kind, to_config, from_config, of_layer, kind, aliases, inputs, in_call, omits, learnt=learnt)


def children_variables(layer: Layer, attributes: Iterable[str]) -> Variables:
    """The variables of the layers in a layer, by the attributes that Keras has them in."""
    return Variables(children={
        attribute: known_row(child).variables(child).below(entry)
        for attribute, entry, child in zip(attributes, layer.entries, layer.children, strict=True)
    })  # fmt: skip


def made(kind: str, arguments: Mapping[str, Any], config: Config, has_dtype: bool = True) -> Layer:
    """The layer of this kind with these arguments of a config, not trainable if the config says so.

    What the constructor refuses is an error of the file. has_dtype: whether the config says that of parameters.
    """
    if has_dtype and "dtype" in config:
        config.read("dtype", DTYPE)
    frozen = "trainable" in config and not config.read("trainable", FLAG)
    try:
        return LAYERS.find(kind)(**arguments, **({"trainable": False} if frozen else {}))
    except (FnetError, TypeError) as error:
        raise FileError(f"{config.path}: {error}") from None


@functools.cache
def _defaults(kind: str) -> dict[str, Any]:
    """The defaults of the arguments of a constructor."""
    return {name: parameter.default for name, parameter in inspect.signature(LAYERS.find(kind)).parameters.items()}
