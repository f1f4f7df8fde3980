"""Which of two accesses to memory comes first: by barriers of a block, and within a warp by vector clocks.

Two blocks are ordered where a thread of one has made an atomic operation behind a fence, and a thread of the other
makes one on the same element, and then a fence. So they are where one waits for what the other counts, and where both
wait for their grid.

Source: Flanagan and Freund, FastTrack: efficient and precise dynamic race detection (2009).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

WARP = 32

Place = tuple[int, int, int]
Phases = dict[Place, int]


class Moment(NamedTuple):
    """When an access was made: by which thread, after how many barriers of its block, in which stretch of its own."""

    block: Place
    thread: int
    phase: int
    stretch: int

    def __str__(self) -> str:
        return f"thread {self.thread} of block {self.block}"


class Clock:
    """What a thread knows of the time of its block and of the lanes of its warp.

    A stretch of a thread ends where it meets others of its warp. lanes[i] is the latest stretch of lane i that ended
    before the present one of this thread began; its own entry is its present stretch. others[block] is a phase of that
    block before which all that it did is known.
    """

    def __init__(self, block: Place, thread: int) -> None:
        self.block, self.thread, self.phase = block, thread, 0
        self.lanes = [0] * WARP
        self.lanes[thread % WARP] = 1
        self.others: Phases = {}
        self._met: Phases = {}  # what is known behind the next fence
        self._fenced: Phases = {}  # what was known before the last one

    def now(self) -> Moment:
        return Moment(self.block, self.thread, self.phase, self.lanes[self.thread % WARP])

    def knows(self, before: Moment) -> bool:
        """Whether what happened at `before` is done, and to be seen by this thread."""
        if before.block != self.block:
            return self.others.get(before.block, 0) > before.phase
        if before.thread == self.thread or before.phase < self.phase:
            return True
        same_warp = before.thread // WARP == self.thread // WARP
        return same_warp and self.lanes[before.thread % WARP] >= before.stretch

    def fence(self) -> None:
        """What this thread knows by now is known to who finds its next atomic operations, behind a fence of its own."""
        _learn(self.others, self._met)
        self._met = {}
        self._fenced = {**self.others, self.block: self.phase}

    def exchange(self, told: Phases) -> None:
        """An atomic operation on an element, where threads before have `told` what they knew."""
        _learn(self._met, {block: phase for block, phase in told.items() if block != self.block})
        _learn(told, self._fenced)

    def learn(self, told: Phases) -> None:
        """A wait for what others have `told` by an atomic operation."""
        _learn(self.others, {block: phase for block, phase in told.items() if block != self.block})


def meet(clocks: Collection[Clock]) -> None:
    """Lanes of a warp wait for each other: what each did before is known to all."""
    joined = [max(stretches) for stretches in zip(*(clock.lanes for clock in clocks), strict=True)]
    for clock in clocks:
        own = clock.thread % WARP
        clock.lanes = list(joined)
        clock.lanes[own] += 1
    share(clocks)


def share(clocks: Collection[Clock]) -> None:
    """What each knows of other blocks is known to all."""
    if any(clock.others for clock in clocks):
        known: Phases = {}
        for clock in clocks:
            _learn(known, clock.others)
        for clock in clocks:
            clock.others = dict(known)


def meet_all(clocks: Collection[Clock]) -> None:
    """Threads of all blocks wait for each other."""
    for clock in clocks:
        clock.phase += 1
    phases = {clock.block: clock.phase for clock in clocks}
    for clock in clocks:
        clock.others = dict(phases)


def _learn(known: Phases, more: Phases) -> None:
    for block, phase in more.items():
        known[block] = max(phase, known.get(block, 0))
