"""What made a loss or a parameter NaN or infinite, and the last good state before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import NonFiniteError
from fnet.train.history import History
from fnet.train.safe_state import SafeState
from fnet.train.sources.source import Batch
from fnet.train.state import TrainState, copied

_KEPT = "The last good state is the error's ts, the record its history."


@dataclass(frozen=True)
class Divergence:
    """Makes the error of a run; it finds the cause by doing steps of the epoch again, from a safe state on.

    first: the number of updates at which the run began. repeat: the state before an update of the epoch, by its number.
    batch: the batch of a step of the epoch. explain: says what made the loss of a step NaN, for its state and batch.
    """

    safe: SafeState
    first: int
    history: History
    repeat: Callable[[int], TrainState]
    batch: Callable[[int], Batch]
    explain: Callable[[TrainState, Batch], str]

    def of_parameter(self, path: str, step: int, which: str) -> NonFiniteError:
        """The error for the parameter at `path` after update number ``step - 1``, which `which` describes."""
        return self._error(
            f"the parameter '{path}' became NaN or infinite at step {step - 1} (counted from 0), {which}; "
            f"the state given to fit is unchanged. {self._explained(step - 1)} {_KEPT}",
            step,
        )

    def of_loss(self, epoch: int, step: int) -> NonFiniteError:
        """The error for a loss that is not finite, of the update number `step`."""
        path = not_finite(self.repeat(step).params)
        if path is None:
            advice = self._explained(step)
        elif step == self.first:
            advice = f"Its parameter '{path}' is not finite already."
        else:
            advice = f"The update before made the parameter '{path}' NaN or infinite. {self._explained(step - 1)}"
        return self._error(
            f"the loss became NaN or infinite in epoch {epoch} at step {step} (both counted from 0); "
            f"the state given to fit is unchanged. {advice} {_KEPT}",
            step,
        )

    def _error(self, message: str, step: int) -> NonFiniteError:
        return NonFiniteError(message, self._last_good(step), self.history)

    def _explained(self, step: int) -> str:
        """What is wrong with update number `step` of this epoch."""
        before = self.repeat(step)
        return self.explain(before, self.batch(self.safe.at + step - self.safe.step))

    def _last_good(self, step: int) -> TrainState:
        """The state before update number `step`, or the one before that if it is not finite."""
        for candidate in (step, step - 1):
            if candidate > self.safe.step:
                ts = self.repeat(candidate)
                if not_finite((ts.params, ts.state)) is None:
                    return ts
        return copied(self.safe.ts)


def not_finite(values: Any, leaves: list[Any] | None = None) -> str | None:
    """The path of the first leaf with a NaN or an infinity; `leaves` of the values, if they are known."""
    finite = [bool(np.isfinite(leaf).all()) for leaf in (tree.leaves(values) if leaves is None else leaves)]
    return None if all(finite) else tree.structure(values).paths()[finite.index(False)]
