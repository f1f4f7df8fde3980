"""The shape of a network's inputs, found from its parameters where they tell it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import FnetError, StructureError
from fnet.io.keras.calls import calls_of
from fnet.io.keras.members import at_path
from fnet.networks.layer import Layer
from fnet.networks.samples import TEXT, Samples, check_shape, is_single

_MOST_AXES = 4
_OF_TEXTS = ("StringLookup", "TextVectorization")
_OF_INTEGERS = ("CategoryEncoding", "Embedding", "Hashing", "IntegerLookup", "ReversibleEmbedding", "StringLookup")
_RESHAPING = ("Flatten", "Reshape", "Permute", "RepeatVector", "Lambda")


def input_samples(net: Layer, params: Any, state: Any, shape: Any) -> Any:
    """The tree of samples of the inputs: of a given shape, of the shape that the network was made for, or found.

    Raises `StructureError` where neither tells.
    """
    if net.kind == "graph":
        return tree.map(lambda node: node.samples, net.config["inputs"])
    shape = net.shape if shape is None else check_shape(shape)
    shape = _found(net, params, state) if shape is None else shape
    return _as_samples(shape, _first_dtype(net))


def _as_samples(shape: Any, dtype: np.dtype) -> Any:
    if is_single(shape):
        return Samples(tuple(shape), dtype)
    parts = shape.items() if isinstance(shape, dict) else enumerate(shape)
    made = {key: _as_samples(part, np.dtype(np.float32)) for key, part in parts}
    return made if isinstance(shape, dict) else tuple(made.values())


def _first_dtype(net: Layer) -> np.dtype:
    """The dtype that the first layer takes."""
    calls = calls_of(net).calls
    first = calls[0].layer if calls else None
    kind = "" if first is None else first.kind
    if kind in _OF_TEXTS and not (first is not None and first.config.get("invert")):
        return TEXT
    return np.dtype("int32" if kind in _OF_INTEGERS else "float32")


def _found(net: Layer, params: Any, state: Any) -> tuple[int | None, ...]:
    """The shape with the fewest axes for which the network has parameters and state of just these shapes."""
    wanted = _shapes((params, state))
    calls = calls_of(net).calls
    first = next(
        (i for i, call in enumerate(calls) if call.path is not None and tree.leaves(at_path(params, call.path))), 0
    )
    own = at_path(params, calls[first].path or "")
    before = {call.layer.kind for call in calls[:first] if call.layer is not None}
    if wanted and not before & set(_RESHAPING):
        sizes = dict.fromkeys(n for shape in _shapes(own).values() for n in shape)
        for axes in range(1, _MOST_AXES + 1):
            for last in (None, *sizes):
                shape = (*(None,) * (axes - 1), last)
                try:
                    if _shapes(net.parameter_specs(shape)) == wanted:
                        return shape
                except (FnetError, ValueError, TypeError):  # no shape for this network
                    continue
    raise StructureError(
        f"the parameters do not tell the shape of the inputs of {net.kind}. Give it, without the batch axis: "
        f"save_model(path, net, params, state, shape=(28, 28, 1))."
    )


def _shapes(trees: Any) -> dict[str, tuple[int, ...]]:
    return {path: tuple(leaf.shape) for path, leaf in tree.leaves_with_path(trees)}
