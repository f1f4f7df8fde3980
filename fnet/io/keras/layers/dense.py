"""Fully connected layers."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, INTEGER
from fnet.io.keras.parts import ACTIVATION, INITIALIZER
from fnet.io.keras.translation import Field, fields, layer_row
from fnet.io.keras.variables import Variables, params
from fnet.networks.layer import Layer


def with_bias(layer: Layer) -> Variables:
    """A kernel, and a bias where the layer has one."""
    return Variables(params("kernel", *(["bias"] if layer.config["use_bias"] else [])))


ROWS = (
    layer_row(
        "Dense",
        (
            Field("units", INTEGER),
            Field("activation", ACTIVATION),
            Field("use_bias", FLAG),
            *fields(INITIALIZER, "kernel_initializer", "bias_initializer"),
        ),
        with_bias,
        weights=("kernel", "bias"),
        only={"quantization_config": (None,), "lora_rank": (None,)},
    ),
)
