"""Layers that normalise."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, NUMBER, ValueKind, either, integers, sequence, several
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.parts import INITIALIZER
from fnet.io.keras.variables import Variables, nothing, params, state
from fnet.networks.layer import Layer

_AXIS = integers(-100)
_AXES = Field("axis", either(_AXIS, several(_AXIS, 1, 100)))
_TRAINED = (
    Field("epsilon", NUMBER),
    *fields(FLAG, "center", "scale"),
    *fields(INITIALIZER, "beta_initializer", "gamma_initializer"),
)


def _read_axis(value: object, path: str) -> int:
    """One axis; Keras 2 wrote it as a list."""
    items = sequence(value)
    one = value if items is None or len(items) != 1 else items[0]
    axis: int = _AXIS.read(one, path)
    return axis


def _scale_and_offset(layer: Layer) -> Variables:
    given = [name for name, argument in (("gamma", "scale"), ("beta", "center")) if layer.config[argument]]
    return Variables(params(*given))


def _with_moving(layer: Layer) -> Variables:
    return Variables((*_scale_and_offset(layer).own, *state("moving_mean", "moving_variance")))


def _scale(layer: Layer) -> Variables:
    return Variables(params("scale"))


ROWS = (
    layer_row(
        "BatchNormalization",
        (
            Field("axis", ValueKind(_read_axis)),
            Field("momentum", NUMBER),
            *_TRAINED,
            *fields(INITIALIZER, "moving_mean_initializer", "moving_variance_initializer"),
        ),
        _with_moving,
        weights=("beta", "gamma"),
        only={"renorm": (None, False), "synchronized": (None, False), "virtual_batch_size": (None,)},
        aliases=("BatchNormalizationV1", "BatchNormalizationV2"),
    ),
    layer_row(
        "LayerNormalization",
        (_AXES, *_TRAINED),
        _scale_and_offset,
        weights=("beta", "gamma"),
        only={"rms_scaling": (None, False)},
    ),
    layer_row(
        "GroupNormalization",
        (Field("groups", integers(-1)), Field("axis", ValueKind(_read_axis)), *_TRAINED),
        _scale_and_offset,
        weights=("beta", "gamma"),
    ),
    layer_row("RMSNormalization", (_AXES, Field("epsilon", NUMBER)), _scale),
    layer_row("UnitNormalization", (_AXES,), nothing),
)
