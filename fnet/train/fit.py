"""The run of `Trainer.fit` once its arguments are in order: epochs, validation, record, ways to stop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import NonFiniteError, StructureError
from fnet.networks.layer import Layer
from fnet.optimizers.rates import Rates
from fnet.train.callbacks import Callbacks
from fnet.train.checks import check_alike
from fnet.train.divergence import Divergence, not_finite
from fnet.train.history import History
from fnet.train.interrupt import Interrupt
from fnet.train.loop import Pass, assign
from fnet.train.position import RunPosition
from fnet.train.progress import Progress, progress_of
from fnet.train.run import Run
from fnet.train.safe_state import KnownLeaves, SafeState
from fnet.train.sources.source import Batch, Epoch, Source
from fnet.train.state import TrainState, copied
from fnet.train.steps import Totals, Training


@dataclass
class Fit:
    """One call of `fit`: what it works with, and where it has got to.

    trainer: whose `fit` it is. passes: the compiled steps. source: of the training data. carry: the tree that a step
    takes and returns. empty: the totals at the beginning of an epoch. results: makes the numbers of an epoch of its
    totals. validate: makes those of the validation data for ``(params, state, interrupt)``, None where Ctrl-C
    interrupts it. explain: says what made the loss of a step NaN, for the state and the batch of the step. rates: finds
    the learning rates of the optimizer.
    schedule: its learning rate as a function of the number of updates, if it is one.
    directions: see `Run`. held: whether the state of the optimizer holds its learning rates. identity: of the run.
    given: the state to begin with. safe: one of this epoch to go back to, in the end the one that is returned.
    epoch: the pass over the data. interrupt: Ctrl-C. done: how many steps of the run are done. logs: of the latest
    epoch. begin: at which step the next epoch begins, 0 but for one that another process began. began: the key and the
    number of updates with which the epoch began.
    """

    net: Layer
    trainer: Any
    passes: Pass
    carry: Training
    source: Source
    shuffle: bool
    empty: Totals
    results: Callable[[Totals], dict[str, float]]
    validate: Callable[[Any, Any, Interrupt, bool], dict[str, float] | None] | None
    explain: Callable[[TrainState, Batch], str]
    rates: Callable[[], Rates]
    schedule: Callable[[Any], Any] | None
    directions: Mapping[str, str | None]
    callbacks: Callbacks
    held: bool
    identity: Callable[[], dict[str, str]]
    given: TrainState = field(init=False)
    safe: SafeState = field(init=False)
    run: Run = field(init=False)
    epoch: Epoch = field(init=False)
    interrupt: Interrupt = field(init=False, default_factory=Interrupt)
    done: int = field(init=False, default=0)
    begin: int = field(init=False, default=0)
    began: tuple[Any, int] = field(init=False)
    logs: dict[str, Any] = field(init=False, default_factory=dict)
    history: History = field(init=False, default_factory=History)
    parameters: KnownLeaves = field(init=False, default_factory=KnownLeaves)

    def epochs(self, first: int, last: int, verbose: bool | int | str) -> tuple[TrainState, History]:
        """Do the epochs `first` to ``last - 1``; gives the state after the last completed step, and the record."""
        self.given = self.carry.ts
        if self.callbacks.change_learning_rate:
            self.carry = self.carry._replace(ts=self._holding(self.given))
        self.safe = SafeState(self.carry.ts)
        self.run = self._view(first, last)
        progress = progress_of(verbose, last, self.source.steps)
        with self.interrupt as interrupt:
            try:
                self._call("on_train_begin", {})
                for epoch in range(self._first_epoch(first), last):
                    if (self.run.stopping and not self.begin) or not self._epoch(epoch, progress):
                        break
            except KeyboardInterrupt as error:
                if interrupt.requested:  # the second one
                    self._end(error)
                    raise
                interrupt.requested = True
            except BaseException as error:
                self._end(error)
                raise
            finally:
                progress.close()
            self.run.interrupted = interrupt.requested
            self._end(None)
        del self.run  # it refers to this, and the last state would wait for the collector of circles
        self.history.interrupted = interrupt.requested
        return self.safe.ts, self.history

    def _first_epoch(self, first: int) -> int:
        """The epoch to begin with: `first`, or the one in which a run was that this one goes on from."""
        run, position = self.run, self.run.asked_position
        if position is None:
            return first
        if position.held and not self.held:
            self.carry = self.carry._replace(ts=self._holding(self.carry.ts))
        self.carry = tree.unflatten(tree.structure(self.carry), position.leaves)
        self.began = position.key, position.step
        self.done, self.begin, self.logs = position.done, position.batch, position.logs
        self.history.history.update(position.history)
        self.history.epoch.extend(position.epochs)
        run.epoch, run.stopping = position.epoch - (position.batch == 0), position.stopping
        self.callbacks.remember(position.memories)
        self.source.pass_over(position.done - position.batch)
        return position.epoch

    def _hand_position(self, epoch: int, batch: int) -> None:
        """Give the position to the callbacks that have asked for it."""
        receivers, self.run.receivers = self.run.receivers, []
        if receivers:
            record = self.history
            position = RunPosition(
                self.identity(), epoch, batch, self.done, self.run.stopping, self.held,
                tree.leaves(self.carry), *self.began, record.history, record.epoch, self.logs,
                self.callbacks.memories(),
            )  # fmt: skip
            for receive in receivers:
                receive(position)

    def _view(self, first: int, last: int) -> Run:
        return Run(
            net=self.net,
            trainer=self.trainer,
            history=self.history,
            first=first,
            last=last,
            steps=self.source.steps,
            batch_size=self.source.batch_size,
            directions=self.directions,
            _current=lambda: self.carry.ts,
            _rate=lambda: self.rates().now(self.carry.ts.opt_state),
            _totals=lambda: self.results(self.carry.totals),
            _schedule=self.schedule,
            _inputs=lambda: self.source.sample["x"],
            _identity=self.identity,
            epoch=first,
        )

    def _epoch(self, epoch: int, progress: Progress) -> bool:
        """Do an epoch; whether another one may follow."""
        run = self.run
        run.epoch, run.batch = epoch, self.begin
        if not self.begin:
            self._call("on_epoch_begin", {})
            if run.stopping:
                return False
        if self.done:
            self.safe.keep(self.carry.ts)
        else:
            self.safe.hold(self.carry.ts)
        progress.begin(epoch)
        try:
            logs = self._numbers(epoch, progress)
        except NonFiniteError as error:
            if not self.callbacks.end_at(run, error):
                raise
            self.carry = self.carry._replace(ts=error.ts)
            return False
        if logs is None:
            return False
        self.logs = logs
        self.history.append(epoch, logs)
        progress.end(epoch, logs)
        self._call("on_epoch_end", logs)
        self.history.complete(logs)
        self._hand_position(epoch + 1, 0)
        return not (run.stopping or self.interrupt.requested)

    def _numbers(self, epoch: int, progress: Progress) -> dict[str, float] | None:
        """The numbers of an epoch, or None where Ctrl-C ended it."""
        with closing(self._steps(epoch)) as steps:
            for done in steps:
                progress.advance(done, float(self.carry.totals.loss / self.carry.totals.count))
                if self.interrupt.requested or self.run.stopping:
                    break
        self._check_parameters(f"the last one of epoch {epoch}")
        if self.interrupt.requested:
            return None
        logs = self.results(self.carry.totals)
        if self.held:
            logs.setdefault("learning_rate", self.rates().now(self.carry.ts.opt_state))
        if self.validate is not None:
            self.run.moved(logs)
            params = self.callbacks.validation_params(self.run)
            params = self.carry.ts.params if params is None else params
            values = self.validate(params, self.carry.ts.state, self.interrupt, epoch + 1 < self.run.last)
            if values is None:
                return None
            logs |= {f"val_{name}": value for name, value in values.items()}
        return logs

    def _steps(self, epoch: int) -> Generator[int, None, None]:
        """Train for one epoch; yields the number of steps of each chunk."""
        callbacks, run, ts = self.callbacks, self.run, self.carry.ts
        totals = self.carry.totals if self.begin else self.empty
        if not self.begin:
            self.began = copied(ts.key), int(ts.step)
        self.epoch = self.source.training(*self.began, self.shuffle, more=epoch + 1 < run.last)
        self.safe.at, self.begin = self.begin, 0
        if self.safe.at and run.stopping:
            return
        sees = callbacks.see_batches
        if sees and self.epoch.has(run.batch):
            self._call_batch(callbacks.batch_begins, {})
        with closing(self._pass(self.carry.ts, pause=self._pause if sees else None, totals=totals)) as steps:
            for done, carry in steps:
                self.carry = carry
                if self.carry.bad >= 0:
                    raise self._divergence().of_loss(epoch, int(self.carry.bad))
                self.done += done
                run.batch += done
                if sees:
                    self._call_batch(callbacks.batch_ended)
                    self._hand_position(epoch, run.batch)
                yield done
                if sees and self.epoch.has(run.batch):
                    self._call_batch(callbacks.batch_begins, {})

    def _pause(self) -> int:
        return 1 if self.run.stopping else self.callbacks.steps_to_batch_hooks(self.done)

    def _pass(
        self,
        ts: TrainState,
        limit: int | None = None,
        pause: Callable[[], int] | None = None,
        totals: Totals | None = None,
    ) -> Generator[tuple[int, Training], None, None]:
        """The steps of the epoch from `ts` on, before which there were ``safe.at`` of them; at most `limit`."""
        start = self.carry._replace(ts=ts, totals=totals or self.empty, bad=np.full((), -1))
        keep, interrupt = (self._mark, self.interrupt) if limit is None else (None, None)
        return self.passes.run(start, self.epoch.chunks(self.safe.at, limit, keep, interrupt), pause)

    def _mark(self) -> bool:
        """Keep the present state, because the data of the steps before it are to be gone; whether it is one to keep.

        A state that the last update made NaN is not: the next loss shows it, and the state before explains it.
        """
        if self.run.batch != self.safe.at:
            if not_finite(self.carry.ts.params, self.parameters(self.carry.ts.params)) is not None:
                return False
            self.safe.keep(self.carry.ts)
            self.safe.at = self.run.batch
        return True

    def _call(self, hook: str, logs: dict[str, Any]) -> None:
        """Call a hook of train or epoch, and do what it asks for."""
        self.run.moved(logs)
        held = self.held
        self.callbacks.call(hook, self.run)
        ts = self._asked()
        if ts is None:
            return
        if self.held and not held:
            self.passes.renew()
            self.safe.renew()
        self.carry = self.carry._replace(ts=ts)

    def _call_batch(self, call: Callable[[Run, int], None], logs: dict[str, Any] | None = None) -> None:
        """Call hooks of batches, and do what they ask for; within an epoch, in the memory of the compiled step."""
        self.run.moved(logs)
        held = self.held
        call(self.run, self.done)
        ts = self._asked()
        if ts is None:
            return
        if self.held and not held:
            raise StructureError(
                "a callback changed the learning rate at a batch, for which the step is not compiled. Write "
                "changes_learning_rate = True in its class."
            )
        if self.run.batch:
            if not_finite(ts.params) is not None:  # a callback may also ask for a state that is
                self._check_parameters(f"in epoch {self.run.epoch}")
            assign(self.carry.ts, ts)
            self.safe.keep(self.carry.ts)
        else:
            self.carry = self.carry._replace(ts=ts)
            self.safe.hold(ts)
        self.safe.at = self.run.batch

    def _asked(self) -> TrainState | None:
        """The state that callbacks ask for, None for the present one."""
        run, ts = self.run, self.carry.ts
        state, rate = run.asked_state, run.asked_rate
        if state is None and rate is None:
            return None
        if state is not None:
            ts = check_alike(ts, self._holding(state) if self.held else state)
        if rate is not None:
            ts = ts if self.held else self._holding(ts)
            ts = ts._replace(opt_state=self.rates().changed(ts.opt_state, rate))
        run.answered()
        return ts

    def _holding(self, ts: TrainState) -> TrainState:
        """The state with the learning rates in it."""
        self.held = True
        return ts._replace(opt_state=self.rates().held(ts.opt_state))

    def _end(self, error: BaseException | None) -> None:
        """Call the last hooks; `error` ends the run. Nothing of it is left in the memory of the compiled step."""
        self.run.error = error
        try:
            self._call("on_train_end", self.logs)
        finally:
            self.safe.keep(self.carry.ts)
            self.carry = self.carry._replace(ts=self.safe.ts)

    def _check_parameters(self, which: str) -> None:
        """Refuse parameters that the last update made NaN or infinite. The loss shows what earlier updates made."""
        path = not_finite(self.carry.ts.params, self.parameters(self.carry.ts.params))
        if path is not None:
            raise self._divergence().of_parameter(path, int(self.carry.ts.step), which)

    def _divergence(self) -> Divergence:
        first = int(self.given.step)
        return Divergence(self.safe, first, self.history, self._repeated, self.epoch.batch, self.explain)

    def _repeated(self, step: int) -> TrainState:
        """The state before update number `step`, by repeating the steps of the epoch up to there."""
        ts = self.safe.ts
        for _, carry in self._pass(ts, step - self.safe.step):
            ts = carry.ts
        return copied(ts)
