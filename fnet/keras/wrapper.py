"""Layers of the user's own around another layer."""

from __future__ import annotations

from typing import Any

from fnet.errors import StructureError
from fnet.keras.layer import Layer


class Wrapper(Layer):
    """A layer around `layer`, for classes of your own, which define `call`. Source: Keras ``Wrapper``.

    >>> import numpy as np
    >>> from fnet.keras import layers
    >>> class Twice(Wrapper):
    ...     def call(self, x):
    ...         return 2 * self.layer(x)
    >>> float(Twice(layers.Dense(1, kernel_initializer="ones"))(np.ones((1, 3), np.float32))[0, 0])
    6.0
    """

    def __init__(self, layer: Layer, **options: Any) -> None:
        if not isinstance(layer, Layer):
            kind = type(self).__name__
            raise StructureError(f"{kind}: expected a layer of fnet.keras, received {type(layer).__name__}.")
        super().__init__(**options)
        self.layer = layer

    def get_config(self) -> dict[str, Any]:
        """The arguments that the layer was made with; `layer` is its class and its arguments."""
        return super().get_config() | {"layer": {"class": type(self.layer), "config": self.layer.get_config()}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer made with these arguments, around a layer of its own."""
        inner = config["layer"]
        return cls(inner["class"].from_config(inner["config"]), **{k: v for k, v in config.items() if k != "layer"})
