"""Gathers and scatters by CUDA kernels, run by the checker: the bits of the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet.device
from fnet.devices.cuda import sorting
from fnet.devices.cuda.lower import index as lower
from fnet.ops import index as of_index
from tests.devices.cuda.unloaded import Unloaded

SHAPES = [((5,), 0), ((7, 3), 0), ((4, 32), 0), ((3, 33), 0), ((2, 4, 5), 1), ((2, 3, 36), 1), ((1, 2, 130), 1)]


def positions(size: int, count: int, dtype: Any = np.int64) -> np.ndarray:
    """Many twice, from the end, and outside of the axis."""
    return np.random.default_rng(0).integers(-size - 1, size + 1, count).astype(dtype)


def check(primitive: Any, *arrays: np.ndarray, **params: Any) -> None:
    (received,) = Unloaded().compute(primitive, *arrays, **params)
    (expected,) = fnet.device.cpu().compute(primitive, list(arrays), params)
    np.testing.assert_array_equal(received, expected)


def numbers(shape: Any, dtype: Any = np.float32) -> np.ndarray:
    return np.asarray(10 * np.random.default_rng(1).normal(size=shape)).astype(dtype)


@pytest.mark.parametrize("shape, axis", SHAPES)
@pytest.mark.parametrize("count", [1, 35])
def test_take_and_its_sums(shape: Any, axis: int, count: int):
    index = positions(shape[axis], count)
    check(of_index._take, numbers(shape), index, axis=axis)
    g = numbers((*shape[:axis], count, *shape[axis + 1 :]))
    check(of_index.scatter_add, g, index, shape=shape, axis=axis)


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.int32, np.bool_, np.uint8])
def test_other_types(dtype: Any):
    index = positions(3, 9, np.int32)
    check(of_index._take, numbers((3, 40), dtype), index, axis=0)
    check(of_index._take, numbers((3, 2), dtype), index, axis=0)
    if dtype == np.float64:
        check(of_index.scatter_add, numbers((9, 34), dtype), index, shape=(3, 34), axis=0)


@pytest.mark.parametrize("count", [31, 32, 33, 65])
def test_sums_of_positions_in_several_warps(count: int):
    index = np.r_[np.zeros(count - 1, np.int64), 1]
    check(of_index.scatter_add, numbers((count, 2)), index, shape=(2, 2), axis=0)


@pytest.mark.parametrize("size", [3, 200, 300])
@pytest.mark.parametrize(("count", "rounds"), [(5, 1), (70, 2), (300, 1)])
def test_sums_of_positions_that_are_sorted(size: int, count: int, rounds: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lower, "COMPARED", 0)
    monkeypatch.setattr(sorting, "ROUNDS", rounds)
    check(of_index.scatter_add, numbers((count, 2)), positions(size, count), shape=(size, 2), axis=0)


def test_sums_of_long_segments_and_of_wide_rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lower, "COMPARED", 0)
    index = np.r_[np.zeros(64, np.int32), np.full(33, -1, np.int32), 5, np.ones(32, np.int32)]
    check(of_index.scatter_add, numbers((2, index.size, 3)), index, shape=(2, 4, 3), axis=1)
    check(of_index.scatter_add, numbers((4, 130)), np.array([1, 0, 1, 1]), shape=(2, 130), axis=0)


def test_nothing_to_take():
    check(of_index._take, numbers((4, 0)), positions(4, 3), axis=0)
    check(of_index._take, numbers((3, 4)), np.zeros(0, np.int64), axis=0)
    check(of_index.scatter_add, numbers((0, 4)), np.zeros(0, np.int64), shape=(3, 4), axis=0)
