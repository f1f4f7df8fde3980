"""Normalisation of columns, rows and groups: formulas, gradients, large means, NaN and Inf, bits on threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import config

from fnet.kernels.cpu import normalize_columns as columns
from fnet.kernels.cpu import normalize_groups as groups
from fnet.kernels.cpu import normalize_rows as rows
from fnet.kernels.cpu.runtime import threads

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
DTYPES = [np.float32, np.float64]
EPSILON = 1e-3
# Lines of several rows with and without a short one at the end, one column, wide rows, several chunks and tasks.
MATRICES = [(1, 1), (7, 3), (66, 1), (40, 10), (9, 64), (3, 130), (130, 65), (300, 5)]


def drawn(shape: Any, dtype: Any, seed: int = 0, shift: float = 0.5) -> list[np.ndarray]:
    """x, gamma, beta and a cotangent of y."""
    rng = np.random.default_rng(seed)
    x, g = rng.normal(shift, 1, shape), rng.normal(size=shape)
    return [a.astype(dtype) for a in (x, rng.normal(size=shape[-1]), rng.normal(size=shape[-1]), g)]


def like(*arrays: np.ndarray) -> list[np.ndarray]:
    """Arrays to be written, full of a wrong number."""
    return [np.full_like(a, 7) for a in arrays]


def batch_norm(x: Any, gamma: Any, beta: Any, relu: bool = False) -> list[np.ndarray]:
    y, mean, variance = like(x, gamma, gamma)
    work, small = columns.work_sizes(*x.shape), np.full(1, EPSILON, x.dtype)
    scratch = np.full(work[0], 7, x.dtype), np.full(work[1], 7.0)
    sizes = *x.shape, *columns.plan(*x.shape), int(relu)
    columns.batch_norm(x.ravel(), gamma, beta, small, y.reshape(-1), mean, variance, *scratch, *sizes)
    return [y, mean, variance]


def batch_norm_vjp(
    x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, g: Any, relu: bool = False
) -> list[np.ndarray]:
    dx, dgamma, dbeta = like(x, gamma, gamma)
    work, small = columns.work_sizes(*x.shape), np.full(1, EPSILON, x.dtype)
    scratch = np.full(work[0], 7, x.dtype), np.full(work[1], 7.0)
    sizes = *x.shape, *columns.plan(*x.shape), int(relu)
    before = x.ravel(), gamma, beta, mean, variance, small, g.ravel()
    columns.batch_norm_vjp(*before, dx.reshape(-1), dgamma, dbeta, *scratch, *sizes)
    return [dx, dgamma, dbeta]


def layer_norm(x: Any, gamma: Any, beta: Any, centered: bool = True) -> list[np.ndarray]:
    y, mean, inverse = like(x, x[:, 0], x[:, 0])
    sizes = *x.shape, int(centered), rows.plan(*x.shape)
    rows.layer_norm(x.ravel(), gamma, beta, np.full(1, EPSILON, x.dtype), y.reshape(-1), mean, inverse, *sizes)
    return [y, mean, inverse]


def layer_norm_vjp(x: Any, gamma: Any, mean: Any, inverse: Any, g: Any, centered: bool = True) -> list[np.ndarray]:
    dx, dgamma, dbeta = like(x, gamma, gamma)
    tasks, size = rows.plan(*x.shape), rows.record_size(x.shape[1])
    results = dx.reshape(-1), dgamma, dbeta, np.full(tasks * size, 7, x.dtype), size
    rows.layer_norm_vjp(x.ravel(), gamma, mean, inverse, g.ravel(), *results, *x.shape, int(centered), tasks)
    return [dx, dgamma, dbeta]


def group_norm(x: Any, gamma: Any, beta: Any, count: int) -> list[np.ndarray]:
    y, (mean, inverse) = like(x)[0], (np.full((x.shape[0], count), 7, x.dtype) for _ in range(2))
    work = groups.work_sizes(x.shape[0], x.shape[2])
    scratch = np.full(work[0], 7, x.dtype), np.full(work[1], 7.0)
    results = y.reshape(-1), mean.reshape(-1), inverse.reshape(-1)
    groups.group_norm(x.ravel(), gamma, beta, np.full(1, EPSILON, x.dtype), *results, *scratch, *x.shape, count)
    return [y, mean, inverse]


def group_norm_vjp(x: Any, gamma: Any, mean: Any, inverse: Any, g: Any, count: int) -> list[np.ndarray]:
    dx, dgamma, dbeta = like(x, gamma, gamma)
    work = groups.work_sizes(x.shape[0], x.shape[2])
    scratch = np.full(work[0], 7, x.dtype), np.full(work[1], 7.0)
    before = x.ravel(), gamma, mean.ravel(), inverse.ravel(), g.ravel()
    groups.group_norm_vjp(*before, dx.reshape(-1), dgamma, dbeta, *scratch, *x.shape, count)
    return [dx, dgamma, dbeta]


def reference(x: Any, gamma: Any, beta: Any, g: Any, axes: Any, centered: bool = True) -> list[np.ndarray]:
    """y, mean and variance over `axes`, dx, dgamma and dbeta in float64; gamma and beta lie on the last axes."""
    x, gamma, beta, g = (a.astype(np.float64) for a in (x, gamma, beta, g))
    mean = x.mean(axes, keepdims=True) * centered
    variance = ((x - mean) ** 2).mean(axes, keepdims=True)
    inverse = 1 / np.sqrt(variance + EPSILON)
    normal, h = (x - mean) * inverse, g * gamma
    dx = h - centered * h.mean(axes, keepdims=True) - normal * (h * normal).mean(axes, keepdims=True)
    lead = tuple(range(x.ndim - gamma.ndim))
    return [normal * gamma + beta, mean, variance, dx * inverse, (g * normal).sum(lead), g.sum(lead)]


def close(got: np.ndarray, expected: np.ndarray) -> None:
    tolerance = 2e-5 if got.dtype == np.float32 else 1e-11
    expected = expected.reshape(got.shape)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * (1 + np.abs(expected).max(initial=0)))


def check_columns(shape: Any, dtype: Any, relu: bool, seed: int = 0) -> None:
    x, gamma, beta, g = drawn(shape, dtype, seed)
    y, mean, variance = batch_norm(x, gamma, beta, relu)
    expected = reference(x, gamma, beta, g, 0)
    passed = g * (expected[0] > 0) if relu else g
    *values, dx, dgamma, dbeta = reference(x, gamma, beta, passed, 0)
    values[0] = np.maximum(values[0], 0) if relu else values[0]
    for got, wanted in zip((y, mean, variance), values, strict=True):
        close(got, wanted)
    pulled = batch_norm_vjp(x, gamma, beta, mean, variance, g, relu)
    for got, wanted in zip(pulled, (dx, dgamma, dbeta), strict=True):
        close(got, wanted)


def check_rows(shape: Any, dtype: Any, centered: bool, seed: int = 0) -> None:
    x, gamma, beta, g = drawn(shape, dtype, seed)
    y, mean, inverse = layer_norm(x, gamma, beta, centered)
    wanted = reference(x, gamma, beta, g, 1, centered)
    pulled = layer_norm_vjp(x, gamma, mean, inverse, g, centered)
    for got, value in zip((y, mean, 1 / inverse**2 - EPSILON, *pulled), wanted, strict=True):
        close(got, value)


def check_groups(shape: Any, count: int, dtype: Any, seed: int = 0) -> None:
    x, gamma, beta, g = drawn(shape, dtype, seed)
    y, mean, inverse = group_norm(x, gamma, beta, count)
    split = lambda a: a.reshape(*a.shape[:-1], count, -1)  # noqa: E731
    wanted = reference(*(split(a) for a in (x, gamma, beta, g)), (1, 3))
    pulled = group_norm_vjp(x, gamma, mean, inverse, g, count)
    for got, value in zip((y, mean, 1 / inverse**2 - EPSILON, *pulled), wanted, strict=True):
        close(got, value)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", MATRICES)
def test_columns_are_those_of_the_formulas(shape, dtype, relu):
    check_columns(shape, dtype, relu)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (2, 4100), (40, 17), (100, 128)])
def test_rows_are_those_of_the_formulas(shape, dtype, centered):
    check_rows(shape, dtype, centered)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "count"), [((1, 1, 1), 1), ((3, 5, 6), 2), ((2, 7, 8), 8), ((2, 70, 64), 32), ((3, 1, 4), 1)]
)
def test_groups_are_those_of_the_formulas(shape, count, dtype):
    check_groups(shape, count, dtype)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(DTYPES), st.booleans(), st.integers(0, 99))
def test_any_shape(m, n, dtype, flag, seed):
    check_columns((m, n), dtype, flag, seed)
    check_rows((m, n), dtype, flag, seed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mean_much_larger_than_the_spread_costs_no_more_than_its_own_rounding(dtype):
    shift = 1e3 if dtype == np.float32 else 1e9
    x, gamma, beta, _ = drawn((500, 20), dtype, shift=shift)
    gamma, beta, wide = np.ones_like(gamma), np.zeros_like(beta), x.astype(np.float64)
    step = shift * np.finfo(dtype).eps
    for (y, _, spread), axis in ((batch_norm(x, gamma, beta), 0), (layer_norm(x, gamma, beta), 1)):
        variance = wide.var(axis)
        found = spread if axis == 0 else 1 / spread.astype(np.float64) ** 2 - EPSILON
        np.testing.assert_allclose(found, variance, rtol=4 * step)
        expected = (wide - wide.mean(axis, keepdims=True)) / np.sqrt(np.expand_dims(variance, axis) + EPSILON)
        np.testing.assert_allclose(y, expected, atol=16 * step)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity_spoil_their_own_statistics_only(dtype, bad):
    x, gamma, beta, g = drawn((130, 12), dtype)
    x[100, 5] = bad
    for relu in (False, True):
        y, mean, variance = batch_norm(x, gamma, beta, relu)
        dx, *_ = batch_norm_vjp(x, gamma, beta, mean, variance, g, relu)
        assert np.isnan(y).all(0).tolist() == [c == 5 for c in range(12)] == np.isnan(y).any(0).tolist()
        assert np.isnan(dx[:, 5]).all() and not np.isnan(np.delete(dx, 5, 1)).any()
    y, mean, inverse = layer_norm(x, gamma, beta)
    dx, *_ = layer_norm_vjp(x, gamma, mean, inverse, g)
    for values in (y, dx):
        assert np.isnan(values).all(1).tolist() == [i == 100 for i in range(130)] == np.isnan(values).any(1).tolist()
    y, *_ = group_norm(x.reshape(2, 65, 12), gamma, beta, 3)
    assert (
        np.isnan(y[1, :, 4:8]).all()
        and not np.isnan(y[0]).any()
        and not np.isnan(np.delete(y[1], range(4, 8), 1)).any()
    )


@pytest.mark.parametrize("cols", [5, 33])
def test_a_row_has_the_same_bits_whatever_stands_beside_it(cols):
    x, gamma, beta, g = drawn((23, cols), "float32")
    together = layer_norm(x, gamma, beta)
    together.append(layer_norm_vjp(x, gamma, *together[1:], g)[0])
    for i in range(len(x)):
        alone = layer_norm(x[i : i + 1], gamma, beta)
        alone.append(layer_norm_vjp(x[i : i + 1], gamma, *alone[1:], g[i : i + 1])[0])
        for one, many in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one[0], many[i])


def test_no_rows_at_all():
    x, gamma, beta, g = drawn((0, 3), np.float32)
    _, mean, variance = batch_norm(x, gamma, beta)
    assert np.isnan(mean).all() and np.isnan(variance).all()
    assert [a.tolist() for a in batch_norm_vjp(x, gamma, beta, mean, np.ones_like(mean), g)[1:]] == [[0, 0, 0]] * 2
    layer_norm(x, gamma, beta)
    assert [a.tolist() for a in layer_norm_vjp(x, gamma, x[:, 0], x[:, 0], g)[1:]] == [[0, 0, 0]] * 2


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has no threads")
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    x, gamma, beta, g = drawn((3001, 48), dtype)
    grouped = x[:3000].reshape(10, 300, 48)

    def everything() -> list[np.ndarray]:
        of_columns = batch_norm(x, gamma, beta, True)
        of_rows, of_groups = layer_norm(x, gamma, beta), group_norm(grouped, gamma, beta, 4)
        pulled = batch_norm_vjp(x, gamma, beta, *of_columns[1:], g, True) + layer_norm_vjp(x, gamma, *of_rows[1:], g)
        pulled += group_norm_vjp(grouped, gamma, *of_groups[1:], g[:3000].reshape(grouped.shape), 4)
        return of_columns + of_rows + of_groups + pulled

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
