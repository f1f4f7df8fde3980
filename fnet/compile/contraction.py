"""A graph without cycles whose vertices are joined, two at a time, where it stays without cycles.

The vertices stand in a topological order. Two of them can be joined unless a path leads from one to the other over
a third. All vertices of such a path stand between the two. So the search looks only there, from both ends in turn. It
ends where one end has found all that it leads to. If there is no path, these vertices move to the far side of the other
end, and the order holds again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

MOST_STEPS = 1024
"""How many vertices each end looks at before the two stay apart as if there were a path."""

_GAP = 1 << 64


class Vertex:
    """A vertex: which vertices it needs, which need it, and where it stands: its number and its neighbours."""

    __slots__ = ("before", "behind", "place", "readers", "sources")

    def __init__(self) -> None:
        # Dicts are sets in the order of insertion, so that no plan depends on chance.
        self.sources: dict[Any, None] = {}
        self.readers: dict[Any, None] = {}
        self.before = self.behind = self
        self.place = 0


V = TypeVar("V", bound=Vertex)


class Contraction(Generic[V]):
    """The graph: a ring of its vertices in topological order, closed by one that stands for none."""

    def __init__(self) -> None:
        self._end: Any = Vertex()

    def add(self, vertex: V, sources: Iterable[V]) -> None:
        """Add a vertex that needs `sources`, behind all others."""
        vertex.sources = dict.fromkeys(sources)
        for source in vertex.sources:
            source.readers[vertex] = None
        self._insert([vertex], self._end.before)

    def join(self, one: V, other: V) -> bool:
        """Join two vertices: `one` stands for both, `other` is gone. False where a path over a third is in the way."""
        early, late = (one, other) if one.place < other.place else (other, one)
        found = _between(early, late)
        if found is None:
            return False
        moved, forward = found
        moved.sort(key=lambda vertex: vertex.place)
        anchor, far = (late, early) if forward else (early, late)
        for vertex in (*moved, far):
            _remove(vertex)
        before: Any = anchor.before
        _remove(anchor)
        _replace_edges(other, one)
        self._insert([one, *moved] if forward else [*moved, one], before)
        return True

    def vertices(self) -> Iterator[V]:
        """All vertices, in a topological order."""
        vertex = self._end.behind
        while vertex is not self._end:
            yield vertex
            vertex = vertex.behind

    def _insert(self, vertices: list[V], before: Any) -> None:
        """Let vertices stand behind `before`, with numbers between its own and that of its neighbour."""
        behind, place = before.behind, before.place
        step = _GAP if behind is self._end else (behind.place - place) // (len(vertices) + 1)
        for vertex in vertices:
            place += step
            vertex.place, vertex.before, before.behind = place, before, vertex
            before = vertex
        before.behind, behind.before = behind, before
        if not step:
            for number, vertex in enumerate(self.vertices(), start=1):
                vertex.place = number * _GAP


def _remove(vertex: Vertex) -> None:
    vertex.before.behind, vertex.behind.before = vertex.behind, vertex.before


def _between(early: V, late: V) -> tuple[list[V], bool] | None:
    """All vertices that need `early` before `late` (True), or all behind `early` that `late` needs (False).

    None where a path leads from one to the other over them.
    """
    first, last = early.place, late.place
    below = [vertex for vertex in early.readers if vertex.place < last]
    above = [vertex for vertex in late.sources if vertex.place > first]
    seen_below, seen_above = set(below), set(above)
    if not seen_below.isdisjoint(seen_above):
        return None
    for step in range(MOST_STEPS):
        if step == len(below):
            return below, True
        if step == len(above):
            return above, False
        for vertex in below[step].readers:
            if vertex is late or vertex in seen_above:
                return None
            if vertex.place < last and vertex not in seen_below:
                seen_below.add(vertex)
                below.append(vertex)
        for vertex in above[step].sources:
            if vertex is early or vertex in seen_below:
                return None
            if vertex.place > first and vertex not in seen_above:
                seen_above.add(vertex)
                above.append(vertex)
    return None


def _replace_edges(gone: Vertex, vertex: Vertex) -> None:
    """Give all edges of `gone` to `vertex`, those between the two excepted."""
    for source in gone.sources:
        del source.readers[gone]
        if source is not vertex:
            source.readers[vertex] = vertex.sources[source] = None
    for reader in gone.readers:
        del reader.sources[gone]
        if reader is not vertex:
            reader.sources[vertex] = vertex.readers[reader] = None
