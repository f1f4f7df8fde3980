"""Loops that do the same to each array of a tree, with a number for each: norms of all gradients, and what needs them.

Such regions are alike as those of `fnet.compile.alike` are, but each also folds its array to a number, or reads a
number of its own. The arrays are laid side by side, and so are the numbers. Then one loop runs over all arrays, as
segments, on devices that have such loops. It pays where a launch is dear: the norms of 100 gradients take one launch in
place of 100. What computes single numbers, and does not need each other, is one loop there, too.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from fnet.compile.alike import Row, distances, is_one
from fnet.compile.emit import Ref
from fnet.compile.fuse import MAX_NODES, FusedRegion
from fnet.compile.graph import Graph, Node, Value
from fnet.compile.loops import FOLDED, KEPT, Computation, Loops, Segments
from fnet.compile.memory import STATE

Unit = FusedRegion | Row


@dataclass(frozen=True, slots=True)
class _Kind:
    """What regions alike share; of one the donated arrays, the other arrays and the numbers that it reads or gives."""

    shared: Hashable
    donated: tuple[Value, ...]
    made: tuple[Value, ...]
    numbers: tuple[Value, ...]
    given: tuple[Value, ...]


def join_segments(units: Sequence[Unit], graph: Graph, donated: Iterable[int], most: tuple[int, int]) -> list[Unit]:
    """The units, with rows of those alike in places where all that they need has run.

    most: how many bytes an array has at most, and all arrays of a row.
    """
    inputs = {graph.inputs[i] for i in donated}
    readers, outputs = graph.consumers(), frozenset(graph.outputs)
    alike: dict[Hashable, list[tuple[_Kind, FusedRegion]]] = {}
    for unit in units:
        if isinstance(unit, FusedRegion) and unit.space is not None and 4 * math.prod(unit.space) <= most[0]:
            kind = _kind(unit, inputs, readers, outputs)
            if kind is not None:
                alike.setdefault(kind.shared, []).append((kind, unit))
    found = list(units)
    for members in alike.values():
        for run in _runs(members, most[1]):
            row = _row(run, outputs)
            together = _ordered(found, row) if row is not None else None
            found = together or found
    return _joined_numbers(found)


def _joined_numbers(units: list[Unit]) -> list[Unit]:
    """The units, with one region in place of those that compute single numbers and do not need each other."""
    rest = [u for u in units if isinstance(u, FusedRegion) and u.space == () and u.folded is None]
    place = {node: number for number, node in enumerate(node for unit in units for node in unit.nodes)}
    while len(rest) > 1:
        members, left = rest[:1], []
        for region in rest[1:]:
            row = Row([*members, region], [])
            together = _ordered(units, row) if len(row.nodes) <= MAX_NODES else None
            if together is None:
                left.append(region)
            else:
                members = row.members
        if len(members) > 1:
            whole = FusedRegion(members[0].nodes[0])
            whole.nodes = sorted((node for member in members for node in member.nodes), key=place.__getitem__)
            row = Row(members, [])
            units = [whole if unit is row else unit for unit in _ordered(units, row) or units]
        rest = left
    return units


def _kind(
    region: FusedRegion, donated: set[Value], readers: dict[Value, list[Node]], outputs: frozenset[Value]
) -> _Kind | None:
    """The kind of a region that can be in a row: it folds all or nothing, and is of arrays of one shape and numbers."""
    space = region.space or ()
    if region.folded is not None and region.folded != {axis for axis, size in enumerate(space) if size != 1}:
        return None
    place: dict[Value, int] = {}
    shared: list[Hashable] = []
    own: list[Value] = []
    made: list[Value] = []
    numbers: list[Value] = []
    given: list[Value] = []
    inside = set(region.nodes)

    def is_number(value: Value) -> bool:
        return value.spec.size == 1 and (not space or value.spec.shape != space)

    for node in region.nodes:
        for value in node.inputs:
            if value in place or value.node in inside:
                continue
            place[value] = len(place)
            if value.constant is not None and is_number(value):
                shared.append((value.spec, value.constant.tobytes()))
                continue
            if is_number(value):
                numbers.append(value)
            elif value.spec.shape != space:
                return None
            elif value in donated:
                own.append(value)
            elif _is_made(value, outputs):
                made.append(value.root)
            elif value.root.node is None:
                return None
            is_seen = value.node is not None and value.root.node is not None and value.root.node.is_view
            shared.append((is_number(value), value in donated, is_seen, value.spec.dtype))
    for node in region.nodes:
        (value,) = node.outputs
        leaves = any(reader not in inside for reader in readers.get(value, ()))
        if leaves:
            (given if is_number(value) else made).append(value)
        if value in outputs and leaves:
            return None
        arguments = tuple(place[v] for v in node.inputs)
        shared.append((node.primitive, arguments, value.spec.dtype, value in outputs, leaves))
        place[value] = len(place)
    if not own and region.folded is None and space:
        return None
    return _Kind(tuple(shared), tuple(own), tuple(made), tuple(numbers), tuple(given))


def _is_made(value: Value, outputs: frozenset[Value]) -> bool:
    """Whether a value is computed, and may lie anywhere."""
    root = value.root
    return root.node is not None and not root.node.is_view and value not in outputs and root not in outputs


def _runs(found: list[tuple[_Kind, FusedRegion]], most: int) -> list[list[tuple[_Kind, FusedRegion]]]:
    """Two or more at a time of at most so many bytes together."""
    runs: list[list[tuple[_Kind, FusedRegion]]] = []
    room = 0
    for pair in found:
        size = 4 * math.prod(pair[1].space or ())
        if runs and size <= room:
            runs[-1].append(pair)
            room -= size
        else:
            runs.append([pair])
            room = most - size
    return [run for run in runs if len(run) > 1]


def _row(run: list[tuple[_Kind, FusedRegion]], outputs: frozenset[Value]) -> Row | None:
    """The row of regions with arrays of their own; None where two have one array."""
    kinds = [kind for kind, _ in run]
    arrays = [value for kind in kinds for value in (*kind.donated, *kind.made)]
    if len(set(arrays)) < len(arrays):
        return None
    made = [*zip(*(kind.made for kind in kinds), strict=True), *zip(*(kind.given for kind in kinds), strict=True)]
    for values in zip(*(kind.numbers for kind in kinds), strict=True):
        roots = tuple(value.root for value in values)
        if len(set(roots)) == len(roots) and all(_is_made(value, outputs) for value in values):
            made.append(roots)
    return Row([region for _, region in run], made, segmented=True)


def _ordered(units: list[Unit], row: Row) -> list[Unit] | None:
    """The units with a row in the place of its members, in an order in which they can run; None where there is none."""
    gone = set(row.members)
    members: list[Unit] = [row, *(unit for unit in units if not isinstance(unit, FusedRegion) or unit not in gone)]
    unit_of = {node: unit for unit in members for node in unit.nodes}
    rank = {id(unit): number for number, unit in enumerate(units)}
    rank[id(row)] = max(rank[id(region)] for region in row.members)
    missing: dict[int, int] = {}
    readers: dict[int, list[Unit]] = {}
    for unit in members:
        inside = set(unit.nodes)
        read = [v.node for node in unit.nodes for v in node.inputs if v.node is not None]
        if isinstance(unit, Row) and any(
            v.node in inside and v.node not in region.nodes
            for region in unit.members
            for node in region.nodes
            for v in node.inputs
        ):
            return None  # one needs another
        sources = {id(unit_of[node]): unit_of[node] for node in read if node not in inside}
        missing[id(unit)] = len(sources)
        for source in sources:
            readers.setdefault(source, []).append(unit)
    ready = [(rank[id(unit)], number, unit) for number, unit in enumerate(members) if not missing[id(unit)]]
    heapq.heapify(ready)
    order: list[Unit] = []
    while ready:
        _, number, unit = heapq.heappop(ready)
        order.append(unit)
        for reader in readers.get(id(unit), ()):
            missing[id(reader)] -= 1
            if not missing[id(reader)]:
                heapq.heappush(ready, (rank[id(reader)], number, reader))
    return order if len(order) == len(members) else None


# --------------------------------------------------------------------------------------------- once places are known


def of_segments(works: Sequence[Computation]) -> list[Computation | Loops]:
    """What computes the same as all of a row: as many at once as lie side by side."""
    found: list[Computation | Loops] = []
    begin = 0
    while begin < len(works):
        end = len(works)
        while end - begin > 1:
            whole = _joined(works[begin:end])
            if whole is not None:
                break
            end -= 1
        found.append(works[begin] if end - begin == 1 else whole or works[begin])
        begin = end
    return found


def _joined(works: Sequence[Computation]) -> Computation | Loops | None:
    """One loop over all arrays; None where those of an operand are in memory apart, or its numbers not in order."""
    first = works[0]
    if any((work.steps, work.writes) != (first.steps, first.writes) for work in works):
        return None
    sizes = tuple(math.prod(work.shape) for work in works)
    reads = [_whole([work.reads[k] for work in works], sizes) for k in range(len(first.reads))]
    writes = [
        reads[write.overwrites] if write.overwrites is not None else _whole([work.targets[k] for work in works], sizes)
        for k, write in enumerate(first.writes)
    ]
    if any(operand is None for operand in (*reads, *writes)):
        return None
    sources, strides, begins = zip(*(operand for operand in reads if operand is not None), strict=True)
    targets, _, places = zip(*(operand for operand in writes if operand is not None), strict=True)
    if first.shape == ():
        return Computation((len(works),), frozenset(), [*sources], first.steps, first.writes, [*targets])
    kinds = KEPT + (FOLDED if any(write.fold for write in first.writes) else KEPT)
    lengths, segments = [len(works), max(sizes)], Segments(sizes, begins, places)
    return Loops(lengths, kinds, [*strides], [*sources], first.steps, first.writes, [*targets], segments)


def _whole(refs: list[Ref], sizes: tuple[int, ...]) -> tuple[Ref, list[int], tuple[int, ...]] | None:
    """One window over all, how it moves from array to array and within them, and where they begin there."""
    if is_one(tuple(refs)):
        return refs[0], [0, 0], ()
    if len({id(ref.buffer) if ref.buffer.place != STATE else STATE for ref in refs}) > 1:
        return None
    apart = distances(tuple(refs))
    if all(ref.size == 1 and not ref.shape for ref in refs):
        in_order = apart == list(range(len(refs)))
        return (replace(refs[0], shape=(len(refs),), strides=(1,)), [1, 0], ()) if in_order else None
    if not all(ref.contiguous and ref.size == size for ref, size in zip(refs, sizes, strict=True)):
        return None
    lowest = min(range(len(refs)), key=apart.__getitem__)
    begins = tuple(begin - apart[lowest] for begin in apart)
    end = max(begin + size for begin, size in zip(begins, sizes, strict=True))
    return replace(refs[lowest], shape=(end,), strides=(1,)), [0, 1], begins
