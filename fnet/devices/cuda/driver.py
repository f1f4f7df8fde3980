"""What a CUDA device asks of its card. All addresses are integers, and all work is done in the order of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from fnet.kernels.cuda.runtime.limits import Limits
from fnet.kernels.cuda.runtime.product import Product

Argument = tuple[int, int, np.dtype] | int
"""What a kernel gets: an array, which is its address, its number of elements and their dtype, or an int64 number."""
Graph = Any
"""Work that was recorded once, and is begun as a whole."""
Event = Any
"""A point in the work of a stream."""


class Driver(Protocol):
    """One card. Errors of CUDA are raised as `DeviceError`.

    name: what it is called; capability: the version of its instructions; number: which of the machine's cards it is;
    limits: what a launch may ask for.
    """

    name: str
    capability: tuple[int, int]
    number: int
    limits: Limits

    def stream(self) -> int:
        """A new stream: work in it is done in order, beside that of other streams."""
        ...

    # Memory.

    def allocate(self, nbytes: int) -> int:
        """The address of so many bytes, a multiple of 256; 0 where the card has no room for them."""
        ...

    def free(self, address: int) -> None:
        """Give memory back that no work uses any more."""

    def memory(self) -> tuple[int, int]:
        """How many bytes of the card's memory are free, and how many there are."""
        ...

    def pinned(self, nbytes: int) -> np.ndarray:
        """Bytes of the host that are copied while the host goes on; other memory is read before `copy_in` returns."""
        ...

    # Work.

    def copy_in(self, address: int, host: np.ndarray, stream: int) -> None:
        """Copy a row-major host array to an address."""

    def copy_out(self, host: np.ndarray, address: int, stream: int) -> None:
        """Copy from an address to a row-major host array; it is complete once the stream is."""

    def copy(self, to: int, source: int, nbytes: int, stream: int) -> None:
        """Copy within the card."""

    def copy_from(self, to: int, card: Any, source: int, nbytes: int, stream: int) -> None:
        """Copy from the card of another driver, or of this one."""

    def zero(self, address: int, nbytes: int, stream: int) -> None:
        """Set bytes to zero."""

    def prepare(self, kernel: Any, arguments: Sequence[Argument]) -> None:
        """Compile and load a kernel for arguments of these kinds, so that its launch takes no longer than others."""

    def multiplies(self, product: Product) -> bool:
        """Whether the card has a library that computes a product; the same answer each time."""
        ...

    def launch(self, kernel: Any, arguments: Sequence[Argument], stream: int) -> None:
        """Run a kernel: a `Launch` (`fnet.kernels.cuda.runtime.kernel`), or a user's configured ``@cuda.jit`` function.

        A `Product` that it `multiplies` is run as well. The first launch for arguments of these kinds compiles it.
        """

    # Order.

    def capture(self, stream: int) -> AbstractContextManager[Graph]:
        """What is begun in a stream within the context is recorded into a graph, and not done.

        An exception in the context leaves the stream as it was.
        """
        ...

    def replay(self, graph: Graph, stream: int) -> None:
        """Do the work of a graph, whose context has ended."""

    def record(self, stream: int) -> Event:
        """The point that the work of a stream has reached by now."""
        ...

    def wait(self, stream: int, event: Event) -> None:
        """Let the further work of a stream begin after an event."""

    def synchronize(self, stream: int) -> None:
        """Return when all work of a stream is done; raises what went wrong in it."""

    def finish(self) -> None:
        """Return when all work on the card is done, also that of other libraries."""
