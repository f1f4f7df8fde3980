"""The memory of a card: stretches of it, which a pool keeps for those that come later."""

from __future__ import annotations

import bisect
import gc
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.devices.cuda.driver import Driver
from fnet.errors import DeviceError
from fnet.spec import ArraySpec

Shape = tuple[int, ...]

ALIGNMENT = 256
SMALL, SLAB = 1 << 19, 1 << 22  # a smaller stretch is a piece of a slab


class Stretch:
    """So many bytes from an address on, which belong to a pool again once nobody holds them.

    is_shared: whether other libraries may have used them, on streams of their own. is_changed: whether they are written
    more than once, as a program's are; without both, an array in them stays as it is.
    """

    __slots__ = ("__weakref__", "_pool", "address", "is_changed", "is_shared", "nbytes")

    def __init__(self, pool: Pool | None, address: int, nbytes: int) -> None:
        self._pool, self.address, self.nbytes = pool, address, nbytes
        self.is_shared = self.is_changed = False

    def __del__(self) -> None:
        if self._pool is not None:
            self._pool.returned.append((self.address, self.nbytes, self.is_shared))


class Foreign(Stretch):
    """Memory of another library; owner: what holds it."""

    __slots__ = ("owner",)

    def __init__(self, address: int, nbytes: int, owner: Any) -> None:
        super().__init__(None, address, nbytes)
        self.owner, self.is_shared = owner, True


NOTHING = Stretch(None, 0, 0)
"""The stretch of no bytes."""


@dataclass(frozen=True)
class MemoryUse:
    """Bytes of a card's memory.

    used: by arrays and programs; kept: by the pool, for those that come; peak: the most that were ever used at a time;
    limit: how many `used` and `kept` may be together, None for all that there is; free, total: of the card.
    """

    used: int
    kept: int
    peak: int
    limit: int | None
    free: int
    total: int

    def __str__(self) -> str:
        limit = "no limit" if self.limit is None else f"a limit of {readable(self.limit)}"
        return (
            f"{readable(self.used)} used by arrays and programs (at most {readable(self.peak)}), {readable(self.kept)} "
            f"kept for others, {limit}; {readable(self.free)} of {readable(self.total)} free on the card"
        )


class Pool:
    """Gives stretches of a card's memory, and takes them back without waiting for the card.

    What was returned may still be in use by work that has begun. It is given to others at once, because all work of
    the device is done in the order of one stream. returned: stretches that nobody holds, which any thread may add to:
    their addresses, sizes, and whether other libraries have used them. pools: those of the card, to which this one is
    added; where the card has no room, what the others keep goes back to it.
    """

    def __init__(self, driver: Driver, stream: int, device: str, pools: list[Pool] | None = None) -> None:
        self._pools = [] if pools is None else pools
        self._pools.append(self)
        self.returned: deque[tuple[int, int, bool]] = deque()
        self._driver, self._stream, self._device = driver, stream, device
        self._lock = threading.Lock()
        self._limit: int | None = None
        self._free: dict[int, list[int]] = {}  # addresses by size
        self._slabs: list[int] = []  # in order
        self._pieces: dict[int, int] = {}  # how many of a slab's bytes are in use
        self._rest = (0, 0, 0)  # of the newest slab, which begins there: from where on it is unused, for how many bytes
        self._used = self._held = self._peak = 0

    def allocate(self, nbytes: int, what: str | tuple[np.dtype, Shape]) -> Stretch:
        """A stretch of so many bytes; `what` is for the error of no room: an array's dtype and shape, or words."""
        if nbytes == 0:
            return NOTHING
        size = _rounded(nbytes)
        address = self._take(size)
        if not address:  # what is part of a circle of references is still held
            gc.collect()
            for pool in self._pools:
                pool.release()
            address = self._take(size)
        if not address:
            if not isinstance(what, str):
                what = "an array " + str(ArraySpec(what[1], what[0]))
            raise DeviceError(
                f"'{self._device}' has no room for {what}, {readable(nbytes)}: {self.use()}.\n"
                f"Use smaller batches, let go of arrays, or raise the limit (fnet.devices.cuda.set_memory_limit)."
            )
        return Stretch(self, address, size)

    def release(self) -> None:
        """Give the card back what nobody uses; waits for the work that may still use it."""
        with self._lock:
            self._release()

    def use(self) -> MemoryUse:
        with self._lock:
            self._take_back()
            free, total = self._driver.memory()
            return MemoryUse(self._used, self._held - self._used, self._peak, self._limit, free, total)

    def set_limit(self, nbytes: int | None) -> None:
        """How many bytes the pool may hold; what is in use above that stays."""
        with self._lock:
            self._limit = nbytes
            if nbytes is not None and self._held > nbytes:
                self._release()

    def _take(self, size: int) -> int:
        """The address of a stretch of this size, 0 where there is none to be had."""
        with self._lock:
            self._take_back()
            found = self._free.get(size)
            address = found.pop() if found else self._more(size)
            if address:
                self._count(address, size)
                self._peak = max(self._peak, self._used)
            return address

    def _more(self, size: int) -> int:
        """The address of a stretch that was not there before."""
        if size > SMALL:
            return self._from_card(size)
        slab, start, rest = self._rest
        if size > rest:
            slab = self._from_card(SLAB)
            if not slab:
                return self._from_card(size)
            bisect.insort(self._slabs, slab)
            self._pieces[slab] = 0
            start, rest = slab, SLAB
        self._rest = slab, start + size, rest - size
        return start

    def _from_card(self, size: int) -> int:
        if self._limit is not None and self._held + size > self._limit:
            self._release()
            if self._held + size > self._limit:
                return 0
        address = self._driver.allocate(size)
        if not address:
            self._release()
            address = self._driver.allocate(size)
        if address:
            self._held += size
        return address

    def _take_back(self) -> None:
        while self.returned:
            address, size, is_shared = self.returned.popleft()
            if is_shared:
                self._driver.finish()
            self._count(address, -size)
            self._free.setdefault(size, []).append(address)

    def _count(self, address: int, size: int) -> None:
        """Count a stretch as used, or, below 0, as used no longer."""
        self._used += size
        slab = self._slab_of(address)
        if slab:
            self._pieces[slab] += size

    def _slab_of(self, address: int) -> int:
        """The slab of which there is a piece at an address, 0 where it is no piece."""
        place = bisect.bisect_right(self._slabs, address)
        slab = self._slabs[place - 1] if place else 0
        return slab if slab and address < slab + SLAB else 0

    def _release(self) -> None:
        self._take_back()
        self._driver.synchronize(self._stream)
        empty = {slab for slab, used in self._pieces.items() if not used}
        kept: dict[int, list[int]] = {}
        for size, addresses in self._free.items():
            for address in addresses:
                slab = self._slab_of(address)
                if not slab:
                    self._driver.free(address)
                    self._held -= size
                elif slab not in empty:
                    kept.setdefault(size, []).append(address)
        if self._rest[0] in empty:
            self._rest = 0, 0, 0
        for slab in empty:
            self._driver.free(slab)
            self._held -= SLAB
            self._slabs.remove(slab)
            del self._pieces[slab]
        self._free = kept


def readable(nbytes: int) -> str:
    """A number of bytes for people.

    >>> readable(3 << 19)
    '1.5 MiB'
    """
    size, units = float(nbytes), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.4g} {units[0]}"


def _rounded(nbytes: int) -> int:
    """The size of the stretch that holds so many bytes: at most an eighth larger, so that there are few sizes."""
    step = max(ALIGNMENT, 1 << max(0, nbytes.bit_length() - 4))
    return -(-nbytes // step) * step
