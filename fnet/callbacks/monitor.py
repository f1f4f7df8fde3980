"""Callbacks that watch one number of the epoch: whether it got better than the best so far."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np

from fnet.arguments import one_of
from fnet.errors import did_you_mean
from fnet.train.callback import Callback
from fnet.train.run import Run

Mode = Literal["auto", "min", "max"]


class Monitor(Callback):
    """A callback that compares ``logs[monitor]`` with `best`; a value is better if it is so by more than `min_delta`.

    mode: "min" or "max" is better, "auto" as the metric says. A number that is not there is warned of, once a run.
    without: what the warning says that the callback does then.
    """

    without: str = "it does nothing"

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        one_of(type(self).__name__, "mode", mode, ("auto", "min", "max"))
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self.best: float | None = None
        self._has_warned = False

    def watched(self, run: Run, depth: int = 8) -> float | None:
        """The number, or None where it is not there. depth: frames from here to the call of `fit`."""
        value = run.logs.get(self.monitor)
        if value is not None and np.ndim(value) == 0:
            return float(value)
        if not self._has_warned:
            self._has_warned = True
            what = "is not there" if value is None else f"is {np.size(value)} numbers"
            warnings.warn(
                f"{type(self).__name__} watches '{self.monitor}', which {what}, so {self.without}; there are "
                f"{', '.join(run.logs)}.{did_you_mean(self.monitor, run.logs) if value is None else ''}",
                stacklevel=depth,
            )
        return None

    def is_better(self, run: Run, value: float, than: float | None) -> bool:
        """Whether the value is better by more than `min_delta`; any value is better than None."""
        if than is None:
            return True
        lower = self.mode == "min" or (self.mode == "auto" and run.direction(self.monitor) == "down")
        return value + self.min_delta < than if lower else value - self.min_delta > than

    def check_direction(self, run: Run) -> None:
        """Raise `ValueRangeError` before the first epoch where "auto" asks for a direction that the metric lacks."""
        if self.mode == "auto" and self.monitor.removeprefix("val_") in run.directions:
            run.direction(self.monitor)

    def forget(self, best: float | None = None) -> None:
        """A run begins."""
        self.best, self._has_warned = best, False
