"""The memory in which the programs of one function compute, one at a time."""

from __future__ import annotations

import os
import threading
from typing import Protocol

import numpy as np

from fnet.compile.members import Members
from fnet.compile.memory import allocate


class _Tenant(Protocol):
    """What works in an arena."""

    def move(self, arena: np.ndarray) -> None:
        """Work in another arena from now on, and hold the one of before no longer."""


class Workspace:
    """One arena as large as the largest program needs, and the lock under which a program runs in it.

    Nothing in the arena outlives a run.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.arena = allocate(0)
        self.tenants: Members[_Tenant] = Members()
        _ALL.add(self)

    def at_least(self, nbytes: int) -> np.ndarray:
        """The arena; where it is smaller than `nbytes`, a larger one takes its place for all programs."""
        if self.arena.nbytes < nbytes:
            self.arena = allocate(nbytes)
            self._move()
        return self.arena

    def clear(self) -> None:
        """Give the arena back until a program runs."""
        self.arena = allocate(0)
        self._move()

    def _move(self) -> None:
        for tenant in self.tenants:
            tenant.move(self.arena)


_ALL: Members[Workspace] = Members()


def _renew_locks() -> None:
    """A lock that another thread held when the process forked would never be released in the child."""
    for workspace in _ALL:
        workspace.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
