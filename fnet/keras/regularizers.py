"""Regularizers under Keras' names: those of `fnet.regularizers`."""

from __future__ import annotations

from typing import Any

from fnet import regularizers
from fnet.io.keras.parts import REGULARIZER
from fnet.keras.own_parts import Regularizer as Regularizer
from fnet.keras.own_parts import functional_part_of
from fnet.keras.plain_data import words

serialize, deserialize, get = words(
    "regularizers",
    lambda given: REGULARIZER.write(functional_part_of(given)),
    REGULARIZER.read,
    lambda given: regularizers.get(functional_part_of(given)),
)


def __getattr__(name: str) -> Any:
    return getattr(regularizers, name)
