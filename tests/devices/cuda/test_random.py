"""Random numbers by CUDA kernels, run by the checker: the CPU's bits, for any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet.device
from fnet import random
from fnet.devices.cuda.lower import random as of_random
from tests.devices.cuda.unloaded import Unloaded

KEY = np.array([0x12345678, 0x9ABCDEF0], np.uint32)
F4, F8 = np.dtype(np.float32), np.dtype(np.float64)
BOUNDS = {"lower": 0.02, "upper": 0.9}


def both(primitive: Any, *arrays: np.ndarray, **params: Any) -> tuple[np.ndarray, np.ndarray]:
    (received,) = Unloaded().compute(primitive, *arrays, **params)
    return received, fnet.device.cpu().compute(primitive, list(arrays), params)[0]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 31, 129])
def test_numbers(size):
    shape = (size,)
    for primitive, dtype, more in (
        (random._bits, np.dtype(np.uint32), {}),
        (random._uniform, F4, {}),
        (random._uniform, F8, {}),
        (random._normal, F4, {}),
        (random._normal, F8, {}),
        (random._truncated, F4, BOUNDS),
        (random._truncated, F8, BOUNDS),
    ):
        received, expected = both(primitive, KEY, shape=shape, dtype=dtype, **more)
        if more:  # where the CPU rounds a product and a sum once
            np.testing.assert_allclose(received, expected, rtol=1e-12 if dtype == F8 else 1e-6)
        else:
            np.testing.assert_array_equal(received, expected)


def test_children_of_keys():
    np.testing.assert_array_equal(*both(random._split, KEY, n=5))
    for number in (np.array([7]), np.array([-1]), np.array([2**32 - 1], np.uint32)):
        np.testing.assert_array_equal(*both(random._fold_in, KEY, number))


@pytest.mark.parametrize("size", [1, 2, 3, 65, 300])
def test_integers_and_permutations(size):
    np.testing.assert_array_equal(*both(random._randint, KEY, shape=(size,), low=-3, high=10**12, dtype=np.dtype("i8")))
    np.testing.assert_array_equal(*both(random._permutation, KEY, shape=(size,), dtype=np.dtype("i8")))


def test_orthonormal_rows():
    received, expected = both(random._orthonormal, KEY, shape=(3, 40), dtype=F8)
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(received @ received.T, np.eye(3), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("rows", "columns"), [(5, 9), (4, 4), (3, 300)])
def test_orthonormal_rows_in_panels(rows, columns, monkeypatch):
    monkeypatch.setattr(of_random, "PANEL", 2)
    received, expected = both(random._orthonormal, KEY, shape=(rows, columns), dtype=F8)
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(received @ received.T, np.eye(rows), rtol=0, atol=1e-14)
