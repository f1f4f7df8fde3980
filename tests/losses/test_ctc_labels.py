"""What CTC refuses of its labels, by sample, and what lengths, masks and weights of 0 leave out of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import losses
from fnet.errors import ValueRangeError
from fnet.masking import Masked
from fnet.spec import ArraySpec

X = np.random.default_rng(0).normal(size=(3, 5, 4))
GOOD = np.array([[1, 2, -1], [3, -1, -1], [2, 2, 1]])
BAD = [
    ([-1, 1, 2], {}, "the labels of sample 1 have padding or the blank at position 0, before their end. Put padding"),
    ([1, 0, 2], {}, "the labels of sample 1 have padding or the blank at position 1, before their end."),
    ([1, 3, 2], {"blank_index": -1}, "number them without the blank (blank_index=-1)."),
    ([1, 0, 2], {"label_lengths": [2, 3, 3]}, "the labels of sample 1 have padding or the blank at position 1"),
    ([1, 4, 2], {}, "label 4 of sample 1 is out of range"),
    ([1, 2.5, 2], {}, "labels must be whole numbers, received 2.5 in sample 1"),
    ([1, 2, np.nan], {}, "labels must be whole numbers, received nan in sample 1"),
]


def with_row(row):
    return np.array([GOOD[0] % 3, row, [2, 2, 1]], np.float64 if np.any(np.array(row) % 1) else np.int64)


@pytest.mark.parametrize(("row", "options", "text"), BAD)
def test_labels_are_refused_by_sample(row, options, text):
    y = with_row(row)
    y[0] = [1, 2, 1]
    loss = losses.CTC(**options)
    spec = ArraySpec(X.shape, X.dtype)
    for call in (lambda: loss(y, X), lambda: fnet.grad(lambda x: loss(y, x))(X), lambda: loss.check_targets(y, spec)):
        with pytest.raises(ValueRangeError) as caught:
            call()
        assert text in str(caught.value)
        assert str(caught.value).count("\n") < 3
    losses.ctc.check_targets(GOOD, spec)


def test_too_few_frames_are_told_before_training():
    with pytest.raises(ValueRangeError) as caught:
        losses.ctc.check_targets(np.array([[1, 2, 3], [2, 2, 2]]), ArraySpec((2, 4, 4), X.dtype))
    assert "the labels of sample 1 need 5 frames, one each and one between equal neighbours, but" in str(caught.value)
    losses.ctc.check_targets(np.array([[1, 2, 3], [2, 2, 2]]), ArraySpec((2, 4, 4), X.dtype), [1.0, 0.0])


def test_misplaced_labels_are_nan_under_jit():
    f = fnet.jit(lambda y, x: losses.ctc(y, x, reduction="none"))
    y = np.array([[1, 0, 2], [-1, 1, 2], [1, 2, 4]])
    assert np.isnan(f(y, X)).all()
    np.testing.assert_array_equal(f(GOOD, X), losses.ctc(GOOD, X, reduction="none"))


@settings(deadline=None, max_examples=25)
@given(st.data())
@pytest.mark.parametrize("from_logits", [True, False])
def test_what_is_left_out_has_no_influence(from_logits, data):
    """Samples of weight 0 and frames behind a length or a mask may hold anything."""
    draw = data.draw
    junk = st.sampled_from([np.nan, np.inf, -np.inf, 1e30, -7.0])
    x = X if from_logits else np.exp(X) / np.exp(X).sum(-1, keepdims=True)
    lengths, weights = np.array([5, 3, 4]), np.array([1.0, 2.0, 0.0])
    within = np.arange(5) < lengths[:, None]
    spoilt, y = np.where((within & (weights[:, None] > 0))[..., None], x, draw(junk)), GOOD.astype(float)
    y[2] = draw(st.sampled_from([np.nan, -1.0, 0.5, 9.0, 0.0]))
    loss = losses.CTC(from_logits=from_logits)

    def of(y, x):
        if draw(st.booleans()):
            return loss(y, Masked(x, within), sample_weight=weights)
        return loss(y, x, input_lengths=lengths, sample_weight=weights)

    expected, gradient = fnet.value_and_grad(lambda x: of(GOOD, x))(x)
    value, slope = fnet.value_and_grad(lambda x: of(y, x))(spoilt)
    assert value == expected
    np.testing.assert_array_equal(slope, gradient)
    assert not slope[2].any() and not slope[1, 3:].any()


def test_an_impossible_sample_of_weight_zero():
    y = np.array([[1, 2, 3], [2, 2, 2], [1, -1, -1]])
    value, gradient = fnet.value_and_grad(lambda x: losses.ctc(y, x, sample_weight=[1.0, 0.0, 1.0]))(X[:, :4])
    assert np.isfinite(value) and np.isfinite(gradient).all() and not gradient[1].any()
    assert losses.ctc(y, X[:, :4]) == np.inf
