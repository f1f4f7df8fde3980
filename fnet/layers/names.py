"""How a layer's entry in its container is called."""

from __future__ import annotations

import re
from typing import Any

from fnet.layer import Layer


def entry_name(kind: str) -> str:
    """Keras' name for a layer of this kind.

    >>> entry_name("GlobalMaxPooling2D")
    'global_max_pooling2d'
    """
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()


def make_layer(kind: str, init: Any, apply: Any, config: dict[str, Any], name: str | None) -> Layer:
    """A layer under the name its user chose, or else that of its kind."""
    layer = Layer(init, apply, name=entry_name(kind), config=config)
    return layer if name is None else layer.relabel(name, named=True)
