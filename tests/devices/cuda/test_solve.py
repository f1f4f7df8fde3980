"""Positive definite systems solved by CUDA kernels, thread by thread."""

from __future__ import annotations

import numpy as np
import pytest

import fnet.device
from fnet.ops.positive_systems import _solve
from tests.devices.cuda.unloaded import Unloaded


@pytest.mark.parametrize(("n", "dtype"), [(1, "f8"), (2, "f4"), (33, "f8"), (65, "f4")])
def test_solutions(n, dtype):
    rng = np.random.default_rng(0)
    root, b = rng.normal(size=(n, n)), rng.normal(size=n)
    a = root @ root.T + np.eye(n)
    given = np.tril(a).astype(dtype), b.astype(dtype)
    device = Unloaded()
    (received,) = device.compute(_solve, *given)
    (expected,) = fnet.device.cpu().compute(_solve, list(given), {})
    size = np.linalg.cond(a) * np.max(np.abs(expected)) * np.finfo(dtype).eps
    np.testing.assert_allclose(received, expected, rtol=0, atol=size)
    assert dict(device.launched) == {"factor_panel": -(-n // 32), "solve_transposed": 1}


@pytest.mark.parametrize("last", [-1.0, 1.0, 1.0 + 1.2e-7])
def test_a_matrix_that_is_not_positive_definite_gives_nan(last):
    a = np.array([[4.0, 0.0, 0.0], [2.0, last, 0.0], [0.0, 0.0, 1.0]], np.float32)  # the determinant is 0, or rounding
    (received,) = Unloaded().compute(_solve, a, np.ones(3, np.float32))
    assert np.all(np.isnan(received))
