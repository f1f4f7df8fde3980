"""Running sums, sums by index, searches and the largest of rows by CUDA kernels: the results of the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet.device
from fnet.devices.cuda import grids
from fnet.devices.cuda.lower import accumulate as of_accumulate
from fnet.kernels.cuda import sort
from fnet.ops import accumulate, search, sorting
from fnet.testing.cuda import run_kernel
from tests.devices.cuda.unloaded import Unloaded

RNG = np.random.default_rng(0)


def both(primitive: Any, *arrays: np.ndarray, **params: Any) -> tuple[np.ndarray, np.ndarray]:
    (received,) = Unloaded().compute(primitive, *arrays, **params)
    return received, fnet.device.cpu().compute(primitive, list(arrays), params)[0]


@pytest.mark.parametrize("columns", [1, 2, 31, 32, 33, 65])
def test_running_sums(columns):
    for dtype in ("float32", "int64", "uint64"):
        x = np.abs(10 * RNG.normal(size=(3, columns))).astype(dtype)
        for reverse in (False, True):
            np.testing.assert_allclose(*both(accumulate._cumsum, x, reverse=reverse), rtol=1e-6)


def test_running_sums_keep_nan_and_infinities_to_what_follows():
    x = RNG.normal(size=(2, 70)).astype(np.float32)
    x[0, 40], x[1, 33] = np.nan, np.inf
    np.testing.assert_allclose(*both(accumulate._cumsum, x, reverse=False), rtol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 31, 33, 100])
def test_sums_by_index(count):
    index = RNG.integers(-2, 9, count)
    for dtype in ("float32", "int64", "uint64"):
        weights = np.abs(10 * RNG.normal(size=count)).astype(dtype)
        np.testing.assert_allclose(*both(accumulate._bincount, index, weights, length=7), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "length"), [(70, 2), (200, 7)])
def test_sums_of_many_by_index(count, length, monkeypatch):
    monkeypatch.setattr(of_accumulate, "COMPARED", 0)
    index = RNG.integers(-1, length + 1, count)
    index[: 3 * count // 4] = 0
    for dtype in ("float32", "uint64"):
        weights = np.abs(10 * RNG.normal(size=count)).astype(dtype)
        np.testing.assert_allclose(*both(accumulate._bincount, index, weights, length=length), rtol=1e-5, atol=1e-5)
    device = Unloaded()
    device.compute(accumulate._bincount, index[:3], weights[:3], length=length)
    assert device.launched["sum_bins"] == 1


@pytest.mark.parametrize("tiles", [1, 33, 70])
def test_counts_of_digits_are_added_up_over_all_tiles(tiles):
    counts, totals = RNG.integers(0, 99, (sort.DIGITS, tiles)).astype(np.int32), np.zeros(sort.DIGITS, np.int32)
    found, (_, block) = counts.copy().reshape(-1), grids.warps(sort.DIGITS)
    run_kernel(sort.add_up_counts, 1, block, found, totals, tiles)  # the first digits, of the first block
    digits = block[1]
    np.testing.assert_array_equal(totals[:digits], counts.sum(1)[:digits])
    np.testing.assert_array_equal(found.reshape(counts.shape)[:digits], (np.cumsum(counts, 1) - counts)[:digits])


def test_sums_of_many_weights_that_are_not_finite(monkeypatch):
    monkeypatch.setattr(of_accumulate, "COMPARED", 0)
    index, weights = np.array([2, 0, 1, 2, 5, -1]), np.array([np.inf, 1, np.nan, 1, np.nan, np.nan], np.float32)
    received, expected = both(accumulate._bincount, index, weights, length=4)
    np.testing.assert_array_equal(received, expected)


def test_searches():
    for edges in (np.array([0.5]), np.sort(RNG.normal(size=33)), np.array([0.0, 1.0, 1.0, 2.0, np.nan])):
        x = np.concatenate([edges, RNG.normal(size=20), [np.inf, -np.inf, np.nan]]).astype(np.float32)
        for right in (False, True):
            np.testing.assert_array_equal(*both(search._search, edges.astype(np.float32), x, right=right))


@pytest.mark.parametrize(("columns", "k"), [(1, 1), (2, 2), (31, 3), (33, 33), (65, 2)])
def test_the_largest_of_rows(columns, k):
    for dtype in ("float32", "int64", "uint64"):
        np.testing.assert_array_equal(*both(search._top, RNG.integers(0, 9, (2, columns)).astype(dtype), k=k))


def test_the_largest_of_long_rows(monkeypatch):
    monkeypatch.setattr(grids, "LONG", 16)
    monkeypatch.setattr(grids, "THREADS", 64)
    x = RNG.integers(-9, 9, (3, 150)).astype(np.float32)
    x[0, [3, 149]], x[1, 70], x[2] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(*both(search._top, x, k=4))


def test_the_largest_of_rows_are_all_in_one_share():
    x = np.zeros((2, 300), np.float32)
    x[0, 5::32], x[1, :200:32] = 1, 2
    np.testing.assert_array_equal(*both(search._top, x, k=12))


def test_the_largest_of_rows_are_in_a_share_longer_than_a_warp(monkeypatch):
    monkeypatch.setattr(grids, "LONG", 2100)
    x = np.zeros((1, 2100), np.float32)
    x[0, 7::32] = np.arange(66)
    np.testing.assert_array_equal(*both(search._top, x, k=4))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("float32", (2, 33)), ("float64", (2, 5)), ("uint8", (300, 2)), ("int64", (1, 1)), ("uint64", (1, 40))],
)
def test_the_order_of_rows(dtype, shape):
    x = (3 * RNG.normal(size=shape)).round().astype(dtype)
    x.flat[0] = np.iinfo(dtype).max if dtype[0] != "f" else -0.0
    if dtype[0] == "f":
        x.flat[[1, 3, 5, 7, 9]] = np.nan, np.inf, -np.inf, -np.nan, 0.0
    np.testing.assert_array_equal(*both(sorting._argsort, x))
