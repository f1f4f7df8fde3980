"""Training and evaluation of fresh networks on parts of the same samples, which all ways of judging models do."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from fnet import random, tree
from fnet.data.labels import label_of_each
from fnet.errors import StructureError
from fnet.random import check_key
from fnet.train.callbacks import CallbackLike
from fnet.train.checks import weights_of_classes
from fnet.train.data import as_arrays, count
from fnet.train.dataset import Dataset, dataset_bytes
from fnet.train.history import History
from fnet.train.results import Results
from fnet.train.sources import datasets
from fnet.train.sources.picked import Picked
from fnet.train.sources.rows import Rows
from fnet.train.sources.source import Data
from fnet.train.state import TrainState
from fnet.train.trainer import Trainer

SPLIT, NETWORK = 0, 1
"""The uses of a key: which samples are in which part, and what networks are made and trained with."""


class Judge:
    """A trainer with samples, and how networks are trained on parts of them.

    Parts of any size share the programs of the trainer for full batches, and one for each size of the last batch of an
    epoch; all of them are made of the same machine code. Data sets of a file stay there where they are large, and parts
    of them are read by windows.
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
        self._streams = datasets.is_large(*given.values())
        self._data = self._arrays(given, unread=self._streams)
        self.n = count(self._data)
        self._class_weight = class_weight
        self._training = self._data if self._streams else self._weighed(self._data)
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

    def classes(self, stratify: Any) -> Any:
        """What folds are stratified by: the targets for True, None for False, or the labels that are given."""
        y = self._data["y"]
        if stratify is not True or not isinstance(y, Dataset):
            return y if stratify is True else None if stratify is False else stratify
        if len(y.shape) > 2:
            label_of_each(self._who, "stratify", np.broadcast_to(np.zeros((), y.dtype), y.shape), self.n)
        step = max(datasets.WINDOW_BYTES // y[:1].nbytes, 1)
        parts = [y[begin : begin + step] for begin in range(0, self.n, step)]
        return np.concatenate([label_of_each(self._who, "stratify", part.read(), len(part)) for part in parts])

    def fit(self, key: Any, rows: np.ndarray) -> tuple[TrainState, History]:
        """Train a fresh network on some of the samples."""
        shapes = tree.map(lambda leaf: leaf.shape[1:], self._data["x"])
        ts = self.trainer.init(check_key(key), shapes, self._dtype)
        if not self._streams:
            return self.trainer.fit(ts, Rows.picked(self._training, rows), None, **self._options)
        data = _picked(self._data, rows)
        if not datasets.is_large(data):
            return self.trainer.fit(ts, self._read(data, self._weighed), None, **self._options)
        x, y, weight = data.values()
        return self.trainer.fit(ts, x, y, sample_weight=weight, class_weight=self._class_weight, **self._options)

    def evaluate(self, ts: TrainState, rows: np.ndarray) -> Results:
        """The loss and the metrics of a network on some of the samples."""
        if not self._streams:
            return self.trainer.evaluate(ts, Rows.picked(self._data, rows), None, self.batch_size)
        data = _picked(self._data, rows)
        if not datasets.is_large(data):
            return self.trainer.evaluate(ts, self._read(data), None, self.batch_size)
        x, y, weight = data.values()
        return self.trainer.evaluate(ts, x, y, self.batch_size, weight)

    def _arrays(self, given: Mapping[str, Any], unread: bool = False) -> Data:
        return {
            name: None if part is None else as_arrays(name, part, self._dtype, unread) for name, part in given.items()
        }

    def _weighed(self, data: Data) -> Data:
        """The data with weights of their classes, where there are any."""
        if self._class_weight is None:
            return data
        weights = weights_of_classes(self._class_weight, data["y"], data["sample_weight"])
        return data | self._arrays({"sample_weight": weights})

    def _read(self, data: Data, finish: Callable[[Data], Data] = lambda data: data) -> Rows:
        """Picked samples that fit into a window, in arrays as large as one, so that programs have one shape."""
        arrays, room = finish(self._arrays(data)), count(data) * datasets.WINDOW_BYTES // dataset_bytes(data)
        return Rows(tree.map(lambda leaf: _with_room(leaf, room), arrays), count(arrays))


def _picked(data: Data, rows: np.ndarray) -> Data:
    return {name: tree.map(lambda leaf: Picked(leaf, rows), part) for name, part in data.items()}


def _with_room(leaf: np.ndarray, room: int) -> np.ndarray:
    wide = np.zeros((room, *leaf.shape[1:]), leaf.dtype)
    wide[: len(leaf)] = leaf
    return wide


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
