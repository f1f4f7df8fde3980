"""Which of two processes compiles what: whoever claims a piece of code makes it, the other waits and finds it on disk.

A claim is a lock on one byte of a file that only the two processes have open. The system drops it with the process
that holds it, so nothing stays claimed.
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
    """The claims of this process in the open file with the number `file`, which another process has open, too."""

    def __init__(self, file: int) -> None:
        self._file, self._owner = file, os.getpid()
        self._held: set[str] = set()
        self._is_over = False

    def take(self, name: str) -> bool:
        """Claim `name` unless the other process has; True if this one is to make it."""
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
        """Claim `name`, once the other process has made it if it is at it; without that one if it takes too long."""
        end = time.monotonic() + LONGEST
        while not self.take(name):
            self._is_over = time.monotonic() > end
            time.sleep(_STEP)

    def drop(self, name: str) -> None:
        """Give up the claim of `name`, if there is one: it is on disk."""
        if name in self._held and not self._is_over and os.getpid() == self._owner:
            self._held.discard(name)
            with contextlib.suppress(OSError):  # another thread has just closed the file
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(name))

    def drop_all(self) -> None:
        """Give up all claims, after a failure: what is made nevertheless may be made twice."""
        for name in list(self._held):
            self.drop(name)

    def close(self) -> None:
        """Share no longer; who still waits goes on alone."""
        self._is_over = True
        os.close(self._file)


def _byte(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") % _RANGE


current: Claims | None = None
"""The claims of this process, where a second one compiles beside it."""


def share(file: int) -> None:
    """Claim in `file` from now on."""
    global current  # noqa: PLW0603  (a process has one partner)
    current = Claims(file)


def share_no_longer() -> None:
    """Make everything here from now on, and close the file."""
    global current
    claims, current = current, None
    if claims is not None:
        claims.close()


def dropped_after_failure(compile_one: Callable[..., Any]) -> Callable[..., Any]:
    """`compile_one`, which claims nothing any more once it has failed."""

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
