"""Layers one behind the other, as one layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fnet.arguments import sequence
from fnet.layers.constructor import LAYERS, layer_constructor
from fnet.networks.combinators import serial
from fnet.networks.layer import Layer
from fnet.regularizers import RegularizerLike


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def Pipeline(
    layers: Sequence[Any],
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Layer:
    """Layers one behind the other, mostly of images: `fnet.serial` under Keras' name.

    x: what the first layer takes -> what the last one returns. Source: Keras ``Pipeline``.

    >>> from fnet.layers import RandomFlip, Rescaling
    >>> Pipeline([RandomFlip(), Rescaling(1 / 255)]).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    return serial(*sequence("Pipeline", "layers", layers))
