"""Positive definite systems solved by CUDA kernels, thread by thread."""

from __future__ import annotations

import numpy as np
import pytest

import fnet.device
from fnet.ops.solve import _solve
from tests.devices.cuda.unloaded import Unloaded


@pytest.mark.parametrize("n", [1, 2, 31, 33, 40])
def test_solutions(n):
    rng = np.random.default_rng(0)
    root, b = rng.normal(size=(n, n)), rng.normal(size=n)
    a = root @ root.T + np.eye(n)
    for dtype in (np.float32, np.float64):
        given = np.tril(a).astype(dtype), b.astype(dtype)
        (received,) = Unloaded().compute(_solve, *given)
        (expected,) = fnet.device.cpu().compute(_solve, list(given), {})
        size = np.linalg.cond(a) * np.max(np.abs(expected)) * np.finfo(dtype).eps
        np.testing.assert_allclose(received, expected, rtol=0, atol=size)


@pytest.mark.parametrize("last", [-1.0, 1.0, 1.0 + 1.2e-7])
def test_a_matrix_that_is_not_positive_definite_gives_nan(last):
    a = np.array([[4.0, 0.0, 0.0], [2.0, last, 0.0], [0.0, 0.0, 1.0]], np.float32)  # the determinant is 0, or rounding
    (received,) = Unloaded().compute(_solve, a, np.ones(3, np.float32))
    assert np.all(np.isnan(received))
