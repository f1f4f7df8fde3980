"""Spectral normalisation of a layer of Keras, whose weights are the wrapper's."""

from __future__ import annotations

from typing import Any

from fnet.errors import StructureError
from fnet.keras.layer import Layer


class NormalizedLayer(Layer):
    """A SpectralNormalization: around a new layer, because the wrapper makes the weights."""

    def __init__(self, layer: Any, *args: Any, **options: Any) -> None:
        if isinstance(layer, Layer) and layer.built:
            raise StructureError(
                f"SpectralNormalization: {layer.name} has weights already, and the wrapper makes its own. Wrap a layer "
                f"that was not called yet."
            )
        super().__init__(layer, *args, **options)  # type: ignore[call-arg]  # of a standard layer
