"""Fusion beside one that looks at all pairs of regions: the same regions, and never a cycle."""

from __future__ import annotations

from typing import Any

import numpy as np

import fnet
from fnet import ops
from fnet.compile.fuse import MAX_NODES, fuse
from fnet.compile.graph import Graph, Node
from fnet.compile.simplify import simplify
from fnet.device import cpu
from fnet.transforms.stage import stage

SHAPES = [(4,), (4, 1), (1,), (3, 4)]
STEPS = [
    lambda a, b: a * b,
    lambda a, b: a - b,
    lambda a, b: ops.sin(a),
    lambda a, b: ops.sum(a, axis=-1),
    lambda a, b: a @ b,
    lambda a, b: ops.reshape(a, (-1,)),
]


def drawn_graph(rng: np.random.Generator, most: int, reach: int) -> Graph:
    """A graph of up to `most` operations on values of several shapes, each among the `reach` values made last."""

    def f(*inputs: Any) -> tuple[Any, ...]:
        values = list(inputs)
        for op, i, j in rng.integers(0, [len(STEPS), 1 << 30, 1 << 30], size=(rng.integers(3, most), 3)):
            near = values[-reach:]
            try:
                value = STEPS[op](near[i % len(near)], near[j % len(near)])
            except ValueError:  # the operands do not fit
                continue
            if 0 < value.size <= 64:
                values.append(value)
        return tuple(values)

    graph, _ = stage(f, [fnet.ArraySpec(shape, np.dtype(np.float32)) for shape in SHAPES], tuple)
    return simplify(graph, cpu())


class Plain:
    """What `fuse` decides, by a search through all regions for each pair."""

    def __init__(self, graph: Graph) -> None:
        self.of: dict[Node, list[Node]] = {}
        for node in graph.nodes:
            self.of[node] = [node]
            space, _ = space_of(node)
            for value in node.inputs if space is not None else ():
                producer = value.node
                if producer is not None and producer.is_elementwise and value.spec.shape == space:
                    self.merge(self.of[producer], self.of[node])

    def merge(self, one: list[Node], other: list[Node]) -> None:
        both = one + other
        folds = {node for node in both if node.is_fold}
        kinds = [space_of(node) for node in both]
        fits = len({space for space, _ in kinds}) == 1 and len({axes for _, axes in kinds if axes is not None}) < 2
        reads_fold = any(value.node in folds for node in both for value in node.inputs)
        if one is other or len(both) > MAX_NODES or not fits or reads_fold or self.circular(both):
            return
        for node in both:
            self.of[node] = both

    def circular(self, nodes: list[Node]) -> bool:
        """Whether what `nodes` read from, directly or not, reads from them."""
        inside = set(nodes)
        waiting = [v.node for node in nodes for v in node.inputs if v.node is not None and v.node not in inside]
        seen = set(waiting)
        while waiting:
            for node in self.of[waiting.pop()]:
                for source in (v.node for v in node.inputs if v.node is not None):
                    if source in inside:
                        return True
                    if source not in seen:
                        seen.add(source)
                        waiting.append(source)
        return False


def space_of(node: Node) -> tuple[Any, Any]:
    if node.is_fold:
        shape = node.inputs[0].spec.shape
        return shape, frozenset(axis for axis in node.params["axes"] if shape[axis] != 1)
    return (node.outputs[0].spec.shape if node.is_elementwise else None), None


def test_regions_are_those_of_a_search_through_all_pairs():
    rng = np.random.default_rng(0)
    fused = 0
    for most, reach, count in [(25, 1 << 30, 300), (150, 1 << 30, 15), (150, 12, 15)]:
        for _ in range(count):
            graph = drawn_graph(rng, most, reach)
            regions = fuse(graph, cpu())
            plain = Plain(graph).of
            assert {frozenset(region.nodes) for region in regions} == {frozenset(nodes) for nodes in plain.values()}
            fused += len(graph.nodes) - len(regions)
    assert fused > 1000


def test_regions_run_after_those_they_read_from():
    """Many graphs, since what goes wrong here is rare: uniformly drawn ones find it sooner than small ones."""
    rng = np.random.default_rng(0)
    for _ in range(1000):
        graph = drawn_graph(rng, 25, 1 << 30)
        place = {node: i for i, region in enumerate(fuse(graph, cpu())) for node in region.nodes}
        assert set(place) == set(graph.nodes)
        assert all(place[v.node] <= i for node, i in place.items() for v in node.inputs if v.node is not None)
