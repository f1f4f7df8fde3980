"""Lifetimes: how long each value of a graph is needed, counted in the regions that run one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fnet.compile.graph import Node, Value


class Nodes(Protocol):
    """What runs at one position of a plan."""

    @property
    def nodes(self) -> list[Node]: ...


def last_uses(regions: Sequence[Nodes], outputs: Sequence[Value]) -> dict[Value, int]:
    """The last position that reads each value, directly or through views; ``len(regions)`` for what is delivered."""
    position_of = {node: position for position, region in enumerate(regions) for node in region.nodes}
    last = dict.fromkeys(outputs, len(regions))
    for region in reversed(regions):
        for node in reversed(region.nodes):
            use = position_of[node]
            if node.is_view and node.outputs[0] in last:
                use = max(use, last[node.outputs[0]])
            for value in node.inputs:
                last[value] = max(last.get(value, -1), use)
    return last
