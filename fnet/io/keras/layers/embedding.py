"""Tables of vectors."""

from __future__ import annotations

import numpy as np

from fnet.io.keras.config import FLAG, INTEGER, NUMBER, ValueKind, optional, word
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.parts import INITIALIZER
from fnet.io.keras.variables import Variables, params
from fnet.networks.layer import Layer

_DTYPE_NAME = ValueKind(word("float32", "float64").read, lambda value: np.dtype(value).name)


def _embeddings(layer: Layer) -> Variables:
    return Variables(params("embeddings"))


def _both_ways(layer: Layer) -> Variables:
    return Variables(params("embeddings", *([] if layer.config["tie_weights"] else ["reverse_embeddings"])))


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
    layer_row(
        "ReversibleEmbedding",
        (
            *fields(INTEGER, "input_dim", "output_dim"),
            *fields(FLAG, "tie_weights", "mask_zero"),
            Field("embeddings_initializer", INITIALIZER),
            Field("reverse_dtype", optional(_DTYPE_NAME)),
            Field("logit_soft_cap", optional(NUMBER)),
        ),
        _both_ways,
        weights=("embeddings",),
        only={"lora_rank": (None,), "quantization_config": (None,)},
        inputs="reversible",
    ),
)
