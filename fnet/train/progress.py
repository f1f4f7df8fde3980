"""What `fit` shows, at most ten times a second: a bar on a terminal while an epoch runs, and a line for each epoch."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import textwrap
import time
from typing import Any

import numpy as np

from fnet.arguments import is_integer
from fnet.errors import ValueRangeError

SECONDS_BETWEEN = 0.1
BAR = "{desc}  {n_fmt}/{total_fmt} [{bar}]{postfix}, {remaining} left"
COUNT = "{desc}  {n_fmt}{postfix}, {elapsed}"  # where it is not known how many steps come


class Progress:
    """Shows the progress of `fit`, as `verbose` says: 0 nothing, 1 or "auto" a bar and lines, 2 a line for each epoch.

    Epochs that end within `SECONDS_BETWEEN` are left out, but for 2. The bar goes to stderr if that is a terminal, to
    the page of a notebook if ipywidgets is there, and nowhere else. The lines go to stdout, which may be a file: there
    an epoch has one line, on a terminal as many as it needs.
    """

    def __init__(self, verbose: bool | int | str, epochs: int, steps: int | None) -> None:
        self._verbose = verbose != 0
        self._all = verbose == 2
        self._epochs = epochs
        self._steps = steps
        self._bars = self._verbose and not self._all and (_in_notebook() or sys.stderr.isatty())
        self._bar: Any = None
        self._title = ""
        self._began = 0.0
        self._shown = 0.0

    def begin(self, epoch: int) -> None:
        """An epoch (from 0) begins."""
        self._began = time.perf_counter()
        self._title = f"epoch {epoch + 1}/{self._epochs}"
        if self._bars and self._due(epoch):
            often: dict[str, Any] = {"leave": False, "mininterval": SECONDS_BETWEEN, "delay": SECONDS_BETWEEN}
            if _in_notebook():
                from tqdm.notebook import tqdm as bar
            else:
                from tqdm import tqdm as bar

                often |= {
                    "bar_format": COUNT if self._steps is None else BAR,
                    "ascii": ".=",
                    "ncols": shutil.get_terminal_size().columns - 1,
                }
            self._bar = bar(total=self._steps, desc=self._title, **often)

    def advance(self, steps: int, loss: float) -> None:
        """Steps are done; `loss` is the mean over the epoch so far."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {_number(loss)}", refresh=False)
            self._bar.update(steps)

    def end(self, epoch: int, logs: dict[str, Any]) -> None:
        """The epoch is over, with these values; arrays are not shown."""
        if not self._verbose or not (self._bar is not None or self._due(epoch)):
            return
        self._shown = now = time.perf_counter()
        values = [f"{name} {_number(value)}" for name, value in logs.items() if np.ndim(value) == 0]
        parts = [self._title, *values, f"({now - self._began:.2f} s)"]
        self._take_down()
        terminal = sys.stdout.isatty()
        lines = _wrapped(parts, shutil.get_terminal_size().columns) if terminal else ["  ".join(parts)]
        print(*lines, sep="\n", flush=True)

    def close(self) -> None:
        """Leave the bar of the current epoch, if there is one, as it is."""
        if self._bar is not None:
            self._bar.leave = True
            self._take_down()

    def _take_down(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _due(self, epoch: int) -> bool:
        return self._all or epoch + 1 == self._epochs or time.perf_counter() - self._shown >= SECONDS_BETWEEN


def progress_of(verbose: Any, epochs: int, steps: int | None) -> Progress:
    """What shows the progress; `verbose` may be a function of the numbers of epochs and steps that makes it."""
    made: Progress = verbose(epochs, steps) if callable(verbose) else Progress(verbose, epochs, steps)
    return made


def verbosity(verbose: Any) -> Any:
    """The argument of `fit` itself, or a `ValueRangeError` where it is none of those that `Progress` takes."""
    if callable(verbose):
        return verbose
    if isinstance(verbose, bool | np.bool_) or (is_integer(verbose) and verbose in (0, 1, 2)) or verbose == "auto":
        return verbose
    raise ValueRangeError(
        f"verbose is 0 or False for nothing, 1, True or 'auto' for a bar and lines, 2 for a line for each epoch, "
        f"received {verbose!r:.40}."
    )


def _in_notebook() -> bool:
    """Whether this runs in the kernel of a notebook that can show a bar."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") and importlib.util.find_spec("ipywidgets") is not None


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
