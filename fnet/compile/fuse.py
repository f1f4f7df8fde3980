"""Fusion: elementwise operations over one index space, and folds of their results, become one loop nest.

Two regions merge only if no third one both reads from them and is read by them, directly or not: so the graph of
regions stays free of cycles.
"""

from __future__ import annotations

from dataclasses import dataclass

from fnet.compile.graph import Graph, Node
from fnet.compile.loops import foldable

MAX_NODES = 48


@dataclass(slots=True, eq=False)
class Region:
    """Nodes that run together: one loop nest, or a single node of any other kind.

    `space` is the index space of a nest, `folded` the axes that its folds fold; `first` and `last` are the least and
    the greatest position of its nodes in the trace.
    """

    nodes: list[Node]
    space: tuple[int, ...] | None
    folded: frozenset[int] | None
    first: int
    last: int

    @property
    def fused(self) -> bool:
        return self.space is not None


def fuse(graph: Graph) -> list[Region]:
    """Partition the nodes into regions, in an order in which they can run."""
    region_of: dict[Node, Region] = {}
    for i, node in enumerate(graph.nodes):
        region = region_of[node] = Region([node], *_space(node), first=i, last=i)
        if region.fused:
            for value in node.inputs:
                producer = value.node
                if producer is not None and producer.is_elementwise and value.spec.shape == region.space:
                    region = _merge(region_of[producer], region, region_of)
    return _ordered(graph, region_of)


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


def _merge(one: Region, other: Region, region_of: dict[Node, Region]) -> Region:
    """The union of two regions if they fit together, else `other` as it is."""
    if one is other:
        return other
    fits = one.space == other.space and (one.folded is None or other.folded is None or one.folded == other.folded)
    nodes = one.nodes + other.nodes
    if not fits or len(nodes) > MAX_NODES or _reads_fold(nodes) or _encloses(one, other, region_of):
        return other
    folded = one.folded if one.folded is not None else other.folded
    union = Region(nodes, one.space, folded, min(one.first, other.first), max(one.last, other.last))
    for node in nodes:
        region_of[node] = union
    return union


def _reads_fold(nodes: list[Node]) -> bool:
    """Whether one of the nodes needs the finished result of a fold among them."""
    folds = {node for node in nodes if node.is_fold}
    return any(value.node in folds for node in nodes for value in node.inputs)


def _encloses(one: Region, other: Region, region_of: dict[Node, Region]) -> bool:
    """Whether a third region lies on a path from the two back to the two."""
    first = min(one.first, other.first)
    seen: set[Region] = {one, other}
    waiting = _sources(one, region_of) + _sources(other, region_of)
    while waiting:
        region = waiting.pop()
        if region in seen or region.last < first:  # what ends before the two begin cannot read from them
            continue
        seen.add(region)
        sources = _sources(region, region_of)
        if one in sources or other in sources:
            return True
        waiting += sources
    return False


def _sources(region: Region, region_of: dict[Node, Region]) -> list[Region]:
    """The regions that a region reads from, itself included where its nodes read each other."""
    return [region_of[v.node] for node in region.nodes for v in node.inputs if v.node is not None]


def _ordered(graph: Graph, region_of: dict[Node, Region]) -> list[Region]:
    """Regions so that each comes after those it reads from, otherwise in the order of the trace."""
    index = {node: i for i, node in enumerate(graph.nodes)}
    order: list[Region] = []
    placed: set[Region] = set()
    for node in graph.nodes:
        stack = [region_of[node]]
        while stack:
            region = stack[-1]
            needed = {source for source in _sources(region, region_of) if source not in placed} - {region}
            if region not in placed and needed:
                stack += sorted(needed, key=lambda r: -r.first)
                continue
            stack.pop()
            if region not in placed:
                placed.add(region)
                region.nodes.sort(key=index.__getitem__)
                order.append(region)
    return order
