"""Loop nests: the structure of an elementwise computation, with or without folds, apart from its sizes.

A `LoopNest` is hashable and says everything that shapes the kernel that a device writes for it; sizes, strides and
addresses are arguments, so one kernel serves every batch size.
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


@dataclass(frozen=True, slots=True)
class Read:
    """An operand: its dtype and, for each loop, how it moves.

    It `STAYS`, goes to the `NEXT` element, `STRIDES` by a given number, or moves the `SAME` as what overwrites it.
    """

    dtype: str
    steps: str


@dataclass(frozen=True, slots=True)
class LoopStep:
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
    steps: tuple[LoopStep, ...]
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
    steps: list[LoopStep]
    writes: list[Write]
    targets: list[Ref]


@dataclass(frozen=True, slots=True)
class Segments:
    """Arrays in common memory that a computation goes over one after the other.

    sizes: of the arrays; reads, writes: for each operand where its arrays begin, in elements from the lowest one on,
    and nothing for one of numbers.
    """

    sizes: tuple[int, ...]
    reads: tuple[tuple[int, ...], ...]
    writes: tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class Loops:
    """A computation as loops, outermost first: their sizes and kinds, and how each operand moves in them.

    strides: for each read, by how many elements it moves in each loop. segments: the arrays, if the first of two loops
    goes over arrays; a fold then gives a number for each.
    """

    sizes: list[int]
    kinds: str
    strides: list[list[int]]
    reads: list[Ref]
    steps: list[LoopStep]
    writes: list[Write]
    targets: list[Ref]
    segments: Segments | None = None

    def nest(self, divided: bool = False, columns: bool = False) -> LoopNest:
        """The structure of the loops, apart from their sizes."""
        overwritten = {w.overwrites for w in self.writes}
        reads = tuple(
            Read(r.dtype.str[1:], SAME * len(self.sizes) if k in overwritten else _steps(s))
            for k, (r, s) in enumerate(zip(self.reads, self.strides, strict=True))
        )
        return LoopNest(self.kinds, reads, tuple(self.steps), tuple(self.writes), divided, columns)


def emit_computation(work: Computation, emit: Emitter) -> None:
    """Emit the loops (and the copies before them, should an operand's layout need them)."""
    if math.prod(work.shape) == 0:
        _fold_nothing(work, emit)
        return
    reads = [contiguous(ref, emit) if ref.backwards else ref for ref in work.reads]
    strides_of = [r.strides if r.shape == work.shape else r.broadcast(work.shape).strides for r in reads]
    sizes, kinds, strides = _collapse(work.shape, work.folded, strides_of)
    kinds_text = "".join(FOLDED if kind else KEPT for kind in kinds)
    emit.device.loop(Loops(sizes, kinds_text, strides, reads, work.steps, work.writes, work.targets), emit)


def _fold_nothing(work: Computation, emit: Emitter) -> None:
    """Without elements there is nothing to compute, and a fold gives what it starts from."""
    for target, write in zip(work.targets, work.writes, strict=True):
        if target.size:
            assert write.fold is not None
            emit.device.fill(target, initial(write.fold, target.dtype), emit)


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
