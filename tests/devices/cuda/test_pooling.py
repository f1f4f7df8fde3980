"""Pooling by CUDA kernels, thread by thread: the bits of the CPU, forwards and backwards."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fnet.device
from fnet.devices.cuda import grids
from fnet.errors import ShapeError
from fnet.ops import pooling
from fnet.ops.window import window_axes
from tests.devices.cuda import unloaded
from tests.devices.cuda.unloaded import Unloaded, aligned

WINDOWS = [  # sizes, window, strides, padding, channels
    ((9,), (3,), (2,), "valid", 1),
    ((7,), (3,), (2,), "same", 4),
    ((5, 6), (2, 2), (2, 2), "valid", 3),
    ((5, 7), (3, 2), (1, 2), "same", 8),
    ((4, 4), (2, 3), (3, 4), "same", 5),
    ((18, 17), (17, 16), (1, 1), "valid", 1),
    ((3, 4, 5), (2, 2, 3), (1, 2, 2), "same", 2),
]


def check(primitive: Any, *arrays: np.ndarray, **params: Any) -> list[np.ndarray]:
    received = Unloaded().compute(primitive, *arrays, **params)
    expected = fnet.device.cpu().compute(primitive, list(arrays), params)
    for got, wanted in zip(received, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    return received


def check_all(sizes: Any, window: Any, strides: Any, padding: str, channels: int, dtype: str, samples: int = 2) -> None:
    rng = np.random.default_rng(0)
    axes = window_axes("pool", sizes, window, strides, padding, 1)
    x = rng.integers(-5, 6, (samples, *sizes, channels)).astype(dtype)  # with equal elements
    x[0].ravel()[rng.integers(0, math.prod(sizes) * channels, 3)] = np.nan, -np.inf, np.nan
    y, index = check(pooling._max_pool, x, axes=axes)
    g = rng.normal(size=y.shape).astype(dtype)
    check(pooling._pick, x, index, axes=axes)
    check(pooling._max_pool_vjp, g, index, axes=axes)
    check(pooling._average_pool, x, axes=axes)
    check(pooling._average_pool_vjp, g, axes=axes)


@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_windows_of_all_ranks(case):
    check_all(*case, dtype="float32")


def test_float64():
    check_all(*WINDOWS[3], dtype="float64")


def test_threads_that_go_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grids, "THREADS", 2)
    monkeypatch.setattr(grids, "MOST_Y", 2)
    for channels in (12, 5):
        check_all((5,), (2,), (1,), "valid", channels, "float32", samples=5)


def test_channels_that_do_not_begin_at_multiples_of_16_bytes(monkeypatch: pytest.MonkeyPatch):
    def beside(array: np.ndarray) -> np.ndarray:
        made = aligned((array.size + 1,), array.dtype)[1:].reshape(array.shape)
        made[...] = array
        return made

    monkeypatch.setattr(unloaded, "copied", beside)
    check_all(*WINDOWS[3], dtype="float32")


@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 4, 0)])
def test_nothing(shape):
    axes = window_axes("pool", (4,), (2,), (2,), "valid", 1)
    check(pooling._max_pool, np.zeros(shape, np.float32), axes=axes)


def test_samples_of_too_many_elements_are_refused():
    grids.check_samples((9, 1 << 16, (1 << 15) - 1))
    with pytest.raises(
        ShapeError, match=r"^an array of shape \(1, 65536, 32768\) has samples of 2147483648 elements: ex"
    ):
        grids.check_samples((1, 2), (1, 1 << 16, 1 << 15))
