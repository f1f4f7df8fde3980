"""Layers around other layers."""

from __future__ import annotations

from typing import Any

from fnet.errors import scope
from fnet.io.keras.config import Config, word
from fnet.io.keras.parts import REGULARIZER
from fnet.io.keras.translation import Translation, made, read_layer, row_of_kind, write_layer
from fnet.io.keras.variables import Variables
from fnet.networks.layer import Layer

_MERGE_MODE = word("concat", "sum", "mul", "ave", None)


def _write_bidirectional(layer: Layer) -> dict[str, Any]:
    halves = {}
    for attribute, entry, child in zip(("layer", "backward_layer"), layer.entries, layer.children, strict=True):
        with scope(entry):
            halves[attribute] = write_layer(child, entry)
    activity = layer.config.get("activity_regularizer")
    shared = {} if activity is None else {"activity_regularizer": REGULARIZER.write(activity)}
    return {"merge_mode": layer.config["merge_mode"], **halves, **shared}


def _read_bidirectional(config: Config) -> Layer:
    forward = _plainly_named(read_layer(config.object("layer")), "forward_")
    arguments: dict[str, Any] = {"layer": forward}
    if config.raw("backward_layer") is not None:
        arguments["backward_layer"] = _plainly_named(read_layer(config.object("backward_layer")), "backward_")
    if "merge_mode" in config:
        arguments["merge_mode"] = config.read("merge_mode", _MERGE_MODE)
    if "activity_regularizer" in config:
        arguments["activity_regularizer"] = config.read("activity_regularizer", REGULARIZER)
    return made("Bidirectional", arguments, config)


def _plainly_named(layer: Layer, prefix: str) -> Layer:
    """The layer without the prefix that Bidirectional gives the names of its layers."""
    return layer.relabel(layer.name.removeprefix(prefix), named=True) if layer.name.startswith(prefix) else layer


def _bidirectional_variables(layer: Layer) -> Variables:
    attributes = ("forward_layer", "backward_layer")
    return Variables(children={
        attribute: row_of_kind(child.kind).variables(child).below(entry)
        for attribute, entry, child in zip(attributes, layer.entries, layer.children, strict=True)
    })  # fmt: skip


ROWS = (
    Translation("Bidirectional", _write_bidirectional, _read_bidirectional, _bidirectional_variables, "Bidirectional"),
)
