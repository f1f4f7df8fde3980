"""Embedding with what older tutorials give it."""

from __future__ import annotations

import warnings
from typing import Any

from fnet.keras.layer import Layer


class EmbeddingLayer(Layer):
    """It takes `input_length`, which has no meaning: sequences may have any length."""

    def __init__(self, *args: Any, input_length: int | None = None, **options: Any) -> None:
        if input_length is not None:
            warnings.warn("Embedding: input_length has no meaning, as in Keras 3. Leave it out.", stacklevel=2)
        super().__init__(*args, **options)
