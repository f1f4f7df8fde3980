"""Activations under Keras' names: those of `fnet.activations`."""

from __future__ import annotations

from typing import Any

from fnet import activations


def __getattr__(name: str) -> Any:
    return getattr(activations, name)
