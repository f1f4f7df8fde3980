"""Claims: two processes share the work of compiling. The one that claims a kernel makes it; the other one waits for it.

A claim is a lock on one byte of a file that only the two processes have open. When a process ends, the system drops its
locks, so nothing stays claimed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
from collections.abc import Callable
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: there is no second process
    fcntl = None  # type: ignore[assignment,unused-ignore]

LONGEST = 8.0  # seconds to wait: compiling takes 3 at most
_STEP = 0.002
_RANGE = 1 << 62


class Claims:
    """The claims of this process; `file` is the number of the open file that both processes have."""

    def __init__(self, file: int) -> None:
        self._file, self._owner = file, os.getpid()
        self._held: set[str] = set()
        self._is_over = False

    def take(self, name: str) -> bool:
        """Claim `name` unless the other process has claimed it; return whether this process is to make it."""
        if self._is_over or os.getpid() != self._owner:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(name))
        except (BlockingIOError, PermissionError):
            return False
        except OSError:  # a file system without locks
            self._is_over = True
            return True
        self._held.add(name)
        return True

    def wait(self, name: str) -> None:
        """Wait while the other process makes `name`, but not for too long, then claim it."""
        end = time.monotonic() + LONGEST
        while not self.take(name):
            self._is_over = time.monotonic() > end
            time.sleep(_STEP)

    def drop(self, name: str) -> None:
        """Give up the claim of `name`, if there is one, because it is on disk."""
        if name in self._held and not self._is_over and os.getpid() == self._owner:
            self._held.discard(name)
            with contextlib.suppress(OSError):  # another thread has just closed the file
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(name))

    def drop_all(self) -> None:
        """Give up all claims after a failure; a kernel may then be made twice."""
        for name in list(self._held):
            self.drop(name)

    def close(self) -> None:
        """Stop sharing; a thread that still waits goes on alone."""
        self._is_over = True
        os.close(self._file)


def _byte(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") % _RANGE


current: Claims | None = None
"""The claims of this process, where a second one compiles beside it."""


def share(file: int) -> None:
    """Make claims in `file` from now on."""
    global current  # noqa: PLW0603  (a process has one partner)
    current = Claims(file)


def share_no_longer() -> None:
    """Make everything in this process from now on, and close the file."""
    global current
    claims, current = current, None
    if claims is not None:
        claims.close()


def dropped_after_failure(compile_one: Callable[..., Any]) -> Callable[..., Any]:
    """Return `compile_one`, which gives up all claims when it fails."""

    @functools.wraps(compile_one)
    def compiled(*args: Any) -> Any:
        try:
            return compile_one(*args)
        except BaseException:
            claims = current  # another thread may end them
            if claims is not None:
                claims.drop_all()
            raise

    return compiled
