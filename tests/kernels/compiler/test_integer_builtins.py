"""`min`, `max` and `int` in kernels: Python's for 64-bit integers, Numba's for all else."""

from __future__ import annotations

import numpy as np
import pytest
from numba import typeof
from numba.core import config, event
from numba.core.caching import NullCache

from fnet.kernels.policy import kernel

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")


class _Compiled(event.Listener):
    """The functions that are compiled."""

    def __init__(self):
        self.modules = []

    def on_start(self, happening):
        self.modules.append(happening.data["dispatcher"].py_func.__module__)

    def on_end(self, happening):
        pass


def _integers(x, y):
    for i in range(x.size):
        y[i] = min(x[i], 3) + 10 * max(-2, x[i], y[i]) + 100 * int(x[i]) + max(min(x[i], y[i]), 5)


def _others(x, y, z):
    for i in range(x.size):
        z[i] = int(max(x[i], 1.5)) + 10 * int(min(y[i], np.int32(2))) + 100 * int(x[i] > y[i])


def _uncached(function):
    made = kernel(function)
    made._cache = NullCache()
    return made


EXTREMES = [0, -1, 1, 3, 4, 5, -2, -3, 2**40, -(2**40)]


def test_integers_need_nothing_else_compiled():
    x, y = np.array(EXTREMES), np.array(EXTREMES[::-1])
    expected = y.copy()
    _integers(x, expected)
    compiling = _uncached(_integers)
    with event.install_listener("numba:compile", _Compiled()) as compiled:
        compiling.compile((typeof(x),) * 2)
    compiling(x, y)
    np.testing.assert_array_equal(y, expected)
    assert compiled.modules == [__name__]


def test_other_types_are_left_to_numba():
    x, y = np.array([-2.5, 0.0, 1.5, 7.9]), np.array([-4, 1, 2, 3], "i4")
    z, expected = np.zeros(4, "i8"), np.zeros(4, "i8")
    _others(x, y, expected)
    _uncached(_others)(x, y, z)
    np.testing.assert_array_equal(z, expected)
