"""Recurrent layers and their cells."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, INTEGER, NUMBER
from fnet.io.keras.parts import ACTIVATION, INITIALIZER
from fnet.io.keras.translation import Field, Translation, fields, layer_row
from fnet.io.keras.variables import Variables, params
from fnet.networks.layer import Layer

MANNER = fields(FLAG, "return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
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
LACKS = {
    "batch_size": "Keras takes the size of a stateful layer's batches from the input: fnet.Input(shape, batch_size)."
}


def _cell_variables(layer: Layer) -> Variables:
    names = ["kernel", "recurrent_kernel", *(["bias"] if layer.config["use_bias"] else [])]
    return Variables(params(*names))


def _variables(layer: Layer) -> Variables:
    return Variables(children={"cell": _cell_variables(layer)})


def _row(kind: str, more: tuple[Field, ...]) -> Translation:
    weights = ("kernel", "recurrent", "bias")
    only = {"time_major": (None, False)}
    return layer_row(kind, (*_RECURRENCE, *more, *MANNER), _variables, weights=weights, only=only, lacks=LACKS)


ROWS = tuple(_row(kind, more) for kind, more in _MORE.items())
