"""Classes of Keras' names for the constructors of functional things: layers, and what they are made with."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fnet.keras.held import HeldLayer
from fnet.keras.inner import functional_of
from fnet.keras.layer import Layer
from fnet.layers.constructor import entry_name
from fnet.masking import unmasked

MERGES = ("add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract")
_SHARED = ("dtype", "input_shape", "input_dim", "batch_input_shape")
_OVERRIDDEN = ("build", "call", "compute_mask")


class StandardLayer(Layer):
    """A layer that a constructor of `fnet.layers` makes.

    A class of the user's own may override `call`, `build` and `compute_mask`, and reach the layer's by ``super()``: its
    object then holds one of the standard class as the layer `standard`.
    """

    make: Callable[..., Any]

    def __init__(self, *args: Any, name: str | None = None, trainable: bool = True, **options: Any) -> None:
        kind = _standard_class(type(self))
        takes = inspect.signature(kind.make).parameters
        if "batch_shape" in options:
            options["batch_input_shape"] = options.pop("batch_shape")
        shared = {key: options.pop(key) for key in _SHARED if key in options and key not in takes}
        if options.get("stateful") and "batch_input_shape" in shared:
            options.setdefault("batch_size", shared["batch_input_shape"][0])
        super().__init__(name=name, trainable=trainable, **shared)
        if any(getattr(type(self), method) is not getattr(kind, method) for method in _OVERRIDDEN):
            self.standard = kind(*args, name=entry_name(kind.__name__), trainable=trainable, **options)
        else:
            made = kind.make(*map(functional_of, args), **{key: functional_of(value) for key, value in options.items()})
            self._core = HeldLayer.of(made, self)

    def call(self, *inputs: Any, **options: Any) -> Any:
        """The outputs for arrays, which may be traced."""
        y = self._standard(*inputs, **options)
        return unmasked(y) if self.makes_mask else y

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape, with None for the batch; several inputs have a list of shapes."""
        if self._standard is self:
            super().build(input_shape)
        else:
            self._standard.build(input_shape)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the output."""
        return (
            super().compute_mask(inputs, previous_mask)
            if self._standard is self
            else self._standard.compute_mask(inputs, previous_mask)
        )

    @property
    def makes_mask(self) -> bool:
        """Whether it says itself which mask its output has."""
        return type(self).compute_mask is not StandardLayer.compute_mask

    @property
    def _standard(self) -> Layer:
        held: Layer = self.__dict__.get("standard", self)
        return held

    def __getattr__(self, name: str) -> Any:
        """Weights and arguments of the standard layer, too."""
        if name.startswith("_") or "standard" not in self.__dict__ or name in self.asked_weights:
            return super().__getattr__(name)
        return getattr(self._standard, name)

    def get_config(self) -> dict[str, Any]:
        """The arguments that the layer was made with; layers of your own add theirs to those of this class."""
        return ({} if self._standard is self else self._standard.get_config()) | super().get_config()


def standard_layer(make: Callable[..., Any], also: type[Layer] | None = None) -> type[Layer]:
    """The class of Keras' name for a constructor of `fnet.layers`; `also` has what only its objects can do."""
    bases = (StandardLayer,) if also is None else (also, StandardLayer)
    return type(make.__name__, bases, {"make": staticmethod(make), "__doc__": make.__doc__, "__wrapped__": make})


def _standard_class(kind: type[Layer]) -> type[StandardLayer]:
    """The class that `standard_layer` made, for one of the user's own that inherits from it."""
    return next(c for c in kind.__mro__ if "make" in vars(c))


def merge_function(name: str, kind: Callable[..., Layer]) -> Callable[..., Any]:
    """The function that calls a new merging layer."""

    def merge(inputs: Any, *args: Any, **options: Any) -> Any:
        return kind(*args, **options)(inputs)

    merge.__name__ = merge.__qualname__ = name
    merge.__doc__ = f"A new layer ``{kind.__name__}``, called on a list of inputs."
    return merge
