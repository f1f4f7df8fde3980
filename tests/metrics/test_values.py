"""Values of single metrics that the laws do not reach: choices by shape, edges, options, recorded results."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import fnet
from fnet import losses, metrics
from fnet.masking import Masked
from tests.metrics.test_laws import over

Y, P = np.array([0, 0, 1, 1]), np.array([0.0, 0.5, 0.3, 0.9])


def test_a_long_epoch_keeps_its_digits():
    metric = metrics.mse()
    state = {"total": np.array(2.0**26), "count": np.array(2.0**26)}
    one = np.ones((1, 1), np.float32)
    assert metric.update(state, one, 0 * one) == {"total": 2.0**26 + 1, "count": 2.0**26 + 1}


def test_accuracy_is_chosen_by_the_shapes():
    metric, rng = metrics.accuracy(), np.random.default_rng(0)
    p = rng.random((8, 4))
    labels = rng.integers(0, 4, 8)
    expected = np.mean(labels == p.argmax(-1))
    for y in (labels, labels[:, None], np.eye(4)[labels]):
        assert over(metric, (y, p)) == expected
    bits, q = rng.integers(0, 2, 8), rng.random((8, 1))
    for y, predicted in ((bits, q), (bits[:, None], q), (bits, q[:, 0]), (bits[:, None].astype(float), q)):
        assert over(metric, (y, predicted)) == np.mean((q[:, 0] > 0.5) == bits)
    steps, scores = rng.integers(0, 4, (2, 5)), rng.random((2, 5, 4))
    assert over(metric, (steps, scores)) == np.mean(steps == scores.argmax(-1))
    assert over(metric, (labels, p.argmax(-1))) == expected  # integers are labels


@pytest.mark.parametrize(
    ("metric", "y", "p", "expected"),
    [
        (metrics.BinaryAccuracy(), [1, 1, 0, 0], [0.98, 1, 0, 0.6], 0.75),
        (metrics.BinaryAccuracy(), [1], [0.5], 0),
        (metrics.BinaryAccuracy(threshold=0.4), [1], [0.5], 1),
        (metrics.CategoricalAccuracy(), [[0, 1, 0]], [[0.5, 0.5, 0.0]], 0),  # the first of equals
        (metrics.TopKCategoricalAccuracy(k=1), [[0, 1, 0]], [[0.5, 0.5, 0.0]], 1),  # a tie is in
        (metrics.TopKCategoricalAccuracy(k=9), [[0, 1, 0]], [[0.5, 0.1, 0.0]], 1),
        (metrics.SparseTopKCategoricalAccuracy(k=2), [2], [[0.1, np.nan, np.nan]], 0),
        (metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True), [2, 1], [[1, 2, 3], [3, 0, 1]], 0.5),
        (metrics.TruePositives(), Y, P, 1),
        (metrics.Precision(thresholds=[0.5, 0.0]), Y, P, [1, 2 / 3]),
        (metrics.Precision(top_k=3), [[0, 0, 1, 1]], [[0.1, 0.2, 0.3, 0.2]], 1 / 3 * 2),
        (metrics.Recall(top_k=1), [[0, 0, 1, 1]], [[0.1, 0.3, 0.3, 0.2]], 0),  # the first of equals
        (metrics.AUC(num_thresholds=3), Y, P, 0.75),
        (metrics.AUC(num_thresholds=3, summation_method="minoring"), Y, P, 0.5),
        (metrics.AUC(num_thresholds=3, summation_method="Majoring"), Y, P, 1.0),
        (metrics.AUC(num_thresholds=3, curve="pr"), Y, P, 0.5 + (1 / 3 + 2 / 9 * np.log(4)) / 2),
        (metrics.AUC(num_thresholds=3, from_logits=True), Y, [-20.0, 0.0, -1.0, 2.0], 0.75),
        (metrics.SensitivityAtSpecificity(1.0), [0, 1], [0.9, 0.2], 0),
        (metrics.SensitivityAtSpecificity(0.5, num_thresholds=1), Y, P, 0.5),
        (metrics.F1Score(), np.eye(3)[[0, 1, 2, 0, 0, 2]],
         [[0.9, 0.1, 0], [0.2, 0.6, 0.2], [0, 0, 1], [0.4, 0.3, 0.3], [0, 0.9, 0.1], [0, 0, 1]], [0.8, 2 / 3, 1]),
        (metrics.F1Score(), [[1, 0]], [[0, 0]], [0, 0]),  # zeros are not the largest
        (metrics.R2Score(), [[2.0], [2.0]], [[2.0], [2.0]], 1),
        (metrics.R2Score(), [[2.0], [2.0]], [[2.0], [3.0]], 0),
        (metrics.R2Score(num_regressors=5), [[1.0], [2.0]], [[1.0], [3.0]], -1),  # too few to adjust
        (metrics.PearsonCorrelation(axis=0), [[1.0], [2.0], [4.0]], [[2.0], [4.0], [8.0]], 1),
        (metrics.PearsonCorrelation(), [[1.0, 1.0]], [[1.0, 2.0]], np.nan),
        (metrics.ConcordanceCorrelation(), [[1.0, 1.0]], [[1.0, 2.0]], 0),
        (metrics.CosineSimilarity(axis=1), [[3.0, 4.0]], [[3.0, 4.0]], 1),
        (metrics.BinaryIoU(threshold=0.5), [0, 1], [0.4, 0.5], 1),  # here the threshold itself is class 1
        (metrics.MeanIoU(4, ignore_class=-1), [-1, 0, 1], [3, 0, 2], 1 / 3),
        (metrics.MeanIoU(3, ignore_class=1), [1, 0, 2], [0, 0, 2], 1),
        (metrics.Perplexity(ignore_class=0), [[1, 0]], [[[0.5, 0.5], [0.1, 0.9]]], 2),
        (metrics.Perplexity(from_logits=True), [[1]], [[[3.0, 3.0, 3.0]]], 3),
        (metrics.SparseCategoricalCrossentropy(ignore_class=-1), [-1, 0], [[0.5, 0.5], [0.25, 0.75]], np.log(4)),
        (metrics.EditDistance(), [[1, 2, 0, 0]], [[[0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]]], 0.5),
        (metrics.EditDistance(merge_repeated=False), [[1, 2, 0]], [[[0, 1, 0], [0, 1, 0], [0, 0, 1]]], 0.5),
        (metrics.EditDistance(blank_index=-1), [[0, 1]], [[[1, 0, 0], [0, 0, 1], [0, 1, 0]]], 0),
    ],
)  # fmt: skip
def test_recorded_values(metric, y, p, expected):
    np.testing.assert_allclose(over(metric, (y, p)), expected, rtol=1e-6, atol=1e-12)


def test_compiled_code_leaves_out_labels_out_of_range():
    metric = metrics.confusion_matrix(2, sparse_y_pred=True)
    state = fnet.jit(metric.update)(metric.init(), np.array([0, -1, 1, 2]), np.array([1, 3, -1, 0]))
    np.testing.assert_array_equal(metric.result(state), [[0, 1], [0, 0]])


def test_gains_are_those_of_flach_and_kull():
    """Precision and recall gain, (x - pi) / ((1 - pi) x) with the share pi of positives, between three thresholds."""

    def gain(x):
        return (x - 0.5) / (0.5 * x)

    precisions, recalls = [0.5, 1.0, 1.0], [1.0, 0.5, 0.0]
    x = [max(gain(r), 0) if r else 0 for r in recalls]
    area = -np.trapezoid([gain(v) for v in precisions], x)
    np.testing.assert_allclose(over(metrics.AUC(num_thresholds=3, curve="PRGAIN"), (Y, P)), area)


def test_a_nan_among_the_predictions_shows():
    p = np.array([0.0, np.nan, 0.3, 0.9])
    for metric in (metrics.AUC(), metrics.Precision(), metrics.RecallAtPrecision(0.5)):
        assert np.isnan(over(metric, (Y, p)))


def test_a_large_mean_costs_r2_no_digits():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(100, 1))
    p = y + rng.normal(size=(100, 1))
    expected = 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    batches = [(y[i : i + 9] + 1e7, p[i : i + 9] + 1e7) for i in range(0, 100, 9)]
    np.testing.assert_allclose(over(metrics.R2Score(), *batches), expected, rtol=1e-6)


def test_area_under_many_labels():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, (30, 3)), rng.random((30, 3))
    single = [over(metrics.AUC(), (y[:, i], p[:, i])) for i in range(3)]
    for options in ({}, {"num_labels": 3}):
        np.testing.assert_allclose(over(metrics.AUC(multi_label=True, **options), (y, p)), np.mean(single))
    weighted = over(metrics.AUC(label_weights=[1, 2, 0]), (y, p))
    np.testing.assert_allclose(weighted, over(metrics.AUC(), (y, p, np.tile([1, 2, 0], (30, 1)))))


def test_transcripts_under_a_mask():
    metric = metrics.EditDistance()
    frames, mask = np.eye(3)[[[0, 1, 1, 0, 2]]], np.array([[False, True, True, True, False]])
    assert over(metric, ([[1, 2]], Masked(frames, mask))) == 0.5
    assert over(metric, ([[1, 2, 1]], Masked(np.array([[1, 2, 9, 1]]), np.array([[True, True, False, True]])))) == 0


def test_mean_and_sum_of_values():
    values, weights = [[1.0, 3.0], [5.0, 7.0]], [1.0, 0.5]
    mean, total = metrics.Mean(), metrics.Sum()
    assert mean.result(mean.update(mean.init(), values)) == 4
    assert mean.result(mean.update(mean.init(), values, sample_weight=weights)) == (2 + 0.5 * 6) / 1.5
    assert total.result(total.update(total.init(), values, sample_weight=weights)) == 4 + 0.5 * 12
    for metric in (mean, total):
        assert metric.result(metric.update(metric.init(), 3)) == 3
        assert metric.result(metric.init()) == 0
        update = fnet.jit(lambda state, v, metric=metric: metric.update(state, v))
        assert metric.result(update(metric.init(), np.array(values))) == metric.result(
            metric.update(metric.init(), values)
        )
        with pytest.raises(TypeError, match="positional"):  # y_pred is no weight
            metric.update(metric.init(), values, values)


def test_mean_of_takes_losses_with_options_and_plain_functions():
    y, z = np.array([[1.0], [0.0]]), np.array([[0.3], [-2.0]])
    logits = partial(losses.binary_crossentropy, from_logits=True)
    np.testing.assert_allclose(over(metrics.mean_of(logits, "bce"), (y, z)), logits(y, z), rtol=1e-12)
    np.testing.assert_allclose(over(metrics.BinaryCrossentropy(from_logits=True), (y, z)), logits(y, z), rtol=1e-12)
    largest = metrics.get(lambda y, p: abs(y - p).max(-1))
    assert over(largest, (y, z)) == np.mean([0.7, 2.0])
    assert largest.direction is None

    def bias(y, p):
        return np.mean(p - y)

    metric = metrics.get(bias)
    assert metric.name == "bias"
    np.testing.assert_allclose(over(metric, (y, z), (y[:1], z[:1])), (2 * bias(y, z) + bias(y[:1], z[:1])) / 3)


def test_get_takes_metrics_and_constructors():
    metric = metrics.mae()
    assert metrics.get(metric) is metric
    assert metrics.get(metrics.binary_accuracy).name == "binary_accuracy"
    assert metrics.get(metrics.AUC).name == "auc"
    assert metrics.get(losses.mse)[3:5] == ("mean_squared_error", "down")
    assert metrics.get("categorical_crossentropy").name == "categorical_crossentropy"


def test_the_trainer_watches_metrics_with_many_numbers_and_those_that_grow():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(70, 5)).astype(np.float32), np.eye(3)[rng.integers(0, 3, 70)]
    watched = ["auc", metrics.F1Score(average="macro"), metrics.R2Score(), metrics.Precision(top_k=1)]
    net = fnet.layers.Dense(3, activation="softmax")
    trainer = fnet.Trainer(net, "categorical_crossentropy", "sgd", metrics=watched)
    ts = trainer.init(fnet.random.key(0), (5,))
    results, p = trainer.evaluate(ts, x, y), trainer.predict(ts, x)
    for metric in map(metrics.get, watched):
        np.testing.assert_allclose(results[metric.name], over(metric, (y, p)), rtol=1e-6)


@pytest.mark.parametrize("unknown", [False, True])
def test_one_threshold_counts_as_it_does_among_several(unknown):
    rng = np.random.default_rng(1)
    y, p, w = rng.integers(0, 2, 50), rng.integers(0, 5, 50) / 4, rng.random(50)
    w[0] = 0.0
    p[:2] = np.nan if unknown else 0.5
    for metric in (metrics.TruePositives, metrics.FalsePositives, metrics.TrueNegatives, metrics.FalseNegatives):
        one, several = (over(metric(thresholds), (y, p, w)) for thresholds in (0.5, [0.25, 0.5]))
        np.testing.assert_allclose(one, several[1], rtol=1e-13)
