"""Regularizers under Keras' names: those of `fnet.regularizers`."""

from __future__ import annotations

from typing import Any

from fnet import regularizers


def __getattr__(name: str) -> Any:
    return getattr(regularizers, name)
