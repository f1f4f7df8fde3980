"""Layers of Keras within another layer: what the functional one is given for them."""

from __future__ import annotations

from typing import Any

from fnet.keras.layer import Layer
from fnet.keras.own_parts import functional_part_of
from fnet.layers.constructor import entry_name


def functional_of(given: Any) -> Any:
    """A functional layer for a layer of Keras, within lists too; the same for what a layer is made with.

    Its name is not one that the session counted, so that weights in files fit into models of any session.
    """
    if isinstance(given, Layer):
        counted = given.functional
        return counted if given.has_chosen_name else counted.relabel(entry_name(type(given).__name__), named=False)
    if isinstance(given, list | tuple) and any(isinstance(part, Layer) for part in given):
        return [functional_of(part) for part in given]
    return functional_part_of(given)
