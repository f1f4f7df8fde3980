"""Decompositions by CUDA kernels: the results of the CPU, thread by thread."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.ops import decompositions
from tests.devices.cuda.test_systems import RNG, both


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "dtype"), [(1, 1, "float32"), (5, 3, "float64"), (40, 4, "float32")])
def test_orthogonal_and_triangular_factors(m, n, dtype):
    a = RNG.normal(size=(2, m, n)).astype(dtype)
    a[0, 1:, 0] = 0
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    for primitive in (decompositions._qr, decompositions._qr_complete):
        for received, expected in both(primitive, a):
            np.testing.assert_allclose(received, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "dtype"), [(1, "float32"), (5, "float64"), (34, "float32")])
def test_eigenvalues_and_eigenvectors(n, dtype):
    a = RNG.normal(size=(2, n, n)).astype(dtype)
    a = a + np.swapaxes(a, 1, 2)
    if n > 9:  # a block of two warps, with few rotations
        a = a[:1] * (np.eye(n, dtype=dtype) + np.eye(n, k=n - 1, dtype=dtype) + np.eye(n, k=1 - n, dtype=dtype))
    tolerance = 1e-3 if dtype == "float32" else 1e-10
    for received, expected in both(decompositions._eigh, a):
        np.testing.assert_allclose(received, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
def test_eigenvalues_of_what_is_no_number():
    a = np.array([[[1.0, 2.0], [2.0, np.nan]], [[np.inf, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 1.0]]])
    for received, expected in both(decompositions._eigh, a):
        np.testing.assert_array_equal(received, expected)
