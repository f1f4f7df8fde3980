"""The memory in which the programs of one function compute, one at a time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from fnet.compile.living import Living
from fnet.device import Block, Device


class _Tenant(Protocol):
    """What works in an arena on a device."""

    device: Device

    def move(self, arena: Block) -> None:
        """Work in another arena from now on, if it is large enough, and hold the one of before no longer."""


class Gate(Protocol):
    """Keeps guarded calls out of a workspace: they take no lock."""

    def close(self) -> int:
        """Keep them out; 0 while one runs, which must be waited for."""
        ...

    def open(self) -> int:
        """Let them in."""
        ...

    def renew(self) -> None:
        """Open the gate in a child process, where none runs."""


class Workspace:
    """An arena on each device, as large as the largest program needs; one program runs at a time.

    Nothing in the arena outlives a run. Who works there holds the lock, and keeps the gate closed for guarded calls,
    which take no lock; there is no gate before the first of them. worker: the thread at work, 0 where there is none.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.worker = 0
        self.gate: Gate | None = None
        self.arenas: dict[Device, Block] = {}
        self.tenants: Living[_Tenant] = Living()
        _ALL.add(self)

    def alone(self, work: Callable[..., Any], *args: Any) -> Any:
        """``work(*args)`` while nothing else runs here; None, undone, where it would interrupt work here."""
        with self.lock:  # entered at once: Ctrl-C cannot leave it locked
            if self.is_interrupted():
                return None
            try:
                self.worker = threading.get_ident()
                while self.gate and not self.gate.close():
                    time.sleep(0)
                return work(*args)
            finally:
                self.worker = 0  # nothing comes between this and the next call
                if self.gate:
                    self.gate.open()

    def is_interrupted(self) -> bool:
        """Whether this thread is at work here: a signal's handler, a finalizer or a kernel in Python asks."""
        return self.worker == threading.get_ident()

    @property
    def nbytes(self) -> int:
        """The size of the arenas."""
        return sum(device.size_of(arena) for device, arena in self.arenas.items())

    def at_least(self, device: Device, nbytes: int) -> Block:
        """The arena on a device; where it is smaller than `nbytes`, a larger one takes its place for all programs.

        Before that the device gives back the memory that it keeps for results, such as eager calls have left.
        """
        arena = self.arenas.get(device)
        if arena is None:
            arena = self.arenas[device] = device.block(0)
        if device.size_of(arena) < nbytes:
            device.release()
            arena = self.arenas[device] = device.block(nbytes)
            self._move(device, arena)
        return arena

    def clear(self) -> None:
        """Hold the arenas no longer: one lives as long as a program that works there, which another thread may run."""
        self.arenas.clear()

    def _move(self, device: Device, arena: Block) -> None:
        for tenant in self.tenants:
            if tenant.device is device:
                tenant.move(arena)


_ALL: Living[Workspace] = Living()


def _renew_locks() -> None:
    """A lock that another thread held when the process forked would never be released in the child."""
    for workspace in _ALL:
        workspace.lock = threading.RLock()
        if not workspace.is_interrupted():
            workspace.worker = 0
        if workspace.gate:
            workspace.gate.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
