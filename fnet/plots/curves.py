"""Pictures of loss and metrics: over epochs, over folds, over the size of the data or a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet.errors import StructureError, did_you_mean
from fnet.plots.panels import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fnet.train.cross_validation import CrossValidation
    from fnet.train.history import History
    from fnet.train.learning_curves import Curve


def plot_history(
    history: History | Mapping[str, Sequence[float]], names: Sequence[str] | None = None, axes: Any = None
) -> Figure:
    """Loss and metrics over the epochs, each in axes of its own, with its values in validation.

    history: what `fnet.Trainer.fit` returns, or lists by name; names: what to draw, by default all.

    >>> plot_history({"loss": [1.0, 0.5], "val_loss": [1.2, 0.9]}).axes[0].get_ylabel()
    'loss'
    """
    values = {name: np.asarray(history[name]) for name in history}
    known = list(dict.fromkeys(name.removeprefix("val_") for name, one in values.items() if one.ndim == 1))
    epochs = [epoch + 1 for epoch in getattr(history, "epoch", range(max(map(len, values.values()), default=0)))]
    chosen = _chosen("plot_history", names, known)
    figure, drawn = panels("plot_history", len(chosen), axes)
    for name, ax in zip(chosen, drawn, strict=True):
        for label, key in (("training", name), ("validation", f"val_{name}")):
            if key in values:
                ax.plot(epochs[: len(values[key])], values[key], label=label)
        ax.set(xlabel="epoch", ylabel=name)
        ax.legend()
    return figure


def plot_folds(result: CrossValidation, names: Sequence[str] | None = None, axes: Any = None) -> Figure:
    """Loss and metrics of the folds of a cross-validation, each in axes of its own, with mean and standard deviation.

    result: what `fnet.k_fold` returns; names: what to draw, by default all.
    """
    values = {name: one for name, one in result.values.items() if one.ndim == 1}
    chosen = _chosen("plot_folds", names, list(values))
    figure, drawn = panels("plot_folds", len(chosen), axes)
    for name, ax in zip(chosen, drawn, strict=True):
        folds, mean, std = np.arange(1, len(values[name]) + 1), values[name].mean(), values[name].std(ddof=1)
        ax.plot(folds, values[name], "o", label="folds")
        ax.axhline(mean, color="black", label="mean")
        ax.axhspan(mean - std, mean + std, alpha=0.2, label="standard deviation")
        ax.set(xlabel="fold", ylabel=name, xticks=folds)
        ax.legend()
    return figure


def plot_curve(curve: Curve, names: Sequence[str] | None = None, axes: Any = None) -> Figure:
    """A learning curve or a validation curve: means over the folds, each in axes of its own, and standard deviations.

    curve: what `fnet.learning_curve` or `fnet.validation_curve` returns; names: what to draw, by default all. Points
    that are no numbers stand in their order.
    """
    numeric = all(isinstance(point, int | float | np.number) for point in curve.points)
    places = list(curve.points) if numeric else list(range(len(curve.points)))
    chosen = _chosen("plot_curve", names, [name for name, one in curve.train.items() if one.ndim == 2])
    figure, drawn = panels("plot_curve", len(chosen), axes)
    for name, ax in zip(chosen, drawn, strict=True):
        for label, part in (("training", curve.train), ("validation", curve.validation)):
            mean, std = part[name].mean(axis=1), part[name].std(axis=1, ddof=1)
            (line,) = ax.plot(places, mean, "o-", label=label)
            ax.fill_between(places, mean - std, mean + std, color=line.get_color(), alpha=0.2)
        ax.set(xlabel=curve.name, ylabel=name)
        if not numeric:
            ax.set_xticks(places, [str(point) for point in curve.points])
        ax.legend()
    return figure


def _chosen(who: str, names: Sequence[str] | None, known: list[str]) -> list[str]:
    """The names to draw, which are known; none where nothing is recorded yet."""
    chosen = known if names is None else [names] if isinstance(names, str) else list(names)
    for name in chosen:
        if name not in known:
            raise StructureError(f"{who}: there is no {name!r} to draw.{did_you_mean(name, known)}")
    return chosen
