"""Layers under Keras' names: objects that hold their weights; those of `fnet.layers` do the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import layers
from fnet.errors import did_you_mean
from fnet.keras.input import Input as Input
from fnet.keras.input import InputLayer as InputLayer
from fnet.keras.layer import Layer as Layer
from fnet.keras.learned import NormalizationLayer
from fnet.keras.standard import standard_layer
from fnet.keras.time_distributed import TimeDistributed as TimeDistributed

_BASES: dict[str, type[Layer]] = {"Normalization": NormalizationLayer}
"""What layers can do beside what all of them can, by the name of the layer."""

_MERGES = ("add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract")


def __getattr__(name: str) -> Any:
    if name in _MERGES:
        value = _merge(name, __getattr__(name.capitalize()))
    elif name in layers.LAYERS:
        value = standard_layer(getattr(layers, name), _BASES.get(name, Layer))
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{did_you_mean(name, layers.LAYERS)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *layers.LAYERS, *_MERGES})


def _merge(name: str, kind: Callable[..., Layer]) -> Callable[..., Any]:
    """The function that calls a new merging layer."""

    def merge(inputs: Any, *args: Any, **options: Any) -> Any:
        return kind(*args, **options)(inputs)

    merge.__name__ = merge.__qualname__ = name
    merge.__doc__ = f"A new layer ``{kind.__name__}``, called on a list of inputs."
    return merge
