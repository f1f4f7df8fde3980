"""Constraints under Keras' names: those of `fnet.constraints`."""

from __future__ import annotations

from typing import Any

from fnet import constraints


def __getattr__(name: str) -> Any:
    return getattr(constraints, name)
