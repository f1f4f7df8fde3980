"""Activations in Keras' configs: functions, and layers in their place, as in ``Dense(4, activation=LeakyReLU())``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fnet.errors import FileError, plain
from fnet.io.keras.config import Config, ValueKind
from fnet.io.keras.parts import ACTIVATION as FUNCTION
from fnet.io.keras.translation import known_row, read_layer, write_layer
from fnet.io.keras.variables import Variables
from fnet.layers.layer_activation import ENTRY, LayerActivation
from fnet.networks.layer import Layer

_CLASSES = ("LeakyReLU", "ReLU", "ELU", "Softmax", "PReLU")


def _read(value: Any, path: str) -> Any:
    if not isinstance(value, Mapping) or value.get("class_name") == "function":
        return FUNCTION.read(value, path)
    if value.get("class_name") not in _CLASSES:
        raise FileError(
            f"{path}: the activation is {plain(repr(value.get('class_name')))}, expected a function or one of the "
            f"layers {', '.join(_CLASSES)}. Save the network with that layer behind this one."
        )
    return read_layer(Config(value, path))


def _write(value: Any) -> Any:
    if isinstance(value, LayerActivation):
        return write_layer(value.layer)
    return write_layer(value) if isinstance(value, Layer) else FUNCTION.write(value)


def with_activation(variables: Variables, layer: Layer) -> Variables:
    """The variables of a layer, with those of its activation."""
    if ENTRY not in layer.entries:
        return variables
    (activation,) = layer.children
    own = known_row(activation).variables(activation).below(ENTRY)
    return Variables(variables.own, {**variables.children, ENTRY: own}, variables.leaves)


ACTIVATION = ValueKind(_read, _write)
