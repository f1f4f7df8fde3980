"""Layers that bring raw numbers into shape."""

from __future__ import annotations

import numpy as np

from fnet.io.keras.config import FLAG, NUMBER, ValueKind, either, integers, optional, several
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.variables import Variables, nothing, state
from fnet.networks.layer import Layer

_NUMBERS = either(NUMBER, several(NUMBER, 1))
_AXIS = integers(-100)
_AXES = either(_AXIS, several(_AXIS, 0, 100))


def _write_numbers(value: object) -> object:
    """Numbers as plain data, from an array too."""
    return value if value is None else np.asarray(value, np.float64).tolist()


_STATISTIC = ValueKind(optional(_NUMBERS).read, _write_numbers)


def _read_axes(value: object, path: str) -> object:
    """The axes of which each entry has statistics; none of them are None."""
    return None if value is None else _AXES.read(value, path) or None


def _learnt_scale(layer: Layer) -> Variables:
    return Variables(() if layer.learning is None else state("mean", "variance", "count"))


ROWS = (
    layer_row("Rescaling", fields(_NUMBERS, "scale", "offset"), nothing),
    layer_row(
        "Normalization",
        (
            Field("axis", ValueKind(_read_axes, optional(_AXES).write)),
            *fields(_STATISTIC, "mean", "variance"),
            Field("invert", FLAG),
        ),
        _learnt_scale,
    ),
)
