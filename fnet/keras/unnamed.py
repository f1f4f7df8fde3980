"""Networks without the names that the session has counted, for files that fit into models of any session."""

from __future__ import annotations

from typing import Any

from fnet.keras.held import face_of
from fnet.layers import TimeDistributed
from fnet.layers.constructor import entry_name
from fnet.networks.combinators import serial
from fnet.networks.graph import rebuilt, wiring_of
from fnet.networks.layer import Layer


def unnamed(net: Layer, params: Any, state: Any) -> tuple[Layer, Any, Any]:
    """The network with ``dense``, ``dense_1``, ... counted in each container, and its trees under these names."""
    made = _layer(net, {})
    return made, _renamed(net, made, params), _renamed(net, made, state)


def _layer(layer: Layer, known: dict[int, Layer]) -> Layer:
    """The layer, and those in it, without names that nobody chose; a shared one is one again."""
    if id(layer) not in known:
        wiring = wiring_of(layer)
        if wiring is not None:
            made = rebuilt(wiring, lambda own: _layer(own, known))
        elif layer.kind == "serial":
            made = serial(*(_layer(child, known) for child in layer.children))
        elif layer.kind == "TimeDistributed" and face_of(layer) is not None:
            made = TimeDistributed(**{**layer.config, "layer": _layer(layer.children[0], known)}).relabel(
                layer.name, layer.named
            )
        else:
            made = layer
        face = face_of(layer)
        if face is not None and not face.has_chosen_name:
            made = made.relabel(entry_name(type(face).__name__), named=False)
        elif made is not layer:
            made = made.relabel(layer.name, layer.named)
        known[id(layer)] = made
    return known[id(layer)]


def _renamed(net: Layer, made: Layer, values: Any) -> Any:
    """The tree of `net` with the names of `made`."""
    if not net.children or net.kind not in ("serial", "graph", "TimeDistributed"):
        return values
    names = dict(zip(net.entries, made.entries, strict=True))
    children = dict(zip(net.entries, zip(net.children, made.children, strict=True), strict=True))
    return {
        names.get(entry, entry): _renamed(*children[entry], part) if entry in names else part
        for entry, part in values.items()
    }
