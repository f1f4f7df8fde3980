"""Ctrl-C as a request that is met at the next safe point."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Interrupt:
    """Within the context, a first Ctrl-C sets `requested`; a second one acts as usual.

    Within the context of another one, as where a callback trains, it is a request to that one too. Only the main thread
    receives signals, and only Python's handlers are replaced: elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: Any = None
        self._wake: list[Callable[[], None]] = []

    def __enter__(self) -> Interrupt:
        previous = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(previous):
            self._previous = previous
            signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def wakes(self, wake: Callable[[], None]) -> None:
        """Call ``wake()`` when it is requested, now if it was; what waits for something can end that."""
        self._wake.append(wake)
        if self.requested:
            wake()

    def wakes_no_longer(self, wake: Callable[[], None]) -> None:
        """Forget it."""
        self._wake.remove(wake)

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        for wake in tuple(self._wake):
            wake()
        outer = getattr(self._previous, "__self__", None)
        self._restore()
        if isinstance(outer, Interrupt):
            outer._request(number, frame)

    def _restore(self) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None
