"""A thread that makes the next item while the caller works with the present one."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from fnet.train.interrupt import Interrupt

T = TypeVar("T")

SECONDS_TO_END = 10.0
SECONDS_AFTER_INTERRUPT = 0.2


class Prefetch(Generic[T]):
    """The items of an iterator, in their order. One is made ahead, never more.

    An error of the iterator is raised where its item is asked for, with its traceback. `close` waits for the item that
    is being made, then no thread is left; an iterator that is stuck for `SECONDS_TO_END` is left to its daemon.
    interrupt: when it is requested the items end, at once where one is waited for, and `close` waits no longer than
    `SECONDS_AFTER_INTERRUPT`.

    >>> ahead = Prefetch(iter("ab"))
    >>> next(ahead), ahead.has_next(), next(ahead), ahead.has_next()
    ('a', True, 'b', False)
    >>> ahead.close()
    True
    """

    def __init__(self, items: Iterator[T], interrupt: Interrupt | None = None) -> None:
        self._items, self._interrupt, self._patience = items, interrupt, SECONDS_TO_END
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._made: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
        self._next: tuple[bool, Any] | None = None
        self._process = os.getpid()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._work,), name="fnet data", daemon=True)
        self._thread.start()
        self._wanted.put(True)
        if interrupt is not None:
            interrupt.wakes(self._end)

    def has_next(self) -> bool:
        """Whether there is another item; waits until it is made."""
        if self._next is None:
            if self._process != os.getpid():
                raise RuntimeError("fnet's thread of the data does not live in a forked process. Call fit anew there.")
            try:
                self._next = self._made.get()
            except KeyboardInterrupt:
                self._patience = SECONDS_AFTER_INTERRUPT
                raise
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

    def close(self) -> bool:
        """End the thread, of which a process that was forked has none; whether it has ended."""
        if self._interrupt is not None:
            self._interrupt.wakes_no_longer(self._end)
        if self._process == os.getpid() and self._thread.is_alive():
            self._wanted.put(False)
            self._thread.join(self._patience)
            return not self._thread.is_alive()
        return True

    def _end(self) -> None:
        """Let the items end here; a handler of a signal may call it at any moment."""
        self._patience = SECONDS_AFTER_INTERRUPT
        self._made.put((False, None))

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
