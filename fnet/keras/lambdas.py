"""Layers of a function, with the arguments that Keras has for them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from fnet.errors import StructureError
from fnet.keras.layer import Layer


class LambdaLayer(Layer):
    """A layer of a function of its input, or of the list of its inputs.

    output_shape: has no meaning here, because shapes are found. arguments: further keywords of the function.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if mask is not None:
            raise StructureError(
                "Lambda: it hands the mask of its input on. Write a Layer with compute_mask for another."
            )
        function = functools.partial(function, **arguments) if arguments else function
        begin: Any = super().__init__  # of a standard layer
        begin(function, **options)
