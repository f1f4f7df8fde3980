"""Loops that do the same to small arrays that lie side by side become one: the update of a tree of parameters.

Donated arrays lie one after the other in the state block. Take regions that differ only in which donated arrays they
read and overwrite, in step with each other, and in which other values they read. Those values are laid out at the same
distances as the donated arrays. Then one loop runs over all arrays, and over the padding between them, which nothing
else touches. Every element is computed by the same expression as before, in a vector of the loop or in its tail.

It pays where a step is short: a training step of an MLP 16-16-1 has 14 calls in place of 19 and takes 2 to 6 % less
time. An optimizer of 90 small arrays that Python walks takes 22 us in place of 40.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from itertools import pairwise

from fnet.compile.emit import Ref
from fnet.compile.fuse import FusedRegion
from fnet.compile.graph import Graph, Node, Value
from fnet.compile.loops import Computation
from fnet.compile.memory import STATE


@dataclass(slots=True, eq=False)
class Row:
    """Regions alike, in the order in which their donated arrays lie.

    made: for each operand that the plan computes, its values, region by region: they should lie side by side, too.
    segmented: whether a number belongs to each region, see `fnet.compile.segments`.
    """

    members: list[FusedRegion]
    made: list[tuple[Value, ...]]
    segmented: bool = False

    @property
    def nodes(self) -> list[Node]:
        return [node for region in self.members for node in region.nodes]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What regions alike share; the places of the donated arrays of one; the other values that it reads."""

    shared: Hashable
    places: tuple[int, ...]
    made: tuple[Value, ...]


def join_alike(
    regions: list[FusedRegion], graph: Graph, donated: frozenset[int], most: tuple[int, int]
) -> list[FusedRegion | Row]:
    """The regions, with each row of regions alike in the place of its last one; nothing in between reads the others.

    most: how many bytes an array has at most, and all arrays of a row that are donated in one place.
    """
    places = {graph.inputs[i]: place for place, i in enumerate(sorted(donated))}
    readers, outputs = graph.consumers(), frozenset(graph.outputs)
    alike: dict[Hashable, list[tuple[_Kind, FusedRegion]]] = {}
    for region in regions:
        small = region.space and 4 * math.prod(region.space) <= most[0]
        kind = _kind(region, places, readers, outputs) if small else None
        if kind is not None:
            alike.setdefault(kind.shared, []).append((kind, region))
    last: dict[FusedRegion, Row] = {}
    gone: set[FusedRegion] = set()
    position = {region: i for i, region in enumerate(regions)}
    for found in alike.values():
        for run in _runs(sorted(found, key=lambda pair: pair[0].places), most[1]):
            members = [region for _, region in run]
            row = Row(members, list(zip(*(kind.made for kind, _ in run), strict=True)))
            last[max(members, key=position.__getitem__)] = row
            gone.update(members)
    return [last.get(region, region) for region in regions if region in last or region not in gone]


def _kind(
    region: FusedRegion, places: dict[Value, int], readers: dict[Value, list[Node]], outputs: frozenset[Value]
) -> _Kind | None:
    """The kind of a region that can be in a row: it overwrites donated arrays, and only outputs leave it."""
    if region.folded is not None:
        return None
    number: dict[Value, int] = {}
    shared: list[Hashable] = []
    own: list[Value] = []
    made: list[Value] = []
    inside = set(region.nodes)
    for node in region.nodes:
        for value in node.inputs:
            if value in number or value.node in inside:
                continue
            number[value] = len(number)
            if value.spec.shape != region.space:
                shared.append(value)
                continue
            if value in places:
                own.append(value)
            elif value.root.node is None or value.root.node.is_view or value in outputs or value.root in outputs:
                return None
            else:
                made.append(value.root)
            shared.append((value in places, value.spec.dtype))
    for node in region.nodes:
        (value,) = node.outputs
        if any(reader not in inside for reader in readers.get(value, ())):
            return None
        shared.append((node.primitive, tuple(number[v] for v in node.inputs), value.spec.dtype, value in outputs))
        number[value] = len(number)
    return _Kind(tuple(shared), tuple(places[v] for v in own), tuple(made)) if own else None


def _runs(found: list[tuple[_Kind, FusedRegion]], most: int) -> list[list[tuple[_Kind, FusedRegion]]]:
    """Two or more at a time whose donated arrays follow each other, at most so many bytes; none belongs to two."""
    runs: list[list[tuple[_Kind, FusedRegion]]] = []
    used: set[int] = set()
    room = 0
    for kind, region in found:
        size = 4 * math.prod(region.space or ())
        before = runs[-1][-1][0].places if runs else ()
        follows = kind.places == tuple(place + 1 for place in before) and used.isdisjoint(kind.places)
        if follows and size <= room:
            runs[-1].append((kind, region))
            used.update(kind.places)
            room -= size
        else:
            runs.append([(kind, region)])
            used = set(kind.places)
            room = most - size
    return [run for run in runs if len(run) > 1]


def joined(works: list[Computation], alignment: int) -> Computation | None:
    """One computation in place of several, if they are the same but for operands that lie side by side."""
    first = works[0]
    same = all((w.steps, w.writes) == (first.steps, first.writes) for w in works)
    if not same or any(write.overwrites is None for write in first.writes):
        return None
    columns = list(zip(*(w.reads for w in works), strict=True))
    starts = {tuple(distances(refs)) for refs in columns if not is_one(refs)}
    if len(starts) != 1 or not all(is_one(refs) or _lie_together(refs, alignment) for refs in columns):
        return None
    size = starts.pop()[-1] + math.prod(works[-1].shape)
    reads = [refs[0] if is_one(refs) else replace(refs[0], shape=(size,), strides=(1,)) for refs in columns]
    targets = [reads[write.overwrites] for write in first.writes if write.overwrites is not None]
    return Computation((size,), frozenset(), reads, first.steps, first.writes, targets)


def is_one(refs: tuple[Ref, ...]) -> bool:
    """Whether all read one number; an array that all read is no such thing, as each reads it from its begin."""
    first = refs[0]
    return all(ref == first for ref in refs) and all(
        n == 1 or s == 0 for n, s in zip(first.shape, first.strides, strict=True)
    )


def _lie_together(refs: tuple[Ref, ...], alignment: int) -> bool:
    """Whether contiguous windows follow each other in one block with nothing but padding in between."""
    places = {id(ref.buffer) if ref.buffer.place != STATE else STATE for ref in refs}
    most = alignment // refs[0].dtype.itemsize
    gaps = [b - a - ref.size for (a, b), ref in zip(pairwise(distances(refs)), refs, strict=False)]
    return len(places) == 1 and all(ref.contiguous for ref in refs) and all(0 <= gap < most for gap in gaps)


def distances(refs: tuple[Ref, ...]) -> list[int]:
    """How many elements behind the first each window begins; the offsets of state buffers are known by now."""
    begins = [
        (ref.buffer.offset if ref.buffer.place == STATE else 0) // ref.dtype.itemsize + ref.offset for ref in refs
    ]
    return [begin - begins[0] for begin in begins]
