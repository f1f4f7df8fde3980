"""Second-order methods where the parameters are on a card: numbers come to the host, arrays do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.conftest import is_real

T = np.linspace(0, 1, 6).astype(np.float32)
START = {"a": np.float32([1]), "b": np.float32([-1])}
METHODS = ["lbfgs", "newton", "newton_cg", "levenberg_marquardt", "gauss_newton"]


def found(method: str, start: Any, t: Any, **options: Any) -> Any:
    """The minimum over an exponential that goes through given points."""

    def residuals(p: Any) -> Any:
        return p["a"] * np.exp(p["b"] * t) - 2 * np.exp(-1.5 * t)

    if method in METHODS[:3]:
        return fnet.minimize(lambda p: np.sum(np.square(residuals(p))), start, method, **options)
    return fnet.least_squares(residuals, start, method, **options)


@pytest.mark.parametrize("method", [pytest.param(method, marks=pytest.mark.slow) for method in METHODS])
def test_methods_find_there_what_they_find_on_the_cpu(method: str, cuda: Cuda):
    expected = found(method, START, T)
    received = found(method, *fnet.to_device((START, T), "cuda"))
    assert received.converged and expected.converged
    assert abs(received.iterations - expected.iterations) <= 2  # sums have another order
    assert {leaf.device for leaf in fnet.tree.leaves(received.params)} == {"cuda"}
    for leaf, other in zip(*map(fnet.tree.leaves, (fnet.to_host(received.params), expected.params)), strict=True):
        np.testing.assert_allclose(leaf, other, rtol=2e-3)


@pytest.mark.parametrize("method", ["gauss_newton", pytest.param("newton", marks=pytest.mark.slow)])
def test_only_numbers_come_to_the_host(method: str, cuda: Cuda):
    sizes: list[int] = []
    copy = cuda.driver.copy_out

    def copy_out(host: np.ndarray, address: int, stream: int) -> None:
        sizes.append(host.size)
        copy(host, address, stream)

    start, t = fnet.to_device((START, T), "cuda")
    cuda.driver.copy_out = copy_out  # type: ignore[method-assign]
    try:
        found(method, start, t, max_iterations=2)
    finally:
        cuda.driver.copy_out = copy  # type: ignore[method-assign]
    assert set(sizes) == {1} and (len(sizes) < 100 or is_real(cuda))
