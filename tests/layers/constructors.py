"""The constructors of fnet.layers by name, for tests that run through all of them."""

from __future__ import annotations

from fnet import layers
from fnet.networks.layer import Layer
from tests.tables import Row

CONSTRUCTORS = {
    made.__name__: made for name, made in vars(layers).items() if name[0].isupper() and hasattr(made, "__wrapped__")
}
# Modules of layers of several inputs, or with a memory, or of another layer.
OTHERS = (
    "merge",
    "recurrent",
    "bidirectional",
    "time_distributed",
    "rnn",
    "cells",
    "stacked",
    "sequence",
    "conv_lstm",
    "spectral_normalization",
    "pipeline",
)


def kinds(layer: Layer) -> set[str]:
    """The names of the constructors of the layer and of those in it."""
    return {layer.kind}.union(*map(kinds, layer.children))


def is_of_one_array(row: Row) -> bool:
    made = CONSTRUCTORS.get(row.make().kind)
    return made is not None and made.__module__.split(".")[-1] not in OTHERS
