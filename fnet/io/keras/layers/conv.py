"""Convolutions: plain, transposed, depthwise, separable."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, INTEGER, SIZES, optional, word
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.layer_activations import ACTIVATION
from fnet.io.keras.layers.dense import with_bias
from fnet.io.keras.parts import DATA_FORMAT, INITIALIZER
from fnet.io.keras.translation import Translation
from fnet.io.keras.variables import Variables, params
from fnet.networks.layer import Layer

_WINDOW = (
    *fields(SIZES, "kernel_size", "strides", "dilation_rate"),
    Field("data_format", DATA_FORMAT),
    Field("activation", ACTIVATION),
    Field("use_bias", FLAG),
    Field("bias_initializer", INITIALIZER),
)
_FILTERS, _MULTIPLIER = Field("filters", INTEGER), Field("depth_multiplier", INTEGER)
_KERNEL, _DEPTHWISE = Field("kernel_initializer", INITIALIZER), Field("depthwise_initializer", INITIALIZER)
_PADDING = Field("padding", word("valid", "same"))
_CAUSAL = Field("padding", word("valid", "same", "causal"))
_UNSAID = {"quantization_config": (None,), "lora_rank": (None,)}
_ONE_GROUP = {"groups": (1,)}


def _separable_variables(layer: Layer) -> Variables:
    names = ["depthwise_kernel", "pointwise_kernel", *(["bias"] if layer.config["use_bias"] else [])]
    return Variables(params(*names))


def _plain(kind: str, padding: Field) -> Translation:
    takes = (_FILTERS, *_WINDOW, padding, Field("groups", INTEGER), _KERNEL)
    alias = (kind.replace("Conv", "Convolution"),)
    return layer_row(kind, takes, with_bias, weights=("kernel", "bias"), only=_UNSAID, aliases=alias)


def _transposed(kind: str) -> Translation:
    takes = (_FILTERS, *_WINDOW, _PADDING, Field("output_padding", optional(SIZES)), _KERNEL)
    alias = (kind.replace("Conv", "Convolution"),)
    return layer_row(kind, takes, with_bias, weights=("kernel", "bias"), only=_UNSAID | _ONE_GROUP, aliases=alias)


def _depthwise(kind: str) -> Translation:
    takes = (_MULTIPLIER, *_WINDOW, _PADDING, _DEPTHWISE)
    return layer_row(kind, takes, with_bias, weights=("depthwise", "bias"), only=_UNSAID | _ONE_GROUP)


def _separable(kind: str) -> Translation:
    takes = (_FILTERS, _MULTIPLIER, *_WINDOW, _PADDING, _DEPTHWISE, Field("pointwise_initializer", INITIALIZER))
    weights = ("depthwise", "pointwise", "bias")
    alias = (kind.replace("Conv", "Convolution"),)
    return layer_row(kind, takes, _separable_variables, weights=weights, only=_UNSAID | _ONE_GROUP, aliases=alias)


ROWS = (
    _plain("Conv1D", _CAUSAL),
    *(_plain(kind, _PADDING) for kind in ("Conv2D", "Conv3D")),
    *(_transposed(kind) for kind in ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")),
    _depthwise("DepthwiseConv1D"),
    _depthwise("DepthwiseConv2D"),
    _separable("SeparableConv1D"),
    _separable("SeparableConv2D"),
)
