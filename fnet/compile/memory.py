"""Buffers and the arena: what lives when, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ALIGNMENT = 64
ARENA, STATE, INPUT, OUTPUT = "arena", "state", "input", "output"


@dataclass(slots=True, eq=False)
class Buffer:
    """A stretch of memory; `index` numbers inputs and outputs, `offset` is known once the arena is laid out.

    `first` and `last` are the positions in the plan between which its contents matter.
    """

    nbytes: int
    place: str = ARENA
    index: int = -1
    first: int = 0
    last: int = 0
    offset: int = 0
    constant: np.ndarray | None = None

    def live_until(self, position: int) -> None:
        self.last = max(self.last, position)


def aligned(nbytes: int) -> int:
    """The least multiple of `ALIGNMENT` that holds `nbytes`."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def lay_out_arena(buffers: list[Buffer]) -> int:
    """Give every arena buffer an offset, reusing memory of buffers that are never live together; returns the size.

    Largest first, each at the lowest offset where it fits. Constants keep their place for good.
    """
    size = 0
    for buffer in buffers:
        if buffer.constant is not None:
            buffer.offset, size = size, size + aligned(buffer.nbytes)
    floor = size
    placed: list[Buffer] = []
    for buffer in sorted((b for b in buffers if b.constant is None), key=lambda b: -b.nbytes):
        rivals = sorted(
            (b for b in placed if b.first <= buffer.last and buffer.first <= b.last), key=lambda b: b.offset
        )
        offset = floor
        for rival in rivals:
            if offset + aligned(buffer.nbytes) <= rival.offset:
                break
            offset = max(offset, rival.offset + aligned(rival.nbytes))
        buffer.offset = offset
        placed.append(buffer)
        size = max(size, offset + aligned(buffer.nbytes))
    return size


def lay_out_sequence(buffers: list[Buffer]) -> int:
    """Give buffers offsets one after the other; returns the size."""
    size = 0
    for buffer in buffers:
        buffer.offset, size = size, size + aligned(buffer.nbytes)
    return size


def allocate(nbytes: int) -> np.ndarray:
    """`nbytes` of zeroed memory that starts on a cache line, as bytes."""
    raw = np.zeros(nbytes + ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + nbytes]
