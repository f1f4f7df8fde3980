"""A thread that makes the next item while the caller works with the present one."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

SECONDS_TO_END = 10.0


class Prefetch(Generic[T]):
    """The items of an iterator, in their order. One is made ahead, never more.

    An error of the iterator is raised where its item is asked for, with its traceback. `close` waits for the item that
    is being made, then no thread is left; an iterator that is stuck for `SECONDS_TO_END` is left to its daemon.

    >>> ahead = Prefetch(iter("ab"))
    >>> next(ahead), ahead.has_next(), next(ahead), ahead.has_next()
    ('a', True, 'b', False)
    >>> ahead.close()
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._made: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
        self._next: tuple[bool, Any] | None = None
        self._process = os.getpid()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._work,), name="fnet data", daemon=True)
        self._thread.start()
        self._wanted.put(True)

    def has_next(self) -> bool:
        """Whether there is another item; waits until it is made."""
        if self._next is None:
            self._next = self._made.get()
        made, item = self._next
        if not made and item is not None:
            raise item
        return made

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if not self.has_next():
            raise StopIteration
        assert self._next is not None
        (_, item), self._next = self._next, None
        self._wanted.put(True)
        return item

    def close(self) -> None:
        """End the thread. A process that was forked has none."""
        if self._process == os.getpid() and self._thread.is_alive():
            self._wanted.put(False)
            self._thread.join(SECONDS_TO_END)

    def _work(self) -> None:
        while self._wanted.get():
            try:
                made: tuple[bool, Any] = True, next(self._items)
            except StopIteration:
                made = False, None
            except BaseException as error:
                made = False, error
            self._made.put(made)
            if not made[0]:
                return
            del made
