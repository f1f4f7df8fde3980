"""What a fork waits for: other threads' imports and compilations, which would stay half done in the child.

A lock that another thread holds when the process forks is never released in the child: neither Numba's, under which
LLVM works, nor that of a module that is being imported.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Any

_PACKAGES = ("fnet", "numba", "llvmlite")
_ATTEMPTS = 20  # a fork from inside of an import of these packages would wait for itself

_held: list[Any] = []


def _wait() -> None:
    """Hold Numba's lock at a moment when no module of `_PACKAGES` is being imported."""
    for attempt in range(_ATTEMPTS):
        for name in _being_imported():
            with contextlib.suppress(Exception):  # it is the importing thread that hears of it
                importlib.import_module(name)
        lock = getattr(sys.modules.get("numba.core.compiler_lock"), "global_compiler_lock", None)
        if lock is None:
            return
        lock.acquire()
        if attempt == _ATTEMPTS - 1 or not _being_imported():
            _held.append(lock)
            return
        lock.release()


def _being_imported() -> list[str]:
    return [
        name
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in _PACKAGES and getattr(getattr(module, "__spec__", None), "_initializing", False)
    ]


def _go_on() -> None:
    while _held:
        _held.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait, after_in_parent=_go_on, after_in_child=_go_on)
