"""What `fit` shows: a bar for each epoch on a terminal, a line for each epoch elsewhere, at most ten times a second."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

SECONDS_BETWEEN = 0.1


class Progress:
    """Shows nothing when not `verbose`; epochs that end within `SECONDS_BETWEEN` of the last one shown are left out."""

    def __init__(self, verbose: bool, epochs: int, steps: int) -> None:
        self._verbose = verbose
        self._epochs = epochs
        self._steps = steps
        self._bars = verbose and sys.stderr.isatty()
        self._bar: Any = None
        self._began = 0.0
        self._shown = 0.0

    def begin(self, epoch: int) -> None:
        """An epoch (from 0) begins."""
        self._began = time.perf_counter()
        if self._bars and self._due(epoch):
            from tqdm import tqdm

            title = f"epoch {epoch + 1}/{self._epochs}"
            self._bar = tqdm(total=self._steps, desc=title, unit="step", mininterval=SECONDS_BETWEEN)

    def advance(self, steps: int, loss: float) -> None:
        """Steps are done; `loss` is the mean over the epoch so far."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {_number(loss)}", refresh=False)
            self._bar.update(steps)

    def end(self, epoch: int, logs: dict[str, Any]) -> None:
        """The epoch is over, with these values; arrays are not shown."""
        if not self._verbose:
            return
        text = "  ".join(f"{name} {_number(value)}" for name, value in logs.items() if np.ndim(value) == 0)
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self.close()
        elif not self._bars and self._due(epoch):
            seconds = time.perf_counter() - self._began
            print(f"epoch {epoch + 1}/{self._epochs}  {text}  ({seconds:.2f} s)", flush=True)
        else:
            return
        self._shown = time.perf_counter()

    def close(self) -> None:
        """Leave the bar of the current epoch, if there is one, as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _due(self, epoch: int) -> bool:
        return epoch + 1 == self._epochs or time.perf_counter() - self._shown >= SECONDS_BETWEEN


def _number(value: float) -> str:
    """Four decimals, or scientific below 0.001."""
    return f"{value:.4f}" if value == 0 or not abs(value) < 1e-3 else f"{value:.4e}"
