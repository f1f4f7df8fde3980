"""Rounding to bfloat16 in pairs: exact where float32 has the digits, to the nearest elsewhere, by rows or columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fnet.kernels.cpu import bfloat16
from fnet.kernels.cpu.vector.simd import HAS_BFLOAT16

SIZES = st.sampled_from([1, 2, 3, 15, 16, 17, 31, 32, 33, 65])


def rounded(x: np.ndarray) -> np.ndarray:
    """The nearest bfloat16 as float64, by comparing the two neighbours."""
    low = (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    high = ((x.view(np.uint32) & np.uint32(0xFFFF0000)) + np.uint32(0x10000)).view(np.float32)
    to_low, to_high = np.abs(x.astype("f8") - low), np.abs(high.astype("f8") - x)
    even = (low.view(np.uint32) >> 16) % 2 == 0
    return np.where((to_low < to_high) | ((to_low == to_high) & even), low, high)


def halves(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (words << 16).view(np.float32), (words & np.uint32(0xFFFF0000)).view(np.float32)


@settings(max_examples=40)
@given(SIZES, SIZES, st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_both_axes_pair_their_neighbours(rows, columns, gap, seed):
    x = np.random.default_rng(seed).standard_normal((rows, columns + gap)).astype(np.float32)
    x[:, columns:] = np.nan  # is not to be read
    inside = np.ascontiguousarray(x[:, :columns])
    for pair, view in ((bfloat16.pair_columns, inside.T), (bfloat16.pair_rows, inside)):
        shape = (rows, -(-columns // 2)) if pair is bfloat16.pair_columns else (-(-rows // 2), columns)
        words = np.full(shape[0] * shape[1] + 5, 0xABCDABCD, np.uint32)
        pair(x.reshape(-1), words, rows, columns, columns + gap)
        assert (words[-5:] == 0xABCDABCD).all()
        words = words[:-5].reshape(shape)
        low, high = halves(words.T if pair is bfloat16.pair_columns else words)
        want = np.zeros((2 * low.shape[0], low.shape[1]), np.float32)
        want[: len(view)] = rounded(np.ascontiguousarray(view))
        np.testing.assert_array_equal(low, want[::2])
        np.testing.assert_array_equal(high, want[1::2])


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        (0.0, 0x0000),
        (-0.0, 0x8000),
        (1.0, 0x3F80),
        (1.0 + 2.0**-8, 0x3F80),  # a tie goes to the even neighbour
        (1.0 + 3 * 2.0**-8, 0x3F82),
        (np.inf, 0x7F80),
        (-np.inf, 0xFF80),
        (3.4e38, 0x7F80),  # beyond the largest bfloat16
        (1e-40, 0x0000 if HAS_BFLOAT16 else 0x0001),
    ],
)
def test_special_values(value, bits):
    words = np.zeros(1, np.uint32)
    bfloat16.pair_columns(np.array([value, value], np.float32), words, 1, 2, 2)
    assert hex(words[0]) == hex(bits << 16 | bits)


@pytest.mark.parametrize("payload", [0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000])
def test_nan_stays_nan(payload):
    words = np.zeros(1, np.uint32)
    bfloat16.pair_columns(np.array([payload, payload], np.uint32).view(np.float32), words, 1, 2, 2)
    low, high = halves(words)
    assert np.isnan(low) and np.isnan(high)
