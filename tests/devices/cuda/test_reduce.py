"""Places of extremes by CUDA kernels, run by the checker: the CPU's, ties and NaN included."""

from __future__ import annotations

import numpy as np
import pytest

import fnet.device
from fnet.devices.cuda import grids
from fnet.ops import reduce
from tests.devices.cuda.unloaded import Unloaded


def check(x: np.ndarray) -> None:
    for largest in (True, False):
        (received,) = Unloaded().compute(reduce._arg, x, largest=largest)
        np.testing.assert_array_equal(received, fnet.device.cpu().compute(reduce._arg, [x], {"largest": largest})[0])


@pytest.mark.parametrize("columns", [1, 2, 31, 32, 33, 127, 129])
@pytest.mark.parametrize("dtype", ["float32", "bool", "int64"])
def test_rows_of_a_warp(columns, dtype):
    x = np.random.default_rng(columns).integers(-5, 5, (3, columns)).astype(dtype)
    check(x)


def test_rows_of_a_block(monkeypatch):
    monkeypatch.setattr(grids, "LONG", 16)
    monkeypatch.setattr(grids, "THREADS", 64)
    check(np.random.default_rng(0).integers(-5, 5, (4, 200)).astype(np.float32))


def test_nan_and_infinities():
    x = np.random.default_rng(0).normal(size=(5, 70)).astype(np.float32)
    x[0, [40, 65]], x[1, [3, 69]], x[2, [3, 69]], x[3] = np.nan, np.inf, -np.inf, np.nan
    check(x)
