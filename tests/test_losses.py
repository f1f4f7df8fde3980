"""Losses: formulas, laws of reduction and weights, gradients, Keras' recorded values, and every error by its text."""

from __future__ import annotations

import inspect
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import losses
from fnet.errors import ShapeError, ValueRangeError
from tests.objective_tables import LOSSES, LossCase

CASES = [pytest.param(case, id=case.id) for case in LOSSES]
DTYPES = [np.float32, np.float64]
LEADS = [(5,), (2, 3)]
all_cases = pytest.mark.parametrize("case", CASES)


def data(case: LossCase, lead=(5,), dtype=np.float64, seed=0):
    y, p = case.make(np.random.default_rng(seed), lead)
    return (y.astype(dtype) if y.dtype.kind == "f" else y), p.astype(dtype)


def central_differences(f, x, h=1e-6):
    out = np.empty_like(x)
    for i in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        out[i] = (float(f(up)) - float(f(down))) / (2 * h)
    return out


@all_cases
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", LEADS)
def test_values_are_those_of_the_formula(case, dtype, lead):
    y, p = data(case, lead, dtype)
    values = case.loss(y, p, reduction="none")
    assert values.shape == lead
    assert values.dtype == dtype
    np.testing.assert_allclose(values, case.reference(y, p.astype(float)), rtol=2e-5 if dtype == np.float32 else 1e-10)


@all_cases
@given(seed=st.integers(0, 2**31), batch=st.integers(1, 7))
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
@given(seed=st.integers(0, 2**31))
def test_order_of_samples_does_not_matter(case, seed):
    y, p = data(case, (6,), seed=seed)
    order = np.random.default_rng(seed).permutation(6)
    values = case.loss(y, p, reduction="none")
    np.testing.assert_allclose(case.loss(y[order], p[order], reduction="none"), values[order], rtol=1e-12)
    np.testing.assert_allclose(case.loss(y[order], p[order]), case.loss(y, p), rtol=1e-12)


@all_cases
@given(seed=st.integers(0, 2**31))
def test_smallest_where_predictions_are_the_targets(case, seed):
    y, p = data(case, (6,), seed=seed)
    least, values = case.loss(y, case.best(y), reduction="none"), case.loss(y, p, reduction="none")
    assert np.all(least >= 0)
    assert np.all(values > least)
    if case.minimum_is_zero:
        np.testing.assert_allclose(least, 0, atol=2e-7)


@all_cases
@given(seed=st.integers(0, 2**31))
def test_weights_multiply_the_values(case, seed):
    y, p = data(case, (4, 3), seed=seed)
    values = case.loss(y, p, reduction="none")
    weights = np.random.default_rng(seed).uniform(0, 2, (4, 3))
    for w in (weights, weights[:, :1], weights[:, 0], weights[..., None], 2.0):
        full = np.broadcast_to(w if np.ndim(w) != 1 else w[:, None], (4, 3)) if np.ndim(w) < 3 else weights
        np.testing.assert_allclose(case.loss(y, p, sample_weight=w, reduction="none"), values * full, rtol=1e-12)
        np.testing.assert_allclose(case.loss(y, p, sample_weight=w), (values * full).mean(), rtol=1e-12)
        np.testing.assert_allclose(
            case.loss(y, p, sample_weight=w, reduction="mean_with_sample_weight"),
            np.average(values, weights=full),
            rtol=1e-10,
        )
    np.testing.assert_array_equal(case.loss(y, p, sample_weight=np.ones(4), reduction="none"), values)
    assert case.loss(y, p, sample_weight=0.0, reduction="mean_with_sample_weight") == 0


@all_cases
@pytest.mark.parametrize("reduction", ["mean", "sum", "mean_with_sample_weight"])
def test_gradient_is_that_of_central_differences(case, reduction):
    y, p = data(case, (3, 2), seed=1)
    loss = partial(case.loss, y, sample_weight=np.array([0.5, 0.0, 2.0]), reduction=reduction)
    gradient = fnet.grad(loss)(p)
    np.testing.assert_allclose(gradient, central_differences(loss, p), atol=1e-8)
    np.testing.assert_array_equal(gradient[1], 0)
    in_float32 = fnet.grad(loss)(p.astype(np.float32))
    assert in_float32.dtype == np.float32
    np.testing.assert_allclose(in_float32, gradient, rtol=1e-4, atol=1e-6)


@all_cases
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


@pytest.mark.parametrize("loss", [losses.mse, losses.mae, losses.binary_crossentropy])
def test_a_missing_last_axis_of_size_one_is_no_broadcast(loss):
    y, p = np.array([1.0, 0.0, 1.0]), np.array([[0.5], [0.25], [0.125]])
    expected = loss(y[:, None], p)
    np.testing.assert_array_equal(loss(y, p), expected)
    np.testing.assert_array_equal(loss(y[:, None], p[:, 0]), expected)
    np.testing.assert_array_equal(loss(y, p, reduction="none"), loss(y[:, None], p, reduction="none"))


# Values recorded from Keras.

Y, P = [[1, 9, 2], [-5, -2, 6]], [[4, 8, 12], [8, 1, 3]]
ROWS = [[0.9, 0.05, 0.05], [0.5, 0.89, 0.6], [0.05, 0.01, 0.94]]
LOGITS = [[8.0, 1, 1], [0, 9, 1], [2, 3, 5]]
TIMES_Y = np.array([1, 9, 2, -5, -2, 6], float).reshape(2, 3, 1)
TIMES_P = np.array([4, 8, 12, 8, 1, 3], float).reshape(2, 3, 1)
STEPS = [[3, 6, 5], [0, 4, 2]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda: losses.mse(Y, P), 49.5),
        (lambda: losses.mae(Y, P), 5.5),
        (lambda: losses.mse(Y, P, sample_weight=[[1.2], [3.4]]), 127.96667),
        (lambda: losses.mse(Y, P, sample_weight=[[1.2], [3.4]], reduction="mean_with_sample_weight"), 55.63768),
        (lambda: losses.mse(TIMES_Y, TIMES_P, sample_weight=STEPS), 97.83333),
        (lambda: losses.mae(TIMES_Y, TIMES_P, sample_weight=STEPS), 13.83333),
        (
            lambda: losses.binary_crossentropy(np.eye(3), [[0.9, 0.1, 0.2], [0.3, 0.8, 0.1], [0.1, 0.2, 0.7]]),
            0.20046903,
        ),
        (lambda: losses.binary_crossentropy([[1, 0], [1, 0]], np.array([[1, 1], [1, 0]], np.float32)), 3.98559),
        (lambda: losses.binary_crossentropy([[1, 0], [1, 0]], np.array([[1.0, 1], [1, 0]])), 4.02952),
        (
            lambda: losses.binary_crossentropy([[1, 0, 1]], [[10.0, -10, -10]], from_logits=True, label_smoothing=0.1),
            (10 + 0.5) / 3,
        ),
        (lambda: losses.categorical_crossentropy(np.eye(3), ROWS), 0.3239),
        (lambda: losses.sparse_categorical_crossentropy([0, 1, 2], ROWS), 0.3239),
        (lambda: losses.categorical_crossentropy(np.eye(3), ROWS, reduction="none"), [0.1053605, 0.8046685, 0.0618754]),
        (
            lambda: losses.sparse_categorical_crossentropy([[0], [1], [2]], ROWS, reduction="none"),
            [0.1053605, 0.8046685, 0.0618754],
        ),
        (lambda: losses.categorical_crossentropy(np.eye(3), ROWS, sample_weight=[1.2, 3.4, 5.6]), 1.0696),
        (lambda: losses.categorical_crossentropy(np.eye(3), LOGITS, from_logits=True), 0.0573),
        (
            lambda: losses.sparse_categorical_crossentropy(
                [0, 1, 2], LOGITS, from_logits=True, sample_weight=[[1.2], [3.4], [5.6]]
            ),
            0.31829,
        ),
        (
            lambda: losses.categorical_crossentropy(
                [[1, 0, 0]], [[100.0, -100, -100]], from_logits=True, label_smoothing=0.1
            ),
            13.33333,
        ),
    ],
)
def test_values_recorded_from_keras(value, expected):
    np.testing.assert_allclose(value(), expected, atol=1e-4, rtol=1e-5)


# Extremes.


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
        if dtype == np.float64:
            np.testing.assert_array_equal(central_differences(partial(loss, y), p, h=1e-9), gradient)


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


# Names and errors.


def test_every_alias_is_found():
    for name, loss in losses.LOSSES.items():
        assert losses.get(name) is loss
    for name in ("mse", "MSE", "mean_squared_error", "MeanSquaredError"):
        assert losses.get(name) is losses.mean_squared_error
    assert losses.get("BCE") is losses.get("BinaryCrossentropy") is losses.binary_crossentropy

    def mine(y, p):
        return 0.0

    assert losses.get(mine) is mine


def test_signature_and_docstring_show_all_arguments():
    names = list(inspect.signature(losses.binary_crossentropy).parameters)
    assert names == ["y_true", "y_pred", "sample_weight", "reduction", "from_logits", "label_smoothing"]
    assert "sample_weight: scalar or (B,)" in losses.mse.__doc__


A = np.zeros
ERRORS = [
    (lambda: losses.mse(A((3, 2)), A((2, 3))), ShapeError, "looks transposed: pass y_true.T of shape (2, 3)"),
    (lambda: losses.mse(A(6), A((2, 3))), ShapeError, "(2, 3), received (6,). Pass y_true.reshape((2, 3))"),
    (lambda: losses.mae(A((3, 2)), A((4, 2))), ShapeError, "y_true has 3 samples and y_pred 4"),
    (lambda: losses.mae(A((3, 2)), A((3, 4))), ShapeError, "Let the network end in 2 units"),
    (lambda: losses.mse(A(3), A((3, 4))), ShapeError, "let the network end in (3, 1)"),
    (lambda: losses.mse(A(()), A(())), ShapeError, "expected arrays with a batch axis, received scalars"),
    (lambda: losses.categorical_crossentropy([0, 1], A((2, 3))), ShapeError, "use the sparse_categorical form"),
    (lambda: losses.sparse_categorical_crossentropy(A((2, 3)), A((2, 3))), ShapeError, "use categorical_crossentropy"),
    (lambda: losses.sparse_categorical_crossentropy([0, 1, 2], A((2, 3))), ShapeError, "y_true has 3 samples"),
    (
        lambda: losses.sparse_categorical_crossentropy([0, 3], np.full((2, 3), 0.3)),
        ValueRangeError,
        "label 3 of sample 1 is out of range: expected 0 to 2",
    ),
    (
        lambda: losses.sparse_categorical_crossentropy([0, -1], A((2, 3)), from_logits=True),
        ValueRangeError,
        "label -1 of sample 1 is out of range",
    ),
    (
        lambda: losses.sparse_categorical_crossentropy([0, 0.5], A((2, 3)), from_logits=True),
        ValueRangeError,
        "labels must be whole numbers, received 0.5 in sample 1",
    ),
    (
        lambda: losses.binary_crossentropy([[1.0], [0.0]], [[0.5], [-3.0]]),
        ValueRangeError,
        "expected probabilities in [0, 1], received -3.0 in sample 1. For raw scores pass from_logits=True",
    ),
    (
        lambda: fnet.grad(lambda p: losses.categorical_crossentropy([[1.0, 0.0]], p))(np.array([[2.0, 0.0]])),
        ValueRangeError,
        "received 2.0 in sample 0. For raw scores pass from_logits=True, or end the network with softmax",
    ),
    (
        lambda: losses.sparse_categorical_crossentropy([0, 0], [[0.5, 0.5], [np.nan, 4.0]]),
        ValueRangeError,
        "received 4.0 in sample 1",
    ),
    (
        lambda: losses.binary_crossentropy([[2.0]], [[0.5]], from_logits=True),
        ValueRangeError,
        "expected y_true in [0, 1], received 2.0 in sample 0. Encode the classes as 0 and 1",
    ),
    (
        lambda: losses.binary_crossentropy([[1.0]], [[0.5]], label_smoothing=1.5),
        ValueRangeError,
        "expected 0 <= label_smoothing <= 1, received 1.5",
    ),
    (
        lambda: losses.mse(A((3, 1)), A((3, 1)), sample_weight=A(2)),
        ShapeError,
        "sample_weight (2,) does not fit the values, expected (3,). Give one weight per sample, (3,)",
    ),
    (lambda: losses.mse(A(3), A(3), sample_weight=A(3)), ShapeError, "give y_true and y_pred the shape (batch, 1)"),
    (lambda: losses.mse(A((3, 1)), A((3, 1)), reduction="avg"), ValueRangeError, "unknown reduction 'avg'"),
    (lambda: losses.mse([[1.0]], [[1.0]], from_logits=True), TypeError, "unexpected keyword argument 'from_logits'"),
    (lambda: losses.get("binary_crossentrpy"), ValueRangeError, "Did you mean 'binary_crossentropy'?"),
    (lambda: losses.get(None), ValueRangeError, "unknown loss None: expected a name or a function"),
]


@pytest.mark.parametrize(("call", "error", "text"), ERRORS)
def test_errors_say_what_was_meant(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    assert str(caught.value).count("\n") < 3
