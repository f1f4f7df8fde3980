"""Metrics: any split of the data gives the mean over all samples; names, weights, edge cases, errors."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import losses, metrics
from fnet.errors import ShapeError, ValueRangeError
from tests.objective_tables import METRICS, MetricCase

all_cases = pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in METRICS])


def over(metric, *batches):
    """The result after these batches of (y_true, y_pred) or (y_true, y_pred, sample_weight)."""
    state = metric.init()
    for batch in batches:
        state = metric.update(state, *batch)
    return metric.result(state)


def data(case: MetricCase, lead=(6,), seed=0):
    return case.data(np.random.default_rng(seed), lead)


@all_cases
@given(seed=st.integers(0, 2**31), cut=st.integers(0, 6))
def test_any_split_gives_the_mean_over_all_samples(case, seed, cut):
    y, p = data(case, seed=seed)
    expected = case.reference(y, p).mean()
    metric = case.make()
    np.testing.assert_allclose(over(metric, (y, p)), expected, rtol=1e-12)
    np.testing.assert_allclose(over(metric, (y[:cut], p[:cut]), (y[cut:], p[cut:])), expected, rtol=1e-12)


@all_cases
@given(seed=st.integers(0, 2**31))
def test_weights_give_a_weighted_mean(case, seed):
    y, p = data(case, (4, 3), seed)
    w = np.random.default_rng(seed).uniform(0.1, 2, (4, 3))
    values = case.reference(y, p)
    per_step = values if values.ndim == 2 else values.mean(-1)
    metric = case.make()
    expected = np.average(per_step, weights=w)
    np.testing.assert_allclose(over(metric, (y, p, w if values.ndim == 2 else w[..., None])), expected, rtol=1e-10)
    samples, of_sample = per_step.mean(-1), w[:, 0]
    for weights in (of_sample, of_sample[:, None]):
        np.testing.assert_allclose(over(metric, (y, p, weights)), np.average(samples, weights=of_sample), rtol=1e-10)
    halves = (y[:1], p[:1], of_sample[:1]), (y[1:], p[1:], of_sample[1:])
    np.testing.assert_allclose(over(metric, *halves), np.average(samples, weights=of_sample), rtol=1e-10)
    assert over(metric, (y, p, np.zeros(4))) == 0


@all_cases
def test_nothing_gives_zero(case):
    metric = case.make()
    y, p = data(case)
    assert metric.result(metric.init()) == 0
    assert over(metric, (y[:0], p[:0])) == 0


@all_cases
def test_compiled_and_eager_agree(case):
    y, p = data(case)
    metric = case.make()
    expected = over(metric, (y, p.astype(np.float32)), (y[:2], p[:2].astype(np.float32)))
    compiled = metric._replace(update=fnet.jit(metric.update), result=fnet.jit(metric.result))
    result = over(compiled, (y, p.astype(np.float32)), (y[:2], p[:2].astype(np.float32)))
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@all_cases
def test_update_is_pure(case):
    y, p = data(case)
    metric = case.make()
    state = metric.init()
    for array in (y, p, *state.values()):
        array.flags.writeable = False
    new = metric.update(state, y, p, np.ones(6))
    for totals in (state, new):
        assert {k: (x.dtype, x.shape) for k, x in totals.items()} == dict.fromkeys(("total", "count"), (np.float64, ()))
    assert all(x == 0 for x in state.values())


@all_cases
def test_names(case):
    y, p = data(case)
    for name in case.names:
        metric = metrics.get(name)
        assert metric.name == name
        np.testing.assert_allclose(over(metric, (y, p)), case.reference(y, p).mean(), rtol=1e-12)


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


def test_values_recorded_from_keras():
    assert over(metrics.binary_accuracy(), ([1, 1, 0, 0], [0.98, 1, 0, 0.6])) == 0.75
    assert over(metrics.binary_accuracy(), ([1], [0.5])) == 0
    assert over(metrics.binary_accuracy(threshold=0.4), ([1], [0.5])) == 1
    assert over(metrics.categorical_accuracy(), ([[0, 1, 0]], [[0.5, 0.5, 0.0]])) == 0  # the first of equals


def test_mean_of_takes_losses_with_options_and_plain_functions():
    y, z = np.array([[1.0], [0.0]]), np.array([[0.3], [-2.0]])
    logits = partial(losses.binary_crossentropy, from_logits=True)
    np.testing.assert_allclose(over(metrics.mean_of(logits, "bce"), (y, z)), logits(y, z), rtol=1e-12)
    largest = metrics.get(lambda y, p: abs(y - p).max(-1))
    assert over(largest, (y, z)) == np.mean([0.7, 2.0])

    def bias(y, p):
        return np.mean(p - y)

    metric = metrics.get(bias)
    assert metric.name == "bias"
    np.testing.assert_allclose(over(metric, (y, z), (y[:1], z[:1])), (2 * bias(y, z) + bias(y[:1], z[:1])) / 3)


def test_get_takes_metrics_and_constructors():
    metric = metrics.mae()
    assert metrics.get(metric) is metric
    assert metrics.get(metrics.binary_accuracy).name == "binary_accuracy"
    assert metrics.get("categorical_crossentropy").name == "categorical_crossentropy"


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: metrics.get("accurcy"),
            ValueRangeError,
            "unknown metric 'accurcy': expected a name or a function. Did you",
        ),
        (lambda: metrics.get(3), ValueRangeError, "unknown metric 3"),
        (lambda: metrics.binary_accuracy(7), ValueRangeError, "expected 0 <= threshold <= 1, received 7"),
        (lambda: over(metrics.accuracy(), ([0, 9], np.ones((2, 3)))), ValueRangeError, "label 9 of sample 1"),
        (
            lambda: over(metrics.categorical_accuracy(), ([0, 1], np.ones((2, 3)))),
            ShapeError,
            "sparse_categorical form",
        ),
        (
            lambda: over(metrics.sparse_categorical_accuracy(), (np.eye(3), np.ones((3, 3)))),
            ShapeError,
            "expected labels of shape (3,) for y_pred (3, 3), received (3, 3)",
        ),
        (
            lambda: over(metrics.mse(), (np.ones((3, 2)), np.ones((3, 2)), np.ones(2))),
            ShapeError,
            "mse: sample_weight (2,) does not fit the values, expected (3,)",
        ),
    ],
)
def test_errors_say_what_was_meant(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    assert str(caught.value).count("\n") < 3
