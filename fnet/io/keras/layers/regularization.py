"""Dropout, noise, and layers that add penalties or masks."""

from __future__ import annotations

from fnet.io.keras.config import NUMBER, integers, optional, several
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.parts import SEED
from fnet.io.keras.translation import Translation
from fnet.io.keras.variables import nothing

_RATE = Field("rate", NUMBER)
_SEED = Field("seed", SEED)
_NOISE_SHAPE = Field("noise_shape", optional(several(optional(integers()), 1, 100)))


def _spatial(rank: int) -> Translation:
    # Keras' constructors of these three take no other arguments.
    return layer_row(f"SpatialDropout{rank}D", (_RATE, _SEED), nothing, omits=("trainable", "activity_regularizer"))


ROWS = (
    layer_row("Dropout", (_RATE, _NOISE_SHAPE, _SEED), nothing),
    *(_spatial(rank) for rank in (1, 2, 3)),
    layer_row("GaussianDropout", (_RATE, _SEED), nothing),
    layer_row("GaussianNoise", (Field("stddev", NUMBER), _SEED), nothing),
    layer_row("AlphaDropout", (_RATE, _SEED), nothing, only={"noise_shape": (None,)}),
    layer_row("ActivityRegularization", fields(NUMBER, "l1", "l2"), nothing),
    layer_row("Masking", (Field("mask_value", NUMBER),), nothing),
)
