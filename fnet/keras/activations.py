"""Activations under Keras' names: those of `fnet.activations`."""

from __future__ import annotations

from typing import Any

from fnet import activations

_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}


def __getattr__(name: str) -> Any:
    return getattr(activations, _ALIASES.get(name, name))
