"""Merges of masked tensors in files of ``tf.keras`` 2: there a step counts if it does in all inputs with a mask.

In Keras 3 and in fnet it counts if it does in one input, where all of them have a mask, and masked entries may count
otherwise than others (Multiply, Maximum, Minimum). Source: ``tf.keras`` 2, ``base_merge.py``, ``concatenate.py``.
"""

from __future__ import annotations

from typing import Any

from fnet import tree
from fnet.errors import FileError
from fnet.io.keras.calls import calls_of
from fnet.io.keras.composed import called
from fnet.io.keras.masks import Trail, with_mask, without_mask
from fnet.networks.layer import Layer

_SAME_VALUES = ("Add", "Subtract", "Average", "Concatenate")
_KINDS = (*_SAME_VALUES, "Multiply", "Maximum", "Minimum")


def merged(trail: Trail, layer: Layer, inputs: Any, path: str) -> Any | None:
    """The output of a merge under the mask of the older rule; None where that is what fnet does.

    inputs: nodes. Raises `FileError` for masks that no operation says.
    """
    if layer.kind not in _KINDS or not isinstance(inputs, tuple) or not _is_along_features(layer, inputs):
        return None
    masks = [trail.of(part) for part in inputs]
    said = list(dict.fromkeys(mask for mask in masks if mask is not None))
    is_one = len(said) == 1 and said[0] != ("computed",) and None not in masks
    if not said or (layer.kind in _SAME_VALUES and is_one):
        return None
    plain = tuple(part if mask is None else without_mask()(part) for part, mask in zip(inputs, masks, strict=True))
    nodes = [_node(mask, path) for mask in said]
    all_of_them = nodes[0]
    for node in nodes[1:]:
        all_of_them = called("logical_and", all_of_them, node)
    values = layer(plain)
    made = with_mask()((values, all_of_them))
    trail.note(with_mask(), (values, all_of_them), made)
    return made


def check_model(trail: Trail, model: Layer, inputs: Any, path: str) -> None:
    """Refuse a call of a model within a model, in which a merge gets a mask that comes from outside.

    inputs: nodes.
    """
    masked = tree.map(lambda part: trail.of(part) is not None, inputs)
    if not any(tree.leaves(masked)):
        return
    samples = tree.map(lambda node: node.samples, inputs)
    params, state = model.parameter_specs(tree.map(lambda own: own.shape, samples))
    left = [calls_of(model, params, state, samples, True, masked)]
    while left:
        calls = left.pop()
        for call in calls.calls:
            if call.inner is not None:
                left.append(call.inner)
            parts = call.inputs
            is_merge = call.layer is not None and call.layer.kind in _KINDS and isinstance(parts, tuple)
            if is_merge and any(calls.trail.of(part) is not None for part in parts):
                _node(("computed",), path)


def _is_along_features(layer: Layer, inputs: tuple[Any, ...]) -> bool:
    """Whether a Concatenate joins features, and not steps, whose masks it joins as well."""
    return layer.kind != "Concatenate" or layer.config["axis"] in (-1, inputs[0].ndim - 1)


def _node(said: tuple[Any, ...], path: str) -> Any:
    """The node of a mask that travels."""
    if said[0] == "given":
        return said[1]
    if said[0] == "not_equal":
        return called("not_equal", said[1], said[2])
    if said[0] == "any":
        return called("any", _node(said[1], path), axis=-1)
    raise FileError(
        f"{path}: Keras 2 wrote it, where a step counts in a merge if it does in all inputs, and the mask of an input "
        f"is computed by several layers. Build the network in fnet, and load the weights alone: fnet.load_weights."
    )
