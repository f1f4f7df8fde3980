"""Layers around other layers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from fnet.errors import StructureError, scope
from fnet.io.keras.config import INTEGER, Config, sequence, word, wrong
from fnet.io.keras.fields import Child, Field, children_variables, layer_row, made
from fnet.io.keras.layers.recurrent import MANNER
from fnet.io.keras.parts import REGULARIZER
from fnet.io.keras.translation import Inputs, Translation, read_layer, write_layer
from fnet.io.keras.variables import Variables, state
from fnet.layers.constructor import entry_name
from fnet.networks.layer import Layer


def _write_list(layer: Layer, field: str) -> dict[str, Any]:
    if len(set(layer.entries)) < len(layer.entries):
        one = field.removesuffix("s")
        raise StructureError(f"{layer.kind}: Keras shares no weights between {field}. Make a {one} for each place.")
    parts = []
    for entry, part in zip(layer.entries, layer.children, strict=True):
        with scope(entry):
            parts.append(write_layer(part, entry))
    return {field: parts} | {
        key: REGULARIZER.write(layer.config[key]) for key in ("activity_regularizer",) if key in layer.config
    }


def _read_list(config: Config, kind: str, field: str) -> Layer:
    items = sequence(config.raw(field))
    if items is None:
        raise wrong(f"{config.path}/{field}", f"a list of {field}", config.raw(field))
    parts = [read_layer(Config(item, f"{config.path}/{field}/{i}", config.depth)) for i, item in enumerate(items)]
    return made(kind, {field: parts}, config)


def _list_variables(layer: Layer, attribute: str) -> Variables:
    counts: Counter[str] = Counter()
    attributes = []
    for part in layer.children:
        name = entry_name(part.kind)
        attributes.append(f"{attribute}/{name}_{counts[name]}" if counts[name] else f"{attribute}/{name}")
        counts[name] += 1
    return children_variables(layer, attributes)


def _of_list(kind: str, field: str, attribute: str, inputs: Inputs = "one", omits: tuple[str, ...] = ()) -> Translation:
    """A layer around a list of layers, the argument `field`, which Keras' object has as an attribute."""
    return Translation(
        kind,
        lambda layer: _write_list(layer, field),
        lambda config: _read_list(config, kind, field),
        lambda layer: _list_variables(layer, attribute),
        kind,
        inputs=inputs,
        omits=omits,
    )


def _normalized_variables(layer: Layer) -> Variables:
    """Those of the layer within; Keras has its kernel among the wrapper's own, too."""
    inner = children_variables(layer, ["layer"])
    kernel = next((v for v in inner.children["layer"].own if v.name in ("kernel", "embeddings")), None)
    return replace(inner, own=(*([] if kernel is None else [kernel]), *state("vector_u")))


ROWS = (
    layer_row(
        "Bidirectional",
        (Field("merge_mode", word("concat", "sum", "mul", "ave", None)),),
        children=(
            Child("layer", "forward_layer", "forward_"),
            Child("backward_layer", "backward_layer", "backward_"),
        ),
        inputs="states",
    ),
    layer_row("TimeDistributed", (), children=(Child("layer", "layer"),)),
    layer_row(
        "SpectralNormalization",
        (Field("power_iterations", INTEGER),),
        _normalized_variables,
        children=(Child("layer", "layer"),),
    ),
    layer_row("RNN", MANNER, children=(Child("cell", "cell"),), beside=("batch_size",), inputs="states"),
    _of_list("StackedRNNCells", "cells", "cells", "states"),
    _of_list("Pipeline", "layers", "_pipeline_layers", omits=("trainable", "dtype")),
)
