"""The record of a training run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fnet.plots.curves import plot_history


@dataclass
class History:
    """One number for each finished epoch: ``history["val_loss"][-1]`` is the latest validation loss.

    history: the lists by name; epoch: the numbers of the epochs, from 0; interrupted: whether Ctrl-C ended the run.

    >>> record = History()
    >>> record.append(0, {"loss": 0.5})
    >>> record["loss"], record.epoch
    ([0.5], [0])
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    epoch: list[int] = field(default_factory=list)
    interrupted: bool = False
    _latest: set[str] = field(default_factory=set, repr=False, compare=False)

    def append(self, epoch: int, logs: dict[str, float]) -> None:
        """Add the values of an epoch."""
        self.epoch.append(epoch)
        self._latest = set(logs)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)

    def complete(self, logs: dict[str, float]) -> None:
        """Add what the values of the latest epoch have got since `append`."""
        for name, value in logs.items():
            if name not in self._latest:
                self.history.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> list[float]:
        return self.history[name]

    def __contains__(self, name: object) -> bool:
        return name in self.history

    def __iter__(self) -> Iterator[str]:
        return iter(self.history)

    def __len__(self) -> int:
        return len(self.history)

    def keys(self) -> Any:
        """The names, as of a dict."""
        return self.history.keys()

    def plot(self, path: str | Path | None = None) -> Any:
        """Learning curves, one panel for each quantity with its validation values; needs matplotlib.

        path: the picture to write (its suffix tells the format), or None to write none. Returns the figure.
        """
        figure = plot_history(self)
        if path is not None:
            figure.savefig(path)
        return figure
