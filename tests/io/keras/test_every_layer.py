"""Every layer of fnet's table goes into Keras' config and comes back as it was, or is refused by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from fnet import activations, constraints, initializers, random, regularizers, tree
from fnet.configured import Configured
from fnet.errors import StructureError
from fnet.io.keras.config import Config
from fnet.io.keras.translation import REFUSED, full_config, keras_kinds, known_row, read_layer
from fnet.layers.constructor import LAYERS as CONSTRUCTORS
from fnet.networks.layer import Layer
from tests.io.keras.table import MORE
from tests.layers.category_table import CATEGORIES
from tests.layers.image_table import IMAGES
from tests.tables import LAYERS, Row

CONTAINERS = ("serial", "parallel", "fanout", "residual", "repeat")  # whose translation is that of networks
REFUSED_ROWS = {
    "activation-step": "Keras has no activation 'binary_step'. Take another one of fnet.activations",
    "lambda": "Keras has no layer Lambda. A file cannot hold a function. Build",
    "attention-causal": "Keras' MultiHeadAttention has no rotary=True. Leave rotary out, or keep the weights alone",
    "position-embedding": "Keras has no layer PositionEmbedding. Build the network again where it is loaded",
    "sine-encoding": "Keras has no layer SinePositionEncoding. Build the network again where it is loaded",
    "rotary": "Keras has no layer RotaryEmbedding. Build the network again where it is loaded",
    "rnn-custom": "in 'average': Keras has no layer average. Build the network again where it is loaded",
    "custom": "Keras has no layer scale. Build the network again where it is loaded. fnet.save_weights",
    "custom-state": "Keras has no layer counter. Build the network again where it is loaded.",
}


def in_containers(row: Row) -> bool:
    return row.make().kind in CONTAINERS or row.id == "time-distributed"


SAID = [row for row in (*LAYERS, *IMAGES, *MORE) if row.id not in REFUSED_ROWS and not in_containers(row)]


def meaning(value: Any, argument: str = "") -> Any:
    """An argument of a layer, the same for all its spellings."""
    for end, get in (
        ("_initializer", initializers.get),
        ("_regularizer", regularizers.get),
        ("_constraint", constraints.get),
        ("activation", activations.get),
    ):
        if argument.endswith(end):
            found: Any = value.tolist() if isinstance(value, np.ndarray) else get(value)
            return (found.name, dict(found.config)) if isinstance(found, Configured) else found
    if argument in ("layer", "layers", "backward_layer", "cell", "cells", "name"):
        return None  # compared as children
    if argument in ("implementation", "weights"):
        return None  # without effect on what the layer computes
    if argument == "data_format":
        return value or "channels_last"
    if argument == "shared_axes" and isinstance(value, int):
        return (value,)
    return tuple(map(meaning, value)) if isinstance(value, list | tuple) else value


def described(layer: Layer) -> Any:
    """All that a layer is made of."""
    own = {argument: meaning(value, argument) for argument, value in layer.config.items()}
    return layer.kind, layer.trainable, own, layer.entries, [described(child) for child in layer.children]


def object_of(layer: Layer) -> dict[str, Any]:
    """What a file says of a layer, with what a network says of its call."""
    row = known_row(layer)
    beside = {key: layer.config[key] for key in (*row.in_call, "batch_size") if key in layer.config}
    config = json.loads(json.dumps(full_config(layer, layer.name), allow_nan=False))
    return {"class_name": row.class_name, "config": config | beside}


def test_every_layer_is_said_or_refused():
    kinds = {CONSTRUCTORS[name].__name__ for name in CONSTRUCTORS}
    assert kinds - set(keras_kinds()) == set(REFUSED)
    assert {row.make().kind for row in (*SAID, *CATEGORIES)} >= kinds - set(REFUSED)


@pytest.mark.parametrize("row", SAID, ids=lambda row: row.id)
def test_a_config_gives_the_same_layer(row):
    layer = row.make()
    again = read_layer(Config(object_of(layer), "layer"))
    assert described(again) == described(layer)
    assert object_of(again) == object_of(layer)
    params, state = layer.init(random.key(0), row.shape)
    assert tree.all_equal((params, state), again.init(random.key(0), row.shape))


@pytest.mark.parametrize("row", SAID, ids=lambda row: row.id)
def test_variables_are_the_leaves(row):
    layer = row.make()
    params, state = layer.parameter_specs(row.shape)
    leaves = {path for path, _ in tree.leaves_with_path({"params": params, "state": state})}
    variables = known_row(layer).variables(layer)
    flat = [variable for _, variable in variables.flat()]
    leaves = {path for path in leaves if "/recurrent_states/" not in path}  # which Keras does not keep
    assert sorted(variable.path for variable in flat) == sorted(leaves)
    assert [v.trainable for v in flat] == [v.path.startswith("params/") for v in flat]
    assert {v for _, v in variables.by_path()} == set(flat) == {v for _, v in variables.ordered()}


@pytest.mark.parametrize("row", [row for row in LAYERS if row.id in REFUSED_ROWS], ids=lambda row: row.id)
def test_what_keras_cannot_say_is_refused(row):
    with pytest.raises(StructureError) as caught:
        full_config(row.make(), "layer")
    assert str(caught.value).startswith(REFUSED_ROWS[row.id])


def test_numbers_that_differ_are_told_apart():
    """`described` sees what it should compare."""
    made = CONSTRUCTORS["Dense"]
    assert described(made(3, bias_initializer="zeros")) == described(made(3, bias_initializer=initializers.Zeros()))
    assert described(made(3, bias_initializer="zeros")) != described(made(3, bias_initializer="ones"))
    assert described(made(3, kernel_regularizer="l2")) != described(made(3))
    assert described(CONSTRUCTORS["Reshape"]((2, 3))) == described(CONSTRUCTORS["Reshape"](np.array([2, 3]).tolist()))
