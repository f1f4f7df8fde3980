"""Nests of loops on a card: which way a kernel goes, how many threads it has, and its calls."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous_strides
from fnet.compile.loops import FOLDED, NEXT, SAME, STRIDES, LoopNest, Loops, LoopStep, Read, Segments, accumulator
from fnet.devices.cuda.grids import BLOCKS, THREADS, spread, warps
from fnet.devices.cuda.loop_source import loop_kernel
from fnet.devices.cuda.loop_text import BLOCK, EACH, LANES, SEGMENTS, THREAD, TILE, TILE_ROWS, WARP, LoopKernel
from fnet.devices.expressions import type_name

FEW_BLOCKS = 528  # fewer leave much of a card idle, so outputs are divided into parts
SHORT, LONG = 32, 2048  # rows that a thread folds, and rows that a block folds
SHALLOW, MANY = 16, 1 << 16  # columns that a thread folds: of so few elements, or where there are so many of them
PART = 4096  # elements of a row in a part, at least
DEPTH = 64  # elements of a column in a part, at least
CHUNK = 1 << 13  # elements of a segment that a block has, at least
_NARROW = 1 << 31


def emit_loops(loops: Loops, emit: Emitter) -> None:
    """Emit the calls of the kernels of a nest."""
    if loops.segments is not None:
        _emit_segments(loops, loops.segments, emit)
        return
    if FOLDED not in loops.kinds:
        loops = _without_folds(loops)
    nest = _nest(loops)
    if FOLDED not in loops.kinds:
        threads = -(-math.prod(loops.sizes) // 4)
        _call(loops, LoopKernel(nest, EACH, wide=_is_wide(loops)), emit, *spread(threads), [])
        return
    first, last = loops.kinds.find(FOLDED), loops.kinds.rfind(FOLDED) + 1
    rows, length, columns = (math.prod(s) for s in (loops.sizes[:first], loops.sizes[first:last], loops.sizes[last:]))
    total = rows * columns
    way = _way(length, columns, total)
    if way in (THREAD, WARP):
        grid, block = warps(rows) if way == WARP else spread(total)
        _call(loops, LoopKernel(nest, way, wide=_is_wide(loops)), emit, grid, block, [])
        return
    groups = -(-total // LANES) if way == TILE else total
    block = (LANES, TILE_ROWS) if way == TILE else (THREADS, 1)
    chunk = _chunk(length, groups, DEPTH if way == TILE else PART)
    parts = -(-length // chunk)
    kernel = LoopKernel(nest, way, partial=parts > 1, wide=_is_wide(loops))
    if parts == 1:
        _call(loops, kernel, emit, (groups, 1), block, [])
        return
    scratch = [emit.scratch(parts * total, accumulator(w)) for w in loops.writes if w.fold]
    _call(loops, kernel, emit, (groups, parts), block, [*scratch, emit.counters(groups)], chunk)


def _emit_segments(loops: Loops, segments: Segments, emit: Emitter) -> None:
    """One call for all segments; each is cut into parts for blocks of their own."""
    chunk = max(CHUNK, 4 * THREADS * -(-sum(segments.sizes) // (4 * THREADS * BLOCKS)))
    whole = [k for k, write in enumerate(loops.writes) if write.fold is None and write.overwrites is None]
    places = [begins for begins in segments.reads if begins] + [segments.writes[k] for k in whole]
    table: list[tuple[int, ...]] = []
    for number, size in enumerate(segments.sizes):
        first, count, begins = len(table), -(-size // chunk), [place[number] for place in places]
        table += [(number, at, min(at + chunk, size), first, count, *begins) for at in range(0, size, chunk)]
    folds = [write for write in loops.writes if write.fold]
    kernel = LoopKernel(_nest_of_segments(loops), SEGMENTS, partial=bool(folds), wide=_is_wide(loops))
    scratch = [emit.scratch(len(table), accumulator(write)) for write in folds]
    if folds:
        scratch.append(emit.counters(len(segments.sizes)))
    scratch.append(emit.constant(np.array(table, np.int64).reshape(-1)))
    targets = [t for t, write in zip(loops.targets, loops.writes, strict=True) if write.overwrites is None]
    emit.call(loop_kernel(kernel)[len(table), THREADS], *loops.reads, *targets, *scratch)


def _nest_of_segments(loops: Loops) -> LoopNest:
    """The structure of loops over segments; what lies there as they do is read in their order."""
    nest = loops.nest()
    reads = [replace(read, steps=SAME * len(read.steps)) if read.steps.endswith(NEXT) else read for read in nest.reads]
    return replace(nest, reads=tuple(reads))


def _without_folds(loops: Loops) -> Loops:
    """The same loops where the folds are of one element each: a sum adds it to the 0 from which it starts."""
    steps, writes = list(loops.steps), []
    for write in loops.writes:
        value = write.value
        if write.fold == "sum" and write.dtype in ("f4", "f8"):
            value = len(loops.reads) + len(steps)
            steps.append(LoopStep(f"{{0}} + {type_name(write.dtype)}(0)", (write.value,), write.dtype))
        writes.append(replace(write, value=value, fold=None))
    return replace(loops, steps=steps, writes=writes)


def _way(length: int, columns: int, total: int) -> str:
    if columns > 1:
        return THREAD if length <= SHALLOW or total >= MANY else TILE
    return THREAD if length <= SHORT else WARP if length <= LONG else BLOCK


def _chunk(length: int, groups: int, least: int) -> int:
    """How many elements of an output a block folds, a multiple of four that depends on sizes only.

    There are no more parts than a part has elements, since one block folds the parts.
    """
    parts = max(1, min(length // least, -(-FEW_BLOCKS // groups), math.isqrt(length)))
    return 4 * -(-length // (4 * parts))


def _nest(loops: Loops) -> LoopNest:
    """The structure of the loops; reads in row-major order are known to be that."""
    nest = loops.nest()
    whole = contiguous_strides(tuple(loops.sizes))
    in_order = [tuple(strides) == whole for strides in loops.strides]
    reads = [
        Read(read.dtype, SAME * len(read.steps)) if same and NEXT in read.steps else read
        for read, same in zip(nest.reads, in_order, strict=True)
    ]
    return replace(nest, reads=tuple(reads))


def _is_wide(loops: Loops) -> bool:
    """Whether a place in some operand needs more than 32 bits."""
    refs = (*loops.reads, *loops.targets)
    return max(math.prod(loops.sizes), *(ref.extent for ref in refs)) >= _NARROW


def _call(
    loops: Loops, kernel: LoopKernel, emit: Emitter, grid: Any, block: Any, scratch: list[Ref], *rest: int
) -> None:
    targets = [t for t, write in zip(loops.targets, loops.writes, strict=True) if write.overwrites is None]
    arguments: list[Any] = [*loops.reads, *targets, *scratch, *loops.sizes]
    for read, strides in zip(kernel.nest.reads, loops.strides, strict=True):
        arguments += [s for step, s in zip(read.steps, strides, strict=True) if step == STRIDES]
    emit.call(loop_kernel(kernel)[grid, block], *arguments, *rest)
