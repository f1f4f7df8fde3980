"""Ctrl-C while a kernel compiles: it waits for the end of that compilation.

LLVM calls Python back while it compiles, and Python frees objects meanwhile. An exception that is raised there is
printed and lost. The compilation stays half done, and Numba raises an error of its own later.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_is_on = False


def undisturbed(compile_one: Callable[..., Any]) -> Callable[..., Any]:
    """Return `compile_one`, which Ctrl-C does not interrupt."""

    @functools.wraps(compile_one)
    def compiled(*args: Any) -> Any:
        with interrupts_put_off():
            return compile_one(*args)

    return compiled


@contextlib.contextmanager
def interrupts_put_off() -> Iterator[None]:
    """Put off a first Ctrl-C to the end; a second one interrupts at once.

    Only the main thread receives signals, and only Python's handlers are replaced: elsewhere this does nothing.
    """
    global _is_on  # noqa: PLW0603  (there is one main thread)
    previous = signal.getsignal(signal.SIGINT)
    if _is_on or threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield
        return
    came: list[FrameType | None] = []

    def put_off(number: int, frame: FrameType | None) -> None:
        came.append(frame)
        if len(came) > 1:
            previous(number, frame)

    _is_on = True
    signal.signal(signal.SIGINT, put_off)
    try:
        yield
    finally:
        _is_on = False
        signal.signal(signal.SIGINT, previous)
        if len(came) == 1:
            previous(signal.SIGINT, came[0])
