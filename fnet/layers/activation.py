"""Layers without parameters that act element by element, or do nothing."""

from __future__ import annotations

from typing import Any

from fnet import activations
from fnet.layers.constructor import Pair, constructor


@constructor(masks="kept")
def Activation(activation: Any) -> Pair:
    """``activation(x)``, for a name known to `fnet.activations` or a function. Source: Keras ``Activation``.

    >>> Activation("softmax").out_shape((3,))
    (3,)
    """
    function = activations.get(activation)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return function(x), state

    return nothing, apply


@constructor(masks="kept")
def Identity() -> Pair:
    """``x``. Source: Keras ``Identity``."""

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return x, state

    return nothing, apply


def nothing(key: Any, shape: Any, dtype: Any) -> tuple[dict, dict]:
    """The init of a layer without parameters and state."""
    return {}, {}
