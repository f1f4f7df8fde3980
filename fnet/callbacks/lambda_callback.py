"""A callback made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet.arguments import described
from fnet.callbacks.constructor import CALLBACKS, known_arguments
from fnet.errors import DtypeError
from fnet.train.callback import Callback
from fnet.train.run import Run

Logs = dict[str, Any]
Numbered = Callable[[int, Logs], Any]
Plain = Callable[[Logs], Any]


@CALLBACKS.named()
class LambdaCallback(Callback):
    """Functions for the hooks: ``(epoch, logs)``, ``(batch, logs)``, and ``(logs)`` for the run; None for none.

    Epochs and batches are counted from 0. Functions for batches make a call after every step; the others cost a call in
    an epoch. What they return is ignored. Raises `DtypeError` for what is no function. Source: Keras
    ``LambdaCallback``.

    >>> shown = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    @known_arguments
    def __init__(
        self,
        on_epoch_begin: Numbered | None = None,
        on_epoch_end: Numbered | None = None,
        on_train_begin: Plain | None = None,
        on_train_end: Plain | None = None,
        on_train_batch_begin: Numbered | None = None,
        on_train_batch_end: Numbered | None = None,
    ) -> None:
        for name, function in self.config.items():
            if function is not None and not callable(function):
                raise DtypeError(
                    f"LambdaCallback: {name} is a function or None, received a {described(function)}. Write "
                    f"{name}=lambda {'logs' if 'train_b' not in name and 'train' in name else 'number, logs'}: ..."
                )
        self._epoch_begin, self._epoch_end = on_epoch_begin, on_epoch_end
        self._train_begin, self._train_end = on_train_begin, on_train_end
        self._batch_begin, self._batch_end = on_train_batch_begin, on_train_batch_end

    @property
    def batch_interval(self) -> int | None:
        return None if self._batch_begin is None and self._batch_end is None else 1

    def on_train_begin(self, run: Run) -> None:
        if self._train_begin is not None:
            self._train_begin(run.logs)

    def on_train_end(self, run: Run) -> None:
        if self._train_end is not None:
            self._train_end(run.logs)

    def on_epoch_begin(self, run: Run) -> None:
        if self._epoch_begin is not None:
            self._epoch_begin(run.epoch, run.logs)

    def on_epoch_end(self, run: Run) -> None:
        if self._epoch_end is not None:
            self._epoch_end(run.epoch, run.logs)

    def on_train_batch_begin(self, run: Run) -> None:
        if self._batch_begin is not None:
            self._batch_begin(run.batch, run.logs)

    def on_train_batch_end(self, run: Run) -> None:
        if self._batch_end is not None:
            self._batch_end(run.batch - 1, run.logs)
