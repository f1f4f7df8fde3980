"""What a mask or a weight of 0 leaves out has no influence on value, gradient or checks, whatever it holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import losses
from fnet.masking import Masked
from tests.losses.table import LOSSES

JUNK = [np.nan, np.inf, -np.inf, -1.0, 1e30, 7.5]


def spoilt(x, left_out, junk):
    """`x` with the junk where it is left out; integers become floating."""
    x = np.array(x, np.float64)
    x[left_out] = junk
    return x


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.id)
@settings(deadline=None, max_examples=8)
@given(st.data())
def test_what_is_left_out_has_no_influence(case, data):
    """Masked steps and samples of weight 0 may hold anything, in the targets and in the predictions."""
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    y, p = case.make(rng, (3, 4))
    mask = rng.random((3, 4)) < 0.6 if draw(st.booleans()) else None
    weights = draw(st.sampled_from([None, np.array([1.0, 0.0, 2.0]), (rng.random((3, 4)) < 0.5) * 1.5, 0.0]))
    left_out = np.zeros((3, 4), bool) if mask is None else ~mask
    if weights is not None:
        left_out = left_out | (
            np.broadcast_to(np.asarray(weights).reshape(np.shape(weights) + (1,) * (2 - np.ndim(weights))), (3, 4)) == 0
        )
    reduction = draw(st.sampled_from(["mean", "sum", "mean_with_sample_weight"]))

    def of(y, p):
        return case.loss(y, p if mask is None else Masked(p, mask), sample_weight=weights, reduction=reduction)

    expected, gradient = fnet.value_and_grad(of, argnums=1)(y, p)
    other = spoilt(y, left_out, draw(st.sampled_from(JUNK))), spoilt(p, left_out, draw(st.sampled_from(JUNK)))
    value, slope = fnet.value_and_grad(of, argnums=1)(*other)
    assert np.isfinite(value)
    assert value == expected
    np.testing.assert_array_equal(slope, gradient)
    assert not slope[left_out].any()


@pytest.mark.parametrize("name", ["bce", "scce", "scce_logits", "hinge"])
def test_under_jit(name):
    case = next(c for c in LOSSES if c.id == name)
    rng = np.random.default_rng(0)
    (y, p), mask, weights = case.make(rng, (3, 4)), rng.random((3, 4)) < 0.7, np.array([1.0, 0.0, 2.0])
    y = np.array(y, np.float64)
    left_out = ~mask | (weights == 0)[:, None]

    def of(y, p, mask, weights):
        return fnet.value_and_grad(lambda p: case.loss(y, Masked(p, mask), sample_weight=weights))(p)

    f = fnet.jit(of)
    expected = f(y, p, mask, weights)
    for junk in (np.nan, -1.0):
        for got, wanted in zip(
            f(spoilt(y, left_out, junk), spoilt(p, left_out, junk), mask, weights), expected, strict=True
        ):
            np.testing.assert_array_equal(got, wanted)
    np.testing.assert_allclose(expected[0], of(y, p, mask, weights)[0], rtol=1e-12)


@pytest.mark.parametrize("junk", JUNK)
def test_samples_of_weight_zero_in_losses_of_samples(junk):
    rng = np.random.default_rng(0)
    w = np.array([1.0, 0.0, 2.0])
    for loss, y, p, axis in (
        (losses.dice, rng.random((3, 2, 2)), rng.random((3, 2, 2)), {"axis": (1, 2)}),
        (losses.tversky, rng.random((3, 2, 2)), rng.random((3, 2, 2)), {"axis": (1, 2)}),
        (losses.triplet, None, rng.normal(size=(3, 3, 2)), {}),
    ):
        bad_y, bad_p = (None if x is None else spoilt(x, w == 0, junk) for x in (y, p))
        of = fnet.value_and_grad(lambda p, y, loss=loss, axis=axis: loss(y, p, sample_weight=w, **axis))
        for got, expected in zip(of(bad_p, bad_y), of(p, y), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_a_function_of_ones_own():
    """Only what is left out and not finite is replaced, since the function may look at all samples."""
    loss = losses.from_function(lambda y, p: np.mean((y - p) ** 2, axis=-1))
    y, p = np.array([[0.0], [1.0]]), np.array([[2.0], [np.nan]])
    value, gradient = fnet.value_and_grad(lambda p: loss(y, p, sample_weight=[1.0, 0.0]))(p)
    assert value == 2
    np.testing.assert_array_equal(gradient, [[2.0], [0.0]])
    centred = losses.from_function(lambda y, p: np.mean((y - p) ** 2, axis=-1) - np.mean(p))
    assert centred(y, [[2.0], [4.0]], sample_weight=[1.0, 0.0]) == (4 - 3) / 2


def test_all_left_out():
    rng = np.random.default_rng(0)
    for case in LOSSES:
        y, p = case.make(rng, (2, 3))
        for options, mask in (({"sample_weight": np.zeros((2, 3))}, None), ({}, np.zeros((2, 3), bool))):
            nan = np.full(np.shape(p), np.nan)
            value, slope = fnet.value_and_grad(
                lambda p, case=case, y=y, mask=mask, options=options: case.loss(
                    spoilt(y, slice(None), np.nan), p if mask is None else Masked(p, mask), **options
                )
            )(nan)
            assert value == 0 and not slope.any(), case.id


def test_padding_does_not_say_how_targets_are_coded():
    """Labels 0 and 1 are those of the steps that count, whatever padding stands beside them."""
    y, p, mask = np.array([[1.0, 0.0, -1.0]]), np.array([[0.5, 0.25, 3.0]]), np.array([[True, True, False]])
    for loss in (losses.hinge, losses.squared_hinge):
        expected = loss([[1.0], [0.0]], [[0.5], [0.25]])
        np.testing.assert_allclose(loss(y, Masked(p, mask)), expected, rtol=1e-12)
        weighted = loss(y.T, p.T, sample_weight=[1.0, 1.0, 0.0], reduction="mean_with_sample_weight")
        np.testing.assert_allclose(weighted, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["bool", "int32", "uint8", "float32"])
def test_weights_of_any_dtype(dtype):
    y, p, w = np.array([[0.0], [np.nan], [2.0]]), np.array([[1.0], [np.inf], [4.0]]), np.array([1, 0, 1])
    for weights in (w.astype(dtype), w.astype(dtype)[:, None]):
        value, slope = fnet.value_and_grad(lambda p, w=weights: losses.mse(y, p, sample_weight=w))(p)
        np.testing.assert_allclose(value, 5 / 3)
        np.testing.assert_allclose(slope, [[2 / 3], [0], [4 / 3]])
