"""Functional layers that know the object which holds their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fnet.networks.functions import Init, Tree
from fnet.networks.layer import Layer
from fnet.networks.samples import ShapeLike
from fnet.transfer import to_host

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from fnet.keras.layer import Layer as KerasLayer


class HeldLayer(Layer):
    """The pair of a layer of `fnet.keras`; `face` is the object that users see, and that has its weights."""

    face: KerasLayer

    @classmethod
    def of(cls, layer: Layer, face: KerasLayer) -> HeldLayer:
        """The same two functions under the name of `face`. What `face` has learnt from data, init gives again."""
        named = layer.relabel(face.name, named=True)
        functions = tuple(named) if layer.learning is None else (_knowing(named, face), named.apply)
        made: HeldLayer = tuple.__new__(cls, functions)
        made.__dict__.update(named.__dict__, face=face)
        return made


def _knowing(layer: Layer, face: KerasLayer) -> Init:
    """The init of a layer that learns from data: its outputs have the size of what it knows, not that of nothing."""

    def init(key: np.ndarray, shape: ShapeLike | None = None, dtype: DTypeLike = np.float32) -> tuple[Tree, Tree]:
        if not face.built:
            return layer.init(key, shape, dtype)
        return {}, {name: np.array(to_host(value)) for name, value in face.held.state.items()}

    return init


def face_of(layer: Layer) -> Any:
    """The object that holds the weights of a layer; None for a layer without one."""
    return layer.__dict__.get("face")
