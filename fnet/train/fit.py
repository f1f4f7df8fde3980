"""The run of `Trainer.fit` once its arguments are in order: epochs, validation, record, ways to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import NonFiniteError
from fnet.train.data import epoch_order
from fnet.train.history import History
from fnet.train.interrupt import Interrupt
from fnet.train.loop import Pass
from fnet.train.progress import Progress
from fnet.train.state import TrainState, copied
from fnet.train.steps import Totals, Training

_ADVICE = "Lower the learning rate, or clip gradients with fnet.optimizers.clip_by_global_norm."

Callback = Callable[[int, dict[str, float], TrainState], Any]
"""Called as ``callback(epoch, logs, ts)`` after each epoch; returning "stop" ends the training."""


@dataclass
class Run:
    """The state of one call of `fit`, and how it goes on.

    passes: the compiled steps over the training data; carry: what they hand on; empty: the totals at the beginning of
    an epoch; results: the numbers of an epoch from its totals; validate: those of the validation data for
    ``(params, state, interrupt)``, None where Ctrl-C was met.
    """

    passes: Pass
    carry: Training
    data: dict[str, Any]
    n: int
    shuffle: bool
    empty: Totals
    results: Callable[[Totals], dict[str, float]]
    validate: Callable[[Any, Any, Interrupt], dict[str, float] | None] | None

    def epochs(self, first: int, last: int, verbose: bool, callbacks: tuple[Callback, ...]) -> History:
        """Do the epochs `first` to ``last - 1``; `carry` is the state after the last completed step in any case."""
        history, progress = History(), Progress(verbose, last, self.passes.steps)
        with Interrupt() as interrupt:
            try:
                for epoch in range(first, last):
                    progress.begin(epoch)
                    logs = self._epoch(epoch, progress, interrupt)
                    if logs is None:
                        break
                    history.append(epoch, logs)
                    progress.end(epoch, logs)
                    if self._stopped(epoch, logs, callbacks) or interrupt.requested:
                        break
            except KeyboardInterrupt:
                if interrupt.requested:  # the second one
                    raise
                interrupt.requested = True
            finally:
                progress.close()
        self._check_parameters()
        history.interrupted = interrupt.requested
        return history

    def _epoch(self, epoch: int, progress: Progress, interrupt: Interrupt) -> dict[str, float] | None:
        """The numbers of an epoch, or None where Ctrl-C ended it."""
        for done in self._steps(epoch):
            progress.advance(done, float(self.carry.totals.loss / self.carry.totals.count))
            if interrupt.requested:
                return None
        logs = self.results(self.carry.totals)
        if self.validate is not None:
            values = self.validate(self.carry.ts.params, self.carry.ts.state, interrupt)
            if values is None:
                return None
            logs |= {f"val_{name}": value for name, value in values.items()}
        return logs

    def _steps(self, epoch: int) -> Iterator[int]:
        """Train for one epoch; yields the number of steps of each chunk."""
        ts = self.carry.ts
        order = epoch_order(ts.key, int(ts.step), self.n, self.shuffle)
        start = self.carry._replace(start=np.zeros((), np.int64), totals=self.empty)
        for done, carry in self.passes.run(start, order, *tree.leaves(self.data)):
            self.carry = carry
            if self.carry.bad >= 0:
                raise self._not_finite(epoch, int(self.carry.bad))
            yield done

    def _stopped(self, epoch: int, logs: dict[str, float], callbacks: tuple[Callback, ...]) -> bool:
        """Whether a callback asks to stop; all are called, with a state that is theirs."""
        if not callbacks:
            return False
        ts = copied(self.carry.ts)
        return "stop" in [callback(epoch, logs, ts) for callback in callbacks]

    def _check_parameters(self) -> None:
        """Refuse what the last update may have made; earlier ones show in the loss."""
        for path, leaf in tree.leaves_with_path(self.carry.ts.params):
            if not np.isfinite(leaf).all():
                raise NonFiniteError(
                    f"the parameter '{path}' became NaN or infinite at step {int(self.carry.ts.step) - 1} (counted "
                    f"from 0), the last one; the state given to fit is unchanged. {_ADVICE}"
                )

    def _not_finite(self, epoch: int, step: int) -> NonFiniteError:
        advice = _ADVICE
        for path, leaf in tree.leaves_with_path(self.data):
            wrong = np.flatnonzero(~np.isfinite(leaf))
            if wrong.size:
                sample = int(wrong[0]) // max(leaf.size // len(leaf), 1)
                advice = (
                    f"{path} has {wrong.size} values that are not finite, first in sample {sample}: clean the data."
                )
                break
        return NonFiniteError(
            f"the loss became NaN or infinite in epoch {epoch} at step {step} (both counted from 0); "
            f"the state given to fit is unchanged. {advice}"
        )
