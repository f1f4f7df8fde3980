"""Fused cross-entropy of logits: formulas, agreement of the two forms, derivatives, bad labels, non-finite rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import config

from fnet.kernels.cpu import crossentropy as k
from fnet.kernels.cpu.narrow_rows import NARROW
from fnet.kernels.cpu.runtime import threads

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
INF, NAN = np.inf, np.nan
DTYPES = [np.float32, np.float64]
SHAPES = [(1, 1), (70, 10), (37, NARROW), (5, NARROW + 1), (2, 600), (0, 4)]


def draw(shape, dtype, seed=0, labels=np.int64):
    """Logits, labels, targets and an upstream gradient."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=shape, scale=3).astype(dtype)
    return (
        logits,
        rng.integers(0, max(shape[1], 1), shape[0]).astype(labels),
        rng.random(shape).astype(dtype),
        rng.normal(size=shape[0]).astype(dtype),
    )


def sparse(logits, labels):
    loss = np.full(logits.shape[0], 7, logits.dtype)
    k.sparse_crossentropy(logits.ravel(), labels, loss, np.empty_like(loss), *logits.shape)
    return loss


def sparse_vjp(logits, labels, g):
    d = np.full_like(logits, 7)
    k.sparse_crossentropy_vjp(logits.ravel(), labels, g, d.reshape(-1), np.empty_like(g), *logits.shape)
    return d


def categorical(logits, targets):
    loss = np.full(logits.shape[0], 7, logits.dtype)
    k.categorical_crossentropy(logits.ravel(), targets.ravel(), loss, np.empty_like(loss), *logits.shape)
    return loss


def categorical_vjp(logits, targets, g):
    d = np.full_like(logits, 7)
    k.categorical_crossentropy_vjp(logits.ravel(), targets.ravel(), g, d.reshape(-1), np.empty_like(g), *logits.shape)
    return d


def reference(logits):
    """Softmax and log-softmax in float64."""
    x = logits.astype(np.float64)
    x = x - x.max(1, keepdims=True)
    total = np.exp(x).sum(1, keepdims=True)
    return np.exp(x) / total, x - np.log(total)


# Every dtype once: each pair has kernels of its own.
@pytest.mark.parametrize(("dtype", "labels"), [(np.float32, np.int32), (np.float64, np.int64)])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_formulas(shape, dtype, labels):
    x, label, t, g = draw(shape, dtype, labels=labels)
    p, logarithm = reference(x)
    onehot = np.eye(shape[1])[label]
    near = {"rtol": 64 * np.finfo(dtype).eps, "atol": 64 * np.finfo(dtype).eps}
    wide = t.astype(np.float64)
    np.testing.assert_allclose(sparse(x, label), -(onehot * logarithm).sum(1), **near)
    np.testing.assert_allclose(categorical(x, t), -(wide * logarithm).sum(1), **near)
    np.testing.assert_allclose(sparse_vjp(x, label, g), g[:, None] * (p - onehot), **near)
    expected = g[:, None] * (p * wide.sum(1, keepdims=True) - wide)
    np.testing.assert_allclose(categorical_vjp(x, t, g), expected, **near)


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 9), cols=st.integers(1, 90), seed=st.integers(0, 99), dtype=st.sampled_from(DTYPES))
def test_laws(rows, cols, seed, dtype):
    x, label, _, g = draw((rows, cols), dtype, seed)
    eps, onehot = np.finfo(dtype).eps, np.eye(cols, dtype=dtype)[label]
    loss, d = sparse(x, label), sparse_vjp(x, label, g)
    assert np.all(loss >= -4 * eps)
    np.testing.assert_allclose(categorical(x, onehot), loss, rtol=16 * eps, atol=16 * eps)
    np.testing.assert_allclose(categorical_vjp(x, onehot, g), d, rtol=16 * eps, atol=16 * eps)
    np.testing.assert_allclose(d.sum(1), 0, atol=64 * eps * np.abs(g).max())
    whole = np.rint(x)
    np.testing.assert_array_equal(sparse(whole + dtype(1024), label), sparse(whole, label))
    np.testing.assert_array_equal(sparse_vjp(whole + dtype(1024), label, g), sparse_vjp(whole, label, g))


def test_gradients_are_derivatives():
    x, label, t, g = draw((4, 6), np.float64)
    direction, h = np.random.default_rng(5).normal(size=x.shape), 1e-6
    for loss, gradient in (
        (lambda x: sparse(x, label), sparse_vjp(x, label, g)),
        (lambda x: categorical(x, t), categorical_vjp(x, t, g)),
    ):
        change = (loss(x + h * direction) - loss(x - h * direction)) / (2 * h)
        assert (change * g).sum() == pytest.approx((gradient * direction).sum(), rel=1e-6)


@pytest.mark.parametrize(("dtype", "labels"), [(np.float32, np.int32), (np.float64, np.int64)])
def test_a_label_out_of_range_gives_nan_in_its_row_only(dtype, labels):
    x, label, _, g = draw((6, 10), dtype, labels=labels)
    good = sparse(x, label), sparse_vjp(x, label, g)
    label[1], label[3], label[4] = -1, 10, np.iinfo(labels).min
    bad = sparse(x, label), sparse_vjp(x, label, g)
    for before, after in zip(good, bad, strict=True):
        assert np.isnan(after[[1, 3, 4]]).all()
        np.testing.assert_array_equal(after[[0, 2, 5]], before[[0, 2, 5]])


def test_no_classes_at_all():
    x, label = np.empty((2, 0), np.float32), np.zeros(2, np.int64)
    assert np.isnan(sparse(x, label)).all()
    assert sparse_vjp(x, label, np.ones(2, np.float32)).shape == (2, 0)
    np.testing.assert_array_equal(categorical(x, x), 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cols", [3, 40, 700])
def test_masked_and_non_finite_rows(cols, dtype):
    x = np.zeros((6, cols), dtype)
    x[0] = -INF
    x[1, 1:] = -INF
    x[2, 1:] = -INF
    x[3, 1] = NAN
    x[4, 1] = np.finfo(dtype).max
    x[5, 1] = INF
    label, g = np.array([0, 0, 1, 0, 1, 0]), np.full(6, 2, dtype)
    onehot = np.eye(cols, dtype=dtype)[label]
    loss, d = sparse(x, label), sparse_vjp(x, label, g)
    np.testing.assert_array_equal(loss, np.array([INF, 0, INF, NAN, 0, INF], dtype))
    np.testing.assert_array_equal(categorical(x, onehot), loss)
    np.testing.assert_array_equal(d[[0, 1, 4]], 0)
    np.testing.assert_array_equal(d[2, :3], np.array([2, -2, 0], dtype))
    assert np.isnan(d[3]).all()
    np.testing.assert_array_equal(categorical_vjp(x, onehot, g), d)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cols", [21, 33])
def test_the_gradient_may_replace_the_logits(cols, dtype):
    x, label, t, g = draw((20, cols), dtype)
    expected = sparse_vjp(x, label, g), categorical_vjp(x, t, g)
    y = x.copy()
    k.sparse_crossentropy_vjp(y.reshape(-1), label, g, y.reshape(-1), np.empty_like(g), 20, cols)
    near = {"rtol": 1e-5, "atol": 8 * np.finfo(dtype).eps}
    np.testing.assert_allclose(y, expected[0], **near)
    y = x.copy()
    k.categorical_crossentropy_vjp(y.reshape(-1), t.ravel(), g, y.reshape(-1), np.empty_like(g), 20, cols)
    np.testing.assert_allclose(y, expected[1], **near)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cols", [3, 10, NARROW, NARROW + 1])
def test_bits_of_a_row_do_not_depend_on_where_it_lies(cols, dtype):
    x, label, t, g = draw((39, cols), dtype)

    def everything(rows):
        parts = x[rows], label[rows], t[rows], g[rows]
        x_, label_, t_, g_ = map(np.ascontiguousarray, parts)
        return sparse(x_, label_), sparse_vjp(x_, label_, g_), categorical(x_, t_), categorical_vjp(x_, t_, g_)

    whole = everything(slice(None))
    for rows in (slice(5, 6), slice(7, 39)):
        for got, wanted in zip(everything(rows), whole, strict=True):
            np.testing.assert_array_equal(got, wanted[rows])


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has no threads")
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    x, label, t, g = draw((3000, 21), dtype)

    def everything():
        return sparse(x, label), sparse_vjp(x, label, g), categorical(x, t), categorical_vjp(x, t, g)

    before = threads.thread_count()
    try:
        threads.set_thread_count(1)
        alone = everything()
        for count in (2, 4):
            threads.set_thread_count(count)
            for got, wanted in zip(everything(), alone, strict=True):
                np.testing.assert_array_equal(got, wanted)
    finally:
        threads.set_thread_count(before)
