"""The run of `Trainer.fit` once its arguments are in order: epochs, validation, record, ways to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import NonFiniteError
from fnet.train.callbacks import Callbacks
from fnet.train.data import epoch_order
from fnet.train.history import History
from fnet.train.interrupt import Interrupt
from fnet.train.loop import Pass, assign
from fnet.train.progress import Progress
from fnet.train.state import TrainState, copied
from fnet.train.steps import Totals, Training

_KEPT = "The last good state is the error's ts, the record its history."


@dataclass
class Fit:
    """One call of `fit`: what it works with, and where it has got to.

    passes: the compiled steps over the training data. carry: the tree that a step takes and returns. empty: the totals
    at the beginning of an epoch. results: makes the numbers of an epoch of its totals. validate: makes the numbers of
    the validation data for ``(params, state, interrupt)``, None where Ctrl-C interrupts it. explain: says what made the
    loss of a step NaN, for the state and the samples of the step. safe: the state at the beginning of the epoch, in the
    end the one that is returned. own: whether `safe` has arrays of its own, not those that `fit` was given.
    """

    passes: Pass
    carry: Training
    data: dict[str, Any]
    n: int
    shuffle: bool
    empty: Totals
    results: Callable[[Totals], dict[str, float]]
    validate: Callable[[Any, Any, Interrupt], dict[str, float] | None] | None
    explain: Callable[[TrainState, np.ndarray], str]
    given: TrainState = field(init=False)
    safe: TrainState = field(init=False)
    own: bool = field(init=False, default=False)
    history: History = field(init=False, default_factory=History)

    def epochs(self, first: int, last: int, verbose: bool, callbacks: Callbacks) -> tuple[TrainState, History]:
        """Do the epochs `first` to ``last - 1``; gives the state after the last completed step, and the record."""
        self.given = self.safe = self.carry.ts
        history = self.history
        progress = Progress(verbose, last, self.passes.steps)
        with Interrupt() as interrupt:
            try:
                for epoch in range(first, last):
                    progress.begin(epoch)
                    logs = self._epoch(epoch, progress, interrupt)
                    if logs is None:
                        break
                    history.append(epoch, logs)
                    progress.end(epoch, logs)
                    if (callbacks and callbacks.ask_to_stop(epoch, logs, copied(self.carry.ts))) or interrupt.requested:
                        break
                    if epoch + 1 < last:
                        self._keep()
            except KeyboardInterrupt:
                if interrupt.requested:  # the second one
                    raise
                interrupt.requested = True
            finally:
                progress.close()
            self._keep()
        history.interrupted = interrupt.requested
        return self.safe, history

    def _epoch(self, epoch: int, progress: Progress, interrupt: Interrupt) -> dict[str, float] | None:
        """The numbers of an epoch, or None where Ctrl-C ended it."""
        for done in self._steps(epoch):
            progress.advance(done, float(self.carry.totals.loss / self.carry.totals.count))
            if interrupt.requested:
                self._check_parameters(epoch)
                return None
        self._check_parameters(epoch)
        logs = self.results(self.carry.totals)
        if self.validate is not None:
            values = self.validate(self.carry.ts.params, self.carry.ts.state, interrupt)
            if values is None:
                return None
            logs |= {f"val_{name}": value for name, value in values.items()}
        return logs

    def _steps(self, epoch: int) -> Iterator[int]:
        """Train for one epoch; yields the number of steps of each chunk."""
        for done, carry in self._pass(self.carry.ts):
            self.carry = carry
            if self.carry.bad >= 0:
                raise self._diverged(epoch, int(self.carry.bad))
            yield done

    def _pass(self, ts: TrainState, limit: int | None = None) -> Iterator[tuple[int, Training]]:
        """The steps of the epoch that begins at `ts`, at most `limit` of them."""
        start = self.carry._replace(ts=ts, start=np.zeros((), np.int64), totals=self.empty, bad=np.full((), -1))
        order = epoch_order(ts.key, int(ts.step), self.n, self.shuffle)
        return self.passes.run(start, order, *tree.leaves(self.data), limit=limit)

    def _keep(self) -> None:
        """Keep the present state: to go back to it, or to return it."""
        if self.own:
            assign(self.safe, self.carry.ts)
        else:
            self.safe, self.own = copied(self.carry.ts), True

    def _check_parameters(self, epoch: int) -> None:
        """Refuse parameters that the last update made NaN or infinite. The loss shows what earlier updates made."""
        step = int(self.carry.ts.step)
        path = _not_finite(self.carry.ts.params)
        if path is not None:
            raise NonFiniteError(
                f"the parameter '{path}' became NaN or infinite at step {step - 1} (counted from 0), the last one of "
                f"epoch {epoch}; the state given to fit is unchanged. {self._explained(step - 1)} {_KEPT}",
                self._last_good(step),
                self.history,
            )

    def _diverged(self, epoch: int, step: int) -> NonFiniteError:
        """The error for a loss that is not finite, of the update number `step`."""
        path = _not_finite(self._repeated(step).params)
        if path is None:
            advice = self._explained(step)
        elif step == int(self.given.step):
            advice = f"Its parameter '{path}' is not finite already."
        else:
            advice = f"The update before made the parameter '{path}' NaN or infinite. {self._explained(step - 1)}"
        return NonFiniteError(
            f"the loss became NaN or infinite in epoch {epoch} at step {step} (both counted from 0); "
            f"the state given to fit is unchanged. {advice} {_KEPT}",
            self._last_good(step),
            self.history,
        )

    def _explained(self, step: int) -> str:
        """What is wrong with update number `step` of this epoch."""
        before = self._repeated(step)
        order = epoch_order(before.key, int(self.safe.step), self.n, self.shuffle)
        first = (step - int(self.safe.step)) * self.passes.batch_size
        return self.explain(before, order[first : first + self.passes.batch_size])

    def _last_good(self, step: int) -> TrainState:
        """The state before update number `step`, or the one before that if it is not finite."""
        for candidate in (step, step - 1):
            if candidate > int(self.safe.step):
                ts = self._repeated(candidate)
                if _not_finite((ts.params, ts.state)) is None:
                    return ts
        return copied(self.safe)

    def _repeated(self, step: int) -> TrainState:
        """The state before update number `step`, by repeating the steps of the epoch up to there."""
        ts = self.safe
        for _, carry in self._pass(ts, step - int(ts.step)):
            ts = carry.ts
        return copied(ts)


def _not_finite(values: Any) -> str | None:
    """The path of the first leaf with a NaN or an infinity."""
    finite = [bool(np.isfinite(leaf).all()) for leaf in tree.leaves(values)]
    return None if all(finite) else tree.structure(values).paths()[finite.index(False)]
