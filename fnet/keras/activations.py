"""Activations under Keras' names: those of `fnet.activations`."""

from __future__ import annotations

from typing import Any

from fnet import activations
from fnet.io.keras.layer_activations import ACTIVATION
from fnet.keras.plain_data import words

_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}

serialize, deserialize, get = words("activations", ACTIVATION.write, ACTIVATION.read, activations.get)


def __getattr__(name: str) -> Any:
    return getattr(activations, _ALIASES.get(name, name))
