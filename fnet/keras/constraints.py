"""Constraints under Keras' names: those of `fnet.constraints`."""

from __future__ import annotations

from typing import Any

from fnet import constraints
from fnet.io.keras.parts import CONSTRAINT
from fnet.keras.plain_data import words

serialize, deserialize, get = words("constraints", CONSTRAINT.write, CONSTRAINT.read, constraints.get)


def __getattr__(name: str) -> Any:
    return getattr(constraints, name)
