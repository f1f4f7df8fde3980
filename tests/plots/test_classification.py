"""What is drawn of a classifier's predictions."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

from fnet import plots
from fnet.errors import ShapeError, ValueRangeError

RNG = np.random.default_rng(0)
TRUE, SCORES = RNG.integers(0, 3, 50), RNG.normal(size=(50, 3))


def matrix(figure):
    ax = figure.axes[0]
    array = np.asarray(ax.images[0].get_array())
    texts = {text.get_position(): text.get_text() for text in ax.texts}
    return array, [[texts[column, row] for column in range(len(array))] for row in range(len(array))]


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion_is_that_of_scikit_learn(normalize):
    wanted = confusion_matrix(TRUE, SCORES.argmax(1), normalize=normalize)
    for true, pred in ((TRUE, SCORES), (np.eye(3)[TRUE], SCORES.argmax(1))):
        array, texts = matrix(plots.plot_confusion_matrix(true, pred, normalize=normalize))
        np.testing.assert_allclose(array, wanted)
        assert texts == [[f"{v:.0f}" if normalize is None else f"{v:.2f}" for v in row] for row in wanted]


def test_names_of_classes_and_classes_that_are_names():
    figure = Figure()
    ax = figure.subplots()
    assert plots.plot_confusion_matrix([0, 2], [0, 0], ["a", "b", "c"], ax=ax) is figure
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"] and ax.get_ylabel() == "true"
    assert matrix(figure)[0].tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    words = plots.plot_confusion_matrix(["dog", "cat"], ["cat", "cat"])
    assert [label.get_text() for label in words.axes[0].get_xticklabels()] == ["cat", "dog"]
    assert matrix(words)[0].tolist() == [[1, 0], [1, 0]]


def test_the_receiver_operating_characteristic_is_that_of_scikit_learn():
    true, score = RNG.integers(0, 2, 60), RNG.integers(0, 20, 60) / 20  # many equal scores
    for given in (score, score[:, None]):
        curve, chance = plots.plot_roc(true, given).axes[0].lines
        wanted = roc_curve(true, score, drop_intermediate=False)
        np.testing.assert_allclose(curve.get_xydata(), np.stack(wanted[:2], 1))
        assert curve.get_label() == f"area {roc_auc_score(true, score):.4f}"
        assert chance.get_xydata().tolist() == [[0, 0], [1, 1]]


def test_each_of_several_classes_has_a_curve():
    *curves, _ = plots.plot_roc(np.eye(3)[TRUE], SCORES, labels=np.array(["a", "b", "c"])).axes[0].lines
    areas = [roc_auc_score(place == TRUE, SCORES[:, place]) for place in range(3)]
    assert [c.get_label() for c in curves] == [
        f"{name} area {area:.4f}" for name, area in zip("abc", areas, strict=True)
    ]


def test_mistakes_are_told():
    with pytest.raises(ShapeError, match="y_true has 2 samples and y_pred has 3"):
        plots.plot_confusion_matrix([0, 1], [0, 1, 1])
    with pytest.raises(ShapeError, match=r"classes have the shape \(samples,\) or \(samples, classes\), received"):
        plots.plot_confusion_matrix(np.zeros((2, 2, 2)), [0, 1])
    with pytest.raises(ValueRangeError, match="classes are integers from 0 to 1, received 2 of sample 1"):
        plots.plot_confusion_matrix([0, 2], [0, 1], ["a", "b"])
    with pytest.raises(ValueRangeError, match="normalize is 'true', 'pred' or 'all', received 'rows'"):
        plots.plot_confusion_matrix([0], [0], normalize="rows")
    with pytest.raises(ShapeError, match="y_true has 2 samples and y_score has 3"):
        plots.plot_roc([0, 1], [0.1, 0.2, 0.3])
    with pytest.raises(ValueRangeError, match="class 1 has 0 of 2 samples, so there is no curve"):
        plots.plot_roc([0, 0], [0.1, 0.2])
    with pytest.raises(ShapeError, match=r"plot_roc: y_true has no samples\. Pass at least one"):
        plots.plot_roc([], [])
    with pytest.raises(ShapeError, match=r"plot_confusion_matrix: y_true has no samples"):
        plots.plot_confusion_matrix([], [])
    with pytest.raises(ValueRangeError, match=r"y_score is NaN for sample 1\. Pass numbers"):
        plots.plot_roc([0, 1], [0.5, np.nan])
    with pytest.raises(
        ValueRangeError, match=r"y_pred has the classes .*, received 0\.7 of sample 1. Decide first: y_p"
    ):
        plots.plot_confusion_matrix([0, 1], [[1.0], [0.7]])
    with pytest.raises(ValueRangeError, match="y_true has the classes .*, received nan of sample 0"):
        plots.plot_confusion_matrix([np.nan, 1], [0, 1])
    with pytest.raises(ShapeError, match="plot_roc: y_score has 3 classes and labels 1. Pass a name for each"):
        plots.plot_roc(TRUE, SCORES, labels=["a"])
