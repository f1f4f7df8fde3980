"""What a fork waits for: other threads' imports and compilations, which would stay half done in the child.

A lock that another thread holds when the process forks is never released in the child: neither Numba's, under which
LLVM works, nor that of a module that is being imported. Before a fork `logging` and `concurrent.futures` take locks of
theirs, which imports may need; what is registered last comes first, so they must have registered before this does.

A fork that has waited too long goes on. If Numba's lock is lost to its child, compiling raises there.
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
_LONGEST_COMPILATION = 120.0  # seconds: a large kernel takes 20 on a busy machine
_STEP = 0.001

_held: list[Any] = []


class _LostLock:
    """Numba's lock in a child for which no thread will release it."""

    def acquire(self, *args: Any, **kwargs: Any) -> bool:
        from fnet.errors import FnetError  # `import fnet` loads this module and no more

        raise FnetError(
            f"nothing can be compiled here: this process was forked while another thread compiled, which took longer "
            f"than {_LONGEST_COMPILATION:.0f} s.\nFork before the first step or after it, or start processes with "
            f"multiprocessing.get_context('spawn')."
        )


def _wait() -> None:
    """Hold Numba's lock at a moment when no module of `_PACKAGES` is being imported, or go on at last."""
    end = time.monotonic() + _LONGEST
    while True:
        while _is_importing() and time.monotonic() < end:
            time.sleep(_STEP)
        compiler = _compiler()
        if compiler is None or not compiler._lock.acquire(timeout=_LONGEST_COMPILATION):
            return
        if not _is_importing() or time.monotonic() >= end:
            _held.append(compiler._lock)
            return
        compiler._lock.release()


def _compiler() -> Any:
    """What holds the lock under which Numba compiles; None before Numba is imported."""
    return getattr(sys.modules.get("numba.core.compiler_lock"), "global_compiler_lock", None)


def _is_importing() -> bool:
    return any(
        name.partition(".")[0] in _PACKAGES and getattr(getattr(module, "__spec__", None), "_initializing", False)
        for name, module in list(sys.modules.items())
    )


def _go_on() -> None:
    while _held:
        _held.pop().release()


def _go_on_in_child() -> None:
    _go_on()
    compiler = _compiler()
    if compiler is not None and not isinstance(compiler._lock, _LostLock):
        if compiler._lock.acquire(blocking=False):
            compiler._lock.release()
        else:
            compiler._lock = _LostLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait, after_in_parent=_go_on, after_in_child=_go_on_in_child)
