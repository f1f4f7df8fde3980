"""Buffers and the arena: what lives when, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnet.compile.layout import backwards_in_time, by_size, in_time

MOST_BY_SIZE = 1024  # beyond, layouts by size take too long
ARENA, FIXED, STATE, INPUT, OUTPUT = "arena", "fixed", "state", "input", "output"
"""Where a buffer is: in memory that programs share, in what a program keeps for itself, in a donated array, ..."""


@dataclass(slots=True, eq=False)
class Buffer:
    """A stretch of memory; `index` numbers inputs and outputs, `offset` is known once the arena is laid out.

    `last` is the last position in the plan where its contents matter; `calls` are the first and the last call that take
    it, once these are known.
    """

    nbytes: int
    place: str = ARENA
    index: int = -1
    last: int = 0
    offset: int = 0
    constant: np.ndarray | None = None
    calls: tuple[int, int] | None = None

    def live_until(self, position: int) -> None:
        self.last = max(self.last, position)

    def take_part(self, call: int) -> None:
        self.calls = (self.calls[0] if self.calls else call, call)


def aligned(nbytes: int, alignment: int) -> int:
    """The least multiple of `alignment` that holds `nbytes`."""
    return -(-nbytes // alignment) * alignment


def lay_out_arena(buffers: list[Buffer], alignment: int) -> int:
    """Give every arena buffer an offset, reusing memory of buffers that are never live together; returns the size.

    A buffer lives from the first to the last call that take it. They lie as in the smallest of several layouts.
    """
    buffers = [buffer for buffer in buffers if buffer.calls is not None]
    blocks = [(aligned(buffer.nbytes, alignment), *buffer.calls) for buffer in buffers if buffer.calls is not None]
    ways = [by_size] if len(blocks) <= MOST_BY_SIZE else []
    layouts = [way(blocks) for way in (*ways, in_time, backwards_in_time)]
    size, offsets = min(layouts, key=lambda layout: layout[0])
    for buffer, offset in zip(buffers, offsets, strict=True):
        buffer.offset = offset
    return size


def lay_out_sequence(buffers: list[Buffer], alignment: int) -> int:
    """Give buffers offsets one after the other; returns the size."""
    size = 0
    for buffer in buffers:
        buffer.offset, size = size, size + aligned(buffer.nbytes, alignment)
    return size
