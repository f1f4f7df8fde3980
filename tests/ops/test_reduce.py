"""Reductions against NumPy over all axes and layouts: values, dtypes, NaN, ties, empty axes, derivatives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.errors import ShapeError
from fnet.testing import check_complex_step, check_grads
from fnet.testing.strategies import arrays, shapes
from tests.ops.table import close, laid_out, layouts

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
COVERED = {"sum", "mean", "var", "std", "norm", "max", "min", "prod", "any", "all", "argmax", "argmin"}
FOLDS = ["sum", "prod", "max", "min"]
SPREADS = ["mean", "var", "std"]


def axes_of(x: np.ndarray) -> st.SearchStrategy:
    every = [None, *range(-x.ndim, x.ndim)]
    every += itertools.combinations(range(x.ndim), 2)
    return st.sampled_from(every)


def compare(name, x, axis, keepdims, scale=10.0):
    expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    close(getattr(ops, name)(x, axis=axis, keepdims=keepdims), expected, scale)


@pytest.mark.parametrize("name", FOLDS)
@given(data=st.data(), keepdims=st.booleans())
def test_folds_are_numpys_over_any_axes_of_any_layout(name, data, keepdims):
    x = laid_out(data.draw(arrays(shapes(min_side=name in ("max", "min")))), data.draw(layouts()))
    compare(name, x, data.draw(axes_of(x)), keepdims)


@pytest.mark.parametrize("name", SPREADS)
@given(data=st.data(), keepdims=st.booleans())
def test_spreads_are_numpys(name, data, keepdims):
    x = data.draw(arrays(shapes(max_dims=2)))
    compare(name, x, data.draw(axes_of(x)), keepdims)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int32, np.uint8, bool])
@pytest.mark.parametrize("name", [*FOLDS, *SPREADS, "any", "all", "argmax", "argmin"])
def test_dtypes_of_results(name, dtype):
    x = np.array([[3, 1, 2], [0, 3, 2]]).astype(dtype)
    expected = getattr(np, name)(x, axis=1)
    if name in SPREADS and dtype is np.float32:
        expected = expected.astype(np.float32)
    close(getattr(ops, name)(x, axis=1), np.asarray(expected), 2)


@pytest.mark.parametrize("name", ["any", "all", "argmax", "argmin"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_logical_folds_and_positions(name, axis):
    x = np.array([[0.0, 2.0, 2.0], [0.0, -1.0, -1.0]])
    close(getattr(ops, name)(x, axis=axis), np.asarray(getattr(np, name)(x, axis=axis)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*FOLDS, *SPREADS, "argmax", "argmin"])
@pytest.mark.parametrize("axis", [0, 1])
def test_nan_and_inf_travel(name, dtype, axis):
    nan, inf = np.nan, np.inf
    x = np.array([[1, nan, 2, inf], [inf, 3, nan, nan], [1, 2, 3, -inf], [nan, 1, nan, 2]], dtype)
    close(getattr(ops, name)(x, axis=axis), np.asarray(getattr(np, name)(x, axis=axis)))


def test_extremes_of_the_range():
    for dtype in (np.int64, np.int8, np.uint64):
        info = np.iinfo(dtype)
        x = np.array([[info.min, info.max], [info.min, info.min]], dtype)
        close(ops.max(x, axis=1), x.max(axis=1))
        close(ops.min(x, axis=0), x.min(axis=0))
    low = np.full(5000, -np.inf, np.float32)
    assert ops.max(low) == -np.inf and ops.min(-low) == np.inf


def test_nothing_sums_to_zero_and_has_no_extreme():
    empty = np.zeros((0, 3))
    close(ops.sum(empty, axis=0), np.zeros(3))
    close(ops.prod(empty, axis=0), np.ones(3))
    close(ops.sum(empty, axis=1), np.zeros(0))
    assert np.isnan(ops.mean(empty)) and np.isnan(ops.var(empty))
    close(ops.max(empty, axis=1), np.zeros(0))
    for function in (ops.max, ops.min, lambda x, axis: ops.argmax(x, axis), lambda x, axis: ops.argmin(x, axis)):
        with pytest.raises(ShapeError, match="of nothing: ax"):
            function(empty, axis=0)
    assert fnet.grad(ops.sum)(empty).shape == (0, 3)


def test_float32_sums_accumulate_in_float64():
    ones = np.ones(2**25 + 2, np.float32)
    assert ops.sum(ones) == 2**25 + 2
    columns = np.full((100_000, 2), 0.1, np.float32)
    np.testing.assert_allclose(ops.sum(columns, axis=0), columns.sum(axis=0, dtype=np.float64), rtol=1e-7)
    drift = np.float32(1e4) + np.random.default_rng(0).normal(size=1000).astype(np.float32)
    np.testing.assert_allclose(ops.var(drift), drift.astype(np.float64).var(), rtol=1e-4)


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (0, 2), (1, 2), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_derivatives_of_sums_over_every_axis(axis, keepdims):
    x = np.random.default_rng(0).normal(size=(2, 3, 2))
    check_grads(lambda v: ops.sum(v * v, axis, keepdims), x)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("name", ["prod", "max", "min", *SPREADS])
def test_derivatives_of_both_orders(name, axis):
    x = np.random.default_rng(1).permutation(np.linspace(0.5, 2.0, 6)).reshape(2, 3)
    check_grads(lambda v: getattr(ops, name)(v, axis), x, order=2)


@pytest.mark.parametrize("name", ["sum", "prod", "mean"])
def test_first_derivatives_to_the_last_digits(name):
    x = np.random.default_rng(2).uniform(0.5, 2, (2, 3))
    check_complex_step(lambda v: getattr(ops, name)(v, 1), lambda v: getattr(np, name)(v, axis=1), x)


def test_ties_share_the_cotangent_and_nan_takes_it():
    np.testing.assert_array_equal(fnet.grad(ops.max)(np.array([1.0, 3.0, 3.0, 2.0])), [0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(fnet.grad(ops.min)(np.array([1.0, 1.0, 1.0, 1.0])), [0.25] * 4)
    np.testing.assert_array_equal(np.isnan(ops.max(np.array([1.0, np.nan]))), True)
    _, tangent = fnet.jvp(ops.max, (np.array([3.0, 3.0]),), (np.array([1.0, 2.0]),))
    assert tangent == 1.5


def test_the_spread_of_equal_values_has_derivative_zero():
    np.testing.assert_array_equal(fnet.grad(ops.std)(np.full(3, 2.0)), np.zeros(3))
    assert fnet.grad(ops.var)(np.full(3, 2.0)).tolist() == [0.0] * 3


@pytest.mark.parametrize("name", sorted(COVERED))
def test_an_axis_out_of_range(name):
    with pytest.raises(ShapeError, match=r"axis 2 is out of range for an array with 2 axes"):
        getattr(ops, name)(np.ones((2, 2)), axis=2)


@pytest.mark.parametrize("x", [[0.0, 2, 3], [0.0, 0, 3], [2.0, 3, 4, 5, 6], [1e-30, 1e-30, 0]])
def test_derivatives_of_a_product_with_zeros(x):
    x = np.array(x)
    others = np.array([np.prod(np.delete(x, i)) for i in range(x.size)])
    np.testing.assert_array_equal(fnet.grad(ops.prod)(x), others)
    np.testing.assert_allclose(
        fnet.jvp(ops.prod, (x,), (np.arange(1.0, x.size + 1),))[1], others @ np.arange(1, x.size + 1)
    )
    check_grads(ops.prod, x, order=2)
    check_grads(lambda x: ops.prod(x, (0, 2)), np.outer(x, [0, 1.5, -1, 2]).reshape(x.size, 2, 2))


def test_any_and_all_of_nothing():
    for axis in (None, 0, 1):
        close(ops.any(np.zeros((0, 2)), axis), np.any(np.zeros((0, 2)), axis))
        close(ops.all(np.zeros((0, 2)), axis), np.all(np.zeros((0, 2)), axis))


def test_variance_far_from_zero():
    x = (1e7 + np.random.default_rng(0).normal(size=(1000, 2))).astype(np.float32)
    np.testing.assert_allclose(ops.var(x, 0), np.var(x.astype(float), 0), rtol=1e-5)
    np.testing.assert_array_equal(ops.var(np.full(1000, 1e30, np.float32)), 0)
    close(ops.var(np.ones(2), ddof=3), np.asarray(np.var(np.ones(2), ddof=3)))


@pytest.mark.parametrize("scale", [1, 1e30, 1e-30, 1e-44])
def test_norm_neither_overflows_nor_vanishes(scale):
    x = np.array([[3, 4], [0, 0]], np.float32) * np.float32(scale)
    close(ops.norm(x, 1), np.linalg.norm(x.astype(float), axis=1).astype(np.float32))
    _, pull = fnet.vjp(lambda x: ops.norm(x, 1, keepdims=True), x)
    if scale > 1e-40:
        np.testing.assert_allclose(pull(np.ones((2, 1), np.float32))[0], [[0.6, 0.8], [0, 0]], rtol=1e-6)


def test_norm():
    x = np.random.default_rng(0).normal(size=(2, 3))
    for axis in (None, 0, 1, (0, 1)):
        close(ops.norm(x, axis), np.asarray(np.linalg.norm(x, axis=axis)))
    check_grads(lambda x: ops.norm(x, 0), x, order=2)
    close(ops.norm(np.zeros((0, 2)), 0), np.zeros(2))
    assert np.isnan(ops.norm(np.array([np.nan, 1]))) and np.isinf(ops.norm(np.array([np.inf, 1])))
