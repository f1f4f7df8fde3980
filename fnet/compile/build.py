"""From a graph to a plan: regions in order, buffers for their results, kernel calls through the lowering rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from fnet.compile.alike import Row, join_alike, joined
from fnet.compile.emit import Ref, copy
from fnet.compile.fuse import Region, fuse
from fnet.compile.graph import Graph, Value
from fnet.compile.loops import Computation, Step, Write, emit_computation
from fnet.compile.lower import lower
from fnet.compile.memory import (
    ARENA,
    FIXED,
    INPUT,
    OUTPUT,
    STATE,
    Buffer,
    aligned,
    lay_out_arena,
    lay_out_sequence,
)
from fnet.compile.plan import KernelCall, Plan, Slot
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
        donated = frozenset(fed.values())
        self.device = device
        self.graph = graph
        self.regions = join_alike(fuse(graph), graph, donated)
        self.end = len(self.regions)
        self.position = 0
        self.label = ""
        self.calls: list[KernelCall] = []
        self.arena: list[Buffer] = []
        self.fixed: list[Buffer] = []
        self.refs: dict[Value, Ref] = {}
        self.constants: dict[tuple[Any, bytes], Ref] = {}
        self.state: dict[int, Buffer] = {}
        self.target: dict[Value, Buffer] = {}
        self.side_by_side: dict[Value, Ref] = {}
        self.last_use = self._last_uses()
        self._place_inputs(donated)
        self.kept = [self.state[fed[k]] if k in fed else None for k in range(len(graph.outputs))]
        self._place_outputs()
        self._place_rows()
        self.state_bytes = lay_out_sequence(list(self.state.values()), device.alignment)

    def plan(self) -> Plan:
        for position, region in enumerate(self.regions):
            self.position = position
            self.label = _label(region)
            self._region(region)
        self.position, self.label = self.end, "copy to output"
        self._deliver()
        alignment = self.device.alignment
        arena_bytes, fixed_bytes = lay_out_arena(self.arena, alignment), lay_out_sequence(self.fixed, alignment)
        constants = [b for b in self.fixed if b.constant is not None]
        inputs, outputs = [v.spec for v in self.graph.inputs], [v.spec for v in self.graph.outputs]
        sizes = arena_bytes, fixed_bytes, self.state_bytes
        return Plan(self.calls, inputs, outputs, *sizes, constants, self.state, self.kept, self.device)

    # The Emitter protocol.

    def call(self, kernel: Any, *args: Ref | int, touched: int | None = None) -> None:
        placed = tuple(self._slot(a) if isinstance(a, Ref) else int(a) for a in args)
        if touched is None:
            touched = sum(slot.nbytes for slot in placed if isinstance(slot, Slot))
        self.calls.append(KernelCall(kernel, placed, self.label, touched))

    def scratch(self, size: int, dtype: np.dtype) -> Ref:
        return self._new(max(size, 1), np.dtype(dtype), self.position)

    def constant(self, value: np.ndarray) -> Ref:
        key = (value.dtype, value.tobytes()) if value.size <= 16 else (value.dtype, id(value).to_bytes(8, "little"))
        if key not in self.constants:
            buffer = Buffer(value.nbytes, FIXED, last=self.end, constant=np.ascontiguousarray(value))
            self.fixed.append(buffer)
            self.constants[key] = Ref.whole(buffer, value.dtype, (value.size,))
        return Ref.whole(self.constants[key].buffer, value.dtype, value.shape)

    # Regions.

    def _region(self, region: Region | Row) -> None:
        node = region.nodes[0]
        if isinstance(region, Row):
            works = [self._computation(member) for member in region.members]
            whole = joined(works, self.device.alignment)
            for work in works if whole is None else [whole]:
                emit_computation(work, self)
        elif region.fused:
            emit_computation(self._computation(region), self)
        elif node.is_view:
            source = self._ref(node.inputs[0])
            if not node.primitive.strided:
                source = self._contiguous(source, self.last_use.get(node.outputs[0], self.position))
            self.refs[node.outputs[0]] = source.viewed(node.primitive.view, **node.params)
        else:
            targets = [self._result(value) for value in node.outputs]
            lower(node.primitive, [self._ref(v) for v in node.inputs], targets, node.params, self)

    def _computation(self, region: Region) -> Computation:
        """One loop nest: external operands are its reads, values needed outside its writes."""
        assert region.space is not None
        number: dict[Value, int] = {}
        reads: list[Ref] = []
        inside = set(region.nodes)
        for node in region.nodes:
            for value in node.inputs:
                if value not in number and value.node not in inside:
                    number[value] = len(reads)
                    reads.append(self._ref(value))
        count = len(reads)
        steps: list[Step] = []
        for node in region.nodes:
            if node.is_elementwise:
                (value,) = node.outputs
                number[value] = count + len(steps)
                args = tuple(number[v] for v in node.inputs)
                steps.append(Step(node.primitive.template, args, value.spec.dtype.str[1:]))
        writes, targets = [], []
        taken: set[int] = set()
        for node in region.nodes:
            (value,) = node.outputs
            if node.is_fold:
                writes.append(Write(number[node.inputs[0]], value.spec.dtype.str[1:], fold=node.primitive.reduction))
                targets.append(self._result(value))
            elif self.last_use.get(value, -1) > self.position:
                overwrites = self._overwritten(value, reads, taken)
                writes.append(Write(number[value], value.spec.dtype.str[1:], overwrites=overwrites))
                targets.append(self._result(value, reads[overwrites].buffer if overwrites is not None else None))
        folded = region.folded or frozenset()
        return Computation(region.space, folded, reads, steps, writes, targets)

    def _overwritten(self, value: Value, reads: list[Ref], taken: set[int]) -> int | None:
        """The read whose buffer `value` may take over: whole, of the same size, last used here, read only so."""
        wanted = self.target.get(value)
        if value in self.side_by_side:
            return None
        readings = Counter(id(ref.buffer) for ref in reads)
        for k, ref in enumerate(reads):
            buffer = ref.buffer
            if k in taken or ref.shape != value.spec.shape or ref.dtype != value.spec.dtype or not ref.contiguous:
                continue
            if ref.offset or buffer.nbytes != value.spec.nbytes or readings[id(buffer)] > 1:
                continue
            if wanted is not None:
                if wanted is not buffer or buffer.last > self.position:
                    continue
            elif buffer.place != ARENA or buffer.last > self.position:
                continue
            taken.add(k)
            return k
        return None

    # Memory.

    def _last_uses(self) -> dict[Value, int]:
        """The last region that reads each value, directly or through views; the end for what is delivered there."""
        region_of = {node: i for i, region in enumerate(self.regions) for node in region.nodes}
        last: dict[Value, int] = {}
        for value in self.graph.outputs:
            last[value] = self.end
        for region in reversed(self.regions):
            for node in reversed(region.nodes):
                use = region_of[node]
                if node.is_view and node.outputs[0] in last:
                    use = max(use, last[node.outputs[0]])
                for value in node.inputs:
                    last[value] = max(last.get(value, -1), use)
        return last

    def _place_inputs(self, donated: frozenset[int]) -> None:
        for i, value in enumerate(self.graph.inputs):
            place = STATE if i in donated else INPUT
            buffer = Buffer(value.spec.nbytes, place, i, last=self.last_use.get(value, -1))
            if i in donated:
                self.state[i] = buffer
            self.refs[value] = Ref.whole(buffer, value.spec.dtype, value.spec.shape)

    def _place_outputs(self) -> None:
        """Where outputs are computed: in the donated input that they are fed into, else in arrays of their own."""
        for k, value in enumerate(self.graph.outputs):
            root = value.root
            if root.node is None or root in self.target:
                continue
            buffer = self.kept[k]
            if buffer is None:
                self.target[root] = Buffer(root.spec.nbytes, OUTPUT, k, last=self.end)
            else:
                self.target[root] = buffer

    def _place_rows(self) -> None:
        """Lay the values that a row reads side by side; with padding, which stays zero, in memory of their own."""
        region_of = {node: i for i, region in enumerate(self.regions) for node in region.nodes}
        for position, row in enumerate(self.regions):
            for values in row.made if isinstance(row, Row) else ():
                ends = list(accumulate(aligned(value.spec.nbytes, self.device.alignment) for value in values))
                padded = any(value.spec.nbytes % self.device.alignment for value in values[:-1])
                first = min(region_of[value.node] for value in values if value.node is not None)
                block = Buffer(ends[-1], FIXED if padded else ARENA, first=first, last=position)
                (self.fixed if padded else self.arena).append(block)
                for begin, value in zip([0, *ends], values, strict=False):
                    ref = Ref.whole(block, value.spec.dtype, value.spec.shape)
                    self.side_by_side.setdefault(value, replace(ref, offset=begin // value.spec.dtype.itemsize))

    def _result(self, value: Value, overwritten: Buffer | None = None) -> Ref:
        """Where the result `value` goes: its final place if that is free by now, else the arena."""
        if value in self.side_by_side:
            self.refs[value] = self.side_by_side[value]
            self.refs[value].buffer.live_until(self.last_use.get(value, self.position))
            return self.refs[value]
        buffer = self.target.get(value)
        if overwritten is not None:
            buffer = overwritten
        elif buffer is not None and buffer.place == STATE and buffer.last >= self.position:
            buffer = None
        if buffer is None:
            ref = self._new(value.spec.size, value.spec.dtype, self.last_use.get(value, self.position))
            self.refs[value] = Ref.whole(ref.buffer, value.spec.dtype, value.spec.shape)
        else:
            buffer.live_until(self.last_use.get(value, self.position))
            self.refs[value] = Ref.whole(buffer, value.spec.dtype, value.spec.shape)
        return self.refs[value]

    def _deliver(self) -> None:
        """Copy the outputs that are not yet where they belong.

        Arrays of their own come first, then what would overwrite donated inputs; a source that lies in a donated
        input itself goes through a copy, so that the order does not matter.
        """
        waiting: list[tuple[Ref, Buffer]] = []
        for k, value in enumerate(self.graph.outputs):
            ref, wanted = self._ref(value), self.kept[k] or Buffer(value.spec.nbytes, OUTPUT, k)
            there = ref.buffer is wanted or (ref.buffer.place == OUTPUT and ref.buffer.index == k)
            if there and ref.contiguous and ref.offset == 0:
                continue
            if wanted.place == OUTPUT:
                copy(ref, Ref.whole(wanted, ref.dtype, ref.shape), self)
            else:
                waiting.append((self._copied(ref, self.end) if ref.buffer.place == STATE else ref, wanted))
        for ref, wanted in waiting:
            copy(ref, Ref.whole(wanted, ref.dtype, ref.shape), self)

    def _new(self, size: int, dtype: np.dtype, last: int) -> Ref:
        buffer = Buffer(size * dtype.itemsize, first=self.position, last=last)
        self.arena.append(buffer)
        return Ref.whole(buffer, dtype, (size,))

    def _ref(self, value: Value) -> Ref:
        if value.constant is not None:
            return self.constant(value.constant)
        return self.refs[value]

    def _contiguous(self, ref: Ref, last: int) -> Ref:
        """The window, or a row-major copy of it that lives until `last`."""
        return ref if ref.contiguous else self._copied(ref, last)

    def _copied(self, ref: Ref, last: int) -> Ref:
        target = Ref.whole(self._new(ref.size, ref.dtype, last).buffer, ref.dtype, ref.shape)
        copy(ref, target, self)
        return target

    def _slot(self, ref: Ref) -> Slot:
        ref.buffer.live_until(self.position)
        return Slot(ref.buffer, ref.offset * ref.dtype.itemsize, ref.extent, ref.dtype, ref.shape)


def _label(region: Region | Row) -> str:
    if isinstance(region, Row):
        return f"{len(region.members)} x {_label(region.members[0])}"
    names = [node.primitive.name for node in region.nodes]
    return "+".join(names) if len(names) <= 4 else f"{'+'.join(names[:3])}+{len(names) - 3} more"
