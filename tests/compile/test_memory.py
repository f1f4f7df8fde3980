"""The arena: buffers that are live together never overlap, memory is reused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet.compile import memory
from fnet.compile.graph import Graph
from fnet.compile.layout import Block, backwards_in_time, by_size, in_time
from fnet.compile.memory import Buffer, aligned, lay_out_arena, lay_out_sequence
from fnet.compile.placement import Placement
from fnet.devices.cpu.blocks import ALIGNMENT, allocate

intervals = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9), st.integers(0, 9)), max_size=12)


def buffers_from(drawn: list[tuple[int, int, int]]) -> list[Buffer]:
    return [Buffer(n, calls=(min(a, b), max(a, b))) for n, a, b in drawn]


@given(intervals)
def test_buffers_live_together_do_not_overlap(drawn):
    buffers = buffers_from(drawn)
    size = lay_out_arena(buffers, ALIGNMENT)
    for i, a in enumerate(buffers):
        assert a.offset % ALIGNMENT == 0
        assert a.offset + a.nbytes <= size
        for b in buffers[i + 1 :]:
            together = a.calls[0] <= b.calls[1] and b.calls[0] <= a.calls[1]
            apart = a.offset + a.nbytes <= b.offset or b.offset + b.nbytes <= a.offset
            assert apart or not together or 0 in (a.nbytes, b.nbytes)


@given(intervals)
def test_the_arena_holds_no_more_than_everything_at_once(drawn):
    buffers = buffers_from(drawn)
    assert lay_out_arena(buffers, ALIGNMENT) <= sum(aligned(b.nbytes, ALIGNMENT) for b in buffers)


@pytest.mark.parametrize("way", [by_size, in_time, backwards_in_time])
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 9)), max_size=16))
def test_every_layout_keeps_apart_what_lives_together(way, drawn):
    blocks: list[Block] = [(size, min(a, b), max(a, b)) for size, a, b in drawn]
    end, offsets = way(blocks)
    taken: set[tuple[int, int]] = set()
    for (size, first, last), offset in zip(blocks, offsets, strict=True):
        cells = {(t, at) for t in range(first, last + 1) for at in range(offset, offset + size)}
        assert taken.isdisjoint(cells)
        taken |= cells
    assert end == max((at + 1 for _, at in taken), default=0)


def test_layouts_of_a_deep_network_are_as_small_as_what_lives_at_once():
    """What each of many layers keeps for its gradient, and what it needs for itself."""
    depth = 300
    kept = [(4, i, 2 * depth - i) for i in range(depth)]
    own = [(5, i, i) for i in range(2 * depth)]
    assert backwards_in_time(kept + own)[0] == by_size(kept + own)[0] == 4 * depth + 5


def test_many_buffers_are_laid_out_without_a_look_at_all_pairs(monkeypatch):
    monkeypatch.setattr(memory, "MOST_BY_SIZE", 2)
    monkeypatch.setattr(memory, "by_size", None)
    assert lay_out_arena([Buffer(640, calls=(i, i)) for i in range(10)], ALIGNMENT) == 640


def test_memory_is_reused_when_lives_do_not_meet():
    assert lay_out_arena([Buffer(640, calls=(i, i)) for i in range(10)], ALIGNMENT) == 640


def test_a_buffer_lives_while_calls_take_it():
    buffer, unused = Buffer(640), Buffer(1 << 20)
    for call in (3, 4, 7):
        buffer.take_part(call)
    assert buffer.calls == (3, 7)
    assert lay_out_arena([buffer, unused, Buffer(640, calls=(8, 9))], ALIGNMENT) == 640


def test_a_sequence_lays_buffers_one_after_the_other():
    buffers = [Buffer(4), Buffer(100), Buffer(64)]
    assert lay_out_sequence(buffers, ALIGNMENT) == 64 + 128 + 64
    assert [b.offset for b in buffers] == [0, 64, 192]


def test_allocated_blocks_start_on_a_cache_line():
    for n in (0, 1, 63, 64, 1000):
        block = allocate(n)
        assert block.nbytes == n
        assert block.__array_interface__["data"][0] % ALIGNMENT == 0 or n == 0


def test_constants_that_nobody_else_keeps_are_told_apart():
    """The identity of an array that is gone may be that of the next one."""
    placement = Placement(Graph([], [], []), [], {}, ALIGNMENT)
    for number in range(20):
        buffer = placement.constant(np.full((2, 20), number).T).buffer
        assert buffer.constant is not None
        assert np.all(buffer.constant == number)
