"""Layers that give images another size, or change them by chance."""

from __future__ import annotations

from typing import Any

from fnet.errors import StructureError
from fnet.io.keras.config import FLAG, INTEGER, NUMBER, ValueKind, either, integers, optional, several, word
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.parts import DATA_FORMAT, SEED
from fnet.io.keras.translation import Translation
from fnet.io.keras.variables import nothing
from fnet.layers.bounding_boxes import BOX_FORMATS
from fnet.layers.warp import FILL_MODES, INTERPOLATIONS

_FACTOR = either(NUMBER, several(NUMBER, 2, 2))
_RANGE = Field("value_range", several(NUMBER, 2, 2))
_SIZE = fields(integers(), "height", "width")
_FORMAT = Field("data_format", DATA_FORMAT)
_SEED = Field("seed", SEED)
_INTERPOLATION = Field("interpolation", word(*INTERPOLATIONS))
_BOXES = Field("bounding_box_format", optional(word(*BOX_FORMATS)))
_METHODS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")


def _pair(kind: ValueKind, low: float | None = None) -> ValueKind:
    """Two values, and one that Keras takes as other two: as the same twice, or from `low` to it."""
    two = either(kind, several(kind, 2, 2))

    def write(value: Any) -> Any:
        low_and_high = value if isinstance(value, list | tuple) else (value if low is None else low, value)
        return two.write(low_and_high)

    return ValueKind(two.read, write)


def _write_deviations(value: Any) -> Any:
    written = _pair(NUMBER).write(value)
    if max(written) > 1:
        raise StructureError(f"Keras' RandomGaussianBlur has sigma up to 1, received {value!r:.40}. Take less.")
    return written


_FROM_ZERO = _pair(NUMBER, 0.0)
_FILL = optional(either(NUMBER, several(NUMBER, 1, 100)))


def _warped(kind: str, *factors: Field) -> Translation:
    seen = Field("fill_mode", word(*FILL_MODES)), _INTERPOLATION
    return layer_row(kind, (*factors, *seen, _SEED, Field("fill_value", NUMBER), _FORMAT, _BOXES), nothing)


def _random(kind: str, *takes: Field) -> Translation:
    return layer_row(kind, (*takes, _RANGE, _SEED, _FORMAT), nothing)


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
            _BOXES,
        ),
        nothing,
    ),
    layer_row("CenterCrop", (*_SIZE, _FORMAT, _BOXES), nothing),
    layer_row("RandomCrop", (*_SIZE, _SEED, _FORMAT, _BOXES), nothing),
    layer_row(
        "RandomFlip",
        (Field("mode", word("horizontal", "vertical", "horizontal_and_vertical")), _SEED, _FORMAT, _BOXES),
        nothing,
    ),
    _warped("RandomRotation", Field("factor", _FACTOR)),
    _warped("RandomZoom", Field("height_factor", _FACTOR), Field("width_factor", optional(_FACTOR))),
    _warped("RandomTranslation", *fields(_FACTOR, "height_factor", "width_factor")),
    _warped("RandomShear", *fields(_FACTOR, "x_factor", "y_factor")),
    layer_row("RandomBrightness", (Field("factor", _FACTOR), _RANGE, _SEED), nothing),
    layer_row("RandomContrast", (Field("factor", _FACTOR), _RANGE, _SEED), nothing),
    _random("RandomInvert", Field("factor", _FACTOR)),
    layer_row("RandomGrayscale", (Field("factor", NUMBER), _FORMAT), nothing, beside=("seed",)),
    _random("RandomColorDegeneration", Field("factor", _FROM_ZERO)),
    _random("RandomHue", Field("factor", _FACTOR)),
    _random("RandomPosterization", Field("factor", _pair(INTEGER))),
    _random("RandomSaturation", Field("factor", _FROM_ZERO)),
    _random("RandomSharpness", Field("factor", _FACTOR)),
    _random(
        "RandomColorJitter",
        *fields(optional(_FACTOR), "brightness_factor", "contrast_factor", "hue_factor"),
        Field("saturation_factor", optional(_FROM_ZERO)),
    ),
    _random(
        "RandomGaussianBlur",
        Field("factor", _FACTOR),
        Field("kernel_size", either(INTEGER, several(INTEGER, 2, 2))),
        Field("sigma", ValueKind(_FACTOR.read, _write_deviations)),
    ),
    _random("RandomErasing", *fields(_FACTOR, "factor", "scale"), Field("fill_value", _FILL)),
    layer_row("Solarization", (*fields(_FACTOR, "addition_factor", "threshold_factor"), _RANGE, _SEED), nothing),
    layer_row("AutoContrast", (_RANGE,), nothing),
    layer_row("Equalization", (_RANGE, Field("bins", INTEGER), _FORMAT), nothing),
    layer_row(
        "ContrastLimitedAdaptiveHistogramEqualization",
        (_RANGE, Field("clip_limit", NUMBER), Field("tile_grid_size", several(INTEGER, 2, 2)), _FORMAT),
        nothing,
    ),
    layer_row(
        "RandomPerspective",
        (*fields(_FACTOR, "factor"), *fields(NUMBER, "scale", "fill_value"), _INTERPOLATION, _SEED, _FORMAT, _BOXES),
        nothing,
    ),
    _random(
        "RandomElasticTransform",
        *fields(_FACTOR, "factor", "scale"),
        _INTERPOLATION,
        Field("fill_mode", word(*FILL_MODES)),
        Field("fill_value", NUMBER),
    ),
    layer_row("CutMix", (Field("factor", _FACTOR), _SEED, _FORMAT), nothing),
    layer_row("MixUp", (Field("alpha", NUMBER), _SEED, _FORMAT), nothing),
    _random("RandAugment", Field("num_ops", INTEGER), Field("factor", _FACTOR), _INTERPOLATION, _BOXES),
    _random(
        "AugMix",
        *fields(INTEGER, "num_chains", "chain_depth"),
        Field("factor", _FACTOR),
        Field("alpha", NUMBER),
        Field("all_ops", FLAG),
        _INTERPOLATION,
    ),
    layer_row("MaxNumBoundingBoxes", (Field("max_number", INTEGER), Field("fill_value", integers(-(2**31)))), nothing),
)
