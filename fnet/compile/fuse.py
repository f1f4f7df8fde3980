"""Fusion: elementwise operations over one index space, and folds of their results, become one loop nest.

Regions stay free of cycles: two parts merge only if no path between them leads through a node outside.
"""

from __future__ import annotations

from dataclasses import dataclass

from fnet.compile.graph import Graph, Node
from fnet.compile.loops import foldable

MAX_NODES = 48


@dataclass(slots=True, eq=False)
class Region:
    """Nodes that run together: one loop nest, or a single node of any other kind."""

    nodes: list[Node]
    space: tuple[int, ...] | None = None
    folded: frozenset[int] | None = None
    members: int = 0
    ancestors: int = 0

    @property
    def fused(self) -> bool:
        return self.space is not None


def fuse(graph: Graph) -> list[Region]:
    """Partition the nodes into regions, in an order in which they can run."""
    index = {node: i for i, node in enumerate(graph.nodes)}
    ancestors: list[int] = []
    region_of: dict[Node, Region] = {}
    for i, node in enumerate(graph.nodes):
        above = 1 << i
        for value in node.inputs:
            if value.node is not None:
                above |= ancestors[index[value.node]]
        ancestors.append(above)
        region = Region([node], *_space(node), members=1 << i, ancestors=above)
        region_of[node] = region
        if region.fused:
            for value in node.inputs:
                producer = value.node
                if producer is not None and producer.is_elementwise and value.spec.shape == region.space:
                    region = _merge(region_of[producer], region, ancestors, region_of)
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


def _merge(one: Region, other: Region, ancestors: list[int], region_of: dict[Node, Region]) -> Region:
    """The union of two regions if they fit together, else `other` as it is."""
    if one is other:
        return other
    fits = one.space == other.space and (one.folded is None or other.folded is None or one.folded == other.folded)
    nodes = one.nodes + other.nodes
    if not fits or len(nodes) > MAX_NODES or _reads_fold(nodes):
        return other
    members, above = one.members | other.members, one.ancestors | other.ancestors
    outside = above & ~members
    while outside:
        node = outside.bit_length() - 1
        if ancestors[node] & members:
            return other
        outside &= ~(1 << node)
    folded = one.folded if one.folded is not None else other.folded
    union = Region(nodes, one.space, folded, members, above)
    for member in union.nodes:
        region_of[member] = union
    return union


def _reads_fold(nodes: list[Node]) -> bool:
    """Whether one of the nodes needs the finished result of a fold among them."""
    folds = {node for node in nodes if node.is_fold}
    return any(value.node in folds for node in nodes for value in node.inputs)


def _ordered(graph: Graph, region_of: dict[Node, Region]) -> list[Region]:
    """Regions so that each comes after those it reads from, otherwise in the order of the trace."""
    index = {node: i for i, node in enumerate(graph.nodes)}
    order: list[Region] = []
    done: set[Region] = set()

    def place(region: Region) -> None:
        stack = [(region, False)]
        while stack:
            current, ready = stack.pop()
            if current in done:
                continue
            if ready:
                done.add(current)
                current.nodes.sort(key=index.__getitem__)
                order.append(current)
                continue
            stack.append((current, True))
            needs = {region_of[v.node] for n in current.nodes for v in n.inputs if v.node is not None} - {current}
            stack += [(r, False) for r in sorted(needs - done, key=lambda r: -min(index[n] for n in r.nodes))]

    for node in graph.nodes:
        place(region_of[node])
    return order
