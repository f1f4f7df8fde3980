"""Masks in the graphs of Keras' models: there a mask may be a tensor of its own, which a call gets by a keyword.

Keras 3 writes the mask of a layer's input as operations on what it was computed from: ``x != 0`` for an Embedding, for
Masking whether any feature is another one. In fnet the mask travels with the values; these two are the same mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fnet import tree
from fnet.configured import Recipe
from fnet.errors import FileError, FnetError
from fnet.io.keras.config import wrong
from fnet.io.keras.translation import MODELS, row_of
from fnet.masking import Masked, unmasked
from fnet.networks.layer import Layer
from fnet.networks.node import SymbolicNode
from fnet.networks.operations import InputAt, operation_of
from fnet.networks.samples import evaluated
from fnet.spec import ArraySpec
from fnet.transforms.stage import eval_shape

KEYWORDS = {"mask": 0, "query_mask": 0, "value_mask": 1, "key_mask": 2}
"""Keywords of Keras' calls that are masks, with the number of the input."""


def with_mask() -> Layer:
    """The layer that puts values under a mask of its own: (x, mask) -> `Masked`, as Keras' keyword ``mask``."""

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        values, mask = x
        return Masked(unmasked(values), unmasked(mask)), state

    return Layer(_nothing, apply, name="with_mask", kind="WithMask", masks="used", recipe=Recipe(with_mask, (), {}))


def without_mask() -> Layer:
    """The layer whose output has no mask: Keras 3 hands none on beside initial states."""

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return x, state

    return Layer(_nothing, apply, name="without_mask", kind="WithoutMask", recipe=Recipe(without_mask, (), {}))


class Trail:
    """The masks that travel with the tensors of a graph, of which each has `samples`.

    A mask is known by what says it: ``("not_equal", tensor, value)``, ``("any", ...)`` of that over the features,
    ``("given", tensor)``, or ``("computed",)`` where it comes out of several.
    """

    def __init__(self) -> None:
        self._of: dict[int, tuple[Any, Any]] = {}  # tensors by their ids, with what says the mask

    def of(self, tensor: Any) -> tuple[Any, ...] | None:
        """What says the mask of a tensor; None where it has none."""
        return self._of.get(id(tensor), (None, None))[1]

    def arrive(self, tensors: Any, masked: Any) -> None:
        """Masks that nobody here knows come with some tensors: `masked` is a tree of bools like that of `tensors`."""
        for tensor, comes in zip(tree.leaves(tensors), tree.leaves(masked), strict=True):
            self._put(tensor, ("computed",) if comes else None)

    def note(self, layer: Layer, inputs: Any, outputs: Any) -> None:
        """A layer was called."""
        parts, config = tree.leaves(inputs), layer.config
        found = [own for part in parts if (own := self.of(part)) is not None]
        if layer.kind in ("Embedding", "ReversibleEmbedding"):
            masks = config["mask_zero"] and not isinstance(inputs, dict)
            self._put(outputs, ("not_equal", parts[0], 0) if masks else None)
        elif layer.kind == "Masking" and not found:
            self._put(outputs, ("any", ("not_equal", parts[0], config["mask_value"])))
        elif layer.kind == "WithMask":
            self._put(outputs, ("given", parts[1]))
        elif layer.kind != "WithoutMask" and operation_of(layer) is None and (found or _has_calls(layer)):
            handed_on = len(set(found)) == 1 and not _has_calls(layer) and layer.kind != "Masking"
            same = found[0] if handed_on else ("computed",)
            for tensor, shape in zip(tree.leaves(outputs), self._carried(layer, inputs), strict=True):
                kept = shape == (None, *parts[0].samples.shape[:1])
                self._put(tensor, None if shape == () else same if kept else ("computed",))

    def same_as(self, tensor: Any, mask: Any) -> bool:
        """Whether the mask that travels with a tensor is this one, a node of a graph."""
        own = self.of(tensor)
        return own is not None and own in (_said(mask), ("given", mask))

    def _put(self, tensor: Any, said: tuple[Any, ...] | None) -> None:
        if said is not None:
            self._of[id(tensor)] = (tensor, said)

    def _carried(self, layer: Layer, inputs: Any) -> list[tuple[int | None, ...]]:
        """The shapes of the masks of all outputs, () for one that has none, None for the batch and variable axes."""
        shapes = tree.map(lambda part: part.samples.shape, inputs)
        masked = tree.map(lambda part: self.of(part) is not None, inputs)

        def run(x: Any) -> Any:
            given = tree.map(_under_mask, x, masked)
            made = eval_shape(lambda p, s, x: layer.apply(p, s, x)[0], *layer.parameter_specs(shapes), given)
            return tree.leaves(made, is_leaf=lambda part: isinstance(part, Masked))

        dtypes = tree.map(lambda part: part.samples.dtype, inputs)
        return [_mask_shape(specs) for specs in zip(*evaluated(run, shapes, dtypes), strict=True)]


def applied(trail: Trail, inputs: Any, keywords: Mapping[str, Any], states: bool, path: str) -> Any:
    """The inputs of a call under the masks that its keywords say.

    inputs: nodes. states: whether a mask that no keyword says ends here, see `without_mask`.
    """
    several = isinstance(inputs, tuple)
    parts = list(inputs) if several else [inputs]
    given = _by_number(keywords, len(parts), path)
    for i, part in enumerate(parts):
        if i in given and not trail.same_as(part, given[i]):
            parts[i] = _called(trail, with_mask(), (part, given[i]), path)
        elif i == 0 and states and len(parts) > 1 and not given and trail.of(part) is not None:
            parts[i] = _called(trail, without_mask(), part, path)
    return tuple(parts) if several else parts[0]


def _by_number(keywords: Mapping[str, Any], count: int, path: str) -> dict[int, Any]:
    """The masks among the keywords, by the numbers of the inputs."""
    found: dict[int, Any] = {}
    for key, number in KEYWORDS.items():
        value = keywords.get(key)
        for i, mask in enumerate(value if isinstance(value, list | tuple) else [value], start=number):
            if mask is not None:
                if not isinstance(mask, SymbolicNode):
                    raise wrong(path, "a tensor as the mask of an input", mask)
                at = i if i < count else 0
                if found.get(at, mask) is not mask:
                    raise FileError(f"{path}: one input of a call has two masks. Save the network without them.")
                found[at] = mask
    return found


def _called(trail: Trail, layer: Layer, inputs: Any, path: str) -> Any:
    try:
        made = layer(inputs)
    except (FnetError, AttributeError) as error:
        raise FileError(f"{path}: a mask cannot be that of its input: {error}") from None
    trail.note(layer, inputs, made)
    return made


def _said(mask: Any) -> tuple[Any, ...] | None:
    """What the operations say that have made a node of a graph."""
    operation = None if mask.call is None else operation_of(mask.call.layer)
    if operation is None:
        return None
    source, args = mask.call.inputs, operation.args
    if operation.function == "not_equal" and args[:1] == (InputAt(0),) and len(args) == 2:
        return ("not_equal", source, args[1]) if isinstance(args[1], bool | int | float) else None
    if operation.function == "any" and args == (InputAt(0),) and operation.kwargs.get("axis") in (-1, (-1,)):
        said = None if operation.kwargs.get("keepdims") else _said(source)
        return None if said is None else ("any", said)
    return None


def _mask_shape(specs: tuple[Any, ...]) -> tuple[int | None, ...]:
    """The shape of a mask that one or two evaluations gave."""
    if not isinstance(specs[0], Masked):
        return ()
    axes = zip(*(spec.mask.shape[1:] for spec in specs), strict=True)
    return (None, *(int(sizes[0]) if len(set(sizes)) == 1 else None for sizes in axes))


def _has_calls(layer: Layer) -> bool:
    """Whether it is a network, in which masks may begin and end."""
    row = row_of(layer)
    return layer.container and (row is None or row.kind in MODELS)


def _under_mask(x: ArraySpec, masked: bool) -> Any:
    return Masked(x, ArraySpec(x.shape[:2], np.dtype(bool))) if masked else x


def _nothing(key: Any, shape: Any, dtype: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {}, {}
