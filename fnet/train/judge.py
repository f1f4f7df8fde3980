"""Training and evaluation of fresh networks on parts of the same samples, which all ways of judging models do."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fnet import random, tree
from fnet.errors import StructureError
from fnet.random import check_key
from fnet.train.callbacks import CallbackLike
from fnet.train.checks import weights_of_classes
from fnet.train.data import as_arrays, count
from fnet.train.history import History
from fnet.train.results import Results
from fnet.train.sources.rows import Rows
from fnet.train.state import TrainState
from fnet.train.trainer import Trainer

SPLIT, NETWORK = 0, 1
"""The uses of a key: which samples are in which part, and what networks are made and trained with."""


class Judge:
    """A trainer with samples, and how networks are trained on parts of them.

    Parts of any size share the programs of the trainer for full batches. They are compiled once, and one for each size
    of the last batch of an epoch.
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
        self._who, self.trainer = who, _checked(who, trainer)
        self.batch_size, self._dtype = batch_size, np.dtype(dtype)
        given = {"x": x, "y": y, "sample_weight": sample_weight}
        self._data = {
            name: None if part is None else as_arrays(name, part, self._dtype) for name, part in given.items()
        }
        self.n = count(self._data)
        self._training = self._data
        if class_weight is not None:
            weights = weights_of_classes(class_weight, self.y, sample_weight)
            self._training = self._data | {"sample_weight": as_arrays("sample_weight", weights, self._dtype)}
        self._options: dict[str, Any] = {
            "batch_size": batch_size,
            "epochs": epochs,
            "callbacks": callbacks,
            "verbose": verbose,
        }

    def of(self, trainer: Trainer) -> Judge:
        """The same for another trainer."""
        other = copy.copy(self)
        other.trainer = _checked(self._who, trainer)
        return other

    @property
    def y(self) -> Any:
        """The targets, as arrays."""
        return self._data["y"]

    def fit(self, key: Any, rows: np.ndarray) -> tuple[TrainState, History]:
        """Train a fresh network on some of the samples."""
        shapes = tree.map(lambda leaf: leaf.shape[1:], self._data["x"])
        ts = self.trainer.init(check_key(key), shapes, self._dtype)
        return self.trainer.fit(ts, Rows.picked(self._training, rows), None, **self._options)

    def evaluate(self, ts: TrainState, rows: np.ndarray) -> Results:
        """The loss and the metrics of a network on some of the samples."""
        return self.trainer.evaluate(ts, Rows.picked(self._data, rows), None, self.batch_size)


def _checked(who: str, trainer: Any) -> Trainer:
    if not isinstance(trainer, Trainer):
        raise StructureError(
            f"{who}: trainer is an fnet.Trainer, received a {type(trainer).__name__}. "
            f"Make one: fnet.Trainer(net, loss, optimizer)."
        )
    return trainer


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
