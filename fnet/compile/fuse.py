"""Fusion: elementwise operations over one index space, and folds of their results, become one loop nest.

Two regions merge only if no third one both reads from them and is read by them, directly or not: so the graph of
regions stays free of cycles. Which regions a region reads from, and which read from it, are bits of integers.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from fnet.compile.graph import Graph, Node
from fnet.compile.loops import foldable

MAX_NODES = 48


@dataclass(slots=True, eq=False)
class Region:
    """Nodes that run together: one loop nest, or a single node of any other kind.

    `space` is the index space of a nest, `folded` the axes that its folds fold. `number` is the region's bit in the
    sets `above` (the regions that it needs, directly or not) and `below` (those that need it).
    """

    nodes: list[Node]
    space: tuple[int, ...] | None
    folded: frozenset[int] | None
    number: int
    above: int = 0
    below: int = 0

    @property
    def fused(self) -> bool:
        return self.space is not None

    @property
    def bit(self) -> int:
        return 1 << self.number

    def needs(self, other: Region) -> bool:
        return bool(self.above & other.bit)


def fuse(graph: Graph) -> list[Region]:
    """Partition the nodes into regions, in an order in which they can run."""
    regions: list[Region] = []
    region_of: dict[Node, Region] = {}
    for number, node in enumerate(graph.nodes):
        region = region_of[node] = Region([node], *_space(node), number=number)
        for source in _sources(region, region_of):
            region.above |= source.above | source.bit
        for other in regions:
            if region.needs(other):
                other.below |= region.bit
        regions.append(region)
        if region.fused:
            for value in node.inputs:
                producer = value.node
                if producer is not None and producer.is_elementwise and value.spec.shape == region.space:
                    region = _merge(region_of[producer], region, regions, region_of)
    return _ordered(regions, region_of, {node: i for i, node in enumerate(graph.nodes)})


def _space(node: Node) -> tuple[tuple[int, ...] | None, frozenset[int] | None]:
    """The index space in which a node can join a nest, and the axes it folds there."""
    if node.is_elementwise:
        return node.outputs[0].spec.shape, None
    if node.is_fold:
        shape = node.inputs[0].spec.shape
        axes = frozenset(a for a in node.params["axes"] if shape[a] != 1)  # folding a size of 1 changes nothing
        if foldable(shape, axes):
            return shape, axes
    return None, None


def _merge(one: Region, other: Region, regions: list[Region], region_of: dict[Node, Region]) -> Region:
    """Let `one` take over `other` if they fit together; returns the region that then holds the nodes of `other`."""
    if one is other:
        return other
    fits = one.space == other.space and (one.folded is None or other.folded is None or one.folded == other.folded)
    nodes, both = one.nodes + other.nodes, one.bit | other.bit
    above, below = (one.above | other.above) & ~both, (one.below | other.below) & ~both
    if not fits or len(nodes) > MAX_NODES or _reads_fold(nodes) or above & below:
        return other
    one.nodes, one.above, one.below = nodes, above, below
    one.folded = one.folded if one.folded is not None else other.folded
    regions.remove(other)
    for node in other.nodes:
        region_of[node] = one
    for region in regions:
        if above & region.bit:
            region.below = region.below & ~other.bit | one.bit | below
        if below & region.bit:
            region.above = region.above & ~other.bit | one.bit | above
    return one


def _reads_fold(nodes: list[Node]) -> bool:
    """Whether one of the nodes needs the finished result of a fold among them."""
    folds = {node for node in nodes if node.is_fold}
    return any(value.node in folds for node in nodes for value in node.inputs)


def _sources(region: Region, region_of: dict[Node, Region]) -> list[Region]:
    """The regions that a region reads from, itself included where its nodes read each other."""
    return [region_of[v.node] for node in region.nodes for v in node.inputs if v.node is not None]


def _ordered(regions: list[Region], region_of: dict[Node, Region], place: dict[Node, int]) -> list[Region]:
    """Each region after those it reads from, otherwise in the order of the trace."""
    for region in regions:
        region.nodes.sort(key=place.__getitem__)
    by_number = {region.number: region for region in regions}
    missing = {r.number: {s.number for s in _sources(r, region_of)} - {r.number} for r in regions}
    readers: dict[int, list[int]] = {number: [] for number in by_number}
    for number, sources in missing.items():
        for source in sources:
            readers[source].append(number)
    ready = [(place[r.nodes[0]], r.number) for r in regions if not missing[r.number]]
    heapq.heapify(ready)
    order: list[Region] = []
    while ready:
        _, number = heapq.heappop(ready)
        order.append(by_number[number])
        for reader in readers[number]:
            missing[reader].discard(number)
            if not missing[reader]:
                heapq.heappush(ready, (place[by_number[reader].nodes[0]], reader))
    assert len(order) == len(regions), "regions form a cycle"
    return order
