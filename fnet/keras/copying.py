"""Models made again: with fresh weights, and from the texts that say them."""

from __future__ import annotations

import json
from typing import Any

from fnet import tree
from fnet.errors import FileError
from fnet.io.keras.config import Config
from fnet.io.keras.networks import read_model
from fnet.keras.from_functional import from_functional
from fnet.keras.models.model import Model
from fnet.keras.seeds import next_key
from fnet.keras.unnamed import unnamed
from fnet.networks.samples import Samples


def clone_model(model: Model) -> Model:
    """A model of the same layers with fresh weights, not compiled. Source: Keras ``models.clone_model``.

    >>> from fnet.keras import Sequential, layers
    >>> model = Sequential([layers.Dense(2, input_shape=(3,))])
    >>> clone_model(model).output_shape
    (None, 2)
    """
    net, _, _ = unnamed(model.functional, model.params, model.state)
    shape = _shapes(model)
    return from_functional(net, *net.init(next_key(), shape), shape)


def model_from_json(json_string: str) -> Model:
    """The model that a text of `Model.to_json`, of fnet or of Keras, says; its weights are fresh.

    Raises `FileError` for what is no such text, or has layers that fnet does not have.
    """
    try:
        described: Any = json.loads(json_string)
    except ValueError as error:
        raise FileError(f"model_from_json: it is no JSON ({error}).") from None
    read = read_model(Config(described, "model"))
    shape = tree.map(lambda samples: samples.shape, read.samples)
    alone = shape if isinstance(read.samples, Samples) else None
    return from_functional(read.net, *read.net.init(next_key(), shape), alone)


def _shapes(model: Model) -> Any:
    shapes = [node.samples.shape for node in model.inputs]
    return shapes[0] if len(shapes) == 1 else tuple(shapes)
