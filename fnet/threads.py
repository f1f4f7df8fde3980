"""How many threads kernels use: results never depend on it."""

from __future__ import annotations

from fnet.device import cpu


def get_num_threads() -> int:
    """The number of threads that kernels may use; at first ``FNET_NUM_THREADS``, else one for each processor."""
    return cpu().thread_count()


def set_num_threads(count: int) -> None:
    """Let kernels of this process use up to `count` threads; more than Numba has started (``NUMBA_NUM_THREADS``) idle.

    Raises `ValueRangeError` for a count below 1.

    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    cpu().set_thread_count(count)
