"""Joining vertices: exactly where no cycle arises, and in a topological order whatever was joined before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet.compile import contraction
from fnet.compile.contraction import Contraction, Vertex

edges = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30)
pairs = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=20)


def graph_of(drawn: list[tuple[int, int]], size: int = 12) -> tuple[Contraction[Vertex], list[Vertex]]:
    graph: Contraction[Vertex] = Contraction()
    vertices = [Vertex() for _ in range(size)]
    for i, vertex in enumerate(vertices):
        graph.add(vertex, [vertices[min(a, b)] for a, b in drawn if max(a, b) == i and a != b])
    return graph, vertices


def path_over_others(one: Vertex, other: Vertex) -> bool:
    """Whether a path of two edges or more leads from `one` to `other`, by looking at all of them."""
    waiting = [reader for reader in one.readers if reader is not other]
    seen = set(waiting)
    while waiting:
        for reader in waiting.pop().readers:
            if reader is other:
                return True
            if reader not in seen:
                seen.add(reader)
                waiting.append(reader)
    return False


def check(graph: Contraction[Vertex]) -> None:
    """The order is topological, and edges are known at both ends."""
    place = {vertex: i for i, vertex in enumerate(graph.vertices())}
    assert sorted(place, key=lambda vertex: vertex.place) == list(place)
    for vertex, i in place.items():
        assert all(place[source] < i and vertex in source.readers for source in vertex.sources)
        assert all(place[reader] > i and vertex in reader.sources for reader in vertex.readers)


@pytest.mark.parametrize("gap", [1 << 64, 4])
@given(edges, pairs)
def test_vertices_are_joined_exactly_where_no_cycle_arises(gap, drawn, wanted):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contraction, "_GAP", gap)
        graph, vertices = graph_of(drawn)
        for i, j in wanted:
            one, other = vertices[i], vertices[j]
            if one is other:
                continue
            free = not (path_over_others(one, other) or path_over_others(other, one))
            assert graph.join(one, other) == free
            if free:
                vertices = [one if vertex is other else vertex for vertex in vertices]
            check(graph)
        assert len(list(graph.vertices())) == len(set(vertices))


@given(edges, pairs)
def test_a_search_that_gives_up_keeps_vertices_apart(drawn, wanted):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contraction, "MOST_STEPS", 1)
        graph, vertices = graph_of(drawn)
        for i, j in wanted:
            one, other = vertices[i], vertices[j]
            if one is not other and graph.join(one, other):
                vertices = [one if vertex is other else vertex for vertex in vertices]
            check(graph)
