"""Depthwise convolution by CUDA kernels, thread by thread: the results of the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet.device
from fnet.devices.cuda import grids
from fnet.devices.cuda.lower import depthwise as lower
from fnet.ops import depthwise
from fnet.ops.window import window_axes
from tests.devices.cuda.unloaded import Unloaded

CASES = [  # sizes, kernel, strides, padding, dilation, channels
    ((9,), (3,), (1,), "valid", (1,), 1),
    ((9,), (3,), (2,), "same", (1,), 4),
    ((6, 7), (3, 2), (1, 2), "same", (1, 1), 5),
    ((8, 9), (2, 3), (1, 1), "valid", (2, 3), 8),
    ((7, 5), (2, 2), (3, 2), "valid", (1, 1), 33),
    ((3, 4, 5), (2, 2, 3), (1, 2, 1), "same", (1, 1, 1), 2),
]


def check(primitive: Any, *arrays: np.ndarray, **params: Any) -> np.ndarray:
    (received,) = Unloaded().compute(primitive, *arrays, **params)
    (expected,) = fnet.device.cpu().compute(primitive, list(arrays), params)
    eps = np.finfo(expected.dtype).eps
    np.testing.assert_allclose(received, expected, rtol=16 * eps, atol=64 * eps * np.max(np.abs(expected), initial=0))
    return expected


def check_all(case: Any, dtype: str = "float32", samples: int = 2) -> None:
    sizes, kernel, strides, padding, dilation, channels = case
    axes = window_axes("depthwise", sizes, kernel, strides, padding, dilation)
    rng = np.random.default_rng(0)
    x, w = (
        rng.normal(size=(samples, *sizes, channels)).astype(dtype),
        rng.normal(size=(*kernel, channels)).astype(dtype),
    )
    bias = rng.normal(size=channels).astype(dtype)
    y = check(depthwise._depthwise, x, w, axes=axes)
    for activation in ("linear", "relu", "tanh", "sigmoid"):
        check(depthwise._depthwise, x, w, bias, axes=axes, activation=activation)
    g = rng.normal(size=y.shape).astype(dtype)
    check(depthwise._depthwise_input, g, w, axes=axes)
    check(depthwise._depthwise_input, g, w, bias, axes=axes, activation="relu")
    check(depthwise._depthwise_weight, x, g, axes=axes)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolutions_and_gradients(case):
    check_all(case)


@pytest.mark.slow
def test_float64():
    check_all(CASES[2], "float64")


def test_sums_in_parts_and_threads_that_go_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grids, "THREADS", 2)
    monkeypatch.setattr(grids, "MOST_Y", 2)
    monkeypatch.setattr(lower, "THREADS", 8)
    monkeypatch.setattr(lower, "CHANNELS", 3)
    monkeypatch.setattr(lower, "PART", 1)
    check_all(CASES[1], samples=15)  # 38 parts, more than a warp has lanes


def test_nothing():
    axes = window_axes("depthwise", (4,), (2,), (1,), "valid", (1,))
    w, x, g = np.ones((2, 3), np.float32), np.zeros((0, 4, 3), np.float32), np.zeros((0, 3, 3), np.float32)
    check(depthwise._depthwise, x, w, axes=axes)
    check(depthwise._depthwise_weight, x, g, axes=axes)
