"""Curves that tell under-fitting from over-fitting: by the number of samples, and by a parameter of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet import random
from fnet.arguments import is_integer, number, sequence
from fnet.errors import StructureError, ValueRangeError
from fnet.random import check_key
from fnet.train.callbacks import CallbackLike
from fnet.train.folds import fold_numbers
from fnet.train.judge import NETWORK, SPLIT, Judge, collected, key_of, table
from fnet.train.trainer import Trainer

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

_SIZES = (0.1, 0.325, 0.55, 0.775, 1.0)


@dataclass(frozen=True)
class Curve:
    """Loss and metrics on the samples of training and of validation, at each point; printing shows their means.

    name: what changes from point to point; points: its values; train, validation: by name, (points, folds). Where both
    are bad, the model under-fits; where only those of validation are, it over-fits.
    """

    name: str
    points: tuple[Any, ...]
    train: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]

    def __str__(self) -> str:
        names = [name for name, values in self.train.items() if values.ndim == 2]
        columns = [(name, self.train[name], self.validation[name]) for name in names]
        head = (self.name, *(f"{part}{name}" for name in names for part in ("", "val_")))
        means = zip(*(part.mean(axis=1) for _, *both in columns for part in both), strict=True)
        return table(head, [(str(point), *row) for point, row in zip(self.points, means, strict=True)])


def learning_curve(
    trainer: Trainer,
    key: np.ndarray,
    x: Any,
    y: Any,
    sizes: Sequence[float] = _SIZES,
    k: int = 5,
    *,
    stratify: Any = False,
    groups: Any = None,
    epochs: int = 1,
    batch_size: int = 32,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    callbacks: CallbackLike | Iterable[CallbackLike | None] | None = (),
    verbose: bool = False,
    dtype: DTypeLike = "float32",
) -> Curve:
    """Loss and metrics of networks that were trained on more and more samples, over the folds of a cross-validation.

    sizes: numbers of samples, or fractions of those that a fold trains on. In each fold a smaller set is a part of the
    larger ones, and networks begin with the same parameters; those of all samples are those of `k_fold` with this key.
    Other arguments as for `k_fold`.
    Raises `ValueRangeError` for sizes that no fold has. Source: scikit-learn ``learning_curve``.

    >>> from fnet.layers import Dense
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> curve = learning_curve(Trainer(Dense(1), "mse"), random.key(0), x, 2 * x, [8, 0.5, 1.0], k=2)
    >>> curve.points, curve.validation["loss"].shape
    ((8, 10, 20), (3, 2))
    """
    check_key(key)
    judge = Judge(
        "learning_curve", trainer, x, y, sample_weight, epochs, batch_size, class_weight, callbacks, verbose, dtype
    )
    numbers = _folds(key, judge, k, stratify, groups)
    points = _sizes(sizes, judge.n - int(np.bincount(numbers).max()))
    results: list[tuple[Any, Any]] = []
    for size in points:
        for fold in range(k):
            rows = np.flatnonzero(numbers != fold)
            order = np.asarray(random.permutation(key_of(key, SPLIT, 1, fold), len(rows)))
            results.append(_judged(judge, key_of(key, NETWORK, 0, fold), np.sort(rows[order[:size]]), numbers == fold))
    return _curve("samples", points, results)


def validation_curve(
    make: Callable[[Any], Trainer],
    values: Sequence[Any],
    key: np.ndarray,
    x: Any,
    y: Any,
    k: int = 5,
    *,
    name: str = "parameter",
    stratify: Any = False,
    groups: Any = None,
    epochs: int = 1,
    batch_size: int = 32,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    callbacks: CallbackLike | Iterable[CallbackLike | None] | None = (),
    verbose: bool = False,
    dtype: DTypeLike = "float32",
) -> Curve:
    """Loss and metrics of networks for each value of a parameter, over the same folds of a cross-validation.

    make: gives the trainer for a value, such as a number of units, a rate or a penalty; name: what it is called.
    Other arguments as for `k_fold`. Source: scikit-learn ``validation_curve``.

    >>> from fnet import regularizers
    >>> from fnet.layers import Dense
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> def make(penalty):
    ...     return Trainer(Dense(1, kernel_regularizer=regularizers.l2(penalty)), "mse")
    >>> validation_curve(make, [0.0, 0.1], random.key(0), x, 2 * x, k=2, name="penalty").points
    (0.0, 0.1)
    """
    check_key(key)
    points = tuple(sequence("validation_curve", "values", values))
    if not points:
        raise ValueRangeError("validation_curve: values holds the values to try, received none.")
    judge = Judge(
        "validation_curve",
        make(points[0]),
        x,
        y,
        sample_weight,
        epochs,
        batch_size,
        class_weight,
        callbacks,
        verbose,
        dtype,
    )
    numbers = _folds(key, judge, k, stratify, groups)
    results: list[tuple[Any, Any]] = []
    for position, value in enumerate(points):
        of_value = judge.of(make(value)) if position else judge
        results += [
            _judged(of_value, key_of(key, NETWORK, 0, fold), np.flatnonzero(numbers != fold), numbers == fold)
            for fold in range(k)
        ]
    return _curve(name, points, results)


def _folds(key: Any, judge: Judge, k: int, stratify: Any, groups: Any) -> np.ndarray:
    return fold_numbers(key_of(key, SPLIT, 0), judge.n, k, judge.classes(stratify), groups)


def _judged(judge: Judge, key: Any, train: np.ndarray, test: np.ndarray) -> tuple[Any, Any]:
    """What a network that was trained on some samples gives for these and for others."""
    ts, _ = judge.fit(key, train)
    return judge.evaluate(ts, train), judge.evaluate(ts, np.flatnonzero(test))


def _curve(name: str, points: tuple[Any, ...], results: list[tuple[Any, Any]]) -> Curve:
    """The curve through results, those of all folds for the first point first."""
    train, validation = (
        {what: values.reshape(len(points), -1, *values.shape[1:]) for what, values in collected(part).items()}
        for part in zip(*results, strict=True)
    )
    return Curve(name, points, train, validation)


def _sizes(sizes: Sequence[float], most: int) -> tuple[int, ...]:
    """Numbers of samples, from numbers and from fractions of `most`."""
    found = []
    for size in sequence("learning_curve", "sizes", sizes):
        if is_integer(size):
            count = int(size)
        else:
            count = int(number("learning_curve", "size", size, "(0, 1]", "a fraction is {range}") * most)
        if not 1 <= count <= most:
            raise ValueRangeError(
                f"learning_curve: a size is from 1 to {most}, the samples that every fold trains on, received {size}, "
                f"which is {count}."
            )
        found.append(count)
    if not found:
        raise StructureError("learning_curve: sizes holds the sizes to try, received none.")
    return tuple(found)
