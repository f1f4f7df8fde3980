"""Beside compiling, Python's search for garbage waits, and fnet tells the user once why a first run is slow.

The line is a warning of the logger "fnet", so it goes to stderr, or where logging is configured to. It is silenced by
``logging.getLogger("fnet").setLevel("ERROR")``, and by ``FNET_QUIET=1`` before the process starts.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from fnet.garbage import collection_put_off

LONG = 1.0  # seconds that a process has spent compiling when the user is told


class Notice(threading.local):
    """The seconds that a thread has spent compiling, and whether it is compiling; the process shares `said`."""

    said = os.environ.get("FNET_QUIET", "0") not in ("", "0")
    seconds = 0.0
    busy = False

    def compiling(self, compile_one: Callable[..., Any], kept: bool) -> Callable[..., Any]:
        """Return `compile_one`, which adds up its time and tells the user when that is long.

        kept: whether the next process finds what is compiled on disk.
        """

        @functools.wraps(compile_one)
        def watched(*args: Any) -> Any:
            if self.busy:  # a kernel that the one at hand calls
                return compile_one(*args)
            if self.seconds > LONG and not Notice.said:
                Notice.said = True
                later = "later runs find them on disk" if kept else "FNET_CACHE=1 would keep them on disk"
                logging.getLogger("fnet").warning("fnet is compiling kernels for the first time; %s.", later)
            self.busy, begin = True, time.perf_counter()
            try:
                with collection_put_off():
                    return compile_one(*args)
            finally:
                self.busy = False
                self.seconds += time.perf_counter() - begin

        return watched


notice = Notice()
