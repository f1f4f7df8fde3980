"""Fully connected layers."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, INTEGER, TEXT, either, optional, several
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.layer_activations import ACTIVATION
from fnet.io.keras.parts import INITIALIZER
from fnet.io.keras.variables import Variables, params
from fnet.networks.layer import Layer

_UNSAID = {"quantization_config": (None,), "lora_rank": (None,)}


def with_bias(layer: Layer) -> Variables:
    """A kernel, and a bias where the layer has one."""
    return Variables(params("kernel", *(["bias"] if layer.config["use_bias"] else [])))


def _einsum_variables(layer: Layer) -> Variables:
    return Variables(params("kernel", *(["bias"] if layer.config["bias_axes"] else [])))


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
        only=_UNSAID,
    ),
    layer_row(
        "EinsumDense",
        (
            Field("equation", TEXT),
            Field("output_shape", either(INTEGER, several(optional(INTEGER), 0, 100))),
            Field("activation", ACTIVATION),
            Field("bias_axes", optional(TEXT)),
            *fields(INITIALIZER, "kernel_initializer", "bias_initializer"),
        ),
        _einsum_variables,
        weights=("kernel", "bias"),
        only=_UNSAID,
    ),
)
