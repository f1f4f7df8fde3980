"""What is drawn of histories, folds and curves."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from fnet import plots
from fnet.errors import StructureError
from fnet.train import History
from fnet.train.cross_validation import CrossValidation, Fold
from fnet.train.learning_curves import Curve
from fnet.train.results import Results


def recorded() -> History:
    history = History()
    for epoch, loss in ((3, 1.0), (4, 0.5)):
        history.append(epoch, {"loss": loss, "mae": 3 * loss, "val_loss": 2 * loss})
    return history


def points(ax, label):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return list(line.get_xdata()), list(line.get_ydata())


def test_a_history_has_axes_for_each_quantity():
    loss, mae = plots.plot_history(recorded()).axes
    assert points(loss, "training") == ([4, 5], [1.0, 0.5]) and points(loss, "validation") == ([4, 5], [2.0, 1.0])
    assert loss.get_ylabel() == "loss" and loss.get_xlabel() == "epoch"
    assert points(mae, "training") == ([4, 5], [3.0, 1.5]) and len(mae.lines) == 1


def test_lists_by_name_and_a_choice():
    (ax,) = plots.plot_history({"loss": [3.0, 2.0], "mae": [1.0, 1.0]}, "loss").axes
    assert points(ax, "training") == ([1, 2], [3.0, 2.0])


def test_a_history_without_epochs_is_an_empty_figure():
    assert plots.plot_history(History()).axes == []
    (alone,) = plots.plot_history({"val_loss": [2.0, 1.0]}).axes
    assert alone.get_ylabel() == "loss" and [line.get_label() for line in alone.lines] == ["validation"]


def test_axes_that_are_given_are_drawn_into():
    figure = Figure()
    axes = figure.subplots(2, 2)
    assert plots.plot_history(recorded(), axes=axes) is figure
    assert [len(ax.lines) for ax in axes.ravel()] == [2, 1, 0, 0]
    assert plots.plot_history(recorded(), ["mae"], axes=axes[1, 1]) is figure and len(axes[1, 1].lines) == 1


def test_folds_with_mean_and_spread():
    folds = [Fold(np.arange(2), np.arange(1), None, None, Results(loss=value)) for value in (1.0, 2.0, 6.0)]
    (ax,) = plots.plot_folds(CrossValidation(tuple(folds))).axes
    assert points(ax, "folds") == ([1, 2, 3], [1.0, 2.0, 6.0]) and points(ax, "mean")[1] == [3.0, 3.0]
    (span,) = ax.patches
    assert span.get_height() == pytest.approx(2 * np.std([1, 2, 6], ddof=1))


def test_curves_over_numbers_and_over_names():
    train, validation = {"loss": np.array([[1.0, 3.0], [2.0, 2.0]])}, {"loss": np.array([[4.0, 6.0], [3.0, 5.0]])}
    (ax,) = plots.plot_curve(Curve("samples", (8, 16), train, validation)).axes
    assert points(ax, "training") == ([8, 16], [2.0, 2.0]) and points(ax, "validation") == ([8, 16], [5.0, 4.0])
    assert ax.get_xlabel() == "samples" and len(ax.collections) == 2
    corners = ax.collections[0].get_paths()[0].vertices
    assert [corners[:, 1].min(), corners[:, 1].max()] == pytest.approx([2 - np.sqrt(2), 2 + np.sqrt(2)])
    (ax,) = plots.plot_curve(Curve("activation", ("relu", "tanh"), train, validation)).axes
    assert [text.get_text() for text in ax.get_xticklabels()] == ["relu", "tanh"]


def test_mistakes_are_told():
    with pytest.raises(StructureError, match="plot_history: there is no 'los' to draw. Did you mean 'loss'?"):
        plots.plot_history(recorded(), ["los"])
    with pytest.raises(StructureError, match=r"2 axes are needed, received 1\. Pass figure\.subplots\(1, 2\)"):
        plots.plot_history(recorded(), axes=Figure().subplots())
    with pytest.raises(StructureError, match="draws into matplotlib axes, received str 'left'"):
        plots.plot_history(recorded(), axes="left")
