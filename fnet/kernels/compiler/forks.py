"""What a fork waits for: other threads' imports and compilations, which would stay half done in the child.

A lock that another thread holds when the process forks is never released in the child: neither Numba's, under which
LLVM works, nor that of a module that is being imported. Before a fork `logging` and `concurrent.futures` take locks of
theirs, which imports may need; what is registered last comes first, so they must have registered before this does.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401
import logging  # noqa: F401
import os
import sys
import time
from typing import Any

_PACKAGES = ("fnet", "numba", "llvmlite")
_LONGEST = 20.0  # seconds: others' hooks may hold what an import needs, and a fork inside of one waits for itself
_STEP = 0.001

_held: list[Any] = []


def _wait() -> None:
    """Hold Numba's lock at a moment when no module of `_PACKAGES` is being imported, or go on after `_LONGEST`."""
    end = time.monotonic() + _LONGEST
    while True:
        while _is_importing() and time.monotonic() < end:
            time.sleep(_STEP)
        compiler = getattr(sys.modules.get("numba.core.compiler_lock"), "global_compiler_lock", None)
        if compiler is None or not compiler._lock.acquire(timeout=max(0.0, end - time.monotonic())):
            return
        if not _is_importing() or time.monotonic() >= end:
            _held.append(compiler._lock)
            return
        compiler._lock.release()


def _is_importing() -> bool:
    return any(
        name.partition(".")[0] in _PACKAGES and getattr(getattr(module, "__spec__", None), "_initializing", False)
        for name, module in list(sys.modules.items())
    )


def _go_on() -> None:
    while _held:
        _held.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait, after_in_parent=_go_on, after_in_child=_go_on)
