"""What users read of a layer by its name: weights, and the arguments that it was made with."""

from __future__ import annotations

from typing import Any

from fnet import activations
from fnet.errors import did_you_mean
from fnet.keras.other_words import OF_LAYERS, instead
from fnet.keras.variable import Variable
from fnet.keras.weighted import FROZEN, Weighted


class Attributes(Weighted):
    """The part of a layer that finds what is no attribute of the object."""

    def __getattr__(self, name: str) -> Any:
        """Its own weights, by their names, and the arguments that it was made with."""
        if name.startswith("_") or "held" not in self.__dict__:
            raise AttributeError(name)
        weights = {weight.name: weight for weight in self.own_weights()}
        if name in weights:
            return weights[name]
        config = {} if self._core is None else self._core.config
        if name in config:
            return activations.get(config[name]) if name.endswith("activation") else config[name]
        stem, _, kind = name.rpartition("_")
        if kind in ("regularizer", "constraint") and self._core is not None and f"{stem}_initializer" in config:
            return getattr(self._core, f"{kind}s").get(stem)
        way = instead(OF_LAYERS, name)
        if way is not None:
            raise AttributeError(f"'{type(self).__name__}' object '{self.name}' has no attribute '{name}'.{way}")
        public = [word for word in dir(type(self)) if not word.startswith("_")]
        hint = did_you_mean(name, [*public, *weights, *config, *self.__dict__])
        raise AttributeError(f"'{type(self).__name__}' object '{self.name}' has no attribute '{name}'.{hint}")

    def __setattr__(self, name: str, value: Any) -> None:
        held = self.__dict__.get("held")
        if held is not None and (name in held.params or name in held.state) and not isinstance(value, Variable):
            raise AttributeError(
                f"{self.name}/{name} is a weight: give it another value by layer.{name}.assign(value)."
            )
        super().__setattr__(name, value)
        if name == "_trainable" and not value:
            FROZEN.add(self)
