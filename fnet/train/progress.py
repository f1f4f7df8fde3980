"""What `fit` shows, at most ten times a second: a bar on a terminal while an epoch runs, and a line for each epoch."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from typing import Any, TextIO

import numpy as np

SECONDS_BETWEEN = 0.1
_BAR = 20  # columns, at most


class Progress:
    """Shows nothing when not `verbose`; epochs that end within `SECONDS_BETWEEN` of the last one shown are left out.

    The bar goes to stderr if that is a terminal, the lines to stdout, which may be a file: there an epoch has one line,
    on a terminal as many as it needs.
    """

    def __init__(self, verbose: bool, epochs: int, steps: int) -> None:
        self._verbose = verbose
        self._epochs = epochs
        self._steps = steps
        self._bars = verbose and sys.stderr.isatty()
        self._title = ""
        self._done = 0
        self._began = 0.0
        self._shown = 0.0
        self._drawn = False

    def begin(self, epoch: int) -> None:
        """An epoch (from 0) begins."""
        self._began = time.perf_counter()
        self._title, self._done = f"epoch {epoch + 1}/{self._epochs}", 0

    def advance(self, steps: int, loss: float) -> None:
        """Steps are done; `loss` is the mean over the epoch so far."""
        self._done += steps
        now = time.perf_counter()
        if self._bars and self._done < self._steps and now - self._shown >= SECONDS_BETWEEN:
            self._shown = now
            left = (self._steps - self._done) * (now - self._began) / self._done
            self._draw(f"{self._done}/{self._steps}  loss {_number(loss)}  {left:.0f} s left")

    def end(self, epoch: int, logs: dict[str, Any]) -> None:
        """The epoch is over, with these values; arrays are not shown."""
        now = time.perf_counter()
        if not self._verbose or not (epoch + 1 == self._epochs or self._drawn or now - self._shown >= SECONDS_BETWEEN):
            return
        self._shown = now
        values = [f"{name} {_number(value)}" for name, value in logs.items() if np.ndim(value) == 0]
        parts = [self._title, *values, f"({now - self._began:.2f} s)"]
        self._clear()
        lines = _wrapped(parts, _columns(sys.stdout)) if sys.stdout.isatty() else ["  ".join(parts)]
        print(*lines, sep="\n", flush=True)

    def close(self) -> None:
        """Leave the bar of the current epoch, if there is one, as it is."""
        if self._drawn:
            print(file=sys.stderr, flush=True)
            self._drawn = False

    def _draw(self, text: str) -> None:
        columns = _columns(sys.stderr) - 1
        width = min(_BAR, columns - len(f"{self._title}  []  {text}"))
        filled = max(width, 0) * self._done // self._steps
        bar = f"[{'=' * filled}{'.' * (width - filled)}]  " if width > 0 else ""
        print(f"\r{f'{self._title}  {bar}{text}'[:columns]:<{columns}}", end="", file=sys.stderr, flush=True)
        self._drawn = True

    def _clear(self) -> None:
        if self._drawn:
            print(f"\r{' ' * (_columns(sys.stderr) - 1)}\r", end="", file=sys.stderr, flush=True)
            self._drawn = False


def _columns(stream: TextIO) -> int:
    """The width of the terminal behind a stream, 80 where it is not known."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _wrapped(parts: list[str], columns: int) -> list[str]:
    """The parts in lines of less than so many columns, each of which stays whole; all but the first are indented."""
    joined = "  ".join(part.replace(" ", "\0") for part in parts)
    lines = textwrap.wrap(
        joined, max(columns - 1, 5), subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\0", " ") for line in lines]


def _number(value: float) -> str:
    """Four decimals, or scientific below 0.001."""
    return f"{value:.4f}" if value == 0 or not abs(value) < 1e-3 else f"{value:.4e}"
