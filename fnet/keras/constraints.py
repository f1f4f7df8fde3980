"""Constraints under Keras' names: those of `fnet.constraints`."""

from __future__ import annotations

from typing import Any

from fnet import constraints
from fnet.io.keras.parts import CONSTRAINT
from fnet.keras.own_parts import Constraint as Constraint
from fnet.keras.own_parts import functional_part_of
from fnet.keras.plain_data import words

serialize, deserialize, get = words(
    "constraints",
    lambda given: CONSTRAINT.write(functional_part_of(given)),
    CONSTRAINT.read,
    lambda given: constraints.get(functional_part_of(given)),
)


def __getattr__(name: str) -> Any:
    return getattr(constraints, name)
