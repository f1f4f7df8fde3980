"""Every loss of the table: its formula, laws of reduction, weights and masks, gradients, compiled form, bad values."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet.masking import Masked
from tests.losses.table import LOSSES, LossCase

CASES = [pytest.param(case, id=case.id) for case in LOSSES]
DTYPES = [np.float32, np.float64]
all_cases = pytest.mark.parametrize("case", CASES)
some = settings(max_examples=3)
seeds = st.integers(0, 2**31)


def data(case: LossCase, lead=(5,), dtype=np.float64, seed=0):
    y, p = case.make(np.random.default_rng(seed), lead)
    return (y.astype(dtype) if y.dtype.kind == "f" else y), p.astype(dtype)


@all_cases
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", [(5,), (2, 3)])
def test_values_are_those_of_the_formula(case, dtype, lead):
    y, p = data(case, lead, dtype)
    values = case.loss(y, p, reduction="none")
    assert values.shape == lead
    assert values.dtype == dtype
    tolerance = {"rtol": 2e-5, "atol": 2e-6} if dtype == np.float32 else {"rtol": 1e-10}
    np.testing.assert_allclose(values, case.reference(y, p.astype(float)), **tolerance)


@all_cases
@some
@given(seed=seeds, batch=st.integers(1, 7))
def test_reductions_agree(case, seed, batch):
    y, p = data(case, (batch,), seed=seed)
    values = case.loss(y, p, reduction="none")
    mean = case.loss(y, p)
    assert mean.shape == ()
    np.testing.assert_allclose(mean, values.mean(), rtol=1e-12)
    np.testing.assert_allclose(case.loss(y, p, reduction="sum"), mean * batch, rtol=1e-12)
    for name in ("sum_over_batch_size", "mean_with_sample_weight"):
        np.testing.assert_allclose(case.loss(y, p, reduction=name), mean, rtol=1e-12)
    np.testing.assert_array_equal(case.loss(y, p, reduction=None), values)


@all_cases
@some
@given(seed=seeds)
def test_order_of_samples_does_not_matter(case, seed):
    y, p = data(case, (6,), seed=seed)
    order = np.random.default_rng(seed).permutation(6)
    values = case.loss(y, p, reduction="none")
    np.testing.assert_allclose(case.loss(y[order], p[order], reduction="none"), values[order], rtol=1e-12)
    np.testing.assert_allclose(case.loss(y[order], p[order]), case.loss(y, p), rtol=1e-12)


@all_cases
@some
@given(seed=seeds, parts=st.sampled_from([2, 3, 6]))
def test_the_mean_of_equal_parts_is_that_of_the_batch(case, seed, parts):
    y, p = data(case, (6,), seed=seed)
    whole, gradient = fnet.value_and_grad(lambda p: case.loss(y, p))(p)
    pieces = [
        fnet.value_and_grad(lambda p, y=y: case.loss(y, p))(p)
        for y, p in zip(np.split(y, parts), np.split(p, parts), strict=True)
    ]
    np.testing.assert_allclose(np.mean([value for value, _ in pieces]), whole, rtol=1e-12)
    np.testing.assert_allclose(np.concatenate([g for _, g in pieces]) / parts, gradient, rtol=1e-12)


@pytest.mark.parametrize("case", [c for c in CASES if c.values[0].best])
@some
@given(seed=seeds)
def test_smallest_where_predictions_are_the_targets(case, seed):
    y, p = data(case, (6,), seed=seed)
    least, values = case.loss(y, case.best(y), reduction="none"), case.loss(y, p, reduction="none")
    assert np.all(values >= least - 1e-15)
    assert np.any(values > least)
    if case.least is not None:
        np.testing.assert_allclose(least, case.least, atol=2e-7)
        assert np.all(values >= case.least - 1e-7)


@all_cases
@some
@given(seed=seeds)
def test_weights_multiply_the_values(case, seed):
    y, p = data(case, (4, 3), seed=seed)
    values = case.loss(y, p, reduction="none")
    weights = np.random.default_rng(seed).uniform(0, 2, (4, 3))
    for w in (weights, weights[:, :1], weights[:, 0], weights[..., None], 2.0):
        full = np.broadcast_to(w if np.ndim(w) != 1 else w[:, None], (4, 3)) if np.ndim(w) < 3 else weights
        np.testing.assert_allclose(case.loss(y, p, sample_weight=w, reduction="none"), values * full, rtol=1e-12)
        np.testing.assert_allclose(case.loss(y, p, sample_weight=w), (values * full).mean(), rtol=1e-10)
        np.testing.assert_allclose(
            case.loss(y, p, sample_weight=w, reduction="mean_with_sample_weight"),
            np.average(values, weights=full),
            rtol=1e-10,
        )
    np.testing.assert_array_equal(case.loss(y, p, sample_weight=np.ones(4), reduction="none"), values)
    assert case.loss(y, p, sample_weight=0.0, reduction="mean_with_sample_weight") == 0


@all_cases
@some
@given(seed=seeds)
def test_masked_steps_do_not_count(case, seed):
    y, p = data(case, (4, 3), seed=seed)
    rng = np.random.default_rng(seed)
    mask, weights = rng.random((4, 3)) < 0.6, rng.uniform(0, 2, 4)
    values = case.loss(y, p, reduction="none")
    full = np.broadcast_to(weights[:, None], (4, 3))
    valid = max(mask.sum(), 1)
    p[~mask] = np.nan
    masked, targets = Masked(p, mask), Masked(y, mask)
    left = np.where(mask, values, 0)
    np.testing.assert_allclose(case.loss(targets, masked), left.sum() / valid, rtol=1e-10)
    np.testing.assert_allclose(case.loss(y, masked, sample_weight=weights), (left * full).sum() / valid, rtol=1e-10)
    np.testing.assert_allclose(case.loss(y, masked, reduction="sum"), left.sum(), rtol=1e-10)
    np.testing.assert_allclose(case.loss(y, masked, reduction="none"), left, rtol=1e-10)
    np.testing.assert_allclose(
        case.loss(y, masked, sample_weight=weights, reduction="mean_with_sample_weight"),
        (left * full).sum() / max((mask * full).sum(), 1e-300),
        rtol=1e-10,
    )
    gradient = fnet.grad(lambda p: case.loss(y, Masked(p, mask)))(np.where(np.isnan(p), 0.5, p))
    np.testing.assert_array_equal(gradient[~mask], 0)


@all_cases
def test_a_batch_without_valid_steps_has_loss_zero(case):
    y, p = data(case, (2, 3))
    nothing = Masked(p, np.zeros((2, 3), bool))
    for reduction in ("mean", "sum", "mean_with_sample_weight"):
        assert case.loss(y, nothing, reduction=reduction) == 0
        assert case.loss(y, nothing, sample_weight=np.ones(2), reduction=reduction) == 0


@all_cases
def test_gradients(case):
    y, p = data(case, (3, 2), seed=1)
    weights = np.array([0.5, 0.0, 2.0])
    for reduction in ("mean", "sum", "mean_with_sample_weight", "none"):
        fnet.testing.check_grads(
            lambda p, reduction=reduction: case.loss(y, p, sample_weight=weights, reduction=reduction), p
        )
    loss = partial(case.loss, y, sample_weight=weights)
    gradient = fnet.grad(loss)(p)
    np.testing.assert_array_equal(gradient[1], 0)
    in_float32 = fnet.grad(loss)(p.astype(np.float32))
    assert in_float32.dtype == np.float32
    np.testing.assert_allclose(in_float32, gradient, rtol=1e-4, atol=1e-6)


def kinds_once() -> list:
    """The cases; further ones of a kind that is there already are slow ones, since each compiles its own loops."""
    kinds = [getattr(case.loss, "func", case.loss).kind for case in LOSSES]
    slow = [kind in kinds[:i] for i, kind in enumerate(kinds)]
    return [
        pytest.param(case, id=case.id, marks=[pytest.mark.slow] if later else [])
        for case, later in zip(LOSSES, slow, strict=True)
    ]


@pytest.mark.parametrize("case", kinds_once())
def test_compiled_and_eager_agree(case):
    y, p = data(case, (5,), np.float32)

    def both(y, p, w):
        return fnet.value_and_grad(lambda p: case.loss(y, p, sample_weight=w))(p)

    w = np.arange(5, dtype=np.float32)
    for got, expected in zip(fnet.jit(both)(y, p, w), both(y, p, w), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


@all_cases
def test_predictions_decide_the_dtype(case):
    y, p = data(case, dtype=np.float64)
    assert case.loss(y, p.astype(np.float32), sample_weight=np.ones(5)).dtype == np.float32
    assert case.loss(y.astype(np.float32), p).dtype == np.float64


@all_cases
def test_arguments_are_not_changed(case):
    y, p = data(case)
    w = np.ones(5)
    kept = y.copy(), p.copy(), w.copy()
    for array in (y, p, w):
        array.flags.writeable = False
    fnet.grad(lambda p: case.loss(y, p, sample_weight=w))(p)
    for array, old in zip((y, p, w), kept, strict=True):
        np.testing.assert_array_equal(array, old)


@all_cases
def test_empty_batch_has_loss_zero(case):
    y, p = data(case, (2,))
    for reduction in ("mean", "sum", "mean_with_sample_weight"):
        assert case.loss(y[:0], p[:0], reduction=reduction) == 0
    assert case.loss(y[:0], p[:0], sample_weight=np.ones(0)) == 0
    assert case.loss(y[:0], p[:0], reduction="none").shape == (0,)


@all_cases
def test_nan_shows_in_the_loss(case):
    y, p = data(case)
    p[2, 1] = np.nan
    values = case.loss(y, p, reduction="none")
    np.testing.assert_array_equal(np.isnan(values), np.arange(5) == 2)
    assert np.isnan(case.loss(y, p))
