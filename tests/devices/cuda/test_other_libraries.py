"""Arrays shared with PyTorch, CuPy and JAX on a card, both ways, without a copy and in the order of the work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet.devices.cuda.arrays import address_of
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.conftest import is_real

pytestmark = pytest.mark.gpu

N = 1 << 20


@pytest.fixture(autouse=True)
def card(cuda: Cuda) -> Cuda:
    if not is_real(cuda):
        pytest.skip("other libraries know cards of the machine only")
    return cuda


def long_work(x: Any) -> Any:
    """So much that nobody who does not wait finds the result: N ones that have become 2^10."""
    for _ in range(10):
        x = x + x
    return x


def ones() -> Any:
    return fnet.to_device(np.ones(N, np.float32), "cuda")


def test_pytorch():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("PyTorch sees no card")
    x = long_work(ones())
    seen = torch.from_dlpack(x)
    assert seen.device.type == "cuda" and seen.data_ptr() == address_of(x)
    assert float((seen + 1).sum()) == N * 1025
    assert float(torch.as_tensor(x, device="cuda").sum()) == N * 1024  # by the CUDA array interface
    back = fnet.from_dlpack(long_work(torch.ones(N, device="cuda")))
    assert (back.device, back.shape) == ("cuda", (N,)) and float(np.sum(back + 1)) == N * 1025


def test_cupy():
    cupy = pytest.importorskip("cupy")
    x = long_work(ones())
    seen = cupy.from_dlpack(x)
    assert seen.data.ptr == address_of(x) and float((seen + 1).sum()) == N * 1025
    back = fnet.from_dlpack(long_work(cupy.ones(N, np.float32)))
    assert float(np.sum(back + 1)) == N * 1025


def test_jax():
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "gpu":
        pytest.skip("JAX sees no card")
    x = long_work(ones())
    assert float((jax.dlpack.from_dlpack(x) + 1).sum()) == N * 1025
    back = fnet.from_dlpack(long_work(jax.numpy.ones(N, np.float32)))
    assert float(np.sum(back + 1)) == N * 1025


def test_a_kernel_of_numbas_in_a_primitive_of_ones_own():
    own = pytest.importorskip("tests.devices.cuda.test_own_primitive")
    x = fnet.to_device(own.X, "cuda")
    np.testing.assert_array_equal(fnet.to_host(own.cube(x)), own.X * own.X * own.X)
    gradient = fnet.jit(fnet.grad(lambda x: np.sum(own.cube(x) * 2)))
    for _ in range(3):
        np.testing.assert_allclose(fnet.to_host(gradient(x)), 6 * own.X * own.X, rtol=1e-15)
