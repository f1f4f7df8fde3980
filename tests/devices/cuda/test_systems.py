"""Linear systems, determinants and Cholesky's factor by CUDA kernels: the results of the CPU, thread by thread."""

from __future__ import annotations

import numpy as np
import pytest

import fnet.device
from fnet.ops import systems
from tests.devices.cuda.unloaded import Unloaded

RNG = np.random.default_rng(0)


def both(primitive, *arrays, **params):
    received = Unloaded().compute(primitive, *arrays, **params)
    return zip(received, fnet.device.cpu().compute(primitive, list(arrays), params), strict=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "k", "dtype"), [(1, 1, "float32"), (3, 2, "float64"), (12, 3, "float32"), (9, 40, "float32")]
)
def test_solutions_determinants_and_factors(n, k, dtype):
    a = RNG.normal(size=(2, n, n)).astype(dtype)
    b = RNG.normal(size=(2, n, k)).astype(dtype)
    strong = a + 2 * n * np.eye(n, dtype=dtype)
    positive = a @ np.swapaxes(a, 1, 2) + n * np.eye(n, dtype=dtype)
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    results = [
        *both(systems._solve, a, b), *both(systems._slogdet, a), *both(systems._cholesky, positive),
        *both(systems._triangular, strong, b, lower=True), *both(systems._triangular, strong, b, lower=False),
    ]  # fmt: skip
    for received, expected in results:
        np.testing.assert_allclose(received, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
def test_what_is_singular_or_not_a_number():
    a = np.array([[[1.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]], [[np.nan, 1.0], [1.0, 1.0]]], np.float32)
    for received, expected in both(systems._slogdet, a):
        np.testing.assert_array_equal(received, expected)
    for received, expected in both(systems._cholesky, -np.ones((1, 2, 2), np.float32)):
        np.testing.assert_array_equal(received, expected)
