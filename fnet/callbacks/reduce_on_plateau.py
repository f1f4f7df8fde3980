"""Lower the learning rate when a number no longer gets better."""

from __future__ import annotations

from fnet.arguments import integer, number
from fnet.callbacks.constructor import CALLBACKS, known_arguments
from fnet.callbacks.monitor import Mode, Monitor
from fnet.train.run import Run


@CALLBACKS.named()
class ReduceLROnPlateau(Monitor):
    """``rate <- max(factor rate, min_lr)`` after `patience` epochs in which `monitor` did not get better.

    A value is better if it is so by more than `min_delta`. mode: "min" or "max" is better; "auto" as the metric says.
    cooldown: so many epochs after a reduction do not count. verbose: 1 prints what it does. The history has the rate of
    each epoch as ``learning_rate``. Raises `ValueRangeError` for options out of range, `StructureError` for an
    optimizer whose rate is a schedule; warns of a monitor that is not there. Source: Keras ``ReduceLROnPlateau``.

    >>> ReduceLROnPlateau(factor=0.5, patience=3)
    ReduceLROnPlateau(factor=0.5, patience=3)
    """

    changes_learning_rate = True
    remembered = ("wait", "best", "cooldown_counter")

    @known_arguments
    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: Mode = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, number("ReduceLROnPlateau", "min_delta", min_delta, "(-inf, inf)"))
        self.factor = number("ReduceLROnPlateau", "factor", factor, "[0, 1)")
        self.patience = integer("ReduceLROnPlateau", "patience", patience, 0)
        self.cooldown = integer("ReduceLROnPlateau", "cooldown", cooldown, 0)
        self.min_lr = number("ReduceLROnPlateau", "min_lr", min_lr, "[0, inf)")
        self.verbose = verbose
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, run: Run) -> None:
        self.forget()
        self.wait = self.cooldown_counter = 0
        self.check_direction(run)

    def on_epoch_end(self, run: Run) -> None:
        value = self.watched(run)
        if value is None:
            return
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(run, value, self.best):
            self.best, self.wait = value, 0
        elif not self.cooldown_counter:
            self.wait += 1
            if self.wait >= self.patience and run.learning_rate > self.min_lr:
                self._reduce(run)

    def _reduce(self, run: Run) -> None:
        run.learning_rate = max(run.learning_rate * self.factor, self.min_lr)
        self.cooldown_counter, self.wait = self.cooldown, 0
        if self.verbose:
            print(f"epoch {run.epoch + 1}: the learning rate is reduced to {run.learning_rate:g}")
