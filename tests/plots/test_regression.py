"""What is drawn of predicted numbers."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from fnet import plots
from fnet.errors import ShapeError

TRUE, PRED = np.array([1.0, 2.0, 3.0]), np.array([[1.5], [2.0], [2.0]])


def test_predictions_over_targets():
    samples, equal = plots.plot_predictions(TRUE, PRED).axes[0].lines
    assert samples.get_xydata().tolist() == [[1.0, 1.5], [2.0, 2.0], [3.0, 2.0]]
    assert equal.get_xydata().tolist() == [[1.0, 1.0], [3.0, 3.0]]


def test_both_over_x_in_its_order():
    targets, predictions = plots.plot_predictions(TRUE, PRED, x=[2, 0, 1]).axes[0].lines
    assert targets.get_xydata().tolist() == [[0, 2.0], [1, 3.0], [2, 1.0]]
    assert predictions.get_xydata().tolist() == [[0, 2.0], [1, 2.0], [2, 1.5]]


def test_residuals_over_predictions():
    figure = Figure()
    ax = figure.subplots()
    assert plots.plot_residuals(TRUE, PRED, ax=ax) is figure
    residuals, none = ax.lines
    assert residuals.get_xydata().tolist() == [[1.5, -0.5], [2.0, 0.0], [2.0, 1.0]] and none.get_ydata() == [0.0, 0.0]


def test_mistakes_are_told():
    with pytest.raises(ShapeError, match=r"y_true and y_pred have one shape, received \(3,\) and \(2, 1\)"):
        plots.plot_residuals(TRUE, PRED[:2])
    with pytest.raises(ShapeError, match=r"x has 2 places and y_true 3 numbers"):
        plots.plot_predictions(TRUE, PRED, x=[0, 1])
    with pytest.raises(ShapeError, match=r"plot_residuals: y_true has no samples"):
        plots.plot_residuals([], [])
