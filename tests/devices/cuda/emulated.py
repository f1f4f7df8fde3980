"""A card without a card: memory of the host under made-up addresses, kernels run thread by thread.

Work is kept in the queue of its stream until something asks for its results, as late as a card may do it, or is done
at once. What is wrong on any card raises `CardError`: addresses that nobody owns, work of two streams on the same
memory that no event orders, requests that are not possible while work is recorded.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fnet.devices.cuda.driver import Argument
from fnet.devices.cuda.memory import ALIGNMENT
from fnet.kernels.cuda.runtime.kernel import Launch, launch_of
from fnet.kernels.cuda.runtime.limits import Limits
from fnet.kernels.cuda.runtime.product import Product
from fnet.testing.cuda import run_kernel

FIRST, GAP = 1 << 40, 4096
STREAMS = 1000  # of a card, at most
MOST_THREADS, MOST_X, MOST_Y_Z, MOST_Z = 1024, (1 << 31) - 1, (1 << 16) - 1, 64
LIMITS = Limits(together=132, shared_bytes=227 << 10)  # of an H200
Event = tuple[int, Any, dict[int, int]]
"""The stream, its card, and how much of each stream's work is before the event."""
Span = tuple[int, int]
"""An address, and how many bytes from there on."""


class CardError(AssertionError):
    """What a card does not do, or does wrongly."""


class Graph:
    def __init__(self) -> None:
        self.work: list[tuple[list[Span], Callable[[], None]]] = []  # the memory that is touched, and what is done
        self.is_complete = False


class Emulated:
    """See `fnet.devices.cuda.driver.Driver`.

    capacity: bytes of memory; is_late: whether work waits in queues; is_checked: whether kernels are checked for races;
    library: what computes a `Product` of arrays; None where the card has no library.
    seen: how often it did what; kernels: how often it ran each.
    """

    def __init__(
        self,
        capacity: int = 1 << 28,
        *,
        is_late: bool = False,
        is_checked: bool = False,
        number: int = 0,
        library: Callable[..., None] | None = None,
    ) -> None:
        self.name, self.capability, self.number = "Emulated", (9, 0), number
        self.is_late, self.is_checked, self.capacity = is_late, is_checked, capacity
        self.library = library
        self.limits = LIMITS
        self.seen: Counter[str] = Counter()
        self.kernels: Counter[str] = Counter()
        self._next = FIRST * (1 + number)
        self._memory: dict[int, np.ndarray] = {}
        self._starts: list[int] = []
        self._queues: dict[
            int, list[tuple[int, Callable[[], Any]]]
        ] = {}  # work, and its time in the clock of the stream
        self._pinned: list[np.ndarray] = []
        self._captured: dict[int, Graph] = {}
        self._clocks: dict[int, dict[int, int]] = {}  # stream -> how much of each stream's work is before its own
        self._touched: dict[int, dict[int, int]] = {}  # a piece of memory -> when each stream was there last

    def stream(self) -> int:
        stream = len(self._queues) + 1
        self._queues[stream], self._clocks[stream] = [], {self._unique(stream): 0}
        return stream

    # Memory.

    def allocate(self, nbytes: int) -> int:
        self.seen["allocated"] += 1
        if nbytes > self.memory()[0]:
            return 0
        address, self._next = self._next, self._next + -(-nbytes // GAP) * GAP + GAP
        whole = np.full(nbytes + ALIGNMENT, 255, np.uint8)
        begin = -whole.__array_interface__["data"][0] % ALIGNMENT  # kernels ask how addresses are aligned
        self._memory[address] = whole[begin : begin + nbytes]
        bisect.insort(self._starts, address)
        return address

    def free(self, address: int) -> None:
        self.seen["freed"] += 1
        if address not in self._memory:
            raise CardError(f"{address:#x} is freed, and is not what was allocated.")
        for stream in self._queues:
            self._work(stream)
        block = self._memory.pop(address)
        self._starts.remove(address)
        for piece in _pieces((address, block.nbytes)):
            self._touched.pop(piece, None)

    def memory(self) -> tuple[int, int]:
        return self.capacity - sum(block.nbytes for block in self._memory.values()), self.capacity

    def pinned(self, nbytes: int) -> np.ndarray:
        self.seen["pinned"] += 1
        self._pinned.append(np.zeros(nbytes, np.uint8))
        return self._pinned[-1]

    # Work.

    def copy_in(self, address: int, host: np.ndarray, stream: int) -> None:
        self._not_recorded(stream, "copy from the host")
        assert host.flags.c_contiguous
        source = host if self._is_pinned(host) else host.copy()
        target = self._at(address, host.nbytes)
        self._do(stream, "copied in", [(address, host.nbytes)], lambda: _fill(target, source))

    def copy_out(self, host: np.ndarray, address: int, stream: int) -> None:
        self._not_recorded(stream, "copy to the host")
        assert host.flags.c_contiguous
        source = self._at(address, host.nbytes)
        self._do(stream, "copied out", [(address, host.nbytes)], lambda: _fill(_bytes(host), source))

    def copy(self, to: int, source: int, nbytes: int, stream: int) -> None:
        if nbytes:
            there, here = self._at(to, nbytes), self._at(source, nbytes)
            self._do(stream, "copied", [(to, nbytes), (source, nbytes)], lambda: _fill(there, here))

    def copy_from(self, to: int, card: Any, source: int, nbytes: int, stream: int) -> None:
        if card is self:
            self.copy(to, source, nbytes, stream)
        elif nbytes:
            there, here = self._at(to, nbytes), card._at(source, nbytes)
            self._do(stream, "copied from a card", [(to, nbytes)], lambda: _fill(there, here))
            card._note(self._unique(stream), self._clocks[stream], "copied to a card", [(source, nbytes)])

    def zero(self, address: int, nbytes: int, stream: int) -> None:
        there = self._at(address, nbytes)
        self._do(stream, "zeroed", [(address, nbytes)], lambda: there.fill(0))

    def prepare(self, kernel: Any, arguments: Sequence[Argument]) -> None:
        assert isinstance(kernel, Product) or isinstance(launch_of(kernel), Launch)
        self.seen["prepared"] += 1

    def multiplies(self, product: Product) -> bool:
        return self.library is not None

    def launch(self, kernel: Any, arguments: Sequence[Argument], stream: int) -> None:
        if not isinstance(kernel, Product):
            kernel = launch_of(kernel)
            _check_limits(kernel, self.limits)
        given = [self._array(*arg) if isinstance(arg, tuple) else arg for arg in arguments]
        touched = [(arg[0], arg[1] * arg[2].itemsize) for arg in arguments if isinstance(arg, tuple) and arg[1]]

        def run() -> None:
            self.kernels[kernel.__name__] += 1
            self.seen["together"] += getattr(kernel, "together", False)
            if isinstance(kernel, Product):
                assert self.library is not None
                self.library(kernel, *given)
                return
            dims = kernel.kernel, kernel.grid, kernel.block
            run_kernel(*dims, *given, shared_bytes=kernel.shared_bytes, check=self.is_checked)

        self._do(stream, "launched", touched, run)

    # Order.

    @contextmanager
    def capture(self, stream: int) -> Iterator[Graph]:
        self._not_recorded(stream, "second recording")
        graph = self._captured[stream] = Graph()
        self.seen["recorded"] += 1
        try:
            yield graph
        finally:
            del self._captured[stream]
        graph.is_complete = True

    def replay(self, graph: Graph, stream: int) -> None:
        assert graph.is_complete
        touched = list(dict.fromkeys(span for spans, _ in graph.work for span in spans))
        for address, nbytes in touched:
            self._at(address, nbytes)
        self._do(stream, "replayed", touched, lambda: [work() for _, work in graph.work])

    def record(self, stream: int) -> Event:
        self._not_recorded(stream, "event")
        return stream, self, dict(self._clocks[stream])

    def wait(self, stream: int, event: Event) -> None:
        other, card, then = event
        clock = self._clocks[stream]
        for known, time in then.items():
            clock[known] = max(time, clock.get(known, 0))
        until = then[card._unique(other)]
        self._queues[stream].append((clock[self._unique(stream)], lambda: card._work(other, until)))

    def synchronize(self, stream: int) -> None:
        self._not_recorded(stream, "wait of the host")
        self.seen["waited"] += 1
        self._work(stream)
        for clock in self._clocks.values():
            for known, time in self._clocks[stream].items():
                clock[known] = max(time, clock.get(known, 0))

    def finish(self) -> None:
        for stream in self._queues:
            self.synchronize(stream)
        self.seen["finished"] += 1

    def _work(self, stream: int, until: int | None = None) -> None:
        """Do what waits in the queue of a stream, up to a time of its clock."""
        queue = self._queues[stream]
        while queue and (until is None or queue[0][0] <= until):
            queue.pop(0)[1]()

    def _do(self, stream: int, what: str, touched: list[Span], work: Callable[[], Any]) -> None:
        if stream in self._captured:
            self._captured[stream].work.append((touched, work))
            return
        self.seen[what] += 1
        clock = self._clocks[stream]
        clock[self._unique(stream)] += 1
        self._note(self._unique(stream), clock, what, touched)
        self._queues[stream].append((clock[self._unique(stream)], work))
        if not self.is_late:
            self._work(stream)

    def _unique(self, stream: int) -> int:
        """The number of a stream among those of all cards."""
        return STREAMS * self.number + stream

    def _note(self, stream: int, clock: dict[int, int], what: str, touched: list[Span]) -> None:
        """Remember when a stream, of this card or another, was at work in memory of this one."""
        for span in touched:
            for piece in _pieces(span):
                last = self._touched.setdefault(piece, {})
                for other, time in last.items():
                    if clock.get(other, 0) < time:
                        raise CardError(
                            f"{what} in stream {stream} at {span[0]:#x}, where stream {other} may be at work."
                        )
                last[stream] = clock[stream]

    def _not_recorded(self, stream: int, what: str) -> None:
        if stream in self._captured:
            raise CardError(f"a {what} cannot be recorded into a graph.")

    def _start(self, address: int) -> int:
        """Where the memory begins that has an address."""
        place = bisect.bisect_right(self._starts, address)
        start = self._starts[place - 1] if place else 0
        if not start or address >= start + self._memory[start].nbytes:
            raise CardError(f"{address:#x} is in no memory that was allocated.")
        return start

    def _at(self, address: int, nbytes: int) -> np.ndarray:
        if nbytes == 0:
            return np.empty(0, np.uint8)
        start = self._start(address)
        found = self._memory[start][address - start : address - start + nbytes]
        if found.nbytes < nbytes:
            raise CardError(f"{nbytes} bytes from {address:#x} on are more than what was allocated.")
        return found

    def _array(self, address: int, count: int, dtype: np.dtype) -> np.ndarray:
        if address % dtype.itemsize:
            raise CardError(f"{address:#x} is no place for {dtype}.")
        return self._at(address, count * dtype.itemsize).view(dtype)

    def _is_pinned(self, host: np.ndarray) -> bool:
        return any(np.shares_memory(host, block) for block in self._pinned)


def _check_limits(launch: Launch, limits: Limits) -> None:
    """A card refuses grids of nothing, and blocks that are larger than it, or the kernel, can take."""
    x, y, z = launch.grid
    threads, most = math.prod(launch.block), launch.kernel.threads or MOST_THREADS
    if min(*launch.grid, *launch.block) < 1 or x > MOST_X or max(y, z) > MOST_Y_Z:
        raise CardError(f"{launch.__name__}: no card takes a grid of {launch.grid} blocks of {launch.block} threads.")
    if threads > most or launch.block[2] > MOST_Z:
        raise CardError(f"{launch.__name__}: a block of {launch.block} threads, expected at most {most}.")
    if launch.shared_bytes > limits.shared_bytes:
        raise CardError(
            f"{launch.__name__}: {launch.shared_bytes} bytes of shared memory, expected {limits.shared_bytes}."
        )
    if launch.together and x * y * z > limits.together:
        raise CardError(f"{launch.__name__}: {x * y * z} blocks that wait for each other, expected {limits}.")


def _pieces(span: Span) -> range:
    """The pieces of memory that a span has a part in."""
    return range(span[0] // ALIGNMENT, -(-(span[0] + span[1]) // ALIGNMENT))


def _fill(target: np.ndarray, source: np.ndarray) -> None:
    target[...] = _bytes(source)


def _bytes(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(np.uint8)
