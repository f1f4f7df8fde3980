"""`python -m tests.keras.layer_comparison > results`: fnet's layers beside Keras' own, in a process of its own.

For every row, the layer of fnet goes to Keras and computes the same there, with the weights that Keras' file has at
the paths that fnet says; then the layer of Keras, with other weights, goes to fnet.
"""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from collections.abc import Iterator
from typing import Any

import h5py
import keras
import numpy as np

from fnet import random, tree
from fnet.io.keras.config import Config
from fnet.io.keras.translation import full_config, known_row, read_layer
from fnet.networks.layer import Layer
from tests.io.keras.test_every_layer import SAID
from tests.tables import Row, inputs

Trees = tuple[Any, Any]


def symbols(shape: Any, row: Row, batch: int | None) -> Any:
    """Keras' inputs for a shape or a tuple of shapes."""
    if any(isinstance(n, tuple) for n in shape):
        return tuple(symbols(s, row, batch) for s in shape)
    return keras.Input(shape, batch, dtype="int32" if row.classes else "float32")


def called(made: Any, layer: Layer, x: Any) -> Any:
    """The call of Keras' layer that is that of fnet's layer for these inputs."""
    row = known_row(layer)
    given, keywords = x if isinstance(x, tuple) else (x,), dict(row.call_keywords(layer))
    if row.inputs in ("one", "reversible") or (row.inputs == "states" and len(given) == 1):
        return made(*given, **keywords)
    if row.inputs == "states" and layer.kind.endswith(("Cell", "Cells")):
        first, *states = given
        sizes = made.state_size
        parts = iter(states)
        nested = [[next(parts) for _ in size] if isinstance(size, list) else next(parts) for size in as_list(sizes)]
        y, new = made(first, nested)
        return [y, *keras.tree.flatten(new)]
    if row.inputs == "states":
        first, *states = given
        return made(first, initial_state=states)
    if row.inputs == "list":
        return made(list(given) if len(given) > 1 else [*given, *given], **keywords)
    if layer.config["masked"]:
        *given, mask = given
        keywords["attention_mask"] = keras.ops.expand_dims(keras.ops.cast(mask, "bool"), 1)
    if layer.config.get("value_dim"):  # which Keras' fast way does not take
        return made(*given, **keywords, return_attention_scores=True)[0]
    return made(*(given if len(given) > 1 else (*given, *given)), **keywords)


def as_list(sizes: Any) -> list[Any]:
    return list(sizes) if isinstance(sizes, list | tuple) else [sizes]


def compare(row: Row) -> Iterator[tuple[str, float]]:
    """The largest difference of each kind."""
    layer = row.make()
    mine = known_row(layer)
    params, state = layer.init(random.key(0), row.shape, "float32")
    made = keras.layers.deserialize({
        "module": "keras.layers",
        "class_name": mine.class_name,
        "config": full_config(layer, "it"),
        "registered_name": None,
    })  # fmt: skip
    sent = symbols(row.shape, row, layer.config.get("batch_size"))
    model = keras.Model(list(keras.tree.flatten(sent)), called(made, layer, sent))
    variables = mine.variables(layer)
    leaves = dict(tree.leaves_with_path({"params": params, "state": state}))
    made.set_weights([v.to_keras(np.asarray(leaves[v.path])) for _, v in variables.ordered()])
    x = inputs(row, "float32")
    if layer.config.get("masked"):
        x = (*x[:-1], (x[-1] > -0.5).astype("float32"))
    yield "written", apart(model.predict_on_batch(list(keras.tree.flatten(x))), layer.apply(params, state, x)[0])
    yield "stored", float(stored_differently(model, variables, leaves))
    given = [np.random.default_rng(i).uniform(0.1, 1, w.shape).astype("float32") for i, w in enumerate(made.weights)]
    made.set_weights(given)
    if hasattr(made, "finalize_state"):  # what it computes with is made of its weights when a file is read,
        made.finalize_state()
        model = keras.Model(model.inputs, model.outputs)  # and compiled as constants
    said = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
    beside = {key: layer.config[key] for key in (*mine.in_call, "batch_size") if key in layer.config}
    again = read_layer(Config({**said, "config": said["config"] | beside}, "layer"))
    found = {v.path: v.from_keras(w) for (_, v), w in zip(mine.variables(again).ordered(), given, strict=True)}
    trees = tree.map_with_path(lambda path, leaf: found.get(path, leaf), {"params": params, "state": state})
    if layer.config.get("stateful"):
        made.reset_state()
    y, _ = again.apply(trees["params"], trees["state"], x)
    yield "read", apart(model.predict_on_batch(list(keras.tree.flatten(x))), y)


def stored_differently(model: Any, variables: Any, leaves: Any) -> bool:
    """Whether Keras' file has other datasets than fnet says, or other numbers in them."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_weights(f"{folder}/a.weights.h5")
        with h5py.File(f"{folder}/a.weights.h5") as file:
            found: dict[str, Any] = {}
            file["layers"].visititems(
                lambda name, node: found.update({name: node[()]} if hasattr(node, "shape") else {})
            )
    beginnings = {name.split("/")[0] for name in found}
    said = {path: v.to_keras(np.asarray(leaves[v.path])) for path, v in variables.by_path()}
    own = {name.partition("/")[2]: value for name, value in found.items()}
    return len(beginnings) > 1 or own.keys() != said.keys() or any((own[path] != said[path]).any() for path in own)


def apart(theirs: Any, mine: Any) -> float:
    """The largest difference of two trees of arrays, relative to numbers above 1."""
    a, b = keras.tree.flatten(theirs), [getattr(leaf, "values", leaf) for leaf in flat(mine)]
    shapes = [[np.shape(leaf) for leaf in side] for side in (a, b)]
    assert shapes[0] == shapes[1], shapes
    pairs = zip(map(np.asarray, a), map(np.asarray, b), strict=True)
    return max(float((np.abs(left - right) / np.maximum(1, np.abs(left))).max(initial=0)) for left, right in pairs)


def flat(value: Any) -> list[Any]:
    return [leaf for part in value for leaf in flat(part)] if isinstance(value, tuple | list) else [value]


def main() -> None:
    results = {}
    for row in SAID:
        try:
            results[row.id] = dict(compare(row))
        except Exception:
            results[row.id] = {"error": traceback.format_exc()}
        keras.backend.clear_session()
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
