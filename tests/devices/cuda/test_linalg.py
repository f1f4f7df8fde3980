"""Matrix products by CUDA kernels, run by the checker: what NumPy gives, however operands lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fnet.compile.emit import Ref
from fnet.compile.recording import Recording
from fnet.devices.cuda.lower import linalg
from fnet.ops import linalg as of_linalg
from tests.devices.cuda.unloaded import Unloaded, aligned, copied

EDGES = [(1, 1, 1), (16, 16, 16), (17, 3, 33), (5, 40, 15), (33, 17, 1), (2, 0, 3)]  # m, k, n


def numbers(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.asarray(3 * np.random.default_rng(seed).normal(size=shape)).astype(dtype)


def close(received: np.ndarray, a: np.ndarray, b: np.ndarray, expected: np.ndarray) -> None:
    """Within the roundings of the products and sums of each element."""
    bound = np.abs(a).astype("f8") @ np.abs(b).astype("f8") + np.abs(expected)
    tolerance = (a.shape[-1] + 8) * np.finfo(received.dtype).eps * bound
    assert received.shape == expected.shape and (np.abs(received - expected) <= tolerance).all()


@pytest.mark.parametrize("m, k, n", EDGES)
@pytest.mark.parametrize("order", ["rows", "left", "right"])
def test_a_product(m: int, k: int, n: int, order: str):
    a, b = numbers(m, k), numbers(k, n, seed=1)
    left = np.asfortranarray(a) if order == "left" else a
    right = np.asfortranarray(b) if order == "right" else b
    (received,) = Unloaded().compute(of_linalg._matmul, left, right, precision="highest")
    close(received, a, b, a.astype("f8") @ b.astype("f8"))


@pytest.mark.parametrize(
    "activation, meaning",
    [
        ("linear", lambda x: x),
        ("relu", lambda x: np.maximum(x, 0)),
        ("tanh", np.tanh),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_bias_and_activation(activation: str, meaning: Any):
    a, b, bias = numbers(18, 5), numbers(5, 20, seed=1), numbers(20, seed=2)
    device = Unloaded()
    emit = Recording(device, 4)
    refs = [Ref.whole(i, x.dtype, x.shape) for i, x in enumerate((a, b, bias))]
    c = aligned((18, 20), np.float32)
    linalg.matmul(emit, refs, [Ref.whole(3, c.dtype, c.shape)], activation=activation)
    device.run(emit, [*(copied(x).reshape(-1) for x in (a, b, bias)), c.reshape(-1)])
    close(c, a, b, meaning(a.astype("f8") @ b.astype("f8") + bias))


@pytest.mark.parametrize("count, shape", [(1, (3, 4, 5)), (3, (17, 2, 18)), (5, (1, 2, 1))])
def test_a_stack(count: int, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(linalg, "MOST_SAMPLES", 2)
    m, k, n = shape
    a, b = numbers(count, m, k), numbers(count, k, n, seed=1)
    (received,) = Unloaded().compute(of_linalg._stacked, a, b, precision="highest")
    close(received, a, b, a.astype("f8") @ b.astype("f8"))


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_integers_are_exact_modulo_the_size_of_their_type(dtype: Any):
    a, b = (50 * numbers(2, 5, 18)).astype(dtype), (50 * numbers(2, 18, 3, seed=1)).astype(dtype)
    (received,) = Unloaded().compute(of_linalg._product_of_integers, a, b)
    np.testing.assert_array_equal(received, a @ b)


def test_float64_keeps_its_digits():
    a, b = numbers(5, 20, dtype=np.float64), numbers(20, 6, dtype=np.float64, seed=1)
    (received,) = Unloaded().compute(of_linalg._matmul, a, b, precision="highest")
    close(received, a, b, a @ b)
