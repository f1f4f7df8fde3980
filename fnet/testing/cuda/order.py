"""Which of two accesses to memory comes first: by barriers of a block, and within a warp by vector clocks.

Source: Flanagan and Freund, FastTrack: efficient and precise dynamic race detection (2009).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

WARP = 32

Place = tuple[int, int, int]


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
    before the present one of this thread began; its own entry is its present stretch.
    """

    def __init__(self, block: Place, thread: int) -> None:
        self.block, self.thread, self.phase = block, thread, 0
        self.lanes = [0] * WARP
        self.lanes[thread % WARP] = 1

    def now(self) -> Moment:
        return Moment(self.block, self.thread, self.phase, self.lanes[self.thread % WARP])

    def knows(self, before: Moment) -> bool:
        """Whether what happened at `before` is done, and to be seen by this thread."""
        if before.block != self.block:
            return False
        if before.thread == self.thread or before.phase < self.phase:
            return True
        same_warp = before.thread // WARP == self.thread // WARP
        return same_warp and self.lanes[before.thread % WARP] >= before.stretch


def meet(clocks: Collection[Clock]) -> None:
    """Lanes of a warp wait for each other: what each did before is known to all."""
    joined = [max(stretches) for stretches in zip(*(clock.lanes for clock in clocks), strict=True)]
    for clock in clocks:
        own = clock.thread % WARP
        clock.lanes = list(joined)
        clock.lanes[own] += 1
