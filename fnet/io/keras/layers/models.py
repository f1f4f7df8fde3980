"""Models within layers, as in TimeDistributed: a chain as a Sequential model, a graph as a Functional one."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

from fnet import tree
from fnet.errors import StructureError, scope
from fnet.io.keras.calls import calls_of, model_calls
from fnet.io.keras.config import Config
from fnet.io.keras.members import Member, nested, unique_names
from fnet.io.keras.translation import MODELS, Translation, known_row, write_layer
from fnet.io.keras.variables import Variables
from fnet.networks.layer import Layer
from fnet.networks.parameters import trainable


def _write_chain(layer: Layer) -> dict[str, Any]:
    """The layers one after the other; the shape of their input is that which the layer around gives."""
    if len(set(layer.entries)) < len(layer.entries):
        raise StructureError("a Sequential model of Keras has no layer twice. Make a layer for each place.")
    layers = []
    for entry, child in zip(layer.entries, layer.children, strict=True):
        with scope(entry):
            layers.append(write_layer(child, entry))
    return {"layers": layers}


def _write_graph(layer: Layer) -> dict[str, Any]:
    samples = tree.map(lambda node: node.samples, layer.config["inputs"])
    params, state = layer.parameter_specs()
    write = importlib.import_module("fnet.io.keras.model_config").model_config  # which has layers, too
    calls = replace(calls_of(layer, params, state, samples, "all"), functional=True)
    config: dict[str, Any] = write(calls, trainable(layer, params), None, "archive", layer.name)["config"]
    return config


def _read(config: Config) -> Layer:
    read = importlib.import_module("fnet.io.keras.networks").read_model
    class_name = "Functional" if "input_layers" in config else "Sequential"
    net: Layer = read(Config({"class_name": class_name, "config": config.fields}, config.path, config.depth)).net
    return net


def _variables(layer: Layer) -> Variables:
    """Those of the layers in it, under their names in the model."""
    calls = model_calls(layer)
    names, found = unique_names(calls), list[Member]()
    for of_layer in calls.operations():
        call = of_layer[0]
        if call.layer is not None and call.path is not None:
            own = known_row(call.layer).variables(call.layer)
            own = own if call.layer.trainable is True else own.frozen()
            found.append(Member(names[call.operation], _class_name(call.layer, layer), own.below(call.path)))
    return nested(found)


def _class_name(layer: Layer, around: Layer) -> str:
    """Keras' class of a layer: a network in a graph is a Sequential model only where it is a chain."""
    if around.kind == "graph" and layer.kind in MODELS:
        return model_calls(layer).class_name
    return known_row(layer).class_name


ROWS = (
    Translation("Sequential", _write_chain, _read, _variables, "serial"),
    Translation("Functional", _write_graph, _read, _variables, "graph", aliases=("Model",)),
)
