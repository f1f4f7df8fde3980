"""From a graph to a plan: regions in order, their results in place, kernel calls by the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fnet.compile.alike import Row, join_alike, joined
from fnet.compile.emit import Ref, copy
from fnet.compile.fuse import FusedRegion, fuse
from fnet.compile.graph import Graph, Value
from fnet.compile.loops import Computation, Loops, LoopStep, Write, emit_computation
from fnet.compile.lower import lower
from fnet.compile.memory import OUTPUT, STATE, Buffer
from fnet.compile.placement import Placement
from fnet.compile.plan import KernelCall, Plan, Slot
from fnet.compile.segments import join_segments, of_segments
from fnet.compile.simplify import simplify
from fnet.device import Device


def build(graph: Graph, device: Device, fed: Mapping[int, int] | None = None) -> Plan:
    """The plan that computes `graph` on a device.

    Output k is left in the place of input ``fed[k]``, which has the same spec.
    """
    return _Builder(simplify(graph, device), device, fed or {}).plan()


class _Builder:
    """Walks the regions once; it is the `Emitter` of the lowering rules at the same time."""

    def __init__(self, graph: Graph, device: Device, fed: Mapping[int, int]) -> None:
        self.device = device
        self._graph = graph
        self._regions = join_alike(fuse(graph, device), graph, frozenset(fed.values()), device.alike_bytes)
        if device.has_segments:
            self._regions = join_segments(self._regions, graph, fed.values(), device.alike_bytes)
        self._places = Placement(graph, self._regions, fed, device.alignment)
        self._calls: list[KernelCall] = []
        self._label = ""

    def plan(self) -> Plan:
        places = self._places
        for position, region in enumerate(self._regions):
            places.position, self._label = position, _label(region)
            self._emit(region)
        places.position, self._label = places.end, "copy to output"
        self._deliver()
        sizes = places.lay_out()
        constants = [b for b in places.fixed if b.constant is not None]
        inputs, outputs = [v.spec for v in self._graph.inputs], [v.spec for v in self._graph.outputs]
        return Plan(self._calls, inputs, outputs, *sizes, constants, places.state, places.kept, self.device)

    # The Emitter protocol.

    def call(self, kernel: Any, *args: Ref | int, touched: int | None = None) -> None:
        placed = tuple(self._slot(a) if isinstance(a, Ref) else int(a) for a in args)
        if touched is None:
            touched = sum(slot.nbytes for slot in placed if isinstance(slot, Slot))
        self._calls.append(KernelCall(kernel, placed, self._label, touched))

    def scratch(self, size: int, dtype: np.dtype) -> Ref:
        return self._places.new(max(size, 1), np.dtype(dtype), self._places.position)

    def constant(self, value: np.ndarray) -> Ref:
        return self._places.constant(value)

    def counters(self, count: int) -> Ref:
        return self._places.counters(count)

    # Regions.

    def _emit(self, region: FusedRegion | Row) -> None:
        node, places = region.nodes[0], self._places
        if isinstance(region, Row):
            works = [self._computation(member) for member in region.members]
            if region.segmented:
                self._emit_segments(works)
                return
            whole = joined(works, self.device.alignment)
            for work in works if whole is None else [whole]:
                emit_computation(work, self)
        elif region.fused:
            emit_computation(self._computation(region), self)
        elif node.is_view:
            source, (value,) = places.ref(node.inputs[0]), node.outputs
            if node.primitive.of_row_major and not source.contiguous:
                source = self._copied(source, places.last_use(value))
            places.refs[value] = source.viewed(node.primitive.view, **node.params)
        else:
            *besides, node = region.nodes
            targets = [places.result(value) for one in (node, *besides) for value in one.outputs]
            lower(node.primitive, [places.ref(v) for v in node.inputs], targets, node.params, self)

    def _emit_segments(self, works: list[Computation]) -> None:
        for work in of_segments(works):
            if isinstance(work, Loops):
                self.device.loop(work, self)
            else:
                emit_computation(work, self)

    def _computation(self, region: FusedRegion) -> Computation:
        """One loop nest: external operands are its reads, values needed outside its writes."""
        assert region.space is not None
        places = self._places
        number: dict[Value, int] = {}
        reads: list[Ref] = []
        inside = set(region.nodes)
        for node in region.nodes:
            for value in node.inputs:
                if value not in number and value.node not in inside:
                    number[value] = len(reads)
                    reads.append(places.ref(value))
        count = len(reads)
        steps: list[LoopStep] = []
        for node in region.nodes:
            if node.is_elementwise:
                (value,) = node.outputs
                number[value] = count + len(steps)
                args = tuple(number[v] for v in node.inputs)
                steps.append(LoopStep(node.primitive.template, args, value.spec.dtype.str[1:]))
        writes, targets = [], []
        taken: set[int] = set()
        for node in region.nodes:
            (value,) = node.outputs
            if node.is_fold:
                writes.append(Write(number[node.inputs[0]], value.spec.dtype.str[1:], fold=node.primitive.reduction))
                targets.append(places.result(value))
            elif places.is_needed(value):
                overwrites = places.overwritten(value, reads, taken)
                writes.append(Write(number[value], value.spec.dtype.str[1:], overwrites=overwrites))
                targets.append(places.result(value, reads[overwrites].buffer if overwrites is not None else None))
        folded = region.folded or frozenset()
        return Computation(region.space, folded, reads, steps, writes, targets)

    # Outputs.

    def _deliver(self) -> None:
        """Copy the outputs that are not yet where they belong.

        Arrays of their own come first, then what would overwrite donated inputs; a source that lies in a donated
        input itself goes through a copy, so that the order does not matter.
        """
        places = self._places
        waiting: list[tuple[Ref, Buffer]] = []
        for k, value in enumerate(self._graph.outputs):
            ref, wanted = places.ref(value), places.kept[k] or Buffer(value.spec.nbytes, OUTPUT, k)
            there = ref.buffer is wanted or (ref.buffer.place == OUTPUT and ref.buffer.index == k)
            if there and ref.contiguous and ref.offset == 0:
                continue
            if wanted.place == OUTPUT:
                copy(ref, Ref.whole(wanted, ref.dtype, ref.shape), self)
            else:
                waiting.append((self._copied(ref, places.end) if ref.buffer.place == STATE else ref, wanted))
        for ref, wanted in waiting:
            copy(ref, Ref.whole(wanted, ref.dtype, ref.shape), self)

    def _copied(self, ref: Ref, last: int) -> Ref:
        """A row-major copy of a window, which lives until `last`."""
        target = Ref.whole(self._places.new(ref.size, ref.dtype, last).buffer, ref.dtype, ref.shape)
        copy(ref, target, self)
        return target

    def _slot(self, ref: Ref) -> Slot:
        ref.buffer.live_until(self._places.position)
        ref.buffer.take_part(len(self._calls))
        return Slot(ref.buffer, ref.offset * ref.dtype.itemsize, ref.extent, ref.dtype, ref.shape)


def _label(region: FusedRegion | Row) -> str:
    if isinstance(region, Row):
        return f"{len(region.members)} x {_label(region.members[0])}"
    names = [node.primitive.name for node in region.nodes]
    return "+".join(names) if len(names) <= 4 else f"{'+'.join(names[:3])}+{len(names) - 3} more"
