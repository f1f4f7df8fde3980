"""Kernels of places in an order against NumPy: edges that repeat, ties, NaN and Inf, bits on threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fnet.kernels.cpu import search as k
from fnet.kernels.cpu.runtime import threads

FLOATS = st.sampled_from([np.float32, np.float64])
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.0])


def drawn(rng: np.random.Generator, shape: tuple[int, ...] | int, dtype: type) -> np.ndarray:
    """Few different values, so that many are equal."""
    return rng.choice(SPECIAL, shape).astype(dtype)


def searchsorted(edges: np.ndarray, x: np.ndarray, right: bool) -> np.ndarray:
    y = np.full(x.size + 1, 7, np.int64)
    k.searchsorted(edges, x, y, edges.size, x.size, int(right))
    assert y[-1] == 7
    return y[:-1]


def top_k(x: np.ndarray, count: int) -> np.ndarray:
    y = np.full((len(x), count), 7, np.int64)
    k.top_k(x.reshape(-1), y.reshape(-1), *x.shape, count)
    return y


def in_order(row: np.ndarray) -> list[int]:
    """All positions: NaN first, then by falling value, of equal ones the first."""
    return sorted(range(len(row)), key=lambda i: (not np.isnan(row[i]), 0 if np.isnan(row[i]) else -row[i], i))


@given(st.integers(0, 9), st.integers(0, 40), st.booleans(), FLOATS, st.integers(0, 99))
@example(200, 40, False, np.float32, 0)
def test_searchsorted(edge_count, count, right, dtype, seed):
    rng = np.random.default_rng(seed)
    edges = np.sort(drawn(rng, edge_count, dtype))
    edges, x = edges[~np.isnan(edges)], drawn(rng, count, dtype)
    np.testing.assert_array_equal(
        searchsorted(edges, x, right), np.searchsorted(edges, x, "right" if right else "left")
    )


@pytest.mark.parametrize("edges", ["even", "with_ends", "skewed"])
def test_places_among_many_edges(edges):
    rng = np.random.default_rng(0)
    even = np.linspace(0, 1, 50)
    chosen = {"even": even, "with_ends": np.array([-1e-7, *even[1:-1], 1 + 1e-7]), "skewed": even**9}[edges]
    chosen = chosen.astype(np.float32)
    x = np.concatenate([chosen, np.nextafter(chosen, np.float32(9)), rng.normal(size=50).astype(np.float32)])
    for right in (False, True):
        np.testing.assert_array_equal(
            searchsorted(chosen, x, right), np.searchsorted(chosen, x, "right" if right else "left")
        )


@given(st.integers(0, 4), st.integers(1, 20), st.data(), FLOATS, st.integers(0, 99))
def test_top_k(rows, columns, data, dtype, seed):
    count = data.draw(st.integers(1, columns))
    x = drawn(np.random.default_rng(seed), (rows, columns), dtype)
    assert top_k(x, count).tolist() == [in_order(row)[:count] for row in x]


@pytest.mark.parametrize("columns", [1, 2, 7, 64])
def test_top_k_of_distinct_values_is_a_sorting(columns):
    x = np.random.default_rng(0).permutation(5 * columns).reshape(5, columns).astype(np.float32)
    for count in {1, columns // 2 + 1, columns}:
        np.testing.assert_array_equal(top_k(x, count), np.argsort(-x, axis=1)[:, :count])


def test_bits_do_not_depend_on_threads():
    rng = np.random.default_rng(0)
    x, edges, kept, results = rng.random((40, 250)), np.sort(rng.random(20)), threads.thread_count(), []
    try:
        for count in (1, 2, 4):
            threads.set_thread_count(count)
            results.append((searchsorted(edges, x.reshape(-1), False), top_k(x, 9)))
    finally:
        threads.set_thread_count(kept)
    for found, best in results[1:]:
        np.testing.assert_array_equal(found, results[0][0])
        np.testing.assert_array_equal(best, results[0][1])
