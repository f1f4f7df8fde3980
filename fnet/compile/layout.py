"""Layouts of an arena: offsets of blocks such that those that live at the same time lie apart.

A block is (size, first, last): it lives from one time to another, both included. A layout is the size of the arena and
the offsets of the blocks.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Sequence

Block = tuple[int, int, int]
Layout = tuple[int, list[int]]


def by_size(blocks: Sequence[Block]) -> Layout:
    """Largest first, each at the lowest offset where it fits: tight, at a cost that grows with the square."""
    offsets = [0] * len(blocks)
    placed: list[int] = []
    for i in sorted(range(len(blocks)), key=lambda i: -blocks[i][0]):
        size, first, last = blocks[i]
        rivals = [k for k in placed if blocks[k][1] <= last and first <= blocks[k][2]]
        for k in sorted(rivals, key=offsets.__getitem__):
            if offsets[i] + size <= offsets[k]:
                break
            offsets[i] = max(offsets[i], offsets[k] + blocks[k][0])
        placed.append(i)
    return _end(blocks, offsets), offsets


def in_time(blocks: Sequence[Block]) -> Layout:
    """In the order in which they begin, those that live longest first, each in the smallest gap that holds it."""
    offsets = [0] * len(blocks)
    gaps = _Gaps()
    live: list[tuple[int, int, int]] = []
    for i in sorted(range(len(blocks)), key=lambda i: (blocks[i][1], blocks[i][1] - blocks[i][2], -blocks[i][0])):
        size, first, last = blocks[i]
        while live and live[0][0] < first:
            _, offset, freed = heapq.heappop(live)
            gaps.give(offset, freed)
        if size:
            offsets[i] = gaps.take(size)
            heapq.heappush(live, (last, offsets[i], size))
    return _end(blocks, offsets), offsets


def backwards_in_time(blocks: Sequence[Block]) -> Layout:
    """`in_time`, as if time ran backwards."""
    return in_time([(size, -last, -first) for size, first, last in blocks])


def _end(blocks: Sequence[Block], offsets: list[int]) -> int:
    return max((offset + block[0] for block, offset in zip(blocks, offsets, strict=True)), default=0)


class _Gaps:
    """The free stretches between what is taken; behind the last one everything is free."""

    def __init__(self) -> None:
        self.top = 0
        self.by_size: list[tuple[int, int]] = []  # (size, offset), sorted
        self.size_at: dict[int, int] = {}
        self.begin_of: dict[int, int] = {}  # by the end of the gap

    def take(self, size: int) -> int:
        """The offset of a stretch of this size: the beginning of the smallest gap that holds it."""
        found = bisect.bisect_left(self.by_size, (size, 0))
        if found == len(self.by_size):
            self.top += size
            return self.top - size
        whole, offset = self.by_size[found]
        self._forget(offset)
        if whole > size:
            self._keep(offset + size, whole - size)
        return offset

    def give(self, offset: int, size: int) -> None:
        """Free a stretch; it becomes one with the gaps beside it."""
        if offset + size in self.size_at:
            size += self._forget(offset + size)
        if offset in self.begin_of:
            before = self.begin_of[offset]
            size += self._forget(before)
            offset = before
        if offset + size == self.top:
            self.top = offset
        else:
            self._keep(offset, size)

    def _keep(self, offset: int, size: int) -> None:
        bisect.insort(self.by_size, (size, offset))
        self.size_at[offset], self.begin_of[offset + size] = size, offset

    def _forget(self, offset: int) -> int:
        size = self.size_at.pop(offset)
        del self.begin_of[offset + size], self.by_size[bisect.bisect_left(self.by_size, (size, offset))]
        return size
