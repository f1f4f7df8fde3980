"""What Numba compiles, and for how long."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import Any

from numba.core import event


class Stopwatch(event.Listener):
    """Processor seconds of compiling by kernel: `own`, and `whole` with those of the kernels that it calls."""

    def __init__(self) -> None:
        self.whole: defaultdict[str, float] = defaultdict(float)
        self.own: defaultdict[str, float] = defaultdict(float)
        self._threads = threading.local()

    @property
    def _open(self) -> list[tuple[float, float]]:
        """When each compilation of this thread began, and seconds of those inside of it."""
        if not hasattr(self._threads, "open"):
            self._threads.open = []
        return self._threads.open

    def on_start(self, event: Any) -> None:
        """A compilation begins."""
        self._open.append((time.thread_time(), 0.0))

    def on_end(self, event: Any) -> None:
        """The compilation that began last ends, unless it began before there was anyone to take its time."""
        if not self._open:
            return
        begin, inside = self._open.pop()
        seconds, function = time.thread_time() - begin, event.data["dispatcher"].py_func
        name = f"{function.__module__.removeprefix('fnet.kernels.')}.{function.__qualname__}"
        self.own[name] += seconds - inside
        self.whole[name] += seconds
        if self._open:
            outer, others = self._open[-1]
            self._open[-1] = outer, others + seconds


def listen() -> Stopwatch:
    """A stopwatch that runs from now on."""
    stopwatch = Stopwatch()
    event.register("numba:compile", stopwatch)
    return stopwatch
