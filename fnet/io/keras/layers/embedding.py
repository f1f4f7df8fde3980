"""Tables of vectors."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, INTEGER
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.parts import INITIALIZER
from fnet.io.keras.variables import Variables, params
from fnet.networks.layer import Layer


def _embeddings(layer: Layer) -> Variables:
    return Variables(params("embeddings"))


ROWS = (
    layer_row(
        "Embedding",
        (
            *fields(INTEGER, "input_dim", "output_dim"),
            Field("embeddings_initializer", INITIALIZER),
            Field("mask_zero", FLAG),
        ),
        _embeddings,
        weights=("embeddings",),
        only={"lora_rank": (None,), "quantization_config": (None,)},
        without_effect=("weights",),  # first values: the file has the present ones
    ),
)
