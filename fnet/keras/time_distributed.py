"""A layer of Keras applied to every step of a sequence, with the weights that it has elsewhere, too."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import layers, tree
from fnet.errors import ShapeError, StructureError
from fnet.keras.held import HeldLayer
from fnet.keras.layer import Layer
from fnet.networks.layer import Layer as Functional
from fnet.networks.samples import Samples


class TimeDistributed(Layer):
    """``y[:, t] = layer(x[:, t])``, with the same weights for all t: those of `layer`, which may be a model.

    x: (N, T, ...) -> (N, T, ...). See `fnet.layers.TimeDistributed`. Source: Keras ``TimeDistributed``.

    >>> from fnet.keras import Input, layers
    >>> dense = layers.Dense(3)
    >>> TimeDistributed(dense)(Input((5, 4))).shape, dense.kernel.shape
    ((None, 5, 3), (4, 3))
    """

    def __init__(self, layer: Layer, *, activity_regularizer: Any = None, **options: Any) -> None:
        if not isinstance(layer, Layer):
            raise StructureError(f"TimeDistributed: expected a layer of fnet.keras, received {type(layer).__name__}.")
        super().__init__(**options)
        self.layer, self._activity_regularizer = layer, activity_regularizer

    @classmethod
    def around(cls, layer: Layer, functional: Functional, name: str) -> TimeDistributed:
        """The object for a functional TimeDistributed, around the one for its layer."""
        made = cls(layer, activity_regularizer=functional.config.get("activity_regularizer"), name=name)
        made.has_chosen_name = functional.named
        made._trainable = functional.trainable is not False
        made._hold()
        return made

    def parts(self) -> list[tuple[str, Layer]]:
        return [(self.layer.name, self.layer)] if "layer" in self.__dict__ else []

    def own_weights(self) -> list[Any]:
        return []

    @property
    def is_weightless(self) -> bool:
        return self.layer.is_weightless

    def build(self, input_shape: Any) -> None:
        """Make the weights for sequences of this shape, with None for the batch."""
        self.build_for(Samples(tuple(input_shape)[1:], np.dtype("float32")))

    def build_for(self, samples: Any) -> None:
        if not isinstance(samples, Samples) or len(samples.shape) < 2:
            raise ShapeError(
                f"{self.name}: expected one input (batch, time, ..., features), received "
                f"{tree.map(lambda s: (None, *s.shape), samples)}."
            )
        self.layer.build_for(Samples(samples.shape[1:], samples.dtype))
        if self._core is None or self._core.children[0] is not self.layer.functional:
            self._hold()
        self._remember(samples)

    def _hold(self) -> None:
        inner = layers.TimeDistributed(self.layer.functional, activity_regularizer=self._activity_regularizer)
        self._core, self.built = HeldLayer.of(inner, self), True
