"""Values within a network that follow from its inputs alone: what it looks up, and which steps it masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fnet import tree
from fnet.compile.graph import Graph, Node, Value
from fnet.errors import BatchSizeError
from fnet.spec import ArraySpec
from fnet.transforms.operand import is_known
from fnet.transforms.primitive import spec_of
from fnet.transforms.stage import stage

_CHUNK = 1024  # samples for which values are computed at once


class DerivedValue(NamedTuple):
    """A value that follows from the inputs: what it is, and the graph that computes it from their leaves."""

    what: Any
    value: Value
    graph: Graph

    @property
    def leaf(self) -> int | None:
        """The number of the leaf that the value is, reshaped at most."""
        return self.graph.inputs.index(self.value.root) if self.value.root in self.graph.inputs else None


class Derived:
    """The values of a network that follow from its inputs alone, for any number of samples.

    pick: ``pick(params, state, x)`` gives pairs of what is looked for and its traced value; params, state and x are
    arrays or specs, of which the shapes are kept.
    """

    def __init__(self, pick: Callable[[Any, Any, Any], list[tuple[Any, Any]]], params: Any, state: Any, x: Any) -> None:
        self._pick = pick
        own, self._network = tree.flatten((params, state))
        leaves, self._structure = tree.flatten(x)
        self._own = [leaf if isinstance(leaf, ArraySpec) else spec_of(leaf) for leaf in own]
        self._samples = [ArraySpec(leaf.shape[1:], leaf.dtype) for leaf in leaves]
        self._found: dict[int, list[DerivedValue]] = {}
        self._size: int | None = None
        self._none = not self._for(min(len(leaves[0]), _CHUNK))

    def find(self, x: Any) -> list[DerivedValue]:
        """The values for data like `x`; those of a network for batches of one size only where there are as many."""
        if self._none or not all(map(is_known, tree.leaves(x))):
            return []
        n = len(tree.leaves(x)[0])
        return self._for(min(n, _CHUNK)) if self._size is None or n >= self._size else []

    def _for(self, n: int) -> list[DerivedValue]:
        n = n if self._size is None else self._size
        if n not in self._found:
            try:
                self._found[n] = self._trace(n)
            except BatchSizeError as error:  # of a layer for batches of one size
                self._size = n = error.expected
                self._found[n] = self._trace(n)
        return self._found[n]

    def _trace(self, n: int) -> list[DerivedValue]:
        count = len(self._samples)
        what: list[Any] = []

        def values(*args: Any) -> list[Any]:
            x = tree.unflatten(self._structure, list(args[:count]))
            params, state = tree.unflatten(self._network, list(args[count:]))
            picked = self._pick(params, state, x)
            what[:] = [name for name, _ in picked]
            return [value for _, value in picked]

        samples = [ArraySpec((n, *spec.shape), spec.dtype) for spec in self._samples]
        graph, _ = stage(values, [*samples, *self._own], tuple)
        inputs, found = graph.inputs[:count], []
        for name, value in zip(what, graph.outputs, strict=True):
            needed = _needed(value)
            if not needed.isdisjoint(inputs) and needed.isdisjoint(graph.inputs[count:]):
                nodes = [node for node in graph.nodes if not needed.isdisjoint(node.outputs)]
                found.append(DerivedValue(name, value, Graph(inputs, nodes, [value])))
        return found


def computed(found: DerivedValue, x: Any) -> np.ndarray:
    """The value for all samples of `x`."""
    leaves, size = tree.leaves(x), found.graph.inputs[0].spec.shape[0]
    n = len(leaves[0])
    parts = [_run(found, [leaf[start : start + size] for leaf in leaves]) for start in range(0, n - size + 1, size)]
    if n % size:
        parts.append(_run(found, [leaf[n - size :] for leaf in leaves])[-(n % size) :])
    return np.concatenate(parts)


def _run(found: DerivedValue, inputs: Sequence[np.ndarray]) -> np.ndarray:
    graph = found.graph
    known: dict[Value, Any] = dict(zip(graph.inputs, inputs, strict=True))

    def of(value: Value) -> Any:
        return value.constant if value.constant is not None else known[value]

    def run(node: Node) -> None:
        results = node.primitive(*map(of, node.inputs), **node.params)
        known.update(zip(node.outputs, results if node.primitive.multiple else (results,), strict=True))

    for node in graph.nodes:
        run(node)
    return np.asarray(of(found.value))


def _needed(value: Value) -> set[Value]:
    """The value and all that it is computed from."""
    needed, left = set(), [value]
    while left:
        value = left.pop()
        if value not in needed:
            needed.add(value)
            left += [] if value.node is None else value.node.inputs
    return needed
