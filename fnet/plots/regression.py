"""Pictures of predicted numbers: beside the targets, and how far from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fnet.errors import ShapeError
from fnet.plots.panels import flat_pair, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_predictions(y_true: Any, y_pred: Any, x: Any = None, ax: Any = None) -> Figure:
    """Predictions over targets, with the line on which they are equal; or both over `x`, such as time.

    y_true, y_pred: numbers, of one shape; x: (samples,).

    >>> plot_predictions([1.0, 2.0], [1.1, 1.9]).axes[0].get_xlabel()
    'target'
    """
    true, pred = flat_pair("plot_predictions", y_true, y_pred)
    places = None if x is None else np.asarray(x).ravel()
    if places is not None and places.size != true.size:
        raise ShapeError(
            f"plot_predictions: x has {places.size} places and y_true {true.size} numbers. Pass one for each."
        )
    figure, (ax,) = panels("plot_predictions", 1, ax)
    if places is None:
        ends = [min(true.min(), pred.min()), max(true.max(), pred.max())]
        ax.plot(true, pred, ".", label="samples")
        ax.plot(ends, ends, "--", color="gray", label="equal")
        ax.set(xlabel="target", ylabel="prediction")
    else:
        order = np.argsort(places, kind="stable")
        ax.plot(places[order], true[order], ".-", label="targets")
        ax.plot(places[order], pred[order], ".-", label="predictions")
        ax.set(xlabel="x", ylabel="y")
    ax.legend()
    return figure


def plot_residuals(y_true: Any, y_pred: Any, ax: Any = None) -> Figure:
    """Residuals, ``y_true - y_pred``, over predictions, with the line of none.

    y_true, y_pred: numbers, of one shape. A trend, or a spread that changes, says what the model has missed.

    >>> figure = plot_residuals([1.0, 2.0], [0.5, 2.5])
    >>> figure.axes[0].lines[0].get_ydata().tolist()
    [0.5, -0.5]
    """
    true, pred = flat_pair("plot_residuals", y_true, y_pred)
    figure, (ax,) = panels("plot_residuals", 1, ax)
    ax.plot(pred, true - pred, ".")
    ax.axhline(0.0, linestyle="--", color="gray")
    ax.set(xlabel="prediction", ylabel="residual (target - prediction)")
    return figure
