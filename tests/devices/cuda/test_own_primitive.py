"""Primitives of users with kernels of Numba's for cards beside those for the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest

import fnet
from fnet import device
from fnet.devices.cuda.device import Cuda
from fnet.errors import StructureError
from fnet.spec import ArraySpec
from tests.devices.cuda.emulated import Emulated

cuda = pytest.importorskip("numba.cuda")

X = np.linspace(-2, 2, 300).reshape(3, 100)


@numba.njit
def cube_kernel(x, y):
    for i in range(x.size):
        y[i] = x[i] ** 3


@cuda.jit
def cube_on_card(x, y):
    i = cuda.grid(1)
    if i < x.size:
        y[i] = x[i] * x[i] * x[i]


@numba.njit
def parts_kernel(x, whole, rest, rows, columns):
    for i in range(rows * columns):
        whole[i] = np.int64(np.floor(x[i]))
        rest[i] = x[i] - np.floor(x[i])


@cuda.jit
def parts_on_card(x, whole, rest, rows, columns):
    i, j = cuda.blockIdx.x, cuda.threadIdx.y
    while j < columns:
        k = i * columns + j
        whole[k] = int(np.floor(x[k]))
        rest[k] = x[k] - whole[k]
        j += cuda.blockDim.y


cube = fnet.primitive(
    "cube", shape=lambda x: x, kernel=cube_kernel, vjp=lambda g, y, x: (g * 3 * x * x,), cuda=cube_on_card
)


def parts_with(**given: Any) -> Any:
    return fnet.primitive(
        "parts",
        shape=lambda x: (ArraySpec(x.shape, np.dtype(np.int64)), x),
        kernel=parts_kernel,
        sizes=lambda x: x.shape,
        multiple=True,
        **given,
    )


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
    made = Emulated(is_checked=True)
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", made))
    yield made


def test_its_kernel_runs_there_eagerly_in_plans_and_for_derivatives(card: Emulated):
    x = fnet.to_device(X, "cuda")
    np.testing.assert_array_equal(fnet.to_host(cube(x)), cube(X))
    jitted = fnet.jit(fnet.grad(lambda x: np.sum(cube(x) * 2)))
    for _ in range(3):
        np.testing.assert_allclose(fnet.to_host(jitted(x)), 6 * X * X, rtol=1e-15)
    assert card.kernels["cube_on_card"] == 1 and "cube_on_card" in str(fnet.jit(cube).plan(x))
    np.testing.assert_array_equal(jitted(X), 6 * X * X)


def test_a_rule_says_how_many_threads_there_are(card: Emulated):
    parts = parts_with(cuda=parts_on_card, launch=lambda x: (x.shape[0], (1, 32)))
    for there, here in zip(parts(fnet.to_device(X, "cuda")), parts(X), strict=True):
        np.testing.assert_array_equal(fnet.to_host(there), here)


@pytest.mark.parametrize("how", [3, (1, 2, 3), (1, 0), ((1, 1, 1, 1), 32), ("a", 1)])
def test_what_a_rule_of_threads_must_return(how: Any):
    parts = parts_with(cuda=parts_on_card, launch=lambda x: how)
    with pytest.raises(StructureError, match="launch of primitive 'parts' must return .grid, block., each an integer"):
        parts(fnet.to_device(X, "cuda"))


def test_kernels_are_marked():
    with pytest.raises(StructureError, match="cuda of primitive 'parts' must be a kernel, .* received a function"):
        parts_with(cuda=lambda x: None)
    with pytest.raises(StructureError, match="primitive 'parts' has a launch rule, and no kernel for it. Pass cuda="):
        parts_with(launch=lambda x: (1, 1))
