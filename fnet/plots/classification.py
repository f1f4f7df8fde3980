"""Pictures of what a classifier gets right: the matrix of confusion, the receiver operating characteristic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet.arguments import one_of
from fnet.errors import ShapeError, ValueRangeError
from fnet.plots.panels import panels, some

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TOTALS = {"true": 1, "pred": 0, "all": None}


def plot_confusion_matrix(
    y_true: Any, y_pred: Any, labels: Sequence[Any] | None = None, normalize: str | None = None, ax: Any = None
) -> Figure:
    """How many samples of each class (row) were taken for each class (column).

    y_true, y_pred: classes, (samples,), or one-hot rows and scores, (samples, classes), of which the largest counts.
    labels: names of the classes 0, 1, ...; otherwise classes may be anything, in their order. normalize: divides by the
    samples of the class ("true"), by those taken for it ("pred"), or by all ("all").
    Raises `ValueRangeError` for numbers that are no integers, such as the outputs of one sigmoid unit.

    >>> figure = plot_confusion_matrix([0, 1, 1], [0, 1, 0])
    >>> figure.axes[0].images[0].get_array().tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    true, pred = _classes(y_true), _classes(y_pred)
    if true.shape != pred.shape:
        raise ShapeError(
            f"plot_confusion_matrix: y_true has {true.size} samples and y_pred has {pred.size}. "
            f"Pass what belongs together."
        )
    some("plot_confusion_matrix", true)
    for name, classes in (("y_true", true), ("y_pred", pred)):
        _no_fractions(name, classes)
    if labels is None:
        known, of = np.unique(np.concatenate([true, pred]), return_inverse=True)
        names, rows, columns = [str(one) for one in known], of[: true.size], of[true.size :]
    else:
        names, rows, columns = (
            [str(label) for label in labels],
            _numbers(true, len(labels)),
            _numbers(pred, len(labels)),
        )
    matrix = np.zeros((len(names), len(names)))
    np.add.at(matrix, (rows, columns), 1)
    if normalize is not None:
        axis = _TOTALS[one_of("plot_confusion_matrix", "normalize", normalize, _TOTALS)]
        total = matrix.sum(axis=axis, keepdims=axis is not None)
        matrix = matrix / np.where(total > 0, total, 1)
    figure, (ax,) = panels("plot_confusion_matrix", 1, ax, (1.5 + 0.7 * len(names), 1 + 0.7 * len(names)))
    image = ax.imshow(matrix, cmap="Blues", vmin=0)
    for (row, column), value in np.ndenumerate(matrix):
        text = f"{value:.0f}" if normalize is None else f"{value:.2f}"
        ax.text(column, row, text, ha="center", va="center", color="white" if value > matrix.max() / 2 else "black")
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    figure.colorbar(image, ax=ax)
    return figure


def plot_roc(y_true: Any, y_score: Any, labels: Sequence[Any] | None = None, ax: Any = None) -> Figure:
    """The true positive rate over the false positive rate for all thresholds, with the area in the legend.

    y_true: 0 and 1, or classes 0, 1, ..., (samples,), or one-hot rows. y_score: (samples,) or (samples, 1), larger for
    the class 1; or (samples, classes), each of which is drawn against all others. labels: names of the classes.
    Raises `ValueRangeError` for a class without samples or without others.

    >>> figure = plot_roc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> figure.axes[0].lines[0].get_label()
    'area 0.7500'
    """
    true, score = _classes(y_true), np.asarray(y_score, float)
    some("plot_roc", true)
    score = score.reshape(len(score), -1) if score.size else score
    if true.shape != score.shape[:1]:
        raise ShapeError(
            f"plot_roc: y_true has {true.size} samples and y_score has {len(score)}. Pass what belongs together."
        )
    if np.isnan(score).any():
        sample = np.flatnonzero(np.isnan(score).any(axis=1))[0]
        raise ValueRangeError(f"plot_roc: y_score is NaN for sample {sample}. Pass numbers, which have an order.")
    names = (
        [""] if score.shape[1] == 1 else [f"{one} " for one in (range(score.shape[1]) if labels is None else labels)]
    )
    if len(names) != score.shape[1]:
        raise ShapeError(
            f"plot_roc: y_score has {score.shape[1]} classes and labels {len(names)}. Pass a name for each."
        )
    numbers = _numbers(true, max(score.shape[1], 2), "plot_roc")
    lines = []
    for place, name in enumerate(names):
        positive = numbers == (place if len(names) > 1 else 1)
        if positive.all() or not positive.any():
            raise ValueRangeError(
                f"plot_roc: class {name.strip() or 1} has {positive.sum()} of {true.size} samples, so there is no "
                f"curve. Pass samples of it and of others."
            )
        lines.append((name, *_rates(positive, score[:, place])))
    figure, (ax,) = panels("plot_roc", 1, ax, (4.5, 4.0))
    for name, false_rate, true_rate in lines:
        ax.plot(false_rate, true_rate, label=f"{name}area {np.trapezoid(true_rate, false_rate):.4f}")
    ax.plot([0, 1], [0, 1], "--", color="gray", label="chance")
    ax.set(xlabel="false positive rate", ylabel="true positive rate")
    ax.legend()
    return figure


def _rates(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rates of false and of true positives, from the highest threshold to the lowest."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # equal scores count together
    hits = np.cumsum(positive[order])[ends]
    misses = ends + 1 - hits
    return np.append(0.0, misses / misses[-1]), np.append(0.0, hits / hits[-1])


def _classes(y: Any) -> np.ndarray:
    """The class of each sample: itself, or the place of the largest number of its row."""
    given = np.asarray(y)
    if given.ndim == 2:
        return given.argmax(axis=1) if given.shape[1] > 1 else given[:, 0]
    if given.ndim != 1:
        raise ShapeError(f"classes have the shape (samples,) or (samples, classes), received {given.shape}.")
    return given


def _no_fractions(name: str, classes: np.ndarray) -> None:
    if classes.dtype.kind != "f":
        return
    odd = np.flatnonzero(classes != np.round(classes))
    if odd.size:
        raise ValueRangeError(
            f"plot_confusion_matrix: {name} has the classes of the samples, received {classes[odd[0]]:.4g} of sample "
            f"{odd[0]}. Decide first: {name} > 0.5."
        )


def _numbers(classes: np.ndarray, count: int, who: str = "plot_confusion_matrix") -> np.ndarray:
    """The classes as integers below `count`."""
    numbers = classes.astype(np.int64) if classes.dtype.kind in "biuf" else np.full(classes.shape, -1)
    wrong = np.flatnonzero((numbers < 0) | (numbers >= count) | (numbers != classes))
    if wrong.size:
        first = classes[wrong[0]].item()
        raise ValueRangeError(
            f"{who}: classes are integers from 0 to {count - 1}, received {first!r} of sample {wrong[0]}."
        )
    return numbers
