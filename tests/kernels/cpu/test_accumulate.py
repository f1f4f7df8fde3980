"""Running sums and sums by index against NumPy: both directions, every dtype, indices outside, NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet.kernels.cpu import accumulate as k

KINDS = {"f4": np.float64, "f8": np.float64, "i8": np.int64}


def cumsum(x: np.ndarray, backwards: bool) -> np.ndarray:
    y = np.full_like(x, 7)
    k.cumsum(x.reshape(-1), np.zeros(1, KINDS[x.dtype.str[1:]]), y.reshape(-1), *x.shape, int(backwards))
    return y


def bincount(index: np.ndarray, weights: np.ndarray, length: int) -> np.ndarray:
    y = np.full(length + 1, 7, weights.dtype)
    k.bincount(index, weights, y, index.size, length)
    assert y[-1] == 7
    return y[:-1]


@given(st.integers(0, 3), st.integers(0, 9), st.booleans(), st.sampled_from(sorted(KINDS)), st.integers(0, 99))
def test_cumsum(rows, columns, backwards, dtype, seed):
    x = np.random.default_rng(seed).integers(-9, 9, (rows, columns)).astype(dtype)
    expected = np.cumsum(x[:, ::-1], axis=1)[:, ::-1] if backwards else np.cumsum(x, axis=1)
    np.testing.assert_array_equal(cumsum(x, backwards), expected)


def test_small_terms_are_not_lost():
    x = np.full((1, 10000), 0.1, np.float32)
    assert cumsum(x, False)[0, -1] == np.float32(10000 * np.float64(np.float32(0.1)))


@pytest.mark.parametrize("backwards", [False, True])
def test_nan_reaches_the_sums_behind_it(backwards):
    x = np.array([[1.0, np.nan, 1.0], [1.0, 2.0, np.inf]])
    expected = [[1, 0, 0], [1, 1, 1]] if not backwards else [[0, 0, 1], [1, 1, 1]]
    np.testing.assert_array_equal(~np.isnan(cumsum(x, backwards)), np.array(expected, bool))


@given(st.integers(0, 40), st.integers(0, 9), st.sampled_from(["f4", "f8"]), st.integers(0, 99))
def test_bincount_sums_in_the_order_of_the_weights(count, length, dtype, seed):
    rng = np.random.default_rng(seed)
    index, weights = rng.integers(-3, 12, count), rng.normal(size=count).astype(dtype)
    expected = np.zeros(length, dtype)
    for i, w in zip(index, weights, strict=True):
        if 0 <= i < length:
            expected[i] += w
    np.testing.assert_array_equal(bincount(index, weights, length), expected)
