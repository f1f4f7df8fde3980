"""Loop nests: the structure of an elementwise computation, with or without folds, apart from its sizes.

A `LoopNest` is hashable and says everything that shapes the generated kernel (`fnet.compile.loop_source`); sizes,
strides and addresses are arguments, so one kernel serves every batch size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous

KEPT, FOLDED = "K", "R"
STAYS, NEXT, STRIDES, SAME = "0", "1", "s", "="

# A nest that takes longer than this is divided, whatever the number of threads: the order of folds depends on it.
DIVIDE_FROM = 10_000  # nanoseconds
PARTS = 16
FEW = 4 * PARTS  # rows: to divide so many would leave less to sum than to combine
COLUMNS = 64  # columns of a block, at least
BYTES_PER_NANOSECOND = 20
_FUNCTION = "_{t}("  # marks a call of a vector function in a template


@dataclass(frozen=True, slots=True)
class Read:
    """An operand: its dtype and, for each loop, how it moves.

    It `STAYS`, goes to the `NEXT` element, `STRIDES` by a given number, or moves the `SAME` as what overwrites it.
    """

    dtype: str
    steps: str


@dataclass(frozen=True, slots=True)
class Step:
    """One scalar expression; arguments number the reads first, then the earlier steps."""

    template: str
    args: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Write:
    """A result: the number of its value, its dtype, the fold over the FOLDED loops, the read it overwrites."""

    value: int
    dtype: str
    fold: str | None = None
    overwrites: int | None = None


@dataclass(frozen=True, slots=True)
class LoopNest:
    """`loops` has one letter a loop, outermost first: KEPT or FOLDED; a `divided` one runs its outermost in parts.

    In one of `columns` the second loop goes over rows, the other two over the blocks and the columns of each row.
    """

    loops: str
    reads: tuple[Read, ...]
    steps: tuple[Step, ...]
    writes: tuple[Write, ...]
    divided: bool = False
    columns: bool = False

    @property
    def order(self) -> Sequence[int]:
        """The loops in the order of the axes in memory."""
        return (1, 0, 2) if self.columns else range(len(self.loops))

    @property
    def folds_inside(self) -> bool:
        """True when a kept loop runs inside folded ones, so that folds need a row of accumulators."""
        return FOLDED in self.loops and self.loops.endswith(KEPT)

    @property
    def folds_parts(self) -> bool:
        """True when the divided loop is a folded one, so that the folds of the parts must be combined at the end."""
        return self.divided and self.loops.startswith(FOLDED)


@dataclass(slots=True)
class Computation:
    """An elementwise computation over `shape`: where it reads, what it computes, where it writes.

    `folded` axes of `shape` are folded by the writes that have a fold; all folding writes share them.
    """

    shape: tuple[int, ...]
    folded: frozenset[int]
    reads: list[Ref]
    steps: list[Step]
    writes: list[Write]
    targets: list[Ref]


def emit_computation(work: Computation, emit: Emitter) -> None:
    """Emit the kernel call (and the copies before it, should an operand's layout need them)."""
    from fnet.compile.loop_source import loop_kernel

    if math.prod(work.shape) == 0:
        _fold_nothing(work, emit)
        return
    reads = [_readable(ref, emit) for ref in work.reads]
    sizes, kinds, strides = _collapse(work.shape, work.folded, [r.broadcast(work.shape).strides for r in reads])
    overwritten = {w.overwrites for w in work.writes}
    time = _nanoseconds(math.prod(sizes), reads, work)
    blocks = _blocks(sizes) if time >= DIVIDE_FROM and kinds == [True, False] else 0
    if blocks:
        rows, columns = sizes
        sizes, kinds = [blocks, rows, columns // blocks], [False, True, False]
        strides = [[column * (columns // blocks), row, column] for row, column in strides]
    kinds_text = "".join(FOLDED if k else KEPT for k in kinds)
    nest = LoopNest(
        kinds_text,
        tuple(
            Read(r.dtype.str[1:], SAME * len(sizes) if k in overwritten else _steps(s))
            for k, (r, s) in enumerate(zip(reads, strides, strict=True))
        ),
        tuple(work.steps),
        tuple(work.writes),
        divided=time >= DIVIDE_FROM and sizes[0] >= PARTS,
        columns=blocks > 0,
    )
    arguments: list[Any] = list(reads)
    arguments += [t for t, w in zip(work.targets, work.writes, strict=True) if w.overwrites is None]
    if nest.folds_inside or nest.folds_parts:
        row = math.prod(sizes[nest.loops.rfind(FOLDED) + 1 :])
        rows = PARTS if nest.divided else 1
        arguments += [emit.scratch(rows * row, accumulator(w)) for w in work.writes if w.fold]
    if nest.divided:
        arguments.append(time)
    arguments += sizes
    for read, stride in zip(nest.reads, strides, strict=True):
        arguments += [s for step, s in zip(read.steps, stride, strict=True) if step == STRIDES]
    emit.call(loop_kernel(nest), *arguments)


def _blocks(sizes: Sequence[int]) -> int:
    """Into how many blocks of columns few long rows are cut, that are summed; 0: not at all."""
    rows, columns = sizes
    numbers = range(PARTS, columns // COLUMNS + 1) if rows <= FEW else ()
    return next((number for number in numbers if columns % number == 0), 0)


def _fold_nothing(work: Computation, emit: Emitter) -> None:
    """Without elements there is nothing to compute, and a fold gives what it starts from."""
    from fnet.kernels import cpu

    for target, write in zip(work.targets, work.writes, strict=True):
        if target.size:
            assert write.fold is not None
            start = np.full(1, initial(write.fold, target.dtype), target.dtype)
            emit.call(cpu.copy.fill, target, emit.constant(start), target.size)


def _nanoseconds(size: int, reads: list[Ref], work: Computation) -> int:
    """Roughly how long one thread takes: for each element, what its operands and its expressions cost."""
    moved = sum(ref.size * ref.dtype.itemsize for ref in (*reads, *work.targets))
    called = sum(_FUNCTION in step.template for step in work.steps)
    return int(moved / BYTES_PER_NANOSECOND + size * (0.05 * len(work.steps) + 0.25 * called))


def foldable(shape: tuple[int, ...], folded: frozenset[int]) -> bool:
    """Whether one nest can fold these axes: kept axes, then folded ones, then at most one run of kept axes."""
    kinds = [axis in folded for axis, size in enumerate(shape) if size != 1]
    changes = "".join(FOLDED if kind else KEPT for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] != kind)
    return changes in ("", "K", "R", "KR", "RK", "KRK")


def accumulator(write: Write) -> np.dtype:
    """The dtype in which a fold accumulates: float64 for floating sums, else the result's own."""
    return np.dtype("f8") if write.fold == "sum" and write.dtype == "f4" else np.dtype(write.dtype)


def initial(fold: str, dtype: np.dtype) -> Any:
    """What a fold of numbers of this type starts from."""
    if fold in ("sum", "prod"):
        return 0 if fold == "sum" else 1
    lowest = fold == "max"
    if dtype.kind == "f":
        return -np.inf if lowest else np.inf
    if dtype.kind == "b":
        return not lowest
    return np.iinfo(dtype).min if lowest else np.iinfo(dtype).max


def _readable(ref: Ref, emit: Emitter) -> Ref:
    return contiguous(ref, emit) if ref.backwards else ref


def _steps(strides: Sequence[int]) -> str:
    last = len(strides) - 1
    return "".join(STAYS if s == 0 else NEXT if s == 1 and i == last else STRIDES for i, s in enumerate(strides))


def _collapse(
    shape: tuple[int, ...], folded: frozenset[int], strides: list[tuple[int, ...]]
) -> tuple[list[int], list[bool], list[list[int]]]:
    """Join neighbouring loops of one kind that every operand runs through evenly; drop loops of size 1."""
    sizes: list[int] = []
    kinds: list[bool] = []
    steps: list[list[int]] = [[] for _ in strides]
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        kind = axis in folded
        here = [s[axis] for s in strides]
        joins = kinds and kinds[-1] == kind and all(t[-1] == h * size for t, h in zip(steps, here, strict=True))
        if joins:
            sizes[-1] *= size
            for t, h in zip(steps, here, strict=True):
                t[-1] = h
        else:
            sizes.append(size)
            kinds.append(kind)
            for t, h in zip(steps, here, strict=True):
                t.append(h)
    return sizes, kinds, steps
