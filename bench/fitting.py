"""What `Trainer` costs beside its steps: a call, an epoch with callbacks, a backup, the folds of a cross-validation."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import fnet
from bench.rows import SMALL
from fnet import callbacks
from fnet.layers import Dense
from fnet.transforms.jit import Jitted

BATCH, STEPS, EPOCHS = SMALL.batch, SMALL.epoch, 20
PROCESSOR = time.process_time


def fitting_table(rounds: int) -> str:
    """Processor time on the small MLP, the least of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        return "\n".join(_lines(Path(folder), rounds))


def _lines(folder: Path, rounds: int) -> list[str]:
    trainer = fnet.Trainer(fnet.serial(Dense(16, "relu"), Dense(1)), "mse", "adam")
    ts = trainer.init(fnet.random.key(0), (16,))
    x = np.random.default_rng(0).standard_normal((BATCH * STEPS, 16)).astype(np.float32)
    y = x[:, :1].copy()
    few = x[:BATCH], y[:BATCH]

    def fit(steps: int, epochs: int, **options: Any) -> None:
        nonlocal ts
        some = x[: steps * BATCH], y[: steps * BATCH]
        ts, _ = trainer.fit(ts, *some, batch_size=BATCH, epochs=epochs, verbose=False, **options)

    calls: dict[str, Callable[[], Any]] = {
        "fit, one epoch of one step": lambda: fit(1, 1),
        "the same with validation": lambda: fit(1, 1, validation_data=few),
        "the same with the usual callbacks": lambda: fit(1, 1, callbacks=usual()),
        "the same with a CSVLogger beside them": lambda: fit(1, 1, callbacks=[*usual(), logger(folder)]),
        "evaluate, one batch": lambda: trainer.evaluate(ts, *few),
        "predict, one batch": lambda: trainer.predict(ts, few[0]),
    }
    lines = ["| MLP 16-16-1, batch 32 | us | target |", "|---|---:|---:|"]
    lines += [
        f"| a call of {name} | {1e6 * least(call, rounds, 20):.0f} | {'' if name.endswith('one batch') else 1000} |"
        for name, call in calls.items()
    ]
    epochs: dict[str, Callable[[], Any]] = {
        "": lambda: fit(STEPS, EPOCHS),
        " with the usual callbacks": lambda: fit(STEPS, EPOCHS, callbacks=usual()),
        " with a CSVLogger beside them": lambda: fit(STEPS, EPOCHS, callbacks=[*usual(), logger(folder)]),
    }
    steps = {name: 1e6 * least(call, rounds, 1) / STEPS / EPOCHS for name, call in epochs.items()}
    lines += [f"| a step of {STEPS} an epoch{name} | {us:.2f} | 2 |" for name, us in steps.items()]
    lines.append(f"| of it in compiled steps | {1e6 * compiled(epochs['']) / STEPS / EPOCHS:.2f} |  |")
    few_steps = least(lambda: fit(1, EPOCHS), rounds, 1)
    backups = least(lambda: fit(1, EPOCHS, callbacks=callbacks.BackupAndRestore(folder / "backup")), rounds, 1)
    lines.append(f"| a backup after an epoch | {1e6 * (backups - few_steps) / EPOCHS:.0f} |  |")
    return [*lines, "", *_folds(rounds)]


def compiled(call: Callable[[], Any]) -> float:
    """The processor seconds that a call spends in compiled steps."""
    seconds, repeat = 0.0, Jitted.repeat

    def timed(self: Jitted, *args: Any) -> Any:
        nonlocal seconds
        begin = PROCESSOR()
        result = repeat(self, *args)
        seconds += PROCESSOR() - begin
        return result

    with mock.patch.object(Jitted, "repeat", timed):
        call()
    return seconds


def usual() -> list[callbacks.Callback]:
    """The callbacks of an ordinary training script that write no file."""
    return [
        callbacks.EarlyStopping("loss", patience=EPOCHS),
        callbacks.TerminateOnNaN(),
        callbacks.ReduceLROnPlateau("loss", patience=EPOCHS),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate),
    ]


def logger(folder: Path) -> callbacks.Callback:
    """A table of the epochs, in a file."""
    return callbacks.CSVLogger(folder / "training.csv")


def _folds(rounds: int) -> list[str]:
    rng = np.random.default_rng(0)
    x, groups = rng.standard_normal((1003, 20)).astype(np.float32), rng.integers(0, 60, 1003)
    lines = ["| k_fold, 1003 samples, k = 10, 5 epochs | ms | ms again | programs |", "|---|---:|---:|---:|"]
    for name, options in (("sizes differ by one", {}), ("grouped, of several sizes", {"groups": groups})):
        seconds = []
        for _ in range(rounds):
            trainer = fnet.Trainer(fnet.serial(Dense(64, "relu"), Dense(2)), "mse")

            def judge(trainer: fnet.Trainer = trainer, options: dict[str, Any] = options) -> None:
                fnet.k_fold(trainer, fnet.random.key(0), x, x[:, :2], k=10, epochs=5, **options)

            begin = PROCESSOR()
            judge()
            seconds.append((PROCESSOR() - begin, least(judge, 1, 1)))
        first, again = (1e3 * min(times) for times in zip(*seconds, strict=True))
        programs = sum(function.memory().programs for function in trainer._programs.compiled.values())
        lines.append(f"| {name} | {first:.0f} | {again:.0f} | {programs} |")
    return lines


def least(call: Callable[[], Any], rounds: int, count: int) -> float:
    """The least processor seconds of a call, of `rounds` times `count` calls, once it is compiled."""
    for _ in range(3):
        call()
    found = []
    for _ in range(rounds):
        begin = PROCESSOR()
        for _ in range(count):
            call()
        found.append((PROCESSOR() - begin) / count)
    return min(found)
