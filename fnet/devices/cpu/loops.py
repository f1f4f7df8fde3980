"""Nests of loops on the CPU: whether one is divided, and the call of its kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fnet.compile.emit import Emitter
from fnet.compile.loops import FOLDED, KEPT, STRIDES, Loops, accumulator
from fnet.devices.cpu.loop_source import PARTS, loop_kernel

# A nest that takes longer than this is divided, whatever the number of threads: the order of folds depends on it.
DIVIDE_FROM = 10_000  # nanoseconds
FEW = 4 * PARTS  # rows: to divide so many would leave less to sum than to combine
COLUMNS = 64  # columns of a block, at least
BYTES_PER_NANOSECOND = 20
_FUNCTION = "_{t}("  # marks a call of a vector function in a template


def emit_loops(loops: Loops, emit: Emitter) -> None:
    """Emit the call of the kernel of a nest."""
    time = _nanoseconds(loops)
    blocks = _blocks(loops.sizes) if time >= DIVIDE_FROM and loops.kinds == FOLDED + KEPT else 0
    if blocks:
        loops = _by_columns(loops, blocks)
    sizes = loops.sizes
    nest = loops.nest(divided=time >= DIVIDE_FROM and sizes[0] >= PARTS, columns=blocks > 0)
    arguments: list[Any] = list(loops.reads)
    arguments += [t for t, w in zip(loops.targets, loops.writes, strict=True) if w.overwrites is None]
    if nest.folds_inside or nest.folds_parts:
        row = math.prod(sizes[nest.loops.rfind(FOLDED) + 1 :])
        rows = PARTS if nest.divided else 1
        arguments += [emit.scratch(rows * row, accumulator(w)) for w in loops.writes if w.fold]
    if nest.divided:
        arguments.append(time)
    arguments += sizes
    for read, stride in zip(nest.reads, loops.strides, strict=True):
        arguments += [s for step, s in zip(read.steps, stride, strict=True) if step == STRIDES]
    emit.call(loop_kernel(nest), *arguments)


def _blocks(sizes: Sequence[int]) -> int:
    """Into how many blocks of columns few long rows are cut, that are summed; 0: not at all."""
    rows, columns = sizes
    numbers = range(PARTS, columns // COLUMNS + 1) if rows <= FEW else ()
    return next((number for number in numbers if columns % number == 0), 0)


def _by_columns(loops: Loops, blocks: int) -> Loops:
    """The loops over folded rows and their columns as loops over blocks of columns, rows, and columns of a block."""
    rows, columns = loops.sizes
    width = columns // blocks
    strides = [[column * width, row, column] for row, column in loops.strides]
    return replace(loops, sizes=[blocks, rows, width], kinds=KEPT + FOLDED + KEPT, strides=strides)


def _nanoseconds(loops: Loops) -> int:
    """Roughly how long one thread takes: for each element, what its operands and its expressions cost."""
    moved = sum(ref.size * ref.dtype.itemsize for ref in (*loops.reads, *loops.targets))
    called = sum(_FUNCTION in step.template for step in loops.steps)
    size = math.prod(loops.sizes)
    return int(moved / BYTES_PER_NANOSECOND + size * (0.05 * len(loops.steps) + 0.25 * called))
