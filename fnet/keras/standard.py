"""Classes of Keras' names for the constructors of functional things: layers, and what they are made with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet.keras.held import HeldLayer
from fnet.keras.layer import Layer
from fnet.layers.constructor import entry_name


def standard_layer(make: Callable[..., Any], base: type[Layer] = Layer) -> type[Layer]:
    """The class of Keras' name for a constructor of `fnet.layers`; `base` says what its objects can do."""
    kind = make.__name__

    def begin(self: Layer, *args: Any, name: str | None = None, trainable: bool = True, **options: Any) -> None:
        shared = {key: options.pop(key) for key in _SHARED if key in options}
        Layer.__init__(self, name=name, trainable=trainable, **shared)
        made = make(*map(functional_of, args), **{key: functional_of(value) for key, value in options.items()})
        self._core = HeldLayer.of(made, self)

    return type(kind, (base,), {"__init__": begin, "__doc__": make.__doc__, "__wrapped__": make})


_SHARED = ("dtype", "input_shape", "input_dim", "batch_input_shape")


def functional_of(given: Any) -> Any:
    """A functional layer for a layer of Keras, within lists too; anything else as it is.

    Its name is not one that the session counted, so that weights in files fit into models of any session.
    """
    if isinstance(given, Layer):
        counted = given.functional
        return counted if given.has_chosen_name else counted.relabel(entry_name(type(given).__name__), named=False)
    if isinstance(given, list | tuple) and any(isinstance(part, Layer) for part in given):
        return [functional_of(part) for part in given]
    return given
