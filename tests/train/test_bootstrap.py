"""Intervals of metrics over samples that are drawn again."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

import fnet
from fnet import metrics, random
from fnet.errors import ArgumentError, ShapeError, ValueRangeError
from fnet.train.judge import key_of

KEY = random.key(5)


def test_the_interval_of_a_mean_is_the_normal_one():
    y = np.random.default_rng(0).normal(size=400)
    found = fnet.bootstrap("mae", y, np.zeros(400), KEY, level=0.9)
    spread = np.abs(y).std() / 20
    assert found.value == pytest.approx(np.abs(y).mean()) and found.values.shape == (1000,) and found.level == 0.9
    assert found.values.std() == pytest.approx(spread, rel=0.1)
    np.testing.assert_allclose(
        [found.low, found.high], np.abs(y).mean() + np.array([-1.645, 1.645]) * spread, atol=spread / 4
    )


def test_names_metrics_and_functions_draw_the_same_samples():
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, 40), rng.uniform(size=40)
    by_name, by_metric = (
        fnet.bootstrap(m, labels, scores, KEY, 20) for m in ("binary_accuracy", metrics.BinaryAccuracy())
    )
    own = fnet.bootstrap(lambda t, p: np.mean(t == (p > 0.5)), labels, scores, KEY, 20)
    np.testing.assert_allclose(by_name.values, own.values, rtol=1e-6)
    assert by_name.values.tolist() == by_metric.values.tolist()
    other = fnet.bootstrap("binary_accuracy", labels, scores, random.key(6), 20)
    assert other.values.tolist() != by_name.values.tolist()
    f1 = fnet.bootstrap(f1_score, labels, scores > 0.5, KEY, 20)
    assert f1.value == f1_score(labels, scores > 0.5) and f1.low < f1.value < f1.high


def test_several_numbers_and_draws_without_one():
    labels = np.array([0, 1, 1, 0, 1])
    both = fnet.bootstrap(lambda t, p: np.array([t.mean(), p.mean()]), labels, labels * 2.0, KEY, 50)
    assert both.low.shape == both.high.shape == (2,) and both.values.shape == (50, 2)
    assert str(both).startswith("[0.6 1.2] [")
    odd = fnet.bootstrap(lambda t, p: np.nan if t.min() else t.mean(), labels, labels, KEY, 200)
    assert np.isnan(odd.values).any() and np.isfinite([odd.low, odd.high]).all()


def test_draws_of_one_class_say_nothing_about_curves():
    labels, scores = np.arange(10) == 0, np.linspace(1, 0, 10)
    found = fnet.bootstrap("auc", labels * 1, scores, KEY, 100)
    ones = np.stack([np.asarray(random.randint(key_of(KEY, draw), (10,), 0, 10)) == 0 for draw in range(100)]).sum(1)
    assert np.array_equal(np.isnan(found.values), (ones == 0) | (ones == 10)) and (ones == 0).any()
    assert found.value == found.low == found.high == 1
    other = fnet.bootstrap(metrics.RecallAtPrecision(0.5), labels * 1, scores, KEY, 20)
    assert np.array_equal(np.isnan(other.values), ones[:20] == 0) and other.low == 1
    assert np.isfinite(fnet.bootstrap("binary_accuracy", labels * 1, scores, KEY, 20).values).all()
    with pytest.raises(ValueRangeError, match="NaN for every draw"):
        fnet.bootstrap("auc", np.ones(3), np.ones(3), KEY, 5)


def test_mistakes_are_told():
    with pytest.raises(ShapeError, match="y_pred has 2 samples and y_true has 3"):
        fnet.bootstrap("mae", np.zeros(3), np.zeros(2), KEY)
    with pytest.raises(ValueRangeError, match="expected draws to be an integer >= 2, received 1"):
        fnet.bootstrap("mae", np.zeros(3), np.zeros(3), KEY, 1)
    with pytest.raises(ValueRangeError, match="level is a probability, expected 0 < level < 1, received 95"):
        fnet.bootstrap("mae", np.zeros(3), np.zeros(3), KEY, level=95)
    with pytest.raises(ArgumentError, match="level is a number, received str"):
        fnet.bootstrap("mae", np.zeros(3), np.zeros(3), KEY, level="high")
    with pytest.raises(ValueRangeError, match="unknown metric 'maee'"):
        fnet.bootstrap("maee", np.zeros(3), np.zeros(3), KEY)
    with pytest.raises(ValueRangeError, match="bootstrap: the metric is NaN for every draw of samples"):
        fnet.bootstrap(lambda t, p: np.nan, np.zeros(3), np.zeros(3), KEY, 5)
