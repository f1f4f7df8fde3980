"""A state of the present epoch that a run keeps, to go back to it or to return it."""

from __future__ import annotations

from typing import Any

from fnet import tree
from fnet.train.loop import write
from fnet.train.state import TrainState, copied


class SafeState:
    """A state to which a run can go back, in the end the one that it returns.

    ts: the state. at: how many steps of the epoch were done at it.
    """

    def __init__(self, ts: TrainState) -> None:
        self.ts, self.at = ts, 0
        self._is_own = False  # whether it has arrays of its own
        self._kept, self._current = KnownLeaves(), KnownLeaves()

    @property
    def step(self) -> int:
        """The number of updates done at it."""
        return int(self.ts.step)

    def hold(self, ts: TrainState) -> None:
        """Take this state as it is: nothing writes into its arrays."""
        self.ts, self._is_own = ts, False

    def keep(self, ts: TrainState) -> None:
        """Take a copy of this state, which is in the memory of the compiled step."""
        if self._is_own:
            write(self._kept(self.ts), self._current(ts))
        else:
            self.ts, self._is_own = copied(ts), True

    def renew(self) -> None:
        """The next state may be a tree of another structure."""
        self._is_own = False


class KnownLeaves:
    """Gives the leaves of a tree; those of the same tree again need no walk."""

    def __init__(self) -> None:
        self._latest: tuple[Any, list[Any]] = None, []

    def __call__(self, values: Any) -> list[Any]:
        if values is not self._latest[0]:
            self._latest = values, tree.leaves(values)
        return self._latest[1]
