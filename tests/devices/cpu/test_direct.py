"""Calls past Numba's dispatch: the compiled code for the types at hand, else the kernel itself."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core import config

from fnet.devices.cpu.direct import direct
from fnet.kernels.policy import kernel


@kernel
def double(x, n):
    for i in range(n):
        x[i] = 2 * x[i]


def test_it_is_the_compiled_code_for_these_types_only():
    x = np.ones(3, np.float32)
    double(x, 2)
    found = direct(double, (x, 2))
    assert config.DISABLE_JIT or found is not double
    found(x, 3)
    np.testing.assert_array_equal(x, [4, 4, 2])
    assert direct(double, (np.ones(3), 2)) is double
    assert direct(double, (x[::2], 2)) is double
    assert direct(double, (x[None], 2)) is double
    assert direct(double, (np.broadcast_to(x, x.shape), 2)) is double
    assert direct(double, (x, 2**63)) is double
    assert config.DISABLE_JIT or direct(double, (np.ones(7, np.float32), -(2**63))) is found


def test_plain_functions_stay_as_they_are():
    def plain(x):
        return x

    assert direct(plain, (1,)) is plain


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arguments_keep_their_references(dtype):
    import sys

    x = np.ones(3, dtype)
    double(x, 3)
    found, before = direct(double, (x, 3)), sys.getrefcount(x)
    for _ in range(100):
        found(x, 3)
    assert sys.getrefcount(x) == before
