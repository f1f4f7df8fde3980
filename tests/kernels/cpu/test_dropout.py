"""Dropout against the uniform numbers of the key, with the same bits for any length and any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import config

from fnet.kernels.cpu import dropout as kernels
from fnet.kernels.cpu import philox
from fnet.kernels.cpu.runtime import threads
from fnet.kernels.cpu.vector.cipher import WORDS
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel
from fnet.kernels.scalar.philox import STREAM_BITS

WORD = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 2**31, 2**32 - 1])
KEYS = st.tuples(WORD, WORD)
DTYPES = [np.float32, np.float64]
# no whole step of blocks, several, and a rest of every length
SIZES = st.integers(0, 70)
RATES = st.sampled_from([0.0, 0.1, 1 / 3, 0.5, 0.9, 1 - 2**-24, 1.0])


def drop(x: np.ndarray, key: Any, rate: float) -> np.ndarray:
    y = np.full(x.size + 1, 77, x.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):  # warned about where the kernel runs as plain Python
        kernels.dropout(x, np.array(key, np.uint32), np.array([rate], x.dtype), y, x.size)
    assert y[-1] == 77
    return y[:-1]


def kept(key: Any, n: int, rate: float) -> np.ndarray:
    out = np.empty(n, np.float32)
    philox.uniform_f32(np.array(key, np.uint32), out, n)
    return out >= np.float32(rate)


@settings(deadline=None)
@given(KEYS, SIZES, RATES, st.sampled_from(DTYPES))
def test_kept_where_the_uniform_number_is_at_least_the_rate(key: tuple, n: int, rate: float, dtype: Any) -> None:
    x = np.arange(1, n + 1).astype(dtype)
    keep = kept(key, n, rate)
    expected = np.where(keep, x / (dtype(1) - dtype(rate)) if rate < 1 else 0, 0)
    y = drop(x, key, rate)
    np.testing.assert_allclose(y, expected, rtol=4 * float(np.finfo(dtype).eps))
    assert (y[~keep] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_at_the_ends_and_of_nan(dtype: Any) -> None:
    x = np.resize(np.array([1.5, -2, np.nan, np.inf, 0, 3, 7], dtype), 77)
    np.testing.assert_array_equal(drop(x, (1, 2), 0.0), x)
    assert not drop(x, (1, 2), 1.0).any()
    keep = kept((1, 2), 400, 0.5)
    y = drop(np.full(400, np.nan, dtype), (1, 2), 0.5)
    assert np.isnan(y[keep]).all()
    assert (y[~keep] == 0).all()


def test_a_number_equal_to_the_rate_is_kept() -> None:
    uniform = np.empty(64, np.float32)
    philox.uniform_f32(np.array((1, 2), np.uint32), uniform, 64)
    for i in (0, 17, 63):
        assert drop(np.ones(64, np.float32), (1, 2), uniform[i])[i] != 0


@kernel
def late_steps(x, y, rate, first, limit):
    kernels._dropout_steps(at(x, 0), at(y, 0), at(rate, 0), first, 1, 1, 2, limit)


def test_counters_beyond_32_bits() -> None:
    first, n = 2**32 - 1, WORDS
    y, rate = np.zeros(n, np.float32), np.zeros(1, np.float32)
    late_steps(np.ones(n, np.float32), y, rate, first, 2**23)
    key = np.array((1, 2), np.uint32)
    words = [philox.block(np.uint64(first + i // 4), STREAM_BITS, key)[i % 4] for i in range(n)]
    np.testing.assert_array_equal(y != 0, np.array(words) >> 8 >= 2**23)


def test_a_shorter_one_is_a_prefix_of_a_longer_one() -> None:
    x = np.arange(1, 204, dtype=np.float32)
    whole = drop(x, (8, 9), 0.4)
    for n in (0, 1, 2, 3, 64, 101, 198):
        np.testing.assert_array_equal(drop(x[:n].copy(), (8, 9), 0.4), whole[:n])


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has one thread")
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype: Any) -> None:
    n = 3 * kernels._CHUNK + 37
    x = np.random.default_rng(0).normal(size=n).astype(dtype)
    keep = kept((5, 6), n, 0.3)
    before = threads.thread_count()
    try:
        for count in (1, 2, 4):
            threads.set_thread_count(count)
            y = drop(x, (5, 6), 0.3)
            np.testing.assert_array_equal(y, np.where(keep, x * (dtype(1) / (dtype(1) - dtype(0.3))), dtype(0)))
    finally:
        threads.set_thread_count(before)
