"""The number of threads that kernels use.

One number holds for the process. At first it is ``FNET_NUM_THREADS`` or `numba.config.NUMBA_NUM_THREADS`, then what
`set_thread_count` says; in a forked child it is 1. Work is worth a thread if it takes longer than to hand it over
(`fnet.kernels.cpu.runtime.handover`). Compiled code reads both numbers from memory at run time, so no cache key holds
them.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from typing import Any

from numba.core import config

from fnet.errors import ValueRangeError
from fnet.kernels.compiler import second
from fnet.kernels.cpu.runtime import handover, thread_pool
from fnet.kernels.cpu.runtime.parallel import parallel_for as parallel_for
from fnet.kernels.policy import scalar


def thread_count() -> int:
    """The number of threads that kernels may use."""
    return thread_pool.get(thread_pool.COUNT)


def set_thread_count(count: int) -> None:
    """Let kernels use `count` threads from now on, fewer where the system allows no more; results do not change."""
    if count < 1:
        raise ValueRangeError(f"the number of threads must be at least 1, received {count}.")
    _use(count, handover.grain)


def _use(count: int, grain: Callable[[], int]) -> None:
    if not config.DISABLE_JIT:
        count = min(count, thread_pool.grow(count - 1) + 1)
    if count > 1:
        thread_pool.put(thread_pool.GRAIN, grain())
    thread_pool.put(thread_pool.COUNT, count)


def _first_count() -> int:
    chosen = os.environ.get("FNET_NUM_THREADS", "")
    if chosen and not (chosen.isdecimal() and int(chosen) >= 1):
        raise ValueRangeError(f"FNET_NUM_THREADS is {chosen!r}, expected a number of threads such as 4.")
    return int(chosen) if chosen else config.NUMBA_NUM_THREADS


def _become_serial() -> None:
    thread_pool.forget()
    thread_pool.put(thread_pool.COUNT, 1)


# ------------------------------------------------------------------------------------------- compiled code


@scalar
def threads_for(nanoseconds):
    """The number of threads for work that takes one of them so long: 1 where more would cost more than they save."""
    return max(1, min(_allowed(), int(nanoseconds) // _grain()))


_allowed: Any = thread_count if config.DISABLE_JIT else thread_pool.allowed_threads
_grain: Any = handover.grain if config.DISABLE_JIT else thread_pool.grain

if not config.DISABLE_JIT:
    thread_pool.publish()
    atexit.register(thread_pool.stop)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_become_serial)
# A second process compiles what measures the price of a thread, for the next process.
_is_cold = not config.DISABLE_JIT and second.expect()
_use(_first_count(), (lambda: handover.USUAL) if _is_cold else handover.grain)
