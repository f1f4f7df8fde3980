"""Running a kernel thread by thread: the threads of a block from meeting to meeting.

Blocks run one after the other. One that waits for another is held up, and goes on when that has come.
"""

from __future__ import annotations

import inspect
import itertools
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from fnet.errors import StructureError
from fnet.testing.cuda.exchange import answers
from fnet.testing.cuda.faults import DeadlockError, DivergenceError
from fnet.testing.cuda.memory import Accesses, SharedArray, UncheckedArray
from fnet.testing.cuda.order import WARP, Clock, meet, meet_all, share
from fnet.testing.cuda.rewriting import BARRIERS, GRID, WAITS, python_function, rewritten, waits
from fnet.testing.cuda.thread import Dim3, Memory, Thread, as_place, place

Request = tuple[Any, ...]
"""What a thread waits for: the name of the operation, its place in the source, its arguments."""


def run_kernel(
    kernel: Any,
    grid: int | tuple[int, ...],
    block: int | tuple[int, ...],
    *args: Any,
    shared_bytes: int = 0,
    check: bool = True,
) -> None:
    """Run ``kernel[grid, block](*args)`` as plain Python, with no GPU, and refuse what a card leaves undefined.

    kernel: a function marked ``@cuda.jit``, or a kernel of fnet. grid, block: numbers of blocks and of threads in each,
    one to three of each. args: NumPy arrays, which the kernel changes as it does on a card, and numbers. shared_bytes:
    the size of the shared memory that the kernel declares with a shape of 0. check: whether faults are looked for. It
    takes a third of the time to find none but threads that do not meet, and indices beyond the end.
    Raises a `KernelError`: `RaceError` where two threads touch one element of shared or global memory, one of them
    writes, and no barrier orders the two; `DivergenceError` where some threads wait at a barrier, or at an operation of
    their warp, to which others do not come; `DeadlockError` where blocks wait for each other; `UnwrittenError` for
    reads of shared or local memory that nobody wrote, and of lanes that give no value; `KernelIndexError` for an index
    outside of its array.
    Arithmetic is NumPy's, so results agree with a card's to rounding. Blocks run one after the other; one that waits
    for others, by ``cg.this_grid().sync()`` or `fnet.kernels.cuda.runtime.grid_barrier`, goes on when they have come.

    >>> from numba import cuda
    >>> @cuda.jit
    ... def double(x):
    ...     i = cuda.grid(1)
    ...     if i < x.size:
    ...         x[i] *= 2
    >>> x = np.arange(5.0)
    >>> run_kernel(double, 2, 4, x)
    >>> x
    array([0., 2., 4., 6., 8.])
    """
    function, grid_dim, block_dim = python_function(kernel), as_place(grid), as_place(block)
    names = list(inspect.signature(function).parameters)
    if len(names) != len(args):
        raise StructureError(f"{function.__name__} takes {len(names)} arguments, {names}, received {len(args)}.")
    launch = _Launch()
    given = _seen(dict(zip(names, args, strict=True)), launch, check)
    meets = check or waits(function)
    body = rewritten(function, meets)
    for index in _places(grid_dim):
        memory = Memory(launch.running, shared_bytes, check)
        clocks = [Clock(place(index), number) for number in range(block_dim.x * block_dim.y * block_dim.z)]
        threads = (
            Thread(at, index, block_dim, grid_dim, clock, memory)
            for at, clock in zip(_places(block_dim), clocks, strict=True)
        )
        with np.errstate(all="ignore"):  # a card overflows silently, too
            if meets:
                launch.begin([_Running(thread.clock, body(thread, *given)) for thread in threads])
            else:
                deque((body(thread, *given) for thread in threads), maxlen=0)
    with np.errstate(all="ignore"):
        launch.finish()


def _seen(args: dict[str, Any], launch: _Launch, check: bool) -> list[Any]:
    """The arguments as the kernel sees them. Arrays that overlap are one memory, in which threads may race."""
    seen: list[Any] = []
    known: list[tuple[np.ndarray, Accesses]] = []
    for name, value in args.items():
        if not isinstance(value, np.ndarray):
            seen.append(value)
        elif not check:
            seen.append(UncheckedArray.of(value, name))
        else:
            found = [accesses for other, accesses in known if np.may_share_memory(value, other)]
            known.append((value, found[0] if found else Accesses()))
            seen.append(SharedArray(value, name, launch.running, False, known[-1][1]))
    return seen


def _places(dim: Dim3) -> Iterator[Dim3]:
    """All places within `dim`; x runs fastest."""
    return (Dim3((x, y, z)) for z, y, x in itertools.product(*(range(n) for n in reversed(dim))))


class _Running:
    """A thread of a block that runs: where it waits, and whether it is done."""

    def __init__(self, clock: Clock, steps: Generator[Request, Any, None]) -> None:
        self.clock, self._steps = clock, steps
        self.request: Request = ()
        self.done = False

    def go_on(self, answer: Any = None) -> None:
        """Run on to the next request."""
        try:
            self.request = self._steps.send(answer)
        except StopIteration:
            self.done = True


class _Launch:
    """One launch; it knows which thread runs."""

    def __init__(self) -> None:
        self._now: Clock
        self._held_up: list[list[_Running]] = []  # the threads of blocks that wait for others
        self._begun = 0  # blocks
        self._passed = 0  # how often a thread went on that had waited for other blocks

    def running(self) -> Clock:
        return self._now

    def begin(self, threads: list[_Running]) -> None:
        """Run the threads of a block to their ends, or until they wait for other blocks."""
        self._begun += 1
        for thread in threads:
            self._go_on(thread, None)
        if not self._advance(threads):
            self._held_up.append(threads)

    def finish(self) -> None:
        """Run the blocks that wait for each other to their ends."""
        while self._held_up:
            passed = self._passed
            self._held_up = [threads for threads in self._held_up if not self._advance(threads)]
            if self._held_up and self._passed == passed and not self._grid_is_let_pass():
                raise DeadlockError(_held_up(self._held_up))

    def _grid_is_let_pass(self) -> bool:
        """Let all threads go on if all wait for the grid, at one place."""
        threads = [thread for block in self._held_up for thread in block]
        places = {thread.request[:2] if not thread.done else () for thread in threads}
        if len(self._held_up) < self._begun or len(places) > 1 or threads[0].request[0] != GRID:
            return False
        meet_all([thread.clock for thread in threads])
        for thread in threads:
            self._go_on(thread, None)
        return True

    def _advance(self, threads: list[_Running]) -> bool:
        """Run the threads of a block as far as they come by themselves; whether all are done."""
        warps = [threads[first : first + WARP] for first in range(0, len(threads), WARP)]
        while not all(thread.done for thread in threads):
            for warp in warps:
                while self._exchange(warp):
                    pass
            if self._are_let_pass(threads):
                continue
            if any(_waits(thread) for thread in threads):
                return False
            self._barrier(threads)
        return True

    def _are_let_pass(self, threads: list[_Running]) -> bool:
        """Let threads go on that have waited for other blocks which have come; whether there were any."""
        passed = self._passed
        for thread in threads:
            if _waits(thread) and thread.request[0] != GRID:
                self._now = thread.clock
                counters, i, count = thread.request[2:]
                if counters.has_reached(i, count):
                    self._passed += 1
                    self._go_on(thread, None)
        return self._passed > passed

    def _go_on(self, thread: _Running, answer: Any) -> None:
        self._now = thread.clock
        thread.go_on(answer)

    def _exchange(self, warp: list[_Running]) -> bool:
        """Answer the lanes that have met for one operation; whether there were any."""
        here = [lane for lane in warp if not lane.done]
        for one in here:
            kind, where, *_ = one.request
            if kind in BARRIERS or kind in WAITS:
                continue
            mask = _mask(one.request)
            met = [lane for lane in here if lane.request[:2] == (kind, where) and _mask(lane.request) == mask]
            if any(not mask >> lane.clock.thread % WARP & 1 for lane in met):
                raise DivergenceError(f"{where}: cuda.{kind} by {one.clock.now()}, whose lane is not in its mask.")
            if len(met) == sum(mask >> lane.clock.thread % WARP & 1 for lane in here):
                meet([lane.clock for lane in met])
                values = answers(kind, where, {lane.clock.thread % WARP: lane.request[3:] for lane in met})
                for lane, value in zip(met, values, strict=True):
                    self._go_on(lane, value)
                return True
        return False

    def _barrier(self, threads: list[_Running]) -> None:
        """Let the threads pass the barrier at which all wait."""
        waiting = [thread for thread in threads if not thread.done]
        if not waiting:
            return
        places = {thread.request[:2] for thread in waiting}
        if len(places) > 1:
            found = " and ".join(sorted(f"at cuda.{kind} ({where})" for kind, where in places))
            raise DivergenceError(f"block {waiting[0].clock.block}: threads wait {found}, and none can go on.")
        ((kind, where),) = places
        if kind not in BARRIERS or len(waiting) < len(threads):
            raise DivergenceError(
                f"{where}: {len(waiting)} of {len(threads)} threads of block {waiting[0].clock.block} wait at "
                f"cuda.{kind}, to which the others do not come. Move it out of the branch."
            )
        for thread in threads:
            thread.clock.phase += 1
        share([thread.clock for thread in threads])
        values = [bool(thread.request[2]) if len(thread.request) > 2 else False for thread in threads]
        vote = {"syncthreads_count": sum(values), "syncthreads_and": all(values), "syncthreads_or": any(values)}
        for thread in threads:
            self._go_on(thread, vote.get(kind))


def _waits(thread: _Running) -> bool:
    """Whether a thread waits for other blocks."""
    return not thread.done and thread.request[0] in WAITS


def _held_up(blocks: list[list[_Running]]) -> str:
    """The text of an error: of what the first thread waits for."""
    thread = next(thread for block in blocks for thread in block if _waits(thread))
    kind, where, *what = thread.request
    text = f"cuda.{kind}()"
    if kind != GRID:
        counters, i, count = what
        text = f"{counters.name}[{i}] to reach {count}, which is {counters.data[int(i)]}"
    return f"{where}: {thread.clock.now()} waits for {text}, and none of the {len(blocks)} blocks that wait can go on."


def _mask(request: Request) -> int:
    """The lanes for which an operation of a warp is meant."""
    return int(request[2]) & 0xFFFFFFFF if len(request) > 2 else 0xFFFFFFFF
