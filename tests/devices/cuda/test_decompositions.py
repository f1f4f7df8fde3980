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
