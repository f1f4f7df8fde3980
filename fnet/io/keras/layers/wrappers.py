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
from fnet.io.keras.translation import Translation, read_layer, write_layer
from fnet.io.keras.variables import Variables, state
from fnet.layers.constructor import entry_name
from fnet.networks.layer import Layer


def _write_stack(layer: Layer) -> dict[str, Any]:
    if len(set(layer.entries)) < len(layer.entries):
        raise StructureError("StackedRNNCells: Keras shares no weights between cells. Make a cell for each place.")
    cells = []
    for entry, cell in zip(layer.entries, layer.children, strict=True):
        with scope(entry):
            cells.append(write_layer(cell, entry))
    return {"cells": cells} | {
        key: REGULARIZER.write(layer.config[key]) for key in ("activity_regularizer",) if key in layer.config
    }


def _read_stack(config: Config) -> Layer:
    items = sequence(config.raw("cells"))
    if items is None:
        raise wrong(f"{config.path}/cells", "a list of cells", config.raw("cells"))
    cells = [read_layer(Config(item, f"{config.path}/cells/{i}", config.depth)) for i, item in enumerate(items)]
    return made("StackedRNNCells", {"cells": cells}, config)


def _stack_variables(layer: Layer) -> Variables:
    counts: Counter[str] = Counter()
    attributes = []
    for cell in layer.children:
        name = entry_name(cell.kind)
        attributes.append(f"cells/{name}_{counts[name]}" if counts[name] else f"cells/{name}")
        counts[name] += 1
    return children_variables(layer, attributes)


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
    Translation("StackedRNNCells", _write_stack, _read_stack, _stack_variables, "StackedRNNCells", inputs="states"),
)
