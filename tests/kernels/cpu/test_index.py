"""Gather and scatter kernels against NumPy: every dtype, narrow and wide rows, indices outside, bits on threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numba.core import config

from fnet.kernels.cpu import index as k
from fnet.kernels.cpu.runtime import threads

# elements; pieces of a line; lines and a rest; blocks of lines
INNER = [0, 1, 3, 4, 17, 64, 100, 300]
SIZES = st.sampled_from(INNER)


def take(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    outer, size, inner = x.shape
    y = np.full((outer, index.size, inner), 7, x.dtype)
    missing = np.full(1, np.nan if x.dtype.kind == "f" else 0, x.dtype)
    k.taking(inner, x.itemsize)(x.ravel(), index, missing, y.reshape(-1), outer, size, index.size, inner)
    return y


def scatter(g: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    outer, count, inner = g.shape
    y = np.full((outer, size, inner), 7, g.dtype)
    k.scatter_add(g.ravel(), index, y.reshape(-1), outer, size, count, inner)
    return y


def expected_take(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    size = x.shape[1]
    known = (index >= -size) & (index < size)
    y = x[:, np.where(known, index, 0)] if size else np.zeros((x.shape[0], index.size, x.shape[2]), x.dtype)
    y[:, ~known] = np.nan if x.dtype.kind == "f" else 0
    return y


@given(st.integers(0, 3), st.integers(0, 9), st.integers(0, 40), SIZES, st.integers(0, 99))
@example(2, 5, 40, 64, 0)
@example(1, 5, 40, 1, 0)
def test_take(outer, size, count, inner, seed):
    rng = np.random.default_rng(seed)
    x, index = rng.normal(size=(outer, size, inner)).astype(np.float32), rng.integers(-12, 12, count)
    np.testing.assert_array_equal(take(x, index), expected_take(x, index))


def test_take_reads_positions_of_32_bits():
    x = np.random.default_rng(0).normal(size=(2, 6, 64)).astype(np.float32)
    index = np.array([5, 0, -1, 9, 3, -7, 2**31 - 1, -(2**31)], np.int32)
    np.testing.assert_array_equal(take(x, index), expected_take(x, index))


@pytest.mark.parametrize("inner", [1, 3, 5, 70])
@pytest.mark.parametrize("dtype", ["f8", "i1", "u2", "i8", "?"])
def test_take_of_any_dtype(dtype, inner):
    x = np.random.default_rng(0).integers(0, 2, (2, 6, inner)).astype(dtype)
    index = np.array([5, 0, -1, 9, 3, -7])
    np.testing.assert_array_equal(take(x, index), expected_take(x, index))


@given(
    st.integers(0, 3), st.integers(0, 9), st.integers(0, 40), SIZES, st.sampled_from(["f4", "f8"]), st.integers(0, 99)
)  # fmt: skip
@example(2, 5, 40, 100, "f4", 0)
@example(1, 1, 40, 17, "f8", 0)
def test_scatter_sums_in_the_order_of_the_indices(outer, size, count, inner, dtype, seed):
    rng = np.random.default_rng(seed)
    g, index = rng.normal(size=(outer, count, inner)).astype(dtype), rng.integers(-12, 12, count)
    expected = np.zeros((outer, size, inner), dtype)
    for c, i in enumerate(index):
        if -size <= i < size:
            expected[:, i] += g[:, c]
    np.testing.assert_array_equal(scatter(g, index, size), expected)


@pytest.mark.parametrize("dtype", ["i8", "i4", "u1", "?"])
def test_scatter_of_integers(dtype):
    rng = np.random.default_rng(0)
    for inner in (1, 3, 70):
        g, index = rng.integers(0, 2, (2, 40, inner)).astype(dtype), rng.integers(0, 5, 40)
        expected = np.zeros((2, 5, inner), dtype)
        for c, i in enumerate(index):
            expected[:, i] += g[:, c]
        np.testing.assert_array_equal(scatter(g, index, 5), expected)


def test_nan_stays_in_its_row():
    g = np.ones((1, 3, 70), np.float32)
    g[0, 1, 5] = np.nan
    y = scatter(g, np.array([2, 0, 2]), 4)
    assert np.isnan(y).sum() == 1 and np.isnan(y[0, 0, 5])
    np.testing.assert_array_equal(y[0, 2], 2)


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has one thread")
@pytest.mark.parametrize("inner", [1, 64, 200])
def test_bits_do_not_depend_on_threads(inner: int) -> None:
    rng = np.random.default_rng(0)
    index = rng.integers(0, 50, 20_000)
    x, g = rng.normal(size=(2, 50, inner)).astype("f4"), rng.normal(size=(2, index.size, inner)).astype("f4")
    results: list[Any] = []
    before = threads.thread_count()
    try:
        for count in (1, 2, 3, 4):
            threads.set_thread_count(count)
            results.append((take(x, index).tobytes(), scatter(g, index, 50).tobytes()))
    finally:
        threads.set_thread_count(before)
    assert len(set(results)) == 1
