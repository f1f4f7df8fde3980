"""Many steps in one native call, in chunks short enough to stay responsive."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from fnet import tree
from fnet.device import Device, device_of
from fnet.train.examine import specs
from fnet.train.sources.source import Chunks
from fnet.transforms.jit import Jitted

CHUNK_SECONDS = 0.05
GROWTH = 4


class CompiledLoop:
    """A compiled step ``step(carry, *inputs) -> (carry,)`` with the carry that its repetitions update in place.

    The leaves of `carry` are views of the memory that the compiled step works on: to change them, write into them.
    It has a field `start`. pause: gives the number of steps after which a chunk ends at the latest.
    """

    def __init__(self, step: Jitted) -> None:
        self.step = step
        self.carry: Any = None
        self.pause: Callable[[], int] | None = None
        self._device: Device | None = None
        self._pace, self._longest = math.inf, 1
        self._start: Callable[[], Any] = lambda: None
        self._kind: Hashable = None

    def load(self, values: Any) -> None:
        """Go on from these values, which are copied: here, or by the first call of the compiled step."""
        if self.carry is None:
            kind = specs(values)
            if kind == self._kind:
                self.carry = self._rested()
            self._kind = kind
        if self.carry is None:
            self.carry = values
        else:
            assign(self.carry, values)

    def rest(self) -> None:
        """Let go of the carry, which the compiled step holds for as long as its memory is not needed elsewhere."""
        if self.carry is not None:
            self._start, self.carry = weakref.ref(self.carry.start), None

    def _rested(self) -> Any:
        """The carry that was let go of, if it is still what the compiled step has returned last."""
        returned, start = self.step.latest(), self._start()
        if returned is None or start is None:
            return None
        (carry,) = returned
        return carry if carry.start is start else None

    def run(self, steps: int, *inputs: np.ndarray) -> Iterator[int]:
        """Do `steps` steps; yields after each chunk how many it had.

        The length of a chunk follows the measured time of the one before, growing by no more than `GROWTH`, because
        the first calls compile.
        """
        while steps:
            chunk = max(1, min(int(CHUNK_SECONDS / self._pace), self._longest))
            n = min(steps, chunk) if self.pause is None else min(steps, chunk, self.pause())
            begin = time.perf_counter()
            (self.carry,) = self.step.repeat(n, self.carry, *inputs)
            self._device = self._device or device_of(tree.leaves(self.carry))
            self._device.wait()
            self._pace = max(time.perf_counter() - begin, 1e-9) / n
            self._longest = GROWTH * chunk
            steps -= n
            yield n


def assign(target: Any, values: Any) -> None:
    """Write the leaves of `values` into those of `target`, arrays of the same structure, shapes and dtypes."""
    old: list[Any] = []
    new: list[Any] = []
    _add_different(target, values, old, new)
    write(old, new)


def write(target: Sequence[Any], values: Sequence[Any]) -> None:
    """Write the arrays `values` into those of `target`; what is the same array is left out."""
    if target:
        assign = device_of(target).assign
        for old, new in zip(target, values, strict=True):
            if old is not new:
                assign(old, new)


def _add_different(target: Any, values: Any, old: list[Any], new: list[Any]) -> None:
    """Add the leaves of both to `old` and `new`, but for those of tuples, and of parts of tuples, that are the same."""
    if not isinstance(target, tuple):
        old += tree.leaves(target)
        new += tree.leaves(values)
    elif target is not values:
        for one, other in zip(target, values, strict=True):
            if one is not other:
                _add_different(one, other, old, new)


class Pass:
    """Passes over data that come in chunks of steps. Each size of batch is compiled.

    make: gives the compiled step for a batch size. idle: loops that no pass uses, by `key` and batch size; those of
    this one are among them once it is closed.
    """

    def __init__(
        self, make: Callable[[int | None], Jitted], idle: dict[tuple[Any, int | None], CompiledLoop], key: Hashable
    ) -> None:
        self._make, self._idle, self._key = make, idle, key
        self._loops: dict[int | None, CompiledLoop] = {}

    def run(
        self, carry: Any, chunks: Chunks, pause: Callable[[], int] | None = None
    ) -> Generator[tuple[int, Any], None, None]:
        """One pass that begins with `carry`; yields after some steps their number and what is carried then.

        The chunks are closed in the end. pause: see `CompiledLoop`.
        """
        with closing(chunks):
            for chunk in chunks:
                loop = self._loops.get(chunk.size)
                if loop is None:
                    loop = self._loops[chunk.size] = self._loop(chunk.size)
                loop.load(carry._replace(start=np.full((), chunk.start, np.int64)))
                loop.pause = pause
                try:
                    for done in loop.run(chunk.steps, *chunk.inputs):
                        carry = loop.carry
                        yield done, carry
                finally:
                    loop.pause = None  # it may lead back to this

    def renew(self) -> None:
        """The next pass may begin with a tree of another structure."""
        for loop in self._loops.values():
            loop.carry = None

    def close(self) -> None:
        """The memory behind what was carried is no longer in use."""
        while self._loops:
            size, loop = self._loops.popitem()
            loop.rest()
            self._idle[self._key, size] = loop

    def _loop(self, size: int | None) -> CompiledLoop:
        return self._idle.pop((self._key, size), None) or CompiledLoop(self._make(size))
