"""Recurrent layers with a cell of their own, and these cells."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, INTEGER, NUMBER, SIZES, word
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.layer_activations import ACTIVATION
from fnet.io.keras.parts import DATA_FORMAT, INITIALIZER
from fnet.io.keras.translation import Translation
from fnet.io.keras.variables import Variables, params
from fnet.networks.layer import Layer

_OF_IMAGES = fields(FLAG, "return_sequences", "return_state", "go_backwards", "stateful", "zero_output_for_mask")
MANNER = (*_OF_IMAGES, Field("unroll", FLAG))
"""How any recurrent layer reads a sequence."""

_RECURRENCE = (
    Field("units", INTEGER),
    Field("activation", ACTIVATION),
    Field("use_bias", FLAG),
    *fields(INITIALIZER, "kernel_initializer", "recurrent_initializer", "bias_initializer"),
    *fields(NUMBER, "dropout", "recurrent_dropout"),
)
_MORE = {
    "SimpleRNN": (),
    "LSTM": (Field("recurrent_activation", ACTIVATION), Field("unit_forget_bias", FLAG)),
    "GRU": (Field("recurrent_activation", ACTIVATION), Field("reset_after", FLAG)),
}
_CONVOLUTION = (
    Field("filters", INTEGER),
    *fields(SIZES, "kernel_size", "strides", "dilation_rate"),
    Field("padding", word("valid", "same")),
    Field("data_format", DATA_FORMAT),
    *(field for field in (*_RECURRENCE, *_MORE["LSTM"]) if field.argument != "units"),
)
_WEIGHTS = ("kernel", "recurrent", "bias")


def _cell_variables(layer: Layer) -> Variables:
    return Variables(params("kernel", "recurrent_kernel", *(["bias"] if layer.config["use_bias"] else [])))


def _variables(layer: Layer) -> Variables:
    return Variables(children={"cell": _cell_variables(layer)})


def _whole(kind: str, more: tuple[Field, ...]) -> Translation:
    return layer_row(
        kind,
        (*_RECURRENCE, *more, *MANNER),
        _variables,
        weights=_WEIGHTS,
        only={"time_major": (None, False)},
        without_effect=("implementation",),
        beside=("batch_size",),
        inputs="states",
        aliases=() if kind == "SimpleRNN" else (f"{kind}V2",),
    )


def _cell(kind: str, more: tuple[Field, ...]) -> Translation:
    return layer_row(f"{kind}Cell", (*_RECURRENCE, *more), _cell_variables, weights=_WEIGHTS, inputs="states")


def _of_images(rank: int) -> Translation:
    return layer_row(
        f"ConvLSTM{rank}D",
        (*_CONVOLUTION, *_OF_IMAGES),
        _variables,
        weights=_WEIGHTS,
        beside=("batch_size",),
        inputs="states",
    )


ROWS = (
    *(_whole(kind, more) for kind, more in _MORE.items()),
    *(_cell(kind, more) for kind, more in _MORE.items()),
    *(_of_images(rank) for rank in (1, 2, 3)),
)
