"""Pooling over windows and over whole images."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, SIZES, optional, word
from fnet.io.keras.fields import Field, layer_row
from fnet.io.keras.parts import DATA_FORMAT
from fnet.io.keras.translation import Translation
from fnet.io.keras.variables import nothing

_WINDOW = (
    Field("pool_size", SIZES),
    Field("strides", optional(SIZES)),
    Field("padding", word("valid", "same")),
    Field("data_format", DATA_FORMAT),
)
_GLOBAL = (Field("data_format", DATA_FORMAT), Field("keepdims", FLAG))
_ADAPTIVE = (Field("output_size", SIZES), Field("data_format", DATA_FORMAT))


def _row(what: str, rank: int, takes: tuple[Field, ...]) -> Translation:
    short = what.replace("Average", "Avg").replace("Pooling", "Pool")
    return layer_row(f"{what}{rank}D", takes, nothing, aliases=(f"{short}{rank}D",))


ROWS = (
    *(_row(what, rank, _WINDOW) for what in ("MaxPooling", "AveragePooling") for rank in (1, 2, 3)),
    *(_row(what, rank, _GLOBAL) for what in ("GlobalMaxPooling", "GlobalAveragePooling") for rank in (1, 2, 3)),
    *(
        layer_row(f"Adaptive{what}Pooling{rank}D", _ADAPTIVE, nothing)
        for what in ("Average", "Max")
        for rank in (1, 2, 3)
    ),
)
