"""Functional layers that know the object which holds their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fnet.networks.layer import Layer

if TYPE_CHECKING:
    from fnet.keras.layer import Layer as KerasLayer


class HeldLayer(Layer):
    """The pair of a layer of `fnet.keras`; `face` is the object that users see, and that has its weights."""

    face: KerasLayer

    @classmethod
    def of(cls, layer: Layer, face: KerasLayer) -> HeldLayer:
        """The same two functions under the name of `face`."""
        named = layer.relabel(face.name, named=True)
        made: HeldLayer = tuple.__new__(cls, tuple(named))
        made.__dict__.update(named.__dict__, face=face)
        return made


def face_of(layer: Layer) -> Any:
    """The object that holds the weights of a layer; None for a layer without one."""
    return layer.__dict__.get("face")
