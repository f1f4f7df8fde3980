"""Layers that give samples another shape: flat, reordered, repeated, padded, cropped, enlarged."""

from __future__ import annotations

from typing import Any

from fnet.io.keras.config import INTEGER, SIZES, ValueKind, either, integers, several, word
from fnet.io.keras.fields import Field, layer_row
from fnet.io.keras.parts import DATA_FORMAT
from fnet.io.keras.translation import Translation
from fnet.io.keras.variables import nothing

_END = integers(0)
_SIDES = either(_END, several(either(_END, several(_END, 2, 2)), 1, 3))
_FORMAT = Field("data_format", DATA_FORMAT)
_ANY_FORMAT = word("channels_last", "channels_first", None)


def _read_format(value: Any, path: str) -> Any:
    """The order of channels, None for the usual one."""
    read = _ANY_FORMAT.read(value, path)
    return None if read == "channels_last" else read


_FLATTENED = Field("data_format", ValueKind(_read_format, lambda value: value or "channels_last"))


def _row(kind: str, *takes: Field) -> Translation:
    return layer_row(kind, takes, nothing)


ROWS = (
    layer_row("Flatten", (_FLATTENED,), nothing, only={"data_format": ("channels_last", "channels_first", None)}),
    _row("Reshape", Field("target_shape", several(integers(-1), 0, 100))),
    _row("Permute", Field("dims", either(INTEGER, several(INTEGER, 1, 100)))),
    _row("RepeatVector", Field("n", INTEGER)),
    _row("UpSampling1D", Field("size", SIZES)),
    _row("UpSampling2D", Field("size", SIZES), _FORMAT, Field("interpolation", word("nearest", "bilinear"))),
    _row("UpSampling3D", Field("size", SIZES), _FORMAT),
    *(_row(f"ZeroPadding{rank}D", Field("padding", _SIDES), _FORMAT) for rank in (1, 2, 3)),
    _row("Cropping1D", Field("cropping", _SIDES)),
    *(_row(f"Cropping{rank}D", Field("cropping", _SIDES), _FORMAT) for rank in (2, 3)),
)
