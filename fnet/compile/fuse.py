"""Fusion: elementwise operations over one index space, and folds of their results, become one loop nest.

Two regions merge only if no third one both reads from them and is read by them, directly or not: so the graph of
regions stays free of cycles.
"""

from __future__ import annotations

import heapq

from fnet.compile.contraction import Contraction, Vertex
from fnet.compile.graph import Graph, Node
from fnet.compile.loops import foldable
from fnet.device import Device

MAX_NODES = 48


class FusedRegion(Vertex):
    """Nodes that run together: one loop nest, or a single node of any other kind, with those it computes besides.

    `space` is the index space of a nest, `folded` the axes that its folds fold.
    """

    __slots__ = ("folded", "nodes", "space")

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.nodes = [node]
        self.space, self.folded = _space(node)

    @property
    def fused(self) -> bool:
        return self.space is not None


def fuse(graph: Graph, device: Device) -> list[FusedRegion]:
    """Partition the nodes into regions, in an order in which they can run; the device says what its rules compute."""
    regions: Contraction[FusedRegion] = Contraction()
    region_of: dict[Node, FusedRegion] = {}
    for node in graph.nodes:
        region = FusedRegion(node)
        regions.add(region, [region_of[v.node] for v in node.inputs if v.node is not None])
        region_of[node] = region
        if region.fused:
            for value in node.inputs:
                producer = value.node
                if producer is not None and producer.is_elementwise and value.spec.shape == region.space:
                    region = _merge(region_of[producer], region, regions, region_of)
        elif not node.operation and device.rule(node.primitive).beside:
            _take_beside(node, device.rule(node.primitive).beside, regions, region_of)
    return _ordered(regions, {node: i for i, node in enumerate(graph.nodes)})


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


def _merge(
    one: FusedRegion, other: FusedRegion, regions: Contraction[FusedRegion], region_of: dict[Node, FusedRegion]
) -> FusedRegion:
    """Let `one` take over `other` if they fit together; returns the region that then holds the nodes of `other`."""
    if one is other:
        return other
    fits = one.space == other.space and (one.folded is None or other.folded is None or one.folded == other.folded)
    if not fits or len(one.nodes) + len(other.nodes) > MAX_NODES or _reads_fold(one, other):
        return other
    if not regions.join(one, other):
        return other
    one.nodes += other.nodes
    one.folded = one.folded if one.folded is not None else other.folded
    for node in other.nodes:
        region_of[node] = one
    return one


def _take_beside(
    node: Node,
    name: str,
    regions: Contraction[FusedRegion],
    region_of: dict[Node, FusedRegion],
) -> None:
    """Let a node take over the call before it of the primitive `name` on its first inputs, if there is one."""
    for other, region in region_of.items():
        is_it = other.primitive.name == name and other.inputs == node.inputs[: len(other.inputs)]
        if is_it and len(region.nodes) == 1 and regions.join(region_of[node], region):
            region_of[node].nodes.insert(0, other)
            region_of[other] = region_of[node]
            return


def _reads_fold(one: FusedRegion, other: FusedRegion) -> bool:
    """Whether one of the regions needs the finished result of a fold of the other."""
    if one.folded is None and other.folded is None:
        return False
    nodes = one.nodes + other.nodes
    folds = {node for node in nodes if node.is_fold}
    return any(value.node in folds for node in nodes for value in node.inputs)


def _ordered(regions: Contraction[FusedRegion], place: dict[Node, int]) -> list[FusedRegion]:
    """Each region after those it reads from, otherwise in the order of the trace."""
    missing: dict[Vertex, int] = {}
    ready: list[tuple[int, FusedRegion]] = []
    for region in regions.vertices():
        region.nodes.sort(key=place.__getitem__)
        missing[region] = len(region.sources)
        if not region.sources:
            ready.append((place[region.nodes[0]], region))
    heapq.heapify(ready)
    order: list[FusedRegion] = []
    while ready:
        _, region = heapq.heappop(ready)
        order.append(region)
        for reader in region.readers:
            missing[reader] -= 1
            if not missing[reader]:
                heapq.heappush(ready, (place[reader.nodes[0]], reader))
    assert len(order) == len(missing), "regions form a cycle"
    return order
