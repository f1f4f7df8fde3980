"""Bagging: networks that were trained on samples drawn again, which predict together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet import random, tree
from fnet.arguments import flag, integer, number, one_of
from fnet.errors import ValueRangeError
from fnet.random import check_key
from fnet.train.callbacks import CallbackLike
from fnet.train.history import History
from fnet.train.judge import NETWORK, SPLIT, Judge, key_of
from fnet.train.state import TrainState
from fnet.train.trainer import Trainer

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


@dataclass(frozen=True)
class Bagging:
    """Networks of one kind; `states` are theirs, `rows` the samples that each was trained on, `histories` the records.

    trainer: what has trained them, and predicts with them.
    """

    trainer: Trainer
    states: tuple[TrainState, ...]
    rows: tuple[np.ndarray, ...]
    histories: tuple[History, ...]

    def predictions(self, x: Any, batch_size: int | None = None) -> Any:
        """The outputs of each network for the samples: (members, samples, ...), a tree for a tree of outputs."""
        each = [self.trainer.predict(ts, x, batch_size) for ts in self.states]
        return tree.map(lambda *members: np.stack(members), *each)

    def predict(self, x: Any, combine: str = "mean", batch_size: int | None = None) -> Any:
        """What the networks predict together for the samples.

        combine: "mean" of the outputs, (samples, ...); or "vote": the class that has the largest output in the most
        networks, the first one of several such, (samples,). A single output is a probability, and stands for the class
        1 above one half.
        """
        one_of("bagging", "combine", combine, ("mean", "vote"))
        outputs = self.predictions(x, batch_size)
        return tree.map((lambda members: members.mean(axis=0)) if combine == "mean" else _elected, outputs)

    def std(self, x: Any, batch_size: int | None = None) -> Any:
        """How much the networks differ: the standard deviation of their outputs, (samples, ...)."""
        return tree.map(lambda members: members.std(axis=0), self.predictions(x, batch_size))


def bagging(
    trainer: Trainer,
    key: np.ndarray,
    x: Any,
    y: Any,
    members: int = 10,
    *,
    fraction: float = 1.0,
    replace: bool = True,
    epochs: int = 1,
    batch_size: int = 32,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    callbacks: CallbackLike | Iterable[CallbackLike | None] | None = (),
    verbose: bool = False,
    dtype: DTypeLike = "float32",
) -> Bagging:
    """Train networks with parameters of their own, each on a fraction of the samples that is drawn for it.

    replace: whether a sample may be drawn again. With ``fraction=1.0, replace=False`` all networks see all samples and
    differ by their parameters and their order of samples alone. All of them run the same programs, one network after
    the other. Other arguments as for `Trainer.fit`. Source: L. Breiman, Bagging predictors, Machine Learning 1996.

    >>> from fnet.layers import Dense
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> bag = bagging(Trainer(Dense(1), "mse"), random.key(0), x, 2 * x, members=3)
    >>> bag.predict(x).shape, bag.predictions(x).shape
    ((40, 1), (3, 40, 1))
    """
    check_key(key)
    integer("bagging", "members", members)
    flag("bagging", "replace", replace)
    judge = Judge("bagging", trainer, x, y, sample_weight, epochs, batch_size, class_weight, callbacks, verbose, dtype)
    size = int(
        number("bagging", "fraction", fraction, "(0, 1]", "{argument} is a fraction, expected {range}") * judge.n
    )
    if size < 1:
        raise ValueRangeError(f"bagging: fraction={fraction} of {judge.n} samples is none. Choose a larger fraction.")
    drawn, trained = [], []
    for member in range(members):
        drawing = key_of(key, SPLIT, member)
        if replace:
            rows = np.asarray(random.randint(drawing, (size,), 0, judge.n))
        else:
            rows = np.asarray(random.permutation(drawing, judge.n))[:size]
        drawn.append(np.sort(rows))
        trained.append(judge.fit(key_of(key, NETWORK, member), drawn[-1]))
    states, histories = zip(*trained, strict=True)
    return Bagging(trainer, states, tuple(drawn), histories)


def _elected(members: np.ndarray) -> np.ndarray:
    """The class with the most votes; members: (members, samples, classes)."""
    if members.ndim < 3 or members.shape[-1] == 1:
        votes = (members.reshape(*members.shape[:2], -1)[..., 0] > 0.5).astype(np.int64)
        classes = 2
    else:
        votes, classes = members.argmax(axis=-1), members.shape[-1]
    counts = (votes[..., None] == np.arange(classes)).sum(axis=0)
    return counts.argmax(axis=-1)
