"""Layers that give images another size, or change them by chance."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, NUMBER, either, integers, optional, several, word
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.parts import DATA_FORMAT, SEED
from fnet.io.keras.translation import Translation
from fnet.io.keras.variables import nothing
from fnet.layers.warp import FILL_MODES, INTERPOLATIONS

_FACTOR = either(NUMBER, several(NUMBER, 2, 2))
_RANGE = Field("value_range", several(NUMBER, 2, 2))
_SIZE = fields(integers(), "height", "width")
_FORMAT = Field("data_format", DATA_FORMAT)
_SEED = Field("seed", SEED)
_MODES = ("horizontal", "vertical", "horizontal_and_vertical")
_METHODS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")


def _warped(kind: str, *factors: Field) -> Translation:
    seen = Field("fill_mode", word(*FILL_MODES)), Field("interpolation", word(*INTERPOLATIONS))
    return layer_row(kind, (*factors, *seen, _SEED, Field("fill_value", NUMBER), _FORMAT), nothing)


ROWS = (
    layer_row(
        "Resizing",
        (
            *_SIZE,
            Field("interpolation", word(*_METHODS)),
            *fields(FLAG, "crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"),
            Field("fill_mode", word("constant")),
            Field("fill_value", NUMBER),
            _FORMAT,
        ),
        nothing,
    ),
    layer_row("CenterCrop", (*_SIZE, _FORMAT), nothing),
    layer_row("RandomCrop", (*_SIZE, _SEED, _FORMAT), nothing),
    layer_row(
        "RandomFlip",
        (Field("mode", word("horizontal", "vertical", "horizontal_and_vertical")), _SEED, _FORMAT),
        nothing,
    ),
    _warped("RandomRotation", Field("factor", _FACTOR)),
    _warped("RandomZoom", Field("height_factor", _FACTOR), Field("width_factor", optional(_FACTOR))),
    _warped("RandomTranslation", *fields(_FACTOR, "height_factor", "width_factor")),
    _warped("RandomShear", *fields(_FACTOR, "x_factor", "y_factor")),
    layer_row("RandomBrightness", (Field("factor", _FACTOR), _RANGE, _SEED), nothing),
    layer_row("RandomContrast", (Field("factor", _FACTOR), _RANGE, _SEED), nothing),
    layer_row("RandomInvert", (Field("factor", _FACTOR), _RANGE, _SEED, _FORMAT), nothing),
    layer_row("RandomGrayscale", (Field("factor", NUMBER), _FORMAT), nothing, beside=("seed",)),
)
