"""The two layers of a Bidirectional, as users look at them."""

from __future__ import annotations

from typing import Any

from fnet.keras.held import HeldLayer
from fnet.keras.layer import Layer
from fnet.keras.running import Values


class BidirectionalLayer(Layer):
    """It has two layers, whose weights and arguments can be read and set."""

    @property
    def forward_layer(self) -> Layer:
        """The layer that reads from the beginning."""
        return self._direction(0)

    @property
    def backward_layer(self) -> Layer:
        """The layer that reads from the end."""
        return self._direction(1)

    def _direction(self, number: int) -> Layer:
        core = self.functional
        child, entry = core.children[number], core.entries[number]
        made: Layer = object.__new__(Layer)
        Layer.__init__(made, name=entry)
        made._core, made.built = HeldLayer.of(child, made), self.built
        made.__dict__["held"] = Values(*(self._within(kind, entry) for kind in ("params", "state")))
        return made

    def _within(self, kind: str, entry: str) -> dict[str, Any]:
        """The dict in which this layer holds what is of one direction."""
        found: dict[str, Any] = getattr(self.held, kind).get(entry, {})
        return found
