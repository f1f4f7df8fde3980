"""Layers of users' own, which `fnet.register` has given a name: their arguments as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fnet.configured import Configured
from fnet.errors import FileError, FnetError, StructureError, plain, scope
from fnet.io.keras import registry
from fnet.io.keras.config import Config, sequence, wrong
from fnet.io.keras.objects import read_object
from fnet.io.keras.parts import CONSTRAINT, INITIALIZER, REGULARIZER
from fnet.io.keras.translation import MODELS, Translation, known_row, read_layer, write_layer
from fnet.io.keras.variables import Leaves, Variables
from fnet.networks.layer import DEEPEST, Layer

_OF_ALL = ("name", "trainable", "dtype", "autocast", "batch_input_shape", "batch_shape")
"""What a config has of every layer of Keras."""
_MODULES = {"initializers": INITIALIZER, "regularizers": REGULARIZER, "constraints": CONSTRAINT}


def row(name: str, make: Callable[..., Any]) -> Translation:
    """The translation of layers that `make` makes, which have this name in files."""
    kind = registry.class_name(name)

    def to_config(layer: Layer) -> dict[str, Any]:
        return {key: _written(value, key) for key, value in layer.config.items() if key != "trainable"}

    def from_config(config: Config) -> Layer:
        of_config = getattr(make, "of_config", None)  # of classes, which read their configs themselves
        arguments = {key: _read(value, f"{config.path}/{key}", config.depth) for key, value in config.fields.items()
                     if key not in _OF_ALL and not (key == "activity_regularizer" and value is None)
                     and of_config is None}  # fmt: skip
        try:
            layer = make(**arguments) if of_config is None else of_config(dict(config.fields))
        except FileError:
            raise
        except Exception as error:  # whatever a function of the user's raises for what a file says
            said = plain(str(error) if isinstance(error, FnetError | TypeError) else repr(error), 300)
            raise FileError(f"{config.path}: {plain(name)} cannot be made of its config. {said}") from error
        if not isinstance(layer, Layer):
            raise FileError(
                f"{config.path}: what is registered as {plain(repr(name))} makes a {type(layer).__name__}, expected a "
                f"Layer. Register its constructor, see fnet.layers.layer_constructor."
            )
        return layer.with_trainable(False) if config.raw("trainable") is False else layer

    return Translation(kind, to_config, from_config, _variables, kind, registered=name)


def _variables(layer: Layer) -> Variables:
    """Those of the layers in it as Keras has them, and all other leaves."""
    inner = dict(zip(layer.entries, layer.children, strict=True))
    paths_of = getattr(layer.recipe.make, "paths", None) if layer.recipe is not None else None
    paths = {} if paths_of is None else paths_of(layer)
    children = {
        paths.get(entry, entry): known_row(child).variables(child).below(entry) for entry, child in inner.items()
    }
    return Variables(children=children, leaves=Leaves())


def _written(value: Any, argument: str) -> Any:
    """An argument as plain data, objects as Keras says them."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple) and not isinstance(value, Layer):
        return [_written(item, argument) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _written(item, argument) for key, item in value.items()}
    if isinstance(value, Layer):
        with scope(argument):
            return write_layer(value)
    for kind in _MODULES.values() if isinstance(value, Configured) else ():
        try:
            return kind.write(value)
        except StructureError:
            continue
    raise StructureError(f"a file cannot hold {argument}={plain(repr(value))}. Take plain data, or a name.")


def _read(value: Any, path: str, depth: int, levels: int = 0) -> Any:
    """An argument; objects of Keras in it become those of fnet."""
    if levels > DEEPEST:
        raise FileError(f"{path}: it is nested deeper than {DEEPEST} levels.")
    items = sequence(value)
    if items is not None:
        return [_read(item, path, depth, levels + 1) for item in items]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value or "config" not in value:
        return {key: _read(item, f"{path}/{key}", depth, levels + 1) for key, item in value.items()}
    said = read_object(value, path)
    if said.own is not None and "trainable" not in said.arguments:  # which the config of every layer has
        return said.thing()
    module = value.get("module")
    family = module.rpartition(".")[2] if isinstance(module, str) and module.startswith("keras.") else None
    if family in _MODULES:
        return _MODULES[family].read(value, path)
    if family == "layers" or said.own is not None or value["class_name"] in MODELS.values():
        return read_layer(Config(value, path, depth))
    raise wrong(path, "plain data, or an initializer, regularizer, constraint or layer of Keras", value["class_name"])
