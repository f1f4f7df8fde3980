"""Layers of images: called on one image or a batch, alone or in a dict, they do what they do in training."""

from __future__ import annotations

import inspect
from typing import Any

from fnet import tree
from fnet.keras.held import face_of
from fnet.keras.layer import Layer
from fnet.networks.node import SymbolicNode
from fnet.ops.promotion import lift


class ImageLayer(Layer):
    """A layer that prepares images: outside of models a call means training, where nothing is said.

    It takes one image, too. A `bounding_box_format` is taken by all of them, and left out where boxes stay as they are.
    """

    augments = True
    make: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        if "bounding_box_format" not in inspect.signature(type(self).make).parameters:
            options.pop("bounding_box_format", None)
        super().__init__(*args, **options)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The outputs: symbolic ones for `Input`, arrays for arrays; of one image for one."""
        if len(inputs) != 1 or any(isinstance(leaf, SymbolicNode) for leaf in tree.leaves(inputs[0])):
            return super().__call__(*inputs, **options)
        x = inputs[0]
        images = x.get("images") if isinstance(x, dict) else x
        if images is None or isinstance(images, dict | tuple) or lift(images).ndim != 3:
            return super().__call__(x, **options)
        batch = tree.map(lambda part: lift(part)[None], x) if isinstance(x, dict) else lift(x)[None]
        return tree.map(lambda part: part[0], super().__call__(batch, **options))


class PipelineLayer(ImageLayer):
    """Layers of images one behind the other."""

    @property
    def layers(self) -> list[Layer]:
        """The layers that it was made of."""
        return [face_of(layer) for layer in self.functional.children]
