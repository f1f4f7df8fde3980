"""Vector code for one window of a pooling operation: its taps in nested loops, the channels in vectors.

Every function takes the address of the window's first tap, how many taps it has on each of three axes, the distances
of neighbours on the first two axes (on the third it is the number of channels) and the number of channels. Taps are
numbered in row-major order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, vector_code

_BLOCKS = (4, 2, 1)  # vectors of channels that are taken together

Values = list[ir.Value]


class _Window:
    """The loops over a block of channels and over the taps, and loads and stores for that block."""

    def __init__(self, simd: Vectors, taps: Values, steps: Values, channels: ir.Value) -> None:
        self.simd, self.builder = simd, simd.builder
        self.taps, self.steps, self.channels = taps, [*steps, channels], channels

    def for_channels(self, block: Callable[[_Block], None]) -> None:
        """The code of `block` for blocks of vectors, then for single ones, then for the channels that are left."""
        builder, done = self.builder, INT(0)
        for vectors in _BLOCKS:
            width = INT(vectors * self.simd.lanes)
            count = builder.sdiv(builder.sub(self.channels, done), width)
            loop = Loop(builder, count, [])
            block(_Block(self, builder.add(done, builder.mul(loop.index, width)), vectors, None))
            loop.close([])
            done = builder.add(done, builder.mul(count, width))
        rest = builder.sub(self.channels, done)
        with builder.if_then(builder.icmp_signed(">", rest, INT(0))):
            block(_Block(self, done, 1, self.simd.lanes_below(rest)))


class _Block:
    """A few neighbouring vectors of channels."""

    def __init__(self, window: _Window, first: ir.Value, vectors: int, mask: ir.Value | None) -> None:
        self.window, self.simd, self.builder = window, window.simd, window.builder
        self.first, self.vectors, self.mask = first, vectors, mask

    def for_taps(self, starts: Values, visit: Callable[[ir.Value, Values], Values]) -> Values:
        """What ``visit(offset of the tap, values)`` returns is what the next tap gets, and the last one returns."""
        builder, offset, values, loops = self.builder, self.first, starts, []
        for count, step in zip(self.window.taps, self.window.steps, strict=True):
            loop = Loop(builder, count, values)
            offset, values = builder.add(offset, builder.mul(loop.index, step)), loop.values
            loops.append(loop)
        values = visit(offset, values)
        for loop in reversed(loops):
            loop.close(values)
            values = loop.values
        return values

    def load(self, address: ir.Value, offset: ir.Value | None = None) -> Values:
        places = self._places(address, self.first if offset is None else offset)
        return [self.simd.load(place, self.mask) for place in places]

    def store(self, values: Values, address: ir.Value, offset: ir.Value | None = None) -> None:
        places = self._places(address, self.first if offset is None else offset)
        for value, place in zip(values, places, strict=True):
            self.simd.store(value, place, self.mask)

    def _places(self, address: ir.Value, offset: ir.Value) -> Values:
        start = self.simd.at(address, offset)
        return [self.simd.at(start, v * self.simd.lanes) for v in range(self.vectors)]

    # Numbers of taps: integers as wide as the elements in registers, of the index' own type in memory.

    def load_index(self, index: ir.Value) -> Values:
        numbers = []
        for place, kind in self._index_places(index):
            if self.mask is None:
                narrow = self.builder.load(place, align=1, typ=kind)
            else:
                narrow = self.simd.call(
                    f"llvm.masked.load.v{self.simd.lanes}i{kind.element.width}.p0",
                    kind,
                    [place, ir.IntType(32)(1), self.mask, kind([0] * self.simd.lanes)],
                )
            wide = self.simd.integers
            numbers.append(narrow if kind == wide else self.builder.zext(narrow, wide))
        return numbers

    def store_index(self, numbers: Values, index: ir.Value) -> None:
        for number, (place, kind) in zip(numbers, self._index_places(index), strict=True):
            narrow = number if kind == number.type else self.builder.trunc(number, kind)
            if self.mask is None:
                self.builder.store(narrow, place, align=1)
            else:
                self.simd.call(
                    f"llvm.masked.store.v{self.simd.lanes}i{kind.element.width}.p0",
                    ir.VoidType(),
                    [narrow, place, ir.IntType(32)(1), self.mask],
                )

    def _index_places(self, index: ir.Value) -> list[tuple[ir.Value, ir.VectorType]]:
        kind = ir.VectorType(index.type.pointee, self.simd.lanes)
        start = self.builder.gep(index, [self.first], inbounds=True, source_etype=kind.element)
        places = [
            self.builder.gep(start, [INT(v * self.simd.lanes)], inbounds=True, source_etype=kind.element)
            for v in range(self.vectors)
        ]
        return [(self.builder.bitcast(place, kind.as_pointer()), kind) for place in places]


# --------------------------------------------------------------------------------------------------- maximum


def _write_max(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, y, index, *taps, step0, step1, channels = values
    builder = simd.builder

    def block(part: _Block) -> None:
        def visit(offset: ir.Value, carried: Values) -> Values:
            number, tops, numbers = carried[0], carried[1 : 1 + part.vectors], carried[1 + part.vectors :]
            current, found = simd.broadcast(number), part.load(x, offset)
            # A larger value or the first NaN: neither an equal value nor another NaN replaces what was first.
            better = [
                builder.and_(builder.fcmp_unordered(">", value, top), builder.fcmp_ordered("ord", top, top))
                for value, top in zip(found, tops, strict=True)
            ]
            tops = [builder.select(b, value, top) for b, value, top in zip(better, found, tops, strict=True)]
            numbers = [builder.select(b, current, old) for b, old in zip(better, numbers, strict=True)]
            return [builder.add(number, number.type(1)), *tops, *numbers]

        zero = simd.integers.element(0)
        starts = [simd.constant(float("-inf"))] * part.vectors + [simd.broadcast(zero)] * part.vectors
        _, *carried = part.for_taps([zero, *starts], visit)
        part.store(carried[: part.vectors], y)
        part.store_index(carried[part.vectors :], index)

    _Window(simd, taps, [step0, step1], channels).for_channels(block)


def _write_pick(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, index, y, *taps, step0, step1, channels = values
    builder = simd.builder

    def block(part: _Block) -> None:
        numbers = part.load_index(index)

        def visit(offset: ir.Value, carried: Values) -> Values:
            number, *picked = carried
            hits = _equal(simd, numbers, number)
            news = zip(hits, part.load(x, offset), picked, strict=True)
            return [builder.add(number, number.type(1)), *(builder.select(hit, new, old) for hit, new, old in news)]

        starts = [simd.integers.element(0), *([simd.constant(0.0)] * part.vectors)]
        part.store(part.for_taps(starts, visit)[1:], y)

    _Window(simd, taps, [step0, step1], channels).for_channels(block)


def _write_max_vjp(simd: Vectors, values: Sequence[ir.Value]) -> None:
    g, index, dx, before, tiled, *taps, step0, step1, channels = values
    builder, zero = simd.builder, simd.constant(0.0)
    first = before if before.type == simd.integers.element else builder.trunc(before, simd.integers.element)

    def write(tiled: bool) -> None:
        def block(part: _Block) -> None:
            numbers, flow = part.load_index(index), part.load(g)

            def visit(offset: ir.Value, carried: Values) -> Values:
                (number,) = carried
                hits = _equal(simd, numbers, number)
                parts = [builder.select(hit, value, zero) for hit, value in zip(hits, flow, strict=True)]
                _add_to(part, dx, offset, parts, tiled)
                return [builder.add(number, number.type(1))]

            part.for_taps([first], visit)

        _Window(simd, taps, [step0, step1], channels).for_channels(block)

    _if_tiled(simd, tiled, write)


def _equal(simd: Vectors, numbers: Values, number: ir.Value) -> Values:
    current = simd.broadcast(number)
    return [simd.builder.icmp_signed("==", n, current) for n in numbers]


def _max_in_python(x, y, index, taps0, taps1, taps2, step0, step1, channels):
    y[:channels], index[:channels] = -np.inf, 0
    for number, tap in enumerate(_taps((taps0, taps1, taps2), (step0, step1), channels)):
        better = ~(x[tap] <= y[:channels]) & ~np.isnan(y[:channels])
        y[:channels][better], index[:channels][better] = x[tap][better], number


def _pick_in_python(x, index, y, taps0, taps1, taps2, step0, step1, channels):
    for number, tap in enumerate(_taps((taps0, taps1, taps2), (step0, step1), channels)):
        np.copyto(y[:channels], x[tap], where=index[:channels] == number)


def _max_vjp_in_python(g, index, dx, before, tiled, taps0, taps1, taps2, step0, step1, channels):
    for number, tap in enumerate(_taps((taps0, taps1, taps2), (step0, step1), channels), start=before):
        dx[tap] = (0 if tiled else dx[tap]) + np.where(index[:channels] == number, g[:channels], 0)


# -------------------------------------------------------------------------------------------------- average


def _write_mean(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, y, *taps, step0, step1, channels = values
    builder = simd.builder
    count = simd.broadcast(builder.sitofp(builder.mul(builder.mul(taps[0], taps[1]), taps[2]), simd.element))

    def block(part: _Block) -> None:
        def visit(offset: ir.Value, sums: Values) -> Values:
            return [builder.fadd(total, value) for total, value in zip(sums, part.load(x, offset), strict=True)]

        sums = part.for_taps([simd.constant(0.0)] * part.vectors, visit)
        part.store([builder.fdiv(total, count) for total in sums], y)

    _Window(simd, taps, [step0, step1], channels).for_channels(block)


def _write_mean_vjp(simd: Vectors, values: Sequence[ir.Value]) -> None:
    g, dx, count, tiled, *taps, step0, step1, channels = values
    builder = simd.builder
    count = simd.broadcast(builder.sitofp(count, simd.element))

    def write(tiled: bool) -> None:
        def block(part: _Block) -> None:
            parts = [builder.fdiv(value, count) for value in part.load(g)]

            def visit(offset: ir.Value, nothing: Values) -> Values:
                _add_to(part, dx, offset, parts, tiled)
                return []

            part.for_taps([], visit)

        _Window(simd, taps, [step0, step1], channels).for_channels(block)

    _if_tiled(simd, tiled, write)


def _mean_in_python(x, y, taps0, taps1, taps2, step0, step1, channels):
    y[:channels] = 0
    for tap in _taps((taps0, taps1, taps2), (step0, step1), channels):
        y[:channels] += x[tap]
    y[:channels] /= taps0 * taps1 * taps2


def _mean_vjp_in_python(g, dx, count, tiled, taps0, taps1, taps2, step0, step1, channels):
    for tap in _taps((taps0, taps1, taps2), (step0, step1), channels):
        dx[tap] = (0 if tiled else dx[tap]) + g[:channels] / count


# ------------------------------------------------------------------------------------------------------ both


def _if_tiled(simd: Vectors, tiled: ir.Value, write: Callable[[bool], None]) -> None:
    """One copy of the code for windows that tile the input, one for those that may overlap."""
    with simd.builder.if_else(simd.builder.icmp_signed("!=", tiled, INT(0))) as (yes, no):
        with yes:
            write(True)
        with no:
            write(False)


def _add_to(part: _Block, target: ir.Value, offset: ir.Value, values: Values, tiled: bool) -> None:
    """Add to the target, or write to it what no other window writes to."""
    if not tiled:
        values = [part.builder.fadd(a, b) for a, b in zip(part.load(target, offset), values, strict=True)]
    part.store(values, target, offset)


def _taps(taps, steps, channels):
    """The slices of a window's taps, in order."""
    for position in np.ndindex(*taps):
        offset = sum(i * step for i, step in zip(position, (*steps, channels), strict=True))
        yield slice(offset, offset + channels)


max_window = vector_code(_write_max, _max_in_python)
pick_window = vector_code(_write_pick, _pick_in_python)
max_window_vjp = vector_code(_write_max_vjp, _max_vjp_in_python)
mean_window = vector_code(_write_mean, _mean_in_python)
mean_window_vjp = vector_code(_write_mean_vjp, _mean_vjp_in_python)
