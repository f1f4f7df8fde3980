"""The same numbers as Keras and scikit-learn, where they are installed."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

from fnet import metrics
from tests.metrics.table import METRICS, bits, classes, reals
from tests.metrics.test_laws import over

with_keras = [pytest.param(case, id=case.id) for case in METRICS if case.keras]


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn.metrics")


def data(make, lead=(40,), seed=0):
    return make(np.random.default_rng(seed), lead)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", with_keras)
def test_keras(keras, case, weighted):
    if weighted and "IoU" in case.keras[0]:
        pytest.skip("Keras rounds these weights to integers")
    (y, p), w = data(case.data), np.random.default_rng(1).random(40) * 2
    name, options = case.keras
    theirs, batches = getattr(keras.metrics, name)(**options), []
    for part in (slice(0, 15), slice(15, 40)):
        batches.append((y[part], p[part], w[part]) if weighted else (y[part], p[part]))
        theirs.update_state(*batches[-1])
    mine = getattr(metrics, name)(**options)
    np.testing.assert_allclose(over(mine, *batches), np.asarray(theirs.result()), rtol=3e-5, atol=3e-6)
    assert re.sub(r"_\d+$", "", theirs.name) == mine.name  # Keras numbers the metrics of a process
    assert getattr(theirs, "_direction", None) in (mine.direction, None)


def test_area_under_curve(sklearn):
    """With as many thresholds as there are different scores the area is exact."""
    y, p = data(bits, (300,))
    y, p, w = y.reshape(-1), p.reshape(-1), np.random.default_rng(1).random(900)
    metric = metrics.AUC(thresholds=list(np.unique(p)))
    np.testing.assert_allclose(over(metric, (y, p)), sklearn.roc_auc_score(y, p), rtol=1e-12)
    np.testing.assert_allclose(over(metric, (y, p, w)), sklearn.roc_auc_score(y, p, sample_weight=w), rtol=1e-12)


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_f_score(sklearn, average, beta):
    (y, p), w = data(classes), np.random.default_rng(1).random(40)
    expected = sklearn.fbeta_score(y.argmax(1), p.argmax(1), beta=beta, average=average, sample_weight=w)
    np.testing.assert_allclose(over(metrics.FBetaScore(average, beta), (y, p, w)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("uniform_average", "uniform_average"), ("variance_weighted_average", "variance_weighted"), (None, "raw_values")],
)
def test_r2(sklearn, mine, theirs):
    (y, p), w = data(reals), np.random.default_rng(1).random(40)
    expected = sklearn.r2_score(y, p, multioutput=theirs, sample_weight=w)
    np.testing.assert_allclose(over(metrics.R2Score(mine), (y, p, w)), expected, rtol=1e-9)


def test_confusion_matrix_and_overlap(sklearn):
    (y, p), w = data(classes), np.random.default_rng(1).random(40)
    true, predicted = y.argmax(1), p.argmax(1)
    expected = sklearn.confusion_matrix(true, predicted, sample_weight=w)
    np.testing.assert_allclose(over(metrics.confusion_matrix(4), (true, p, w)), expected, rtol=1e-12)
    expected = sklearn.jaccard_score(true, predicted, average="macro", sample_weight=w)
    np.testing.assert_allclose(over(metrics.MeanIoU(4), (true, predicted, w)), expected, rtol=1e-12)


def test_precision_recall_and_top_k(sklearn):
    y, p = data(bits)
    for name, theirs in (("precision", sklearn.precision_score), ("recall", sklearn.recall_score)):
        expected = theirs(y.reshape(-1), p.reshape(-1) > 0.5)
        np.testing.assert_allclose(over(metrics.get(name), (y, p)), expected, rtol=1e-12)
    labels, scores = data(classes)
    expected = sklearn.top_k_accuracy_score(labels.argmax(1), scores, k=2)
    np.testing.assert_allclose(over(metrics.TopKCategoricalAccuracy(2), (labels, scores)), expected, rtol=1e-12)
