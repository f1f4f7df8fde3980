"""Stop when a number no longer gets better."""

from __future__ import annotations

from typing import Any

from fnet.arguments import flag, integer, number
from fnet.callbacks.constructor import CALLBACKS, known_arguments
from fnet.callbacks.monitor import Mode, Monitor
from fnet.train.run import Run


@CALLBACKS.named()
class EarlyStopping(Monitor):
    """Stop after `patience` epochs in which `monitor` was not better than its best value by more than `min_delta`.

    mode: "min" or "max" is better; "auto" as the metric says. baseline: waiting begins anew only with a value that is
    better than this, too. restore_best_weights: the parameters and the state of the network after the best epoch are
    those that `fit` returns, unless Ctrl-C or an error ends it. start_from_epoch: epochs before that one do not count.
    verbose: 1 prints what it does. After a run `stopped_epoch` (0: it did not stop), `best`, `best_epoch` and
    `best_weights` (params, state) say what it found.
    Raises `ValueRangeError` for an unknown mode or direction, and warns of a monitor that is not there.
    Source: Keras ``EarlyStopping``; Prechelt 1998.

    >>> EarlyStopping(patience=3, restore_best_weights=True)
    EarlyStopping(patience=3, restore_best_weights=True)
    """

    remembered = ("wait", "best", "best_epoch", "best_weights", "stopped_epoch")

    @known_arguments
    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: Mode = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, number("EarlyStopping", "min_delta", min_delta, "(-inf, inf)"))
        self.patience = integer("EarlyStopping", "patience", patience, 0)
        self.start_from_epoch = integer("EarlyStopping", "start_from_epoch", start_from_epoch, 0)
        self.baseline = None if baseline is None else number("EarlyStopping", "baseline", baseline, "(-inf, inf)")
        self.verbose = verbose
        self.restore_best_weights = flag("EarlyStopping", "restore_best_weights", restore_best_weights)
        self._begin()

    def _begin(self) -> None:
        self.forget()
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights: tuple[Any, Any] | None = None

    def on_train_begin(self, run: Run) -> None:
        self._begin()
        self.check_direction(run)

    def on_epoch_end(self, run: Run) -> None:
        value = self.watched(run)
        if value is None or run.epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep(run)
        self.wait += 1
        if self.is_better(run, value, self.best):
            self.best = value
            self._keep(run)
            if self.baseline is None or self.is_better(run, value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and run.epoch > 0:
            self.stopped_epoch = run.epoch
            run.stop()

    def on_train_end(self, run: Run) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is None or run.interrupted or run.error is not None:
            return
        if self.verbose:
            print(f"the parameters are those after the best epoch, {self.best_epoch + 1}")
        params, state = self.best_weights
        run.replace(run.ts._replace(params=params, state=state))

    def _keep(self, run: Run) -> None:
        self.best_epoch = run.epoch
        if self.restore_best_weights:
            self.best_weights = run.weights
