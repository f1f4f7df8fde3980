"""Softmax, log-softmax, log-sum-exp and their gradients: formulas, laws, masked and non-finite rows."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import config

from fnet.kernels.cpu import softmax as k
from fnet.kernels.cpu.runtime import threads

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
INF, NAN = np.inf, np.nan
DTYPES = [np.float32, np.float64]
# Narrow and wide rows, one and several blocks, sizes that leave a remainder, nothing at all.
SHAPES = [(1, 1), (3, 2), (70, 10), (37, 32), (5, 33), (2, 600), (4, 128), (0, 4), (3, 0), (0, 0)]


def matrix(shape, dtype, scale=3.0, seed=0):
    return np.random.default_rng(seed).normal(size=shape, scale=scale).astype(dtype)


def scratch(kernel, x):
    """The scratch memory that a kernel takes besides."""
    return [np.empty(2 * x.shape[0], x.dtype)] if kernel in (k.softmax, k.log_softmax, k.logsumexp) else []


def rows_to_rows(kernel, *inputs):
    """Run a kernel whose result has the shape of its first input."""
    out = np.full_like(inputs[0], 7)
    kernel(*[a.ravel() for a in inputs], out.reshape(-1), *scratch(kernel, inputs[0]), *inputs[0].shape)
    return out


def logsumexp(x):
    out = np.full(x.shape[0], 7, x.dtype)
    k.logsumexp(x.ravel(), out, *scratch(k.logsumexp, x), *x.shape)
    return out


def reference(x):
    """Softmax, log-softmax and log-sum-exp in float64."""
    x = x.astype(np.float64)
    if x.shape[1] == 0:
        return x, x, np.full(x.shape[0], -INF)
    top = x.max(1, keepdims=True)
    e = np.exp(x - top)
    total = e.sum(1, keepdims=True)
    return e / total, x - top - np.log(total), (top + np.log(total))[:, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_those_of_the_formulas(shape, dtype):
    x, eps = matrix(shape, dtype), np.finfo(dtype).eps
    probability, logarithm, total = reference(x)
    np.testing.assert_allclose(rows_to_rows(k.softmax, x), probability, rtol=16 * eps)
    np.testing.assert_allclose(rows_to_rows(k.log_softmax, x), logarithm, rtol=8 * eps, atol=8 * eps)
    np.testing.assert_allclose(logsumexp(x), total, rtol=8 * eps, atol=8 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_the_formulas(shape, dtype):
    x, g, eps = matrix(shape, dtype), matrix(shape, dtype, seed=1), np.finfo(dtype).eps
    probability, logarithm, _ = reference(x)
    wide = g.astype(np.float64)
    expected = probability * (wide - (wide * probability).sum(1, keepdims=True))
    y = probability.astype(dtype)
    np.testing.assert_allclose(rows_to_rows(k.softmax_vjp, y, g), expected, rtol=1e-5, atol=64 * eps)
    expected = wide - probability * wide.sum(1, keepdims=True)
    y = logarithm.astype(dtype)
    np.testing.assert_allclose(rows_to_rows(k.log_softmax_vjp, y, g), expected, rtol=1e-5, atol=64 * eps)


def test_gradients_are_derivatives():
    x, g, h = matrix((3, 5), np.float64), matrix((3, 5), np.float64, seed=1), 1e-6
    for forward, backward in ((k.softmax, k.softmax_vjp), (k.log_softmax, k.log_softmax_vjp)):
        direction = matrix(x.shape, np.float64, seed=2)
        change = (rows_to_rows(forward, x + h * direction) - rows_to_rows(forward, x - h * direction)) / (2 * h)
        dx = rows_to_rows(backward, rows_to_rows(forward, x), g)
        assert (change * g).sum() == pytest.approx((dx * direction).sum(), rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 9),
    cols=st.integers(1, 90),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1e-3, 1.0, 1e3, 1e30]),
    dtype=st.sampled_from(DTYPES),
)
def test_laws(rows, cols, seed, scale, dtype):
    x, eps = matrix((rows, cols), dtype, scale, seed), np.finfo(dtype).eps
    y, logarithm, total = rows_to_rows(k.softmax, x), rows_to_rows(k.log_softmax, x), logsumexp(x)
    assert np.all((y >= 0) & (y <= 1 + 4 * eps))
    np.testing.assert_allclose(y.sum(1), 1, rtol=32 * eps)
    assert np.all(logarithm <= 4 * eps)
    np.testing.assert_allclose(np.exp(logarithm), y, rtol=128 * eps, atol=2 * eps)
    assert np.all(total >= x.max(1) - 4 * eps * np.abs(x).max(1))
    assert np.all(total <= x.max(1) + np.log(cols) + 4 * eps * (np.abs(x).max(1) + 1))
    # A power of two shifts small integers without rounding, so not a bit may change.
    whole = np.rint(np.clip(x, -100, 100))
    np.testing.assert_array_equal(rows_to_rows(k.softmax, whole + dtype(1024)), rows_to_rows(k.softmax, whole))
    np.testing.assert_array_equal(rows_to_rows(k.log_softmax, whole - dtype(1024)), rows_to_rows(k.log_softmax, whole))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cols", [3, 40, 700])
def test_masked_and_non_finite_rows(cols, dtype):
    x = np.zeros((7, cols), dtype)
    x[6, :2] = INF, NAN
    x[0] = -INF
    x[1, 1:] = -INF
    x[2, 1] = NAN
    x[3, 1] = INF
    x[4] = np.where(np.arange(cols) == 2, -NAN, -INF)
    x[5, :2] = np.finfo(dtype).max
    y, logarithm, total = rows_to_rows(k.softmax, x), rows_to_rows(k.log_softmax, x), logsumexp(x)
    np.testing.assert_array_equal(y[0], 0)
    np.testing.assert_array_equal(y[1], np.arange(cols) == 0)
    assert np.isnan(y[[2, 4]]).all()
    assert np.isnan(y[3, 1])
    np.testing.assert_array_equal(y[5], np.where(np.arange(cols) < 2, 0.5, 0))
    np.testing.assert_array_equal(logarithm[0], -INF)
    np.testing.assert_array_equal(logarithm[1], np.where(np.arange(cols) == 0, 0, -INF))
    assert np.isnan(logarithm[[2, 4]]).all()
    np.testing.assert_array_equal(total, np.array([-INF, 0, NAN, INF, NAN, np.finfo(dtype).max, NAN], dtype))
    g = np.ones_like(x)
    for backward, value in ((k.softmax_vjp, y), (k.log_softmax_vjp, logarithm)):
        dx = rows_to_rows(backward, value, g)
        np.testing.assert_array_equal(dx[0], 0)
        assert np.isfinite(dx[[1, 5]]).all()
        assert np.isnan(dx[2]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_does_not_see_its_neighbours(dtype):
    x = matrix((9, 20), dtype)
    alone = np.concatenate([rows_to_rows(k.softmax, x[i : i + 1]) for i in range(9)])
    x_bad = x.copy()
    x_bad[4] = NAN
    together = rows_to_rows(k.softmax, x_bad)
    np.testing.assert_array_equal(np.delete(together, 4, 0), np.delete(alone, 4, 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("forward", [k.softmax, k.log_softmax])
def test_the_output_may_be_the_input(forward, dtype):
    x = matrix((40, 30), dtype)
    expected, y = rows_to_rows(forward, x), x.copy()
    forward(y.reshape(-1), y.reshape(-1), *scratch(forward, y), 40, 30)
    np.testing.assert_allclose(y, expected, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backward", [k.softmax_vjp, k.log_softmax_vjp])
def test_the_gradient_may_replace_either_input(backward, dtype):
    y, g = rows_to_rows(k.softmax, matrix((5, 30), dtype)), matrix((5, 30), dtype, seed=1)
    expected = rows_to_rows(backward, y, g)
    for out in (y.copy(), g.copy()):
        first = out if np.array_equal(out, y) else y
        second = out if first is y else g
        backward(first.reshape(-1), second.reshape(-1), out.reshape(-1), 5, 30)
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=8 * np.finfo(dtype).eps)


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has no threads")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3000, 21), (130, 1000)])
def test_bits_do_not_depend_on_the_number_of_threads(shape, dtype):
    x, g = matrix(shape, dtype), matrix(shape, dtype, seed=1)

    def everything():
        y, logarithm = rows_to_rows(k.softmax, x), rows_to_rows(k.log_softmax, x)
        pulled = rows_to_rows(k.softmax_vjp, y, g), rows_to_rows(k.log_softmax_vjp, logarithm, g)
        return [y, logarithm, *pulled, logsumexp(x)]

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


PROGRAM = """
import numpy as np, warnings
from fnet.kernels.cpu import softmax as k, crossentropy as c
warnings.simplefilter("error", DeprecationWarning)
warnings.simplefilter("ignore", RuntimeWarning)
for dtype in (np.float32, np.float64):
    x = np.array([0.5, -1.0, 3.0, -np.inf, -np.inf, -np.inf, 1.0, 2.0, np.nan], dtype)
    y, r, g, w = np.empty_like(x), np.empty(3, dtype), np.ones(3, dtype), np.empty(6, dtype)
    labels = np.array([0, 9, 2], np.int32 if dtype == np.float32 else np.int64)
    for run in (lambda: k.softmax(x, y, w, 3, 3), lambda: k.log_softmax(x, y, w, 3, 3),
                lambda: k.softmax_vjp(y, x, y, 3, 3), lambda: k.log_softmax_vjp(x, x, y, 3, 3),
                lambda: c.sparse_crossentropy_vjp(x, labels, g, y, w, 3, 3),
                lambda: c.categorical_crossentropy_vjp(x, np.eye(3, dtype=dtype).ravel(), g, y, w, 3, 3)):
        run()
        print(*map(float, y))
    for run in (lambda: k.logsumexp(x, r, w, 3, 3), lambda: c.sparse_crossentropy(x, np.array([0, 1, -1]), r, w, 3, 3),
                lambda: c.categorical_crossentropy(x, np.eye(3, dtype=dtype).ravel(), r, w, 3, 3)):
        run()
        print(*map(float, r))
"""


def test_plain_python_gives_the_same_numbers(capsys):
    exec(PROGRAM, {})
    here = np.array(capsys.readouterr().out.split(), float)
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert here.size == 126
    np.testing.assert_allclose(np.array(run.stdout.split(), float), here, rtol=1e-6, atol=1e-7)
