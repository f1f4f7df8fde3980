"""What `fit`, `evaluate` and `predict` print: Keras' lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from fnet import tree
from fnet.train.given import BATCH_SIZE
from fnet.train.sources.batches import is_batches

WIDTH = 20
SECONDS_BETWEEN = 0.05


class Bar:
    """One line: ``count ━━━ seconds time/step - name: value``; while steps are done, where the output can show it.

    verbose: 0 for nothing, 2 for a line without a bar, at the end; anything else for the bar. steps: how many come,
    None where it is not known.
    """

    def __init__(self, verbose: Any, steps: int | None = None) -> None:
        self._verbose, self._steps = verbose, steps
        self._lives = verbose not in (0, 2) and _shows_changes()
        self._begin = self._shown = time.perf_counter()
        self._done, self._second = 0, (0, self._begin)

    def advance(self, done: int, numbers: Mapping[str, Any]) -> None:
        """So many more steps are done; `numbers` are those of the epoch so far."""
        now = time.perf_counter()
        if not self._done:
            self._second = done, now  # the first steps compile
        self._done += done
        if self._lives and self._done != self._steps and now - self._shown >= SECONDS_BETWEEN:
            self._shown = now
            left = "" if self._steps is None else _span((self._steps - self._done) * self._per_step(now))
            self._write(left or f"{now - self._begin:.0f}s", now, numbers, "")

    def end(self, numbers: Mapping[str, Any]) -> None:
        """All steps are done, with these numbers."""
        if self._verbose:
            now = time.perf_counter()
            self._steps = self._done
            self._write(f"{now - self._begin:.0f}s", now, numbers, "\n")

    def _write(self, seconds: str, now: float, numbers: Mapping[str, Any], end: str) -> None:
        time_of_step = _duration(self._per_step(now))
        values = [f"{name}: {_number(value)}" for name, value in numbers.items() if np.ndim(value) == 0]
        count = (
            f"{self._done:>7}/Unknown"
            if self._steps is None
            else f"{self._done:>{len(str(self._steps))}}/{self._steps}"
        )
        if self._verbose == 2:
            line = " - ".join([count, seconds, time_of_step, *values])
        else:
            part = WIDTH * self._done // self._steps if self._steps else 0
            bar = "" if self._steps is None else self._coloured(part)
            line = " - ".join([f"{self._bold(count)} {bar}{self._bold(seconds)} {time_of_step}", *values])
        encoding = sys.stdout.encoding or "utf-8"
        line = line.encode(encoding, "replace").decode(encoding)  # an output of ASCII has no bars
        sys.stdout.write(f"\r{line}\x1b[K{end}" if self._lives else f"{line}{end}")
        sys.stdout.flush()

    def _per_step(self, now: float) -> float:
        first, since = self._second
        if self._done > first:
            return (now - since) / (self._done - first)
        return (now - self._begin) / max(self._done, 1)

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._lives else text

    def _coloured(self, part: int) -> str:
        done, left = "━" * part, "━" * (WIDTH - part)
        return f"\x1b[32m{done}\x1b[0m\x1b[37m{left}\x1b[0m " if self._lives else f"{done}{left} "


class Progbar:
    """The bar of `fit`, for a loop of your own. Source: Keras ``Progbar``.

    target: the number of steps, None where it is not known. verbose: as in `fit`. stateful_metrics: names of numbers
    that are shown as they are; others are means over the steps. The rest has no meaning here.

    >>> bar = Progbar(2, verbose=0)
    >>> for step in range(2):
    ...     bar.update(step + 1, [("loss", 1.0 / (step + 1))])
    >>> bar.numbers
    {'loss': 0.75}
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: Any = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        self.target, self.seen = target, 0
        self._bar, self._kept = Bar(verbose, target), set(stateful_metrics or ())
        self._sums: dict[str, tuple[float, int]] = {}

    @property
    def numbers(self) -> dict[str, float]:
        """What is shown."""
        return {name: total / max(count, 1) for name, (total, count) in self._sums.items()}

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """So many steps are done; `values` are numbers of the steps since the last call."""
        steps = current - self.seen
        for name, value in values or ():
            total, count = self._sums.get(name, (0.0, 0))
            kept = name in self._kept
            self._sums[name] = (float(value), 1) if kept else (total + float(value) * steps, count + steps)
        self.seen = current
        self._bar.advance(steps, self.numbers)
        if finalize or (finalize is None and self.target is not None and current >= self.target):
            self._bar.end(self.numbers)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """So many more steps are done."""
        self.update(self.seen + n, values)


class Count:
    """Counts the batches of `data`, a copy that is to be read; steps: how many are read, None for all."""

    def __init__(self, data: Any, batch_size: int | None, steps: int | None) -> None:
        self._counts = is_batches(data)
        self.data = self._counted(data) if self._counts else data
        self._batch_size, self._steps, self._read = batch_size or BATCH_SIZE, steps, 0

    @property
    def batches(self) -> int:
        """The number of batches, after they have been read."""
        if self._counts or self._steps is not None:
            return self._read if self._steps is None else self._steps
        return -(-len(tree.leaves(self.data)[0]) // self._batch_size)

    def _counted(self, batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            self._read += 1
            yield batch


class Epochs:
    """What `fit` shows, as Keras does: the number of each epoch and its bar, or with `verbose` 2 its line."""

    def __init__(self, verbose: Any, rates: bool, epochs: int, steps: int | None) -> None:
        self._verbose, self._rates, self._epochs, self._steps = verbose, rates, epochs, steps
        self._bar = Bar(0, steps)

    def begin(self, epoch: int) -> None:
        """An epoch (from 0) begins."""
        if self._verbose:
            print(f"Epoch {epoch + 1}/{self._epochs}", flush=True)
        self._bar = Bar(self._verbose, self._steps)

    def advance(self, steps: int, loss: float) -> None:
        """Steps are done; `loss` is the mean over the epoch so far."""
        self._bar.advance(steps, {"loss": loss})

    def end(self, epoch: int, logs: dict[str, Any]) -> None:
        """The epoch is over, with these numbers."""
        self._bar.end(in_keras_order(logs, self._rates))

    def close(self) -> None:
        """Leave what is shown as it is."""


def in_keras_order(numbers: Mapping[str, Any], rates: bool = False) -> dict[str, Any]:
    """Numbers by the alphabet, those of the validation behind the others, and last the learning rate (`rates`)."""
    kept = [name for name in numbers if rates or name != "learning_rate"]
    return {name: numbers[name] for name in sorted(kept, key=lambda n: (n == "learning_rate", n.startswith("val_"), n))}


def _shows_changes() -> bool:
    """Whether a line that is shown can be written over: on a terminal and in a notebook, not in a file."""
    return "ipykernel" in sys.modules or sys.stdout.isatty()


def _span(seconds: float) -> str:
    if seconds > 3600:
        return f"{seconds // 3600:.0f}:{seconds % 3600 // 60:02.0f}:{seconds % 60:02.0f}"
    return f"{seconds // 60:.0f}:{seconds % 60:02.0f}" if seconds > 60 else f"{int(seconds)}s"


def _duration(seconds: float) -> str:
    scale, unit = (1, "s") if seconds >= 1 or seconds == 0 else (1e3, "ms") if seconds >= 1e-3 else (1e6, "us")
    return f"{seconds * scale:.0f}{unit}/step"


def _number(value: float) -> str:
    """Four decimals, or scientific up to 0.001."""
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"
