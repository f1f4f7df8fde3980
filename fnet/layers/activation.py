"""Layers without parameters that act element by element, or do nothing."""

from __future__ import annotations

from typing import Any

from fnet import activations
from fnet.layer import Layer


def Activation(activation: Any, name: str | None = None) -> Layer:
    """``activation(x)``, for a name known to `fnet.activations` or a function. Source: Keras ``Activation``.

    >>> Activation("softmax").out_shape((3,))
    (3,)
    """
    function = activations.get(activation)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return function(x), state

    layer = Layer(nothing, apply, name="activation", config={"activation": activation})
    return layer if name is None else layer.relabel(name, named=True)


def Identity(name: str | None = None) -> Layer:
    """``x``. Source: Keras ``Identity``."""

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return x, state

    layer = Layer(nothing, apply, name="identity")
    return layer if name is None else layer.relabel(name, named=True)


def nothing(key: Any, shape: Any, dtype: Any) -> tuple[dict, dict]:
    """The init of a layer without parameters and state."""
    return {}, {}
