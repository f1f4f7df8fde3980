"""Cross-validation: each sample is tested once, by a network that was trained without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fnet.arguments import integer
from fnet.errors import ValueRangeError
from fnet.random import check_key
from fnet.train.callbacks import CallbackLike
from fnet.train.folds import fold_numbers
from fnet.train.history import History
from fnet.train.judge import NETWORK, SPLIT, Judge, collected, key_of, table
from fnet.train.results import Results
from fnet.train.state import TrainState
from fnet.train.trainer import Trainer

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class Fold(NamedTuple):
    """A network that was trained on the samples ``train`` and tested on the samples ``test``.

    train, test: their numbers, in order; ts: the trained state; history: the record of its training; results: loss and
    metrics on the test samples.
    """

    train: np.ndarray
    test: np.ndarray
    ts: TrainState
    history: History
    results: Results


@dataclass(frozen=True)
class CrossValidation:
    """What a cross-validation found; printing shows a table.

    folds: each `Fold`, one repetition after the other. Loss and metrics by name: `values` has them for each fold,
    along the first axis, `mean` and `std` their mean and standard deviation (``ddof=1``) over the folds.
    """

    folds: tuple[Fold, ...]

    @property
    def values(self) -> dict[str, np.ndarray]:
        return collected(fold.results for fold in self.folds)

    @property
    def mean(self) -> dict[str, Any]:
        return {name: values.mean(axis=0) for name, values in self.values.items()}

    @property
    def std(self) -> dict[str, Any]:
        return {name: values.std(axis=0, ddof=1) for name, values in self.values.items()}

    def __str__(self) -> str:
        numbers = {name: values for name, values in self.values.items() if values.ndim == 1}
        rows = [(name, v.mean(), v.std(ddof=1), v.min(), v.max()) for name, v in numbers.items()]
        return table((f"{len(self.folds)} folds", "mean", "std", "min", "max"), rows)


def k_fold(
    trainer: Trainer,
    key: np.ndarray,
    x: Any,
    y: Any,
    k: int = 5,
    *,
    stratify: Any = False,
    groups: Any = None,
    repeats: int = 1,
    shuffle: bool = True,
    epochs: int = 1,
    batch_size: int = 32,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    callbacks: CallbackLike | Iterable[CallbackLike | None] | None = (),
    verbose: bool = False,
    dtype: DTypeLike = "float32",
) -> CrossValidation:
    """Train `k` networks, each without one k-th of the samples, and test each on the samples that it has not seen.

    Each fold has fresh parameters and a key of its own, which derive from `key`: the result depends on the arguments
    alone, to the bit. trainer: what all folds share, also what is compiled: once, whatever the sizes of folds and of
    their last, smaller batches, but for a last batch of one sample. x, y, sample_weight: arrays, or trees of arrays,
    with the samples first; data sets of a file, too, which are read by windows where they are large, as in
    `Trainer.fit`. stratify: True gives each fold the same share of each class in `y`; an array has the classes itself.
    groups: a label for each sample; samples of one group are tested together. repeats: do all of it with other folds
    again. shuffle: without it, each fold is a stretch of neighbours. epochs, batch_size, class_weight, callbacks,
    verbose: as for `Trainer.fit`; dtype: of the parameters.

    Raises `ValueRangeError` for more folds than samples, groups, or samples of a class.

    >>> from fnet.layers import Dense
    >>> from fnet import random
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> found = k_fold(Trainer(Dense(1), "mse", metrics="mae"), random.key(0), x, 2 * x, k=4, epochs=2)
    >>> len(found.folds), found.values["mae"].shape, found.folds[0].test.shape
    (4, (4,), (10,))
    """
    check_key(key)
    judge = Judge("k_fold", trainer, x, y, sample_weight, epochs, batch_size, class_weight, callbacks, verbose, dtype)
    if integer("k_fold", "repeats", repeats) > 1 and not shuffle:
        raise ValueRangeError(f"k_fold: repeats={repeats} without shuffle would do the same again. Shuffle.")
    classes, folds = judge.classes(stratify), []
    for repeat in range(repeats):
        numbers = fold_numbers(key_of(key, SPLIT, repeat), judge.n, k, classes, groups, shuffle)
        for number in range(k):
            train, test = np.flatnonzero(numbers != number), np.flatnonzero(numbers == number)
            ts, history = judge.fit(key_of(key, NETWORK, repeat, number), train)
            folds.append(Fold(train, test, ts, history, judge.evaluate(ts, test)))
    return CrossValidation(tuple(folds))
