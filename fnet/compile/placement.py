"""Placement: in which buffer each value of a graph lies.

Inputs are where they are given. Outputs are computed in the donated input that they are fed into, as soon as nobody
reads it any more, else in arrays of their own. The other values share the arena.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from fnet.compile.alike import Row
from fnet.compile.emit import Ref
from fnet.compile.fuse import FusedRegion
from fnet.compile.graph import Graph, Value
from fnet.compile.lifetimes import last_uses
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


class Placement:
    """The buffers of one plan, found region by region in the order in which they run.

    position: of the region that runs now. refs: where the values are that are known by now. state: the buffers of the
    donated inputs. kept: for each output the one of them in which it is left, None where it is an array of its own.
    arena, fixed: the other buffers that the plan needs.
    """

    def __init__(
        self, graph: Graph, regions: Sequence[FusedRegion | Row], fed: Mapping[int, int], alignment: int
    ) -> None:
        self.position = 0
        self.end = len(regions)
        self.arena: list[Buffer] = []
        self.fixed: list[Buffer] = []
        self.state: dict[int, Buffer] = {}
        self.refs: dict[Value, Ref] = {}
        self._alignment = alignment
        self._constants: dict[tuple[np.dtype, bytes], Buffer] = {}
        self._counters: Buffer | None = None
        self._last_use = last_uses(regions, graph.outputs)
        self._target: dict[Value, Buffer] = {}
        self._side_by_side: dict[Value, Ref] = {}
        self._place_inputs(graph, frozenset(fed.values()))
        self.kept = [self.state[fed[k]] if k in fed else None for k in range(len(graph.outputs))]
        self._place_outputs(graph)
        self._place_rows(regions)
        self.state_bytes = lay_out_sequence(list(self.state.values()), alignment)

    def lay_out(self) -> tuple[int, int, int]:
        """Give the buffers their offsets; returns the sizes of arena, fixed memory and state."""
        arena, fixed = lay_out_arena(self.arena, self._alignment), lay_out_sequence(self.fixed, self._alignment)
        return arena, fixed, self.state_bytes

    def last_use(self, value: Value) -> int:
        """The last position that needs a value; the present one where none does."""
        return self._last_use.get(value, self.position)

    def is_needed(self, value: Value) -> bool:
        """Whether a region behind the present one reads a value, or it is delivered."""
        return self._last_use.get(value, -1) > self.position

    def ref(self, value: Value) -> Ref:
        """Where a value is."""
        return self.constant(value.constant) if value.constant is not None else self.refs[value]

    def constant(self, array: np.ndarray) -> Ref:
        """Memory that holds these elements; small arrays that hold the same share it."""
        kept = np.ascontiguousarray(array)  # an array that is not kept may give its identity to another one
        key = (array.dtype, array.tobytes()) if array.size <= 16 else (array.dtype, id(kept).to_bytes(8, "little"))
        if key not in self._constants:
            self._constants[key] = Buffer(array.nbytes, FIXED, last=self.end, constant=kept)
            self.fixed.append(self._constants[key])
        return Ref.whole(self._constants[key], array.dtype, array.shape)

    def counters(self, count: int) -> Ref:
        """Zeros of the program's own. All calls have the same ones, since they leave them as they found them."""
        if self._counters is None:
            self._counters = Buffer(0, FIXED, last=self.end)
            self.fixed.append(self._counters)
        kind = np.dtype(np.uint32)
        self._counters.nbytes = max(self._counters.nbytes, count * kind.itemsize)
        return Ref.whole(self._counters, kind, (count,))

    def new(self, size: int, dtype: np.dtype, last: int) -> Ref:
        """So many elements in the arena, from the present position to `last`."""
        buffer = Buffer(size * dtype.itemsize, last=last)
        self.arena.append(buffer)
        return Ref.whole(buffer, dtype, (size,))

    def result(self, value: Value, overwritten: Buffer | None = None) -> Ref:
        """Where a result of the present region goes: its final place if that is free by now, else the arena.

        overwritten: the buffer that it takes over, see `overwritten`.
        """
        if value in self._side_by_side:
            ref = self._side_by_side[value]
        else:
            buffer = overwritten or self._target.get(value)
            if overwritten is None and buffer is not None and buffer.place == STATE and buffer.last >= self.position:
                buffer = None
            if buffer is None:
                buffer = self.new(value.spec.size, value.spec.dtype, self.last_use(value)).buffer
            ref = Ref.whole(buffer, value.spec.dtype, value.spec.shape)
        ref.buffer.live_until(self.last_use(value))
        self.refs[value] = ref
        return ref

    def overwritten(self, value: Value, reads: list[Ref], taken: set[int]) -> int | None:
        """The read whose buffer `value` may take over: whole, of the same size, last used here, read only so.

        taken: the reads that other results take over; the one found is added.
        """
        wanted = self._target.get(value)
        if value in self._side_by_side:
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

    def _place_inputs(self, graph: Graph, donated: frozenset[int]) -> None:
        for i, value in enumerate(graph.inputs):
            place = STATE if i in donated else INPUT
            buffer = Buffer(value.spec.nbytes, place, i, last=self._last_use.get(value, -1))
            if i in donated:
                self.state[i] = buffer
            self.refs[value] = Ref.whole(buffer, value.spec.dtype, value.spec.shape)

    def _place_outputs(self, graph: Graph) -> None:
        for k, value in enumerate(graph.outputs):
            root = value.root
            if root.node is not None and root not in self._target:
                self._target[root] = self.kept[k] or Buffer(root.spec.nbytes, OUTPUT, k, last=self.end)

    def _place_rows(self, regions: Sequence[FusedRegion | Row]) -> None:
        """Lay the values that a row reads side by side; with padding, which stays zero, in memory of their own.

        A row of segments leaves padding alone, and its numbers lie there without.
        """
        rows = [(position, row) for position, row in enumerate(regions) if isinstance(row, Row)]
        rows.sort(key=lambda found: (found[1].segmented, -len(found[1].members) if found[1].segmented else 0))
        for position, row in rows:
            segmented = row.segmented
            for values in row.made:
                if segmented and all(value in self._side_by_side for value in values):
                    continue
                unit = 1 if segmented and all(value.spec.size == 1 for value in values) else self._alignment
                ends = list(accumulate(aligned(value.spec.nbytes, unit) for value in values))
                padded = not segmented and any(value.spec.nbytes % unit for value in values[:-1])
                block = Buffer(ends[-1], FIXED if padded else ARENA, last=position)
                (self.fixed if padded else self.arena).append(block)
                for begin, value in zip([0, *ends], values, strict=False):
                    ref = Ref.whole(block, value.spec.dtype, value.spec.shape)
                    self._side_by_side.setdefault(value, replace(ref, offset=begin // value.spec.dtype.itemsize))
