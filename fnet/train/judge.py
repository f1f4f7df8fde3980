"""Training and evaluation of fresh networks on parts of the same samples, which all ways of judging models do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fnet import ops, random, tree
from fnet.device_array import DeviceArray
from fnet.errors import StructureError
from fnet.random import check_key
from fnet.train.callbacks import CallbackLike
from fnet.train.data import as_arrays, count
from fnet.train.history import History
from fnet.train.results import Results
from fnet.train.state import TrainState
from fnet.train.trainer import Trainer

SPLIT, NETWORK = 0, 1
"""The uses of a key: which samples are in which part, and what networks are made and trained with."""


class Judge:
    """A trainer with samples, and how networks are trained on parts of them.

    All parts of one size share the programs of the trainer: they are compiled once.
    """

    def __init__(
        self,
        who: str,
        trainer: Trainer,
        x: Any,
        y: Any,
        sample_weight: Any,
        epochs: int,
        batch_size: int,
        class_weight: Mapping[int, float] | None,
        callbacks: CallbackLike | Iterable[CallbackLike | None] | None,
        verbose: bool,
        dtype: Any,
    ) -> None:
        if not isinstance(trainer, Trainer):
            raise StructureError(
                f"{who}: trainer is an fnet.Trainer, received a {type(trainer).__name__}. "
                f"Make one: fnet.Trainer(net, loss, optimizer)."
            )
        self.trainer, self.batch_size, self._dtype = trainer, batch_size, np.dtype(dtype)
        given = {"x": x, "y": y, "sample_weight": sample_weight}
        self._data = {
            name: None if part is None else as_arrays(name, part, self._dtype) for name, part in given.items()
        }
        self.n = count(self._data)
        self._options: dict[str, Any] = {
            "batch_size": batch_size,
            "epochs": epochs,
            "class_weight": class_weight,
            "callbacks": callbacks,
            "verbose": verbose,
        }

    @property
    def y(self) -> Any:
        """The targets, as arrays."""
        return self._data["y"]

    def fit(self, key: Any, rows: np.ndarray) -> tuple[TrainState, History]:
        """Train a fresh network on some of the samples."""
        x, y, weight = self._part(rows)
        ts = self.trainer.init(check_key(key), tree.map(lambda leaf: leaf.shape[1:], x), self._dtype)
        return self.trainer.fit(ts, x, y, sample_weight=weight, **self._options)

    def evaluate(self, ts: TrainState, rows: np.ndarray) -> Results:
        """The loss and the metrics of a network on some of the samples."""
        x, y, weight = self._part(rows)
        return self.trainer.evaluate(ts, x, y, self.batch_size, weight)

    def _part(self, rows: np.ndarray) -> tuple[Any, Any, Any]:
        part = tree.map(lambda leaf: _rows(leaf, rows), self._data)
        return part["x"], part["y"], part["sample_weight"]


def _rows(leaf: Any, rows: np.ndarray) -> Any:
    return ops.take(leaf, rows, axis=0) if isinstance(leaf, DeviceArray) else leaf[rows]


def key_of(key: Any, use: int, *numbers: int) -> Any:
    """The key of one use, of these numbers."""
    key = random.fold_in(key, use)
    for number in numbers:
        key = random.fold_in(key, number)
    return key


def collected(results: Iterable[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The numbers of several evaluations, by name, along a new first axis."""
    several = list(results)
    return {name: np.stack([one[name] for one in several]) for name in several[0].keys()}  # noqa: SIM118  (`Results`)


def table(head: tuple[str, ...], rows: Iterable[tuple[str | float, ...]]) -> str:
    """Columns of text and numbers with a line of names above; the first column is on the left."""
    cells = [head, *(tuple(c if isinstance(c, str) else f"{c:.4g}" for c in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        [c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))] for row in cells
    )
    return "\n".join("  ".join(line).rstrip() for line in lines)
