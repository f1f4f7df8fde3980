"""The ends of the number range: huge logits, saturated probabilities, zero vectors, labels out of range under jit."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import fnet
from fnet import losses
from fnet.testing import check_grads

DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_logits_are_exact_and_finite(dtype):
    z = np.array([[1e4, -1e4]], dtype)
    losses_of = {
        "binary": partial(losses.binary_crossentropy, from_logits=True),
        "categorical": partial(losses.categorical_crossentropy, from_logits=True),
    }
    for name, right, wrong, slope in (
        ("binary", [[1, 0]], [[0, 1]], [[0.5, -0.5]]),
        ("categorical", [[1, 0]], [[0, 1]], [[1, -1]]),
    ):
        loss = losses_of[name]
        assert loss(right, z) == 0
        np.testing.assert_array_equal(fnet.grad(lambda z, loss=loss, y=right: loss(y, z))(z), 0)
        assert loss(wrong, z) == (1e4 if name == "binary" else 2e4)
        np.testing.assert_array_equal(fnet.grad(lambda z, loss=loss, y=wrong: loss(y, z))(z), slope)
    sparse = partial(losses.sparse_categorical_crossentropy, from_logits=True)
    assert (sparse([0], z), sparse([1], z)) == (0, 2e4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_saturated_probabilities_are_clipped_and_have_no_slope(dtype):
    p = np.array([[0.0, 1.0]], dtype)
    worst = -np.log(dtype(1) - dtype(1 - 1e-7))  # in float32, 1 - 1e-7 is not 1e-7 away from 1
    for loss, y, expected in (
        (losses.binary_crossentropy, [[1, 0]], (worst - np.log(1e-7)) / 2),
        (losses.categorical_crossentropy, [[1, 0]], -np.log(1e-7)),
        (losses.sparse_categorical_crossentropy, [0], -np.log(1e-7)),
    ):
        np.testing.assert_allclose(loss(y, p), expected, rtol=1e-6)
        gradient = fnet.grad(lambda p, loss=loss, y=y: loss(y, p))(p)
        np.testing.assert_array_equal(gradient, 0)


def test_slope_at_a_zero_logit():
    gradient = fnet.grad(lambda z: losses.binary_crossentropy([[1.0], [0.0]], z, from_logits=True))(np.zeros((2, 1)))
    np.testing.assert_array_equal(gradient, [[-0.25], [0.25]])


def test_logits_and_their_probabilities_agree():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    one_hot = np.eye(4)[y]
    expected = losses.sparse_categorical_crossentropy(y, z, from_logits=True, reduction="none")
    for values in (
        losses.sparse_categorical_crossentropy(y, p, reduction="none"),
        losses.categorical_crossentropy(one_hot, p, reduction="none"),
        losses.categorical_crossentropy(one_hot, 7 * z / 7, from_logits=True, reduction="none"),
        losses.sparse_categorical_crossentropy(y[:, None].astype(float), z, from_logits=True, reduction="none"),
    ):
        np.testing.assert_allclose(values, expected, rtol=1e-10)


@pytest.mark.parametrize("from_logits", [False, True])
def test_a_label_out_of_range_is_nan_under_jit(from_logits):
    loss = fnet.jit(
        lambda y, p: losses.sparse_categorical_crossentropy(y, p, from_logits=from_logits, reduction="none")
    )
    values = loss(np.array([0, 2, -1, 1]), np.full((4, 2), 0.5))
    np.testing.assert_array_equal(np.isnan(values), [False, True, True, False])


@pytest.mark.parametrize("dtype", DTYPES)
def test_focal_of_huge_logits_is_finite(dtype):
    z = np.array([[1e4, -1e4]], dtype)
    for gamma in (0.0, 0.5, 1.0, 2.0, 2.5):
        for loss in (
            losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=True),
            losses.CategoricalFocalCrossentropy(gamma=gamma, alpha=1.0, from_logits=True),
        ):
            right, gradient = fnet.value_and_grad(lambda z, loss=loss: loss([[1, 0]], z))(z)
            assert right == 0
            np.testing.assert_array_equal(gradient, 0)
            wrong, gradient = fnet.value_and_grad(lambda z, loss=loss: loss([[0, 1]], z))(z)
            assert wrong == (1e4 if "binary" in loss.kind else 2e4)
            assert np.all(np.isfinite(gradient)) and np.all(gradient != 0)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 2.5])
def test_focal_of_saturated_probabilities_is_finite(gamma):
    for p in (np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])):
        for loss in (
            losses.BinaryFocalCrossentropy(gamma=gamma),
            losses.CategoricalFocalCrossentropy(gamma=gamma),
        ):
            value, gradient = fnet.value_and_grad(lambda p, loss=loss: loss([[1.0, 0.0]], p))(p)
            assert np.isfinite(value)
            assert np.all(np.isfinite(gradient))


def test_a_zero_vector_has_no_direction():
    y, zero = np.array([[1.0, 2.0], [0.0, 0.0]]), np.zeros((2, 2))
    for p in (zero, np.array([[0.0, 0.0], [3.0, 4.0]])):
        value, gradient = fnet.value_and_grad(lambda p: losses.cosine_similarity(y, p))(p)
        assert value == 0
        np.testing.assert_array_equal(gradient, 0)
    np.testing.assert_allclose(losses.cosine_similarity([[2e-8, 0.0]], [[1.0, 0.0]]), -0.2)


def test_large_errors_do_not_overflow():
    y, p = np.zeros((1, 2), np.float32), np.array([[1e30, -1e30]], np.float32)
    for loss in (losses.huber, losses.log_cosh):
        value, gradient = fnet.value_and_grad(lambda p, loss=loss: loss(y, p))(p)
        np.testing.assert_allclose(value, 1e30, rtol=1e-6)
        np.testing.assert_array_equal(gradient, [[0.5, -0.5]])
    p = np.array([[np.inf, -np.inf]])
    np.testing.assert_array_equal(fnet.grad(lambda p: losses.huber(y, p))(p), [[0.5, -0.5]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_cosh_keeps_the_digits_of_small_errors(dtype):
    e = np.concatenate([10.0 ** np.arange(-15, 4, 0.37), [0.999999, 1.0, 1.000001]]).astype(dtype)
    exact = e.astype(np.float64)
    expected = np.where(
        exact < 0.5,
        np.log1p(2 * np.sinh(np.minimum(exact, 1) / 2) ** 2),
        exact + np.log1p(np.exp(-2 * exact)) - np.log(2),
    )
    for sign in (1, -1):
        p = (sign * e)[:, None]
        of = partial(losses.log_cosh, np.zeros_like(p), reduction="none")
        for f in (of, fnet.jit(of)):
            np.testing.assert_allclose(f(p), expected, rtol=6 * np.finfo(dtype).eps)
        gradient = fnet.grad(lambda p: losses.log_cosh(np.zeros_like(p), p, reduction="sum"))(p)
        np.testing.assert_allclose(gradient[:, 0], sign * np.tanh(exact), rtol=6 * np.finfo(dtype).eps)
    np.testing.assert_allclose(losses.log_cosh(np.zeros((1, 1), dtype), np.full((1, 1), 1e-5, dtype)), 5e-11, rtol=1e-5)
    assert losses.log_cosh([[0.0]], [[np.inf]]) == np.inf and np.isnan(losses.log_cosh([[0.0]], [[np.nan]]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinite_logits_of_what_is_no_target(dtype):
    """A logit of -inf is a class that cannot be: its target 0 adds 0, its slope is 0."""
    z = np.array([[-np.inf, 2.0, 1.0]], dtype)
    for loss, right in (
        (losses.CategoricalFocalCrossentropy(from_logits=True), 0.00566451),
        (losses.CategoricalCrossentropy(from_logits=True), 0.31326169),
        (losses.KLDivergence(from_logits=True), 0.31326169),
    ):
        value, gradient = fnet.value_and_grad(lambda z, loss=loss: loss([[0.0, 1.0, 0.0]], z))(z)
        np.testing.assert_allclose(value, right, rtol=1e-5)
        assert gradient[0, 0] == 0 and np.all(gradient[0, 1:] != 0) and np.isfinite(gradient).all()
        assert loss([[1.0, 0.0, 0.0]], z) == np.inf
    z = np.array([[-np.inf, np.inf]], dtype)
    for loss in (losses.BinaryFocalCrossentropy(from_logits=True), losses.BinaryCrossentropy(from_logits=True)):
        value, gradient = fnet.value_and_grad(lambda z, loss=loss: loss([[0.0, 1.0]], z))(z)
        assert value == 0
        np.testing.assert_array_equal(gradient, 0)
        assert loss([[1.0, 0.0]], z) == np.inf


@pytest.mark.parametrize("size", [1e-6, 1e20, 1e38])
def test_directions_of_rows_of_any_size(size):
    y, p = (np.array(x, np.float32) for x in ([[1, 2]], [[2, -1.5]]))
    value, gradient = fnet.value_and_grad(lambda p: losses.cosine_similarity(y * np.float32(size), p))(
        p * np.float32(size)
    )
    np.testing.assert_allclose(value, 0.4 / np.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(gradient * size, [[-0.23612878, -0.31483838]], rtol=1e-5)


def test_no_slope_where_values_are_clipped():
    below = np.array([[-1.0, -2.0]])
    for loss in (losses.msle, losses.kld):
        gradient = fnet.grad(lambda p, loss=loss: loss(np.ones((1, 2)), p))(
            np.minimum(below, 0) if loss is losses.msle else below * 0
        )
        np.testing.assert_array_equal(gradient, 0)


def test_huber_is_smooth_where_its_pieces_meet():
    for e in (1.0, -1.0):
        value, gradient = fnet.value_and_grad(lambda p: losses.huber([[0.0]], p))(np.array([[e]]))
        assert (value, gradient) == (0.5, e)
    check_grads(lambda p: losses.huber(np.zeros((1, 3)), p), np.array([[0.5, 1.5, -2.0]]), order=2)


@pytest.mark.parametrize("k", [1e-3, 7.0, 1e6])
def test_cosine_does_not_depend_on_lengths(k):
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    expected = losses.cosine_similarity(y, p, reduction="none")
    np.testing.assert_allclose(losses.cosine_similarity(y, k * p, reduction="none"), expected, rtol=1e-12)
    np.testing.assert_allclose(losses.cosine_similarity(k * y, p, reduction="none"), expected, rtol=1e-12)
    assert np.all(abs(expected) <= 1)


def test_a_log_variance_of_any_size():
    value, gradient = fnet.value_and_grad(lambda p: losses.gaussian_nll([[1.0]], p))(np.array([[1.0, 500.0]]))
    assert value == 250
    np.testing.assert_array_equal(gradient, [[0.0, 0.5]])
