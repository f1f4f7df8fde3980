"""What a mask or a weight of 0 leaves out has no influence on a metric, and what metrics refuse before a training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import losses, metrics, ops
from fnet.errors import ShapeError, ValueRangeError
from fnet.masking import Masked
from fnet.spec import ArraySpec
from tests.metrics.table import METRICS
from tests.metrics.test_laws import over

JUNK = [np.nan, np.inf, -1.0, 0.5, 99.0]


def spoilt(x, left_out, junk):
    """`x` with the junk where it is left out; integers become floating, but for -1, which they have."""
    x = x if junk in (-1.0, 99.0) else np.array(x, np.float64)
    return np.where(left_out.reshape(left_out.shape + (1,) * (x.ndim - left_out.ndim)), np.array(junk, x.dtype), x)


@pytest.mark.parametrize("case", METRICS, ids=lambda case: case.id)
@settings(deadline=None, max_examples=5)
@given(st.data())
def test_what_is_left_out_has_no_influence(case, data):
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    masked = case.steps and draw(st.booleans())
    y, p = case.data(rng, (4, 3) if masked else (5,))
    mask = rng.random((4, 3)) < 0.7 if masked else None
    weights = draw(st.sampled_from([None, "samples"])) and np.append(rng.integers(1, 5, len(y) - 1) / 2, 0)
    left_out = np.zeros(y.shape[: 2 if masked else 1], bool) if mask is None else ~mask
    if weights is not None:
        left_out[weights == 0] = True
    of_labels = "int" in p.dtype.name
    junk = draw(st.sampled_from(JUNK)), draw(st.sampled_from([-1.0, 99.0] if of_labels else JUNK))
    other = spoilt(y, left_out, junk[0]), spoilt(p, left_out, junk[1])

    def of(y, p):
        return over(case.metric(), (y, p if mask is None else Masked(p, mask), weights))

    np.testing.assert_array_equal(of(*other), of(y, p))


@pytest.mark.parametrize("name", ["precision", "mean_squared_error", "sparse_categorical_crossentropy"])
def test_under_jit(name):
    case = next(c for c in METRICS if c.id == name)
    (y, p), w = case.data(np.random.default_rng(0), (4,)), np.array([1.0, 0.0, 2.0, 0.5])
    y = y.astype(float)
    metric = case.metric()
    update = fnet.jit(metric.update)
    for a, b in zip(
        fnet.tree.leaves(update(metric.init(), y, p, w)),
        fnet.tree.leaves(update(metric.init(), spoilt(y, w == 0, np.nan), spoilt(p, w == 0, np.nan), w)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_the_mean_of_a_loss_finds_the_logits_too():
    z = np.array([[90.0], [-90.0], [120.0]], np.float32)
    y, mask, w = np.zeros((3, 1)), np.array([True, True, False]), np.array([1.0, 2.0, 0.0])
    metric = metrics.BinaryCrossentropy()
    assert over(metric, (y, ops.sigmoid(z))) == 70
    assert over(metric, (y, ops.sigmoid(z), w)) == 30
    assert over(metric, (y, Masked(ops.sigmoid(z), mask))) == 45
    assert over(metrics.mean_of(losses.crossentropy), (y, ops.sigmoid(z))) == 70


CHECKED = [
    (metrics.precision(), [[-1.0], [1.0]], "precision: expected y_true of 0 and 1, received -1 in sample 0."),
    (metrics.AUC(), [[-1.0], [1.0]], "auc: expected y_true of 0 and 1, received -1 in sample 0."),
    (metrics.f1_score(), [[1.0], [-1.0]], "f1_score: expected y_true of 0 and 1, received -1 in sample 1."),
    (metrics.recall_at_precision(0.5), [[0.0], [2.0]], "expected y_true of 0 and 1, received 2 in sample 1."),
    (metrics.accuracy(), [[-1.0], [1.0]], "accuracy: expected y_true of 0 and 1, received -1 in sample 0."),
    (metrics.binary_accuracy(), [[-1.0], [1.0]], "binary_accuracy: expected y_true of 0 and 1, received -1"),
    (metrics.MeanIoU(2, sparse_y_pred=False), [0, 2], "label 2 of sample 1 in y_true is out of range: expected 0 to 1"),
    (metrics.BinaryCrossentropy(), [[-1.0], [1.0]], "expected y_true in [0, 1], received -1.0 in sample 0."),
]


@pytest.mark.parametrize(("metric", "y", "text"), CHECKED)
def test_targets_are_checked_beforehand(metric, y, text):
    """With the text of the eager update; padding under a mask that is not known yet may hold anything."""
    columns = 2 if "mean_io_u" in metric.name else 1
    spec = ArraySpec((2, columns), np.dtype(np.float32))
    y = np.array(y)
    for call in (
        lambda: metric.check_targets(y, spec),
        lambda: metric.check_targets(y, np.zeros((2, columns))),
        lambda: over(metric, (y, np.full((2, columns), 0.5))),
    ):
        with pytest.raises(ValueRangeError) as caught:
            call()
        assert text in str(caught.value)
        assert str(caught.value).count("\n") < 3
    metric.check_targets(np.array([[0.0], [1.0]]) if columns == 1 else np.array([0, 1]), spec)
    metric.check_targets(y, Masked(spec, ArraySpec((2,), np.dtype(bool))))
    wrong = np.array([bool(np.any((row < 0) | (row > 1))) for row in y])
    metric.check_targets(y, spec, np.where(wrong, 0.0, 1.0))
    metric.check_targets(y, Masked(np.zeros((2, columns)), ~wrong))


@pytest.mark.parametrize(
    "metric",
    [metrics.precision(), metrics.AUC(), metrics.accuracy(), metrics.binary_accuracy(), metrics.binary_iou([1])],
)
def test_logits_are_told_from_the_first_outputs(metric):
    z = np.array([[0.5], [3.5]])
    with pytest.raises(ValueRangeError) as caught:
        metric.check_outputs(z)
    assert f"{metric.name}: expected probabilities in [0, 1], received 3.5 in sample 1." in str(caught.value)
    metric.check_outputs(z, [1.0, 0.0])
    metric.check_outputs(Masked(z, np.array([True, False])))
    metric.check_outputs(z / 4)


def test_thresholds_of_logits():
    z, y = np.array([[-2.0], [3.0], [0.5]]), np.array([[0.0], [1.0], [0.0]])
    for metric in (
        metrics.binary_accuracy(threshold=0.0),
        metrics.precision(thresholds=0.0),
        metrics.AUC(from_logits=True),
    ):
        metric.check_outputs(z)
        over(metric, (y, z))
    assert over(metrics.binary_accuracy(threshold=0.0), (y, z)) == pytest.approx(2 / 3)
    metrics.accuracy().check_outputs(np.full((2, 3), 7.0))  # the largest of a row needs no probabilities
    metrics.precision(top_k=1).check_outputs(np.full((2, 3), 7.0))


def test_one_value_has_no_correlation():
    for metric in (metrics.pearson_correlation(), metrics.concordance_correlation()):
        with pytest.raises(ShapeError) as caught:
            over(metric, (np.zeros((4, 1)), np.zeros((4, 1))))
        assert f"{metric.name}: one value has no correlation, but y_pred (4, 1) has one along axis -1." in str(
            caught.value
        )
    y, p = np.array([[1.0], [2.0], [4.0]]), np.array([[2.0], [3.0], [7.0]])
    expected = np.corrcoef(y[:, 0], p[:, 0])[0, 1]
    np.testing.assert_allclose(over(metrics.pearson_correlation(axis=0), (y, p)), expected)
    large = np.array([1e20, 2e20, 4e20], np.float32)[None], np.array([2e20, 3e20, 7e20], np.float32)[None]
    np.testing.assert_allclose(over(metrics.pearson_correlation(), large), expected, rtol=1e-6)
