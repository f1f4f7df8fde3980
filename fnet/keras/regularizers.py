"""Regularizers under Keras' names: those of `fnet.regularizers`."""

from __future__ import annotations

from typing import Any

from fnet import regularizers
from fnet.io.keras.parts import REGULARIZER
from fnet.keras.plain_data import words

serialize, deserialize, get = words("regularizers", REGULARIZER.write, REGULARIZER.read, regularizers.get)


def __getattr__(name: str) -> Any:
    return getattr(regularizers, name)
