"""Activations as layers."""

from __future__ import annotations

from typing import Any

from fnet.io.keras.config import NUMBER, ValueKind, either, integers, optional, several
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.layer_activations import ACTIVATION
from fnet.io.keras.parts import INITIALIZER
from fnet.io.keras.variables import Variables, nothing, params
from fnet.networks.layer import Layer

_AXIS = integers(-100)
_AXES = either(_AXIS, several(_AXIS, 1, 100))


def _alpha(layer: Layer) -> Variables:
    return Variables(params("alpha"))


def _read_shared(value: Any, path: str) -> Any:
    """Axes that count the batch axis; Keras takes one off, so that its 0 is the last axis of a sample."""
    read = optional(_AXES).read(value, path)
    axes = (read,) if isinstance(read, int) else read
    return None if axes is None else tuple(axis if axis > 0 else axis - 1 for axis in axes)


def _write_shared(value: Any) -> Any:
    axes = (value,) if isinstance(value, int) else value
    return None if axes is None else [axis if axis > 0 else axis + 1 for axis in axes]


ROWS = (
    layer_row("Activation", (Field("activation", ACTIVATION),), nothing),
    layer_row("Identity", (), nothing),
    layer_row("ReLU", (Field("max_value", optional(NUMBER)), *fields(NUMBER, "negative_slope", "threshold")), nothing),
    layer_row("LeakyReLU", (Field("negative_slope", NUMBER, others=("alpha",)),), nothing),
    layer_row("ELU", (Field("alpha", NUMBER),), nothing),
    layer_row(
        "PReLU",
        (Field("alpha_initializer", INITIALIZER), Field("shared_axes", ValueKind(_read_shared, _write_shared))),
        _alpha,
        weights=("alpha",),
    ),
    layer_row("Softmax", (Field("axis", _AXES),), nothing),
)
