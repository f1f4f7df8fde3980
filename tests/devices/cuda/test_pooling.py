"""Pooling by CUDA kernels, thread by thread: the bits of the CPU, forwards and backwards."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fnet.device
from fnet import ops
from fnet.devices.cuda import grids
from fnet.devices.cuda.device import Cuda
from fnet.errors import ShapeError
from fnet.ops import pooling
from fnet.ops.window import window_axes
from tests.devices.cuda import unloaded
from tests.devices.cuda.emulated import Emulated
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


@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("step", [2, 1])
def test_relu_before_max_pooling_is_left_out_by_the_places_of_the_maxima(window, step, monkeypatch):
    """All elements are the CPU's: ties, NaN, infinities, zeros of both signs, windows that overlap."""
    monkeypatch.setitem(fnet.device.FOUND, "cuda", Cuda("cuda", Emulated()))
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, (2, 6, 7, 5)).astype(np.float32)
    x[0, 1, 2], x[1, 3, 3], x[1, 0, 0], x[0, 4, 4] = np.nan, np.inf, -np.inf, -0.0
    pulled = fnet.jit(lambda x, g: fnet.vjp(lambda x: ops.max_pool(ops.relu(x), window, step), x)[1](g)[0])
    g = rng.standard_normal(ops.max_pool(x, window, step).shape).astype(np.float32)
    g[0, 0, 0], g[1, 1, 1, 0] = -0.0, np.inf
    there = fnet.to_device((x, g), "cuda")
    assert [call.label for call in pulled.plan(*there).calls] == ["relu", "max_pool", "max_pool_vjp"]
    np.testing.assert_array_equal(fnet.to_host(pulled(*there)), pulled(x, g))


def test_places_that_are_used_otherwise_are_those_of_all_maxima(monkeypatch):
    monkeypatch.setitem(fnet.device.FOUND, "cuda", Cuda("cuda", Emulated()))
    x = fnet.to_device(np.ones((1, 20, 20, 1), np.float32), "cuda")

    def labels(f: Any) -> list[str]:
        return [call.label for call in fnet.jit(f).plan(x).calls]

    def sum_of(window: int) -> Any:
        return fnet.grad(lambda x: np.sum(np.square(ops.max_pool(ops.relu(x), window))))

    assert "greater" not in "".join(labels(sum_of(15)))
    assert "greater" in "".join(labels(sum_of(16)))  # a byte has no number that means none of 256

    def by_another(x: Any) -> Any:
        g = np.where(x[:, ::2, ::2] > 0, x[:, 1::2, 1::2], 0)
        return fnet.vjp(lambda y: ops.max_pool(y, 2), x)[1](g)[0]

    assert "greater" in "".join(labels(by_another))
    twice = lambda x: (sum_of(2)(x), fnet.vjp(lambda y: ops.max_pool(y, 2), ops.relu(x))[1](np.ones((1, 10, 10, 1))))  # noqa: E731
    assert "greater" in "".join(labels(twice))


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
