"""Integers of the data that the network looks up in tables: compiled code cannot refuse one that is outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import tree
from fnet.compile.graph import Graph, Node, Value
from fnet.errors import BatchSizeError, ValueRangeError, scope
from fnet.layer import Layer
from fnet.masking import split_mask
from fnet.spec import ArraySpec
from fnet.transforms.primitive import spec_of
from fnet.transforms.stage import stage
from fnet.watching import watching

_TABLE = "Embedding"
_CHUNK = 1024  # samples for which integers that are computed from x are checked at once


class Lookups:
    """The uses of an Embedding in a network, to check the data by; params, state and x may be specs."""

    def __init__(self, net: Layer, params: Any, state: Any, x: Any) -> None:
        self._net = net
        self._network = tree.map(spec_of_any, (params, state))
        self._samples, self._structure = tree.flatten(x)
        self._samples = [ArraySpec(leaf.shape[1:], leaf.dtype) for leaf in self._samples]
        self._graphs: dict[int, list[tuple[tuple[str, ...], int, Value, Graph]]] = {}
        self._size: int | None = None
        self._none = not self._traced(len(tree.leaves(x)[0]))

    def check(self, name: str, x: Any) -> None:
        """Refuse an integer outside of its table, by its place in the data `x`, called `name`.

        What an Embedding is given counts where it follows from `x` alone: a leaf, a part of one, or computed from some.
        """
        if self._none:
            return
        leaves = tree.leaves_with_path(x)
        n = len(leaves[0][1])
        for path, rows, ids, graph in self._traced(min(n, _CHUNK)):
            if ids.root in graph.inputs:
                leaf_path, leaf = leaves[graph.inputs.index(ids.root)]
                _refuse(path, rows, f"{name}/{leaf_path}" if leaf_path else name, leaf)
                continue
            size = graph.inputs[0].spec.shape[0]
            for start in dict.fromkeys((*range(0, n - size, size), n - size)):
                values = _computed(graph, ids, [leaf[start : start + size] for _, leaf in leaves])
                _refuse(path, rows, name, values, start)

    def _traced(self, n: int) -> list[tuple[tuple[str, ...], int, Value, Graph]]:
        """Path, rows of the table, what is looked up, and the graph that gives it for `n` samples."""
        n = n if self._size is None else self._size
        if n not in self._graphs:
            try:
                self._graphs[n] = self._trace(n)
            except BatchSizeError as error:  # of a layer for batches of one size
                self._size = n = error.expected
                self._graphs[n] = self._trace(n)
        return self._graphs[n]

    def _trace(self, n: int) -> list[tuple[tuple[str, ...], int, Value, Graph]]:
        watch, count = _Watch(), len(self._samples)
        own, network = tree.flatten(self._network)

        def given(*args: Any) -> list[Any]:
            """What the Embeddings are given."""
            x = tree.unflatten(self._structure, list(args[:count]))
            if self._net.kind == _TABLE:
                watch.found.append(((), self._net, x))
            else:
                with watching(watch):
                    self._net.apply(*tree.unflatten(network, list(args[count:])), x)
            return [split_mask(ids)[0] for _, _, ids in watch.found]

        samples = [ArraySpec((n, *spec.shape), spec.dtype) for spec in self._samples]
        graph, _ = stage(given, [*samples, *own], tuple)
        found = []
        for (path, layer, _), ids in zip(watch.found, graph.outputs, strict=True):
            needed = _needed(ids)
            if not needed.isdisjoint(graph.inputs[:count]) and needed.isdisjoint(graph.inputs[count:]):
                nodes = [node for node in graph.nodes if not needed.isdisjoint(node.outputs)]
                found.append((path, layer.config["input_dim"], ids, Graph(graph.inputs[:count], nodes, [ids])))
        return found


class _Watch:
    """Collects what Embeddings are given, with their paths."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self.found: list[tuple[tuple[str, ...], Layer, Any]] = []

    def enter(self, name: str, layer: Layer, x: Any) -> None:
        self._path.append(name)
        if layer.kind == _TABLE:
            self.found.append((tuple(self._path), layer, x))

    def leave(self, y: Any) -> Any:
        self._path.pop()
        return y


def spec_of_any(leaf: Any) -> ArraySpec:
    """The spec of an array, or the spec itself."""
    return leaf if isinstance(leaf, ArraySpec) else spec_of(leaf)


def _needed(value: Value) -> set[Value]:
    """The value and all that it is computed from."""
    needed, left = set(), [value]
    while left:
        value = left.pop()
        if value not in needed:
            needed.add(value)
            left += [] if value.node is None else value.node.inputs
    return needed


def _computed(graph: Graph, value: Value, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """What a value of the graph is for these inputs."""
    known: dict[Value, Any] = dict(zip(graph.inputs, inputs, strict=True))

    def of(value: Value) -> Any:
        return value.constant if value.constant is not None else known[value]

    def run(node: Node) -> None:
        results = node.primitive(*map(of, node.inputs), **node.params)
        known.update(zip(node.outputs, results if node.primitive.multiple else (results,), strict=True))

    for node in graph.nodes:
        run(node)
    return np.asarray(of(value))


def _refuse(path: tuple[str, ...], rows: int, name: str, ids: np.ndarray, first: int = 0) -> None:
    """Raise a `ValueRangeError` for the first number that, truncated, is in no row."""
    if not ids.size or (ids.min() > -1 and ids.max() < rows):
        return
    wrong = np.argwhere(~((ids > -1) & (ids < rows)))
    place = tuple(wrong[0].tolist())
    with scope("/".join(path) or _TABLE.lower()):
        raise ValueRangeError(
            f"{_TABLE}: {ids[place]} at position {(place[0] + first, *place[1:])} of {name} is outside of the table of "
            f"{rows} rows: expected 0 to {rows - 1}. Check the input, or give a larger input_dim."
        )
