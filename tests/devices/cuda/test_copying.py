"""Copies between windows of any strides by CUDA kernels, run by the checker, and filled windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fnet.compile.emit import Ref, copy
from fnet.compile.recording import Recording
from fnet.devices.cuda import copying
from fnet.devices.cuda.copying import emit_fill
from tests.devices.cuda.unloaded import Unloaded, aligned, copied

View = Callable[[np.ndarray], np.ndarray]


def same(x: np.ndarray) -> np.ndarray:
    return x


def moved(x: np.ndarray, source: View, shape: tuple[int, ...], target: View = same) -> set[str]:
    """Copy a view of x into a view of an array of this shape, check it, and say which kernels were launched."""
    device = Unloaded()
    recording = Recording(device, 2)
    x, y = copied(x), aligned(shape, x.dtype)
    y[...] = 0
    expected = y.copy()
    target(expected)[...] = source(x)
    copy(Ref.whole(0, x.dtype, x.shape).viewed(source), Ref.whole(1, x.dtype, shape).viewed(target), recording)
    device.run(recording, [x.reshape(-1), y.reshape(-1)])
    np.testing.assert_array_equal(y, expected)
    return set(device.launched)


X = np.random.default_rng(0).normal(size=(3, 37, 40)).astype(np.float32)
CASES: dict[str, tuple[View, tuple[int, ...], View, str]] = {
    "whole": (same, X.shape, same, "copy_rows"),
    "slice": (lambda v: v[:, 4:8, 4:12], (3, 4, 20), lambda v: v[:, :, 4:12], "copy_rows"),
    "odd-slice": (lambda v: v[:, 4:8, 3:12], (3, 4, 20), lambda v: v[:, :, 5:14], "copy_rows"),
    "rows-repeated": (lambda v: np.broadcast_to(v[0, 0], (3, 40)), (3, 40), same, "copy_rows"),
    "matrices": (lambda v: v.transpose(0, 2, 1), (3, 40, 37), same, "copy_transposed"),
    "into-a-transpose": (lambda v: v[0], (40, 37), lambda v: v.T, "copy_transposed"),
    "backwards-transposed": (lambda v: v.transpose(0, 2, 1), (3, 40, 37), lambda v: v[:, :, ::-1], "copy_transposed"),
    "axes-turned": (lambda v: v.transpose(2, 1, 0), (40, 37, 3), same, "copy_strided"),
    "backwards": (lambda v: v[::-1, :4, ::-2], (3, 4, 20), same, "copy_strided"),
    "columns-repeated": (lambda v: np.broadcast_to(v[:, 0, 0][:, None], (3, 40)), (3, 40), same, "copy_strided"),
    "one-element": (lambda v: v[1, 2, 3:4], (1,), same, "copy_strided"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "bool", "int64"])
def test_copies(case, dtype):
    source, shape, target, kernel = CASES[case]
    assert moved((10 * X).astype(dtype), source, shape, target) == {kernel}


@pytest.mark.parametrize("size", [8, 31, 32, 33])
def test_transposes_of_every_edge_of_a_tile(size):
    x = np.random.default_rng(0).normal(size=(size, 41 - size // 2)).astype(np.float32)
    assert moved(x, lambda v: v.T, x.shape[::-1]) == {"copy_transposed"}


def test_more_axes_than_a_kernel_has_take_several_calls():
    x = np.random.default_rng(0).normal(size=(2,) * 7)
    moved(x, lambda v: v.transpose(6, 0, 5, 1, 4, 2, 3), x.shape)


def test_more_elements_than_a_call_counts_take_several_calls(monkeypatch):
    monkeypatch.setattr(copying, "MOST", 100)
    moved(X[0], same, X[0].shape)
    moved(X[0], lambda v: v.T, X[0].shape[::-1])


@pytest.mark.parametrize("size", [1, 3, 4, 5, 127, 128, 129])
def test_windows_are_filled(size):
    device = Unloaded()
    recording = Recording(device, 1)
    y = aligned((size + 2,), np.float32)
    y[...] = 0
    emit_fill(Ref(0, y.dtype, (size,), (1,), 1), 2.5, recording)
    device.run(recording, [y])
    np.testing.assert_array_equal(y, [0, *[2.5] * size, 0])
