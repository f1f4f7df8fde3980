"""Arrays that check each access of a kernel: its index, whether something was written there, and who was there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from operator import mul
from typing import Any, cast

import numpy as np

from fnet.testing.cuda.faults import KernelIndexError, RaceError, UnwrittenError
from fnet.testing.cuda.order import Clock, Moment, Phases

Key = tuple[int, ...]


class CheckedArray:
    """An array of one thread, or of one that is only read: indices are checked, and reads of unwritten elements.

    data: the memory. name: what messages call it. thread: gives the clock of the running thread. blank: whether
    nothing was written yet.
    """

    def __init__(self, data: np.ndarray, name: str, thread: Callable[[], Clock], blank: bool) -> None:
        self.data, self.name = data, name
        self.shape, self.dtype, self.size, self.ndim = data.shape, data.dtype, data.size, data.ndim
        self._thread = thread
        self._written = np.zeros(data.shape, bool) if blank else None

    def __len__(self) -> int:
        return len(self.data)

    @property
    def address(self) -> int:
        """Where the first element lies."""
        return self.data.__array_interface__["data"][0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._window(index)
        key = self._key(index)
        self._read(key)
        return self.data[key]

    def __setitem__(self, index: Any, value: Any) -> None:
        key = self._key(index)
        self._write(key)
        self.data[key] = value

    def update(self, index: Any, change: Callable[[Any], Any]) -> Any:
        """Change an element in one piece, as atomic operations do; gives the old value."""
        key = self._key(index)
        self._exchange(key)
        old = self.data[key]
        self.data[key] = change(old)
        return old

    def _window(self, part: slice) -> CheckedArray:
        """The same memory from one element on, up to another."""
        first, end = (n if bound is None else int(bound) for bound, n in ((part.start, 0), (part.stop, self.size)))
        if self.ndim != 1 or part.step is not None or not 0 <= first <= end <= self.size:
            raise KernelIndexError(
                f"{self.name}[{first}:{end}] of the shape {self.shape}: expected a part of one axis, by its begin and "
                f"end: {self._thread().now()}."
            )
        seen = copy.copy(self)
        seen.data, seen.size, seen.shape = self.data[first:end], end - first, (end - first,)
        if self._written is not None:
            seen._written = self._written[first:end]
        return seen

    def _key(self, index: Any) -> Key:
        key = tuple(int(i) for i in index) if isinstance(index, tuple) else (int(index),)
        if len(key) != self.ndim:
            raise KernelIndexError(f"{self.name}{list(key)}: expected an index for each of its {self.ndim} axes.")
        if not all(0 <= i < n for i, n in zip(key, self.shape, strict=True)):
            raise KernelIndexError(
                f"{self.name}{list(key)} is outside of the shape {self.shape}: {self._thread().now()}."
            )
        return key

    def _read(self, key: Key) -> None:
        if self._written is not None and not self._written[key]:
            raise UnwrittenError(
                f"{self.name}{list(key)} is read by {self._thread().now()} before anything was written there."
            )

    def _write(self, key: Key) -> None:
        if self._written is not None:
            self._written[key] = True

    def _exchange(self, key: Key) -> None:
        self._read(key)
        self._write(key)


class UncheckedArray(np.ndarray):
    """An array without checks, that has what those with them have."""

    name: str

    @classmethod
    def of(cls, data: np.ndarray, name: str) -> UncheckedArray:
        seen = data.view(cls)
        seen.name = name
        return seen

    def __array_finalize__(self, parent: Any) -> None:
        self.name = getattr(parent, "name", "")

    @property
    def address(self) -> int:
        return self.__array_interface__["data"][0]

    def update(self, index: Any, change: Callable[[Any], Any]) -> Any:
        """Change an element; gives the old value."""
        old = self[index]
        self[index] = change(old)
        return old

    def arrive(self, index: Any) -> None:
        """Count one more at an element."""
        self[index] += 1

    def has_reached(self, index: Any, count: Any) -> bool:
        """Whether so many were counted."""
        return bool(self[index] >= count)


class Accesses:
    """Who was where last, by the address of an element; arrays in one piece of memory have them in common.

    told: what was known to those who have made atomic operations there.
    """

    def __init__(self) -> None:
        self.writer: dict[int, Moment] = {}
        self.readers: dict[int, dict[Any, Moment]] = {}
        self.exchangers: dict[int, dict[Any, Moment]] = {}
        self.told: dict[int, Phases] = {}


class SharedArray(CheckedArray):
    """An array of several threads, in shared or global memory: races are found, too.

    accesses: those of arrays in the same memory.
    """

    def __init__(
        self,
        data: np.ndarray,
        name: str,
        thread: Callable[[], Clock],
        blank: bool,
        accesses: Accesses | None = None,
    ) -> None:
        super().__init__(data, name, thread, blank)
        self._accesses = Accesses() if accesses is None else accesses
        self._begin, self._strides = self.address, data.strides

    def arrive(self, index: Any) -> None:
        """Count one more at an element, behind a fence."""
        self._thread().fence()
        self.update(index, lambda old: old + 1)

    def has_reached(self, index: Any, count: Any) -> bool:
        """Whether so many were counted; then the running thread knows what they told."""
        key, me = self._key(index), self._thread()
        place = self._place(key)
        self._check(key, me, "read", [self._accesses.writer.get(place)])
        if self.data[key] < count:
            return False
        me.learn(self._accesses.told.get(place, {}))
        return True

    def _read(self, key: Key) -> None:
        me, seen, place = self._thread(), self._accesses, self._place(key)
        self._check(key, me, "read", [seen.writer.get(place)], seen.exchangers.get(place))
        super()._read(key)
        self._note(seen.readers, place, me)

    def _write(self, key: Key) -> None:
        me, seen, place = self._thread(), self._accesses, self._place(key)
        others = seen.readers.get(place), seen.exchangers.get(place)
        self._check(key, me, "written", [seen.writer.get(place)], *others)
        super()._write(key)
        seen.writer[place] = me.now()
        seen.readers.pop(place, None)
        seen.exchangers.pop(place, None)

    def _exchange(self, key: Key) -> None:
        me, seen, place = self._thread(), self._accesses, self._place(key)
        self._check(key, me, "changed", [seen.writer.get(place)], seen.readers.get(place))
        CheckedArray._read(self, key)
        self._note(seen.exchangers, place, me)
        me.exchange(seen.told.setdefault(place, {}))

    def _window(self, part: slice) -> CheckedArray:
        seen = cast(SharedArray, super()._window(part))
        seen._begin = seen.address
        return seen

    def _place(self, key: Key) -> int:
        """The address of an element."""
        return self._begin + sum(map(mul, key, self._strides))

    def _note(self, table: dict[int, dict[Any, Moment]], place: int, me: Clock) -> None:
        now = me.now()
        table.setdefault(place, {})[now.block, now.thread] = now

    def _check(self, key: Key, me: Clock, how: str, *others: Any) -> None:
        """Refuse an access that nothing orders behind those of other threads."""
        for found in others:
            for moment in (found.values() if isinstance(found, dict) else found) or ():
                if moment is not None and not me.knows(moment):
                    raise RaceError(
                        f"{self.name}{list(key)} is {how} by {me.now()}, and {moment} was there before with nothing "
                        f"that orders the two. Put cuda.syncthreads() between, or let one thread do it."
                    )
