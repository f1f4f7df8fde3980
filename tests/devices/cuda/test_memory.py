"""The pool of a card's memory: what is given back is given to others, limits, and errors."""

from __future__ import annotations

import gc
from itertools import pairwise

import numpy as np
import pytest

from fnet.devices.cuda.memory import ALIGNMENT, NOTHING, SLAB, Pool, readable
from fnet.errors import DeviceError
from tests.devices.cuda.emulated import CardError, Emulated
from tests.devices.cuda.own_kernels import add_kernel

MIB = 1 << 20


def made(capacity: int = 64 * MIB) -> tuple[Emulated, Pool]:
    card = Emulated(capacity)
    return card, Pool(card, card.stream(), "cuda")


def test_stretches_are_aligned_apart_and_used_again():
    card, pool = made()
    held = [pool.allocate(n, "x") for n in (1, 256, 257, 1000, 100_000, MIB, 3 * MIB + 1)]
    assert all(s.address % ALIGNMENT == 0 for s in held)
    spans = sorted((s.address, s.address + s.nbytes) for s in held)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
    assert [s.nbytes for s in held[:4]] == [256, 256, 512, 1024] and held[-1].nbytes < 3.5 * MIB
    asked = card.seen["allocated"]
    addresses = {s.address for s in held}
    del held
    again = [pool.allocate(n, "x") for n in (2, 255, 300, 900, 100_000, MIB, 3 * MIB + 1)]
    assert {s.address for s in again} == addresses and card.seen["allocated"] == asked == 3
    assert card.seen["waited"] == card.seen["freed"] == 0


def test_small_stretches_come_from_slabs_that_are_freed_as_a_whole():
    card, pool = made()
    held = [pool.allocate(64 << 10, "x") for _ in range(SLAB >> 15)]
    assert card.seen["allocated"] == 2
    one = held[0]
    del held
    pool.release()
    assert card.seen["freed"] == 1 and pool.use().kept == SLAB - one.nbytes
    one = None
    pool.release()
    assert card.seen["freed"] == 2 and pool.use().kept == 0 and card.memory() == (64 * MIB, 64 * MIB)
    assert pool.allocate(8, "x").address


def test_what_it_says_of_itself():
    _, pool = made()
    a, b = pool.allocate(MIB, "x"), pool.allocate(2 * MIB, "x")
    del b
    use = pool.use()
    assert (use.used, use.kept, use.peak, use.limit) == (MIB, 2 * MIB, 3 * MIB, None)
    assert (use.free, use.total) == (61 * MIB, 64 * MIB)
    assert str(use) == (
        "1 MiB used by arrays and programs (at most 3 MiB), 2 MiB kept for others, no limit; "
        "61 MiB of 64 MiB free on the card"
    )
    assert a.nbytes == MIB and [readable(n) for n in (0, 1023, 1536, 5 << 40)] == ["0 B", "1023 B", "1.5 KiB", "5 TiB"]


def test_no_room_says_who_asked_for_how_much_and_what_is_held():
    _, pool = made(16 * MIB)
    held = pool.allocate(8 * MIB, "x")
    kept = pool.allocate(7 * MIB, "x")
    del kept
    with pytest.raises(
        DeviceError,
        match=r"^'cuda' has no room for an array float32\[3145728\], 12 MiB: 8 MiB used by arrays and programs "
        r"\(at most 15 MiB\), 0 B kept for others, no limit; 8 MiB of 16 MiB free on the card.\nUse smaller batches",
    ):
        pool.allocate(12 * MIB, (np.dtype(np.float32), (3 * MIB,)))
    assert pool.allocate(8 * MIB, "x").address and held.nbytes == 8 * MIB  # what was kept was given back


def test_what_is_in_a_circle_of_references_makes_room():
    _, pool = made(16 * MIB)
    circle: list = [pool.allocate(12 * MIB, "x")]
    circle.append(circle)
    gc.disable()
    try:
        del circle
        assert pool.allocate(12 * MIB, "x").address
    finally:
        gc.enable()


def test_a_limit_holds():
    _, pool = made()
    held = [pool.allocate(2 * MIB, "x") for _ in range(4)]
    del held[2:]
    pool.set_limit(4 * MIB)
    assert pool.use().kept == 0 and pool.use().limit == 4 * MIB
    with pytest.raises(DeviceError, match="no room for a jitted function, 1 MiB: .* a limit of 4 MiB; "):
        pool.allocate(MIB, "a jitted function")
    del held[1:]
    assert pool.allocate(MIB, "x").address
    pool.set_limit(None)
    assert pool.allocate(32 * MIB, "x").address


def test_nothing_takes_no_memory():
    card, pool = made()
    assert pool.allocate(0, "x") is NOTHING and not card.seen


def test_the_card_without_a_card_knows_its_memory():
    card = Emulated()
    stream, address = card.stream(), card.allocate(64)
    host = np.arange(8.0)
    card.copy_in(address, host, stream)
    card.copy_out(back := np.empty(8), address, stream)
    np.testing.assert_array_equal(back, host)
    for wrong, text in (
        (lambda: card.copy_in(address + 8, host, stream), "64 bytes from .* on are more than what was allocated"),
        (lambda: card.copy_in(address - 8, host, stream), "is in no memory that was allocated"),
        (lambda: card.free(address + 8), "is freed, and is not what was allocated"),
    ):
        with pytest.raises(CardError, match=text):
            wrong()
    card.free(address)
    with pytest.raises(CardError, match="is in no memory that was allocated"):
        card.zero(address, 8, stream)


@pytest.mark.parametrize(
    "how, text",
    [
        ((0, 32), "add_kernel: no card takes a grid of .0, 1, 1. blocks"),
        (((1, 1 << 16), 32), "no card takes a grid of .1, 65536, 1."),
        ((1, 64), r"add_kernel: a block of .64, 1, 1. threads, expected at most 32"),
        ((1, 32, 228 << 10), "add_kernel: 233472 bytes of shared memory, expected 232448"),
    ],
)
def test_it_refuses_launches_that_no_card_takes(how: tuple, text: str):
    card = Emulated()
    with pytest.raises(CardError, match=text):
        card.launch(add_kernel[how], [], card.stream())


@pytest.mark.parametrize("is_ordered", [True, False])
def test_it_finds_streams_that_nothing_orders(is_ordered: bool):
    card = Emulated(is_late=True)
    one, two, address = card.stream(), card.stream(), card.allocate(64)
    card.zero(address, 64, one)
    event = card.record(one)
    if is_ordered:
        card.wait(two, event)
        card.copy_out(host := np.ones(8), address, two)
        assert host.all()  # it is late
        card.synchronize(two)
        assert not host.any()
    else:
        with pytest.raises(CardError, match="copied out in stream 2 at .*, where stream 1 may be at work"):
            card.copy_out(np.ones(8), address, two)
