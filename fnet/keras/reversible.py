"""An embedding that is called both ways."""

from __future__ import annotations

from typing import Any

from fnet.keras.layer import Layer
from fnet.layers.reversible_embedding import REVERSE


class ReversibleLayer(Layer):
    """A ReversibleEmbedding: ``layer(ids)`` gives vectors, ``layer(vectors, reverse=True)`` a score for each row."""

    def __call__(self, *inputs: Any, reverse: bool = False, **options: Any) -> Any:
        """The vectors, or the scores; symbolic for symbolic inputs."""
        if not reverse:
            return super().__call__(*inputs, **options)
        return super().__call__({REVERSE: options.pop("inputs") if "inputs" in options else inputs[0]}, **options)

    def compute_output_shape(self, input_shape: Any, reverse: bool = False) -> Any:
        """The shape of the vectors, or of the scores, with None for the batch."""
        return super().compute_output_shape({REVERSE: input_shape} if reverse else input_shape)
