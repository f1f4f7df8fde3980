"""What a kernel can do that a card leaves undefined."""

from __future__ import annotations


class KernelError(AssertionError):
    """A launch whose outcome a card leaves undefined. The text says which thread did what, to which element."""


class RaceError(KernelError):
    """Two threads touch one element, one of them writes, and nothing orders the two."""


class DivergenceError(KernelError):
    """Threads that should wait together do not all come to where the others wait."""


class DeadlockError(KernelError):
    """Blocks wait for other blocks, and none can go on."""


class UnwrittenError(KernelError):
    """A thread reads shared or local memory in which nothing was written, or the value of a lane that gives none."""


class KernelIndexError(KernelError):
    """An index lies outside of its array."""
