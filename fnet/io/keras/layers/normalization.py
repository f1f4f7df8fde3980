"""Layers that normalise."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, NUMBER, ValueKind, integers, sequence
from fnet.io.keras.parts import INITIALIZER
from fnet.io.keras.translation import Field, fields, layer_row
from fnet.io.keras.variables import Variables, params, state
from fnet.networks.layer import Layer

_AXIS = integers(-100)


def _read_axis(value: object, path: str) -> int:
    """One axis; Keras 2 wrote it as a list."""
    items = sequence(value)
    one = value if items is None or len(items) != 1 else items[0]
    axis: int = _AXIS.read(one, path)
    return axis


def _scale_and_offset(layer: Layer) -> list[str]:
    return [name for name, argument in (("gamma", "scale"), ("beta", "center")) if layer.config[argument]]


def _batch_variables(layer: Layer) -> Variables:
    return Variables((*params(*_scale_and_offset(layer)), *state("moving_mean", "moving_variance")))


ROWS = (
    layer_row(
        "BatchNormalization",
        (
            Field("axis", ValueKind(_read_axis)),
            *fields(NUMBER, "momentum", "epsilon"),
            *fields(FLAG, "center", "scale"),
            *fields(INITIALIZER, "beta_initializer", "gamma_initializer"),
            *fields(INITIALIZER, "moving_mean_initializer", "moving_variance_initializer"),
        ),
        _batch_variables,
        weights=("beta", "gamma"),
        only={"renorm": (None, False), "synchronized": (None, False), "virtual_batch_size": (None,)},
    ),
)
