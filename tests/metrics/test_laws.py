"""What holds for every metric: its value, any split, weights, masks, order, compilation, precision, nothing at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import metrics
from fnet.masking import Masked
from tests.metrics.table import METRICS

all_cases = pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in METRICS])
step_cases = pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in METRICS if case.steps])
# One of each family, for every compiled update takes its time.
COMPILED = "accuracy sparse_top_k precision_top_k auc recall_at_precision f1 mean_squared_error r2 perplexity mean_iou"
COMPILED += " edit_distance"
compiled_cases = pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=c.id, marks=[] if c.id in COMPILED.split() else pytest.mark.slow) for c in METRICS],
)
SEEDS = st.integers(0, 2**31)


def over(metric, *batches):
    """The result after these batches of (y_true, y_pred) or (y_true, y_pred, sample_weight)."""
    state = metric.init()
    for batch in batches:
        state = metric.update(state, *batch)
    return metric.result(state)


def data(case, lead=(7,), seed=0):
    """Targets, predictions and weights of the samples."""
    rng = np.random.default_rng(seed)
    return *case.data(rng, lead), rng.integers(1, 9, lead[0]) / 4


def close(got, expected, case, scale=1.0):
    assert np.shape(got) == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=case.tolerance * scale, atol=case.tolerance * scale)


def as_float32(x):
    return x.astype(np.float32) if x.dtype == np.float64 else x


@all_cases
@settings(max_examples=3)
@given(SEEDS)
def test_the_value_is_that_of_the_formula(case, seed):
    y, p, w = data(case, seed=seed)
    close(over(case.metric(), (y, p)), case.reference(y, p, np.ones(7)), case)
    close(over(case.metric(), (y, p, w)), case.reference(y, p, w), case)
    close(over(case.metric(), (y, p, w[:, None])), case.reference(y, p, w), case)


@all_cases
@settings(max_examples=3)
@given(SEEDS, st.lists(st.integers(0, 7), max_size=3).map(sorted))
def test_any_split_into_batches_gives_the_same(case, seed, cuts):
    y, p, w = data(case, seed=seed)
    parts = zip(*(np.split(x, cuts) for x in (y, p, w)), strict=True)
    close(over(case.metric(), *parts), over(case.metric(), (y, p, w)), case)


@all_cases
@settings(max_examples=2)
@given(SEEDS)
def test_the_order_of_samples_does_not_matter(case, seed):
    y, p, w = data(case, seed=seed)
    order = np.random.default_rng(seed).permutation(7)
    close(over(case.metric(), (y[order], p[order], w[order])), over(case.metric(), (y, p, w)), case)


@all_cases
def test_weight_zero_leaves_a_sample_out_whatever_it_holds(case):
    y, p, w = data(case)
    rest = np.arange(7) != 2
    w[2] = 0
    if p.dtype.kind == "f":
        p[2] = np.nan
    close(over(case.metric(), (y, p, w)), over(case.metric(), (y[rest], p[rest], w[rest])), case)


@step_cases
@settings(max_examples=2)
@given(SEEDS)
def test_masked_steps_are_left_out_whatever_they_hold(case, seed):
    y, p, w = data(case, (4, 3), seed)
    mask = np.random.default_rng(seed).random((4, 3)) < 0.6
    mask[0, 0] = True
    steps, weights = (y[mask], p[mask]), np.repeat(w[:, None], 3, 1)[mask]
    y[~mask] = -1
    p[~mask] = np.nan if p.dtype.kind == "f" else 99
    masked = Masked(p, mask)
    close(over(case.metric(), (y, masked)), over(case.metric(), steps), case)
    close(over(case.metric(), (y, masked, w)), over(case.metric(), (*steps, weights)), case)


@step_cases
def test_weights_of_steps_are_those_of_rows(case):
    y, p, _ = data(case, (4, 3))
    w = np.random.default_rng(1).integers(0, 5, (4, 3)) / 4
    rows = [x.reshape(12, *x.shape[2:]) for x in (y, p, w)]
    fits = w[..., None] if y.ndim > 2 and case.id in ("binary_accuracy", "rmse") else w
    close(over(case.metric(), (y, p, fits)), over(case.metric(), rows), case)


@all_cases
def test_nothing_gives_zero(case):
    y, p, w = data(case)
    for result in (
        over(case.metric()),
        over(case.metric(), (y[:0], p[:0])),
        over(case.metric(), (y, p, 0 * w)),
    ):
        np.testing.assert_array_equal(result, np.zeros_like(result))


@compiled_cases
def test_compiled_and_eager_agree(case):
    y, p, w = data(case)
    p, w = as_float32(p), as_float32(w)
    metric = case.metric()
    compiled = metric._replace(update=fnet.jit(metric.update), result=fnet.jit(metric.result))
    batches = [(y, p, w), (y[:3], p[:3], w[:3])]
    np.testing.assert_allclose(over(compiled, *batches), over(metric, *batches), rtol=1e-5, atol=1e-6)
    assert over(compiled, *batches).dtype == np.float64


@all_cases
def test_float32_predictions_give_nearly_the_same(case):
    y, p, w = data(case)
    expected = over(case.metric(), (y, p, w))
    np.testing.assert_allclose(over(case.metric(), (y, as_float32(p), w)), expected, rtol=1e-5, atol=1e-5)


@all_cases
def test_update_is_pure_and_keeps_the_shape_of_the_initial_state(case):
    y, p, w = data(case)
    metric = case.metric()
    state = metrics.initial_state(metric, y, p)
    for array in (y, p, w, *state.values()):
        array.flags.writeable = False
    new = metric.update(state, y, p, w)
    assert {k: (x.dtype, x.shape) for k, x in new.items()} == {k: (np.float64, x.shape) for k, x in state.items()}
    assert not any(x.any() for x in state.values())
    close(metric.result(new), over(metric, (y, p, w)), case)
    from_specs = metrics.initial_state(metric, *(fnet.ArraySpec(x.shape, x.dtype) for x in (y, p)))
    assert {k: x.shape for k, x in from_specs.items()} == {k: x.shape for k, x in new.items()}


@all_cases
def test_names_and_direction(case):
    y, p, _ = data(case)
    for name in case.names:
        metric = metrics.get(name)
        assert (metric.name, metric.direction) == (name, case.direction)
        close(over(metric, (y, p)), case.reference(y, p, np.ones(7)), case)
        assert getattr(metrics, name) is metrics.METRICS[name]
    assert case.metric(name="own").name == "own"
    assert case.metric().direction == case.direction


def test_every_metric_is_in_the_table():
    listed = {case.make for case in METRICS}
    assert {make for make in metrics.METRICS.values() if make not in listed} == {metrics.mean, metrics.sum}
