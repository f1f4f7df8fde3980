"""Runs whose numbers are given: what callbacks do depends on these alone."""

from __future__ import annotations

from typing import Any

from fnet import random
from fnet.callbacks import Callback
from fnet.train import History, Trainer


class Feed(Callback):
    """The logs of each epoch are replaced by given ones; the learning rate stays. It comes before other callbacks."""

    def __init__(self, logs: list[dict[str, Any]]) -> None:
        self.logs = logs

    def on_epoch_end(self, run):
        rate = {"learning_rate": run.logs["learning_rate"]} if "learning_rate" in run.logs else {}
        run.logs.clear()
        run.logs.update(self.logs[run.epoch] | rate)


class Seen(Callback):
    """The parameters after each epoch."""

    def __init__(self) -> None:
        self.params: list[Any] = []

    def on_train_begin(self, run):
        self.params = []

    def on_epoch_end(self, run):
        self.params.append(run.ts.params)


def fed(
    trainer: Trainer, problem: Any, logs: list[dict[str, Any]], *callbacks: Any, **options: Any
) -> tuple[Any, History]:
    """``fit`` for as many epochs as there are logs."""
    ts = trainer.init(random.key(1), (3,))
    given = {"batch_size": 23, "epochs": len(logs), "verbose": False} | options
    return trainer.fit(ts, *problem, callbacks=[Feed(logs), *callbacks], **given)
