"""Layers that bring raw numbers into shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.io.keras.config import FLAG, NUMBER, TEXT, Config, ValueKind, either, integers, optional, several, word
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.translation import Translation
from fnet.io.keras.variables import Variables, nothing, state
from fnet.layers.categories import MODES, VECTORS
from fnet.networks.layer import Layer
from fnet.transfer import to_host

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


def _learnt_boundaries(layer: Layer, state: Any) -> dict[str, Any]:
    """The boundaries; as Keras has it, a layer that has been told learns no more."""
    edges = np.asarray(to_host(state["bin_boundaries"]))
    known = np.isfinite(edges).all()
    return {"bin_boundaries": tuple(map(float, edges)), "num_bins": None} if known else {}


_DENSE = {"sparse": (None, False)}
_BINS = integers(1)
_ANY_INTEGER = integers(-(2**63), most=2**63 - 1)


def _read_mask(value: Any, path: str) -> Any:
    return TEXT.read(value, path) if isinstance(value, str) else optional(_ANY_INTEGER).read(value, path)


def _one_source(row: Translation) -> Translation:
    """The translation, for which boundaries in the config are more than the number of bins that they came of."""

    def from_config(config: Config) -> Layer:
        told = config.raw("bin_boundaries") is not None
        fields = {key: value for key, value in config.fields.items() if not (told and key == "num_bins")}
        return row.from_config(Config(fields, config.path, config.depth))

    return Translation(**{**row.__dict__, "from_config": from_config})


ROWS = (
    layer_row(
        "CategoryEncoding",
        (Field("num_tokens", _BINS), Field("output_mode", word(*VECTORS))),
        nothing,
        only=_DENSE,
    ),
    _one_source(
        layer_row(
            "Discretization",
            (
                Field("bin_boundaries", optional(several(NUMBER))),
                Field("num_bins", optional(_BINS)),
                Field("epsilon", NUMBER),
                Field("output_mode", word(*MODES)),
            ),
            nothing,
            only=_DENSE,
            learnt=_learnt_boundaries,
            omits=("trainable",),
        )
    ),
    layer_row(
        "Hashing",
        (
            Field("num_bins", _BINS),
            Field("mask_value", ValueKind(_read_mask)),
            Field("salt", optional(either(_ANY_INTEGER, several(_ANY_INTEGER, 2, 2)))),
            Field("output_mode", word(*MODES)),
        ),
        nothing,
        only=_DENSE,
        omits=("dtype",),
    ),
    layer_row(
        "HashedCrossing",
        (Field("num_bins", _BINS), Field("output_mode", word("int", "one_hot"))),
        nothing,
        only=_DENSE,
        inputs="list",
        omits=("trainable", "dtype"),
    ),
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
