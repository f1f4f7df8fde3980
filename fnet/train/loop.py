"""Many steps in one native call, in chunks short enough to stay responsive."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import numpy as np

from fnet import tree
from fnet.device import Device, device_of
from fnet.train.sources.source import Chunks
from fnet.transforms.jit import Jitted

CHUNK_SECONDS = 0.05
GROWTH = 4


class CompiledLoop:
    """A compiled step ``step(carry, *inputs) -> (carry,)`` with the carry that its repetitions update in place.

    The leaves of `carry` are views of the memory that the compiled step works on: to change them, write into them.
    pause: gives the number of steps after which a chunk ends at the latest.
    """

    def __init__(self, step: Jitted) -> None:
        self.step = step
        self.carry: Any = None
        self.pause: Callable[[], int] | None = None
        self.device: Device | None = None
        self.chunk = 1

    def load(self, values: Any) -> None:
        """Go on from these values, which are copied: here, or by the first call of the compiled step."""
        if self.carry is None:
            self.carry = values
        else:
            assign(self.carry, values)

    def run(self, steps: int, *inputs: np.ndarray) -> Iterator[int]:
        """Do `steps` steps; yields after each chunk how many it had.

        The length of a chunk follows the measured time of the one before, growing by no more than `GROWTH`, because
        the first calls compile.
        """
        while steps:
            n = min(steps, self.chunk) if self.pause is None else min(steps, self.chunk, self.pause())
            begin = time.perf_counter()
            (self.carry,) = self.step.repeat(n, self.carry, *inputs)
            self.device = self.device or device_of(tree.leaves(self.carry))
            self.device.wait()
            elapsed = max(time.perf_counter() - begin, 1e-9)
            self.chunk = max(1, min(int(n * CHUNK_SECONDS / elapsed), GROWTH * self.chunk))
            steps -= n
            yield n


def assign(target: Any, values: Any) -> None:
    """Write the leaves of `values` into those of `target`, arrays of the same structure, shapes and dtypes."""
    leaves = tree.leaves(target)
    write = device_of(leaves).assign
    for old, new in zip(leaves, tree.leaves(values), strict=True):
        if old is not new:
            write(old, new)


class Pass:
    """Passes over data that come in chunks of steps. Each size of batch is compiled.

    make: gives the compiled step for a batch size.
    """

    def __init__(self, make: Callable[[int | None], Jitted]) -> None:
        self._make = make
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
                    loop = self._loops[chunk.size] = CompiledLoop(self._make(chunk.size))
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
