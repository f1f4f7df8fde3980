"""Products of matrices by a library of the card's: which ones, and that they are those of the CPU.

The library is NumPy, or a stand-in for cuBLASLt that goes by the descriptions of matrices that it gets. The last tests
run on a card, too, with the library that is installed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, tree
from fnet.devices.cuda import products
from fnet.devices.cuda.device import Cuda
from fnet.devices.cuda.products import product_of
from fnet.errors import DeviceError
from fnet.kernels.cuda.runtime.product import Operand
from tests.devices.cuda.conftest import is_real
from tests.devices.cuda.emulated import Emulated
from tests.devices.cuda.networks import begun, mlp, step_of
from tests.devices.cuda.products import multiply, rounded
from tests.kernels.cuda.runtime.stand_in import COMPILER, StandIn

F4, F8 = np.dtype(np.float32), np.dtype(np.float64)
SHAPE, ONE, ALONG = (64, 128, 256), (1, 0, 0), ((128, 1), (256, 1))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (Operand(False, 128, 0), Operand(False, 256, 0), "highest")),
        ({"strides": ((1, 64), (1, 128))}, (Operand(True, 64, 0), Operand(True, 128, 0), "highest")),
        ({"strides": ((400, 1), (1, 129))}, (Operand(False, 400, 0), Operand(True, 129, 0), "highest")),
        ({"precision": "medium"}, (Operand(False, 128, 0), Operand(False, 256, 0), "medium")),
        ({"dtype": F8, "precision": "high"}, (Operand(False, 128, 0), Operand(False, 256, 0), "highest")),
        ({"batch": (1, 8192, 32768)}, (Operand(False, 128, 0), Operand(False, 256, 0), "highest")),
        (
            {"batch": (9, 0, 8000), "shape": (64, 128, 31)},
            (Operand(False, 128, 0), Operand(False, 256, 8000), "highest"),
        ),
        ({"batch": (3, 0, 32768)}, (Operand(False, 128, 0), Operand(False, 256, 32768), "highest")),
        (
            {"shape": (1, 4096, 64), "strides": ((1, 1), (1, 4096))},
            (Operand(False, 4096, 0), Operand(True, 4096, 0), "highest"),
        ),
        (
            {"shape": (64, 1, 4096), "strides": ((1, 7), (9, 1))},
            (Operand(False, 1, 0), Operand(False, 4096, 0), "highest"),
        ),
        ({"precision": "high"}, None),
        ({"dtype": np.dtype(np.int32)}, None),
        ({"shape": (64, 128, 31)}, None),
        ({"shape": (64, 0, 256)}, None),
        ({"strides": ((256, 2), (256, 1))}, None),
        ({"strides": ((0, 1), (256, 1))}, None),
        ({"strides": ((128, 1), (1, 127))}, None),
        ({"strides": ((1 << 31, 1), (256, 1))}, None),
        ({"strides": ((128, 1), (1, 1 << 31))}, None),
        ({"shape": (1 << 31, 1, 1), "strides": ((1, 1), (1, 1))}, None),
    ],
)
def test_which_products_are_for_the_library(changes: dict[str, Any], expected: Any):
    given = {"shape": SHAPE, "batch": ONE, "strides": ALONG, "dtype": F4, "precision": "highest"}
    found = product_of(**(given | changes))
    assert (found and (found.left, found.right, found.level)) == expected
    if found is not None:
        assert (found.m, found.k, found.n) == changes.get("shape", SHAPE) and not found.has_bias
        assert found.workspace <= products.WORKSPACE and hash(found) == hash(product_of(**(given | changes)))


def test_the_scratch_memory_is_bounded():
    small, large = (product_of((n, n, n), ONE, ((n, 1), (n, 1)), F4, "highest") for n in (64, 1024))
    assert small is not None and small.workspace == (1 << 20) + 16 * 4 * 64 * 64
    assert large is not None and large.workspace == 1 << 25


LIBRARIES: dict[str, Callable[[], Callable[..., None]]] = {
    "numpy": lambda: multiply,
    "stand-in": lambda: StandIn().multiplying(),
}


@pytest.fixture(params=[name for name in LIBRARIES if name == "numpy" or COMPILER])
def card(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
    """A card with a library that computes the smallest products, too; it is late."""
    monkeypatch.setattr(products, "LEAST", 1)
    made = Emulated(is_late=True, library=LIBRARIES[request.param]())
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", made))
    yield made
    device.FOUND["cuda"].wait()


def there(values: Any, name: str = "cuda") -> Any:
    return fnet.to_device(values, name)


def numbers(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).normal(size=shape)).astype(dtype)


def compared(card: Emulated, function: Callable, *arguments: np.ndarray, count: int = 1, rtol: float = 1e-5) -> None:
    """A function gives there what it gives here, eagerly, launch by launch and as a graph, by so many products."""
    expected = function(*arguments)
    moved, jitted = there(arguments), fnet.jit(function)
    for call in (function, jitted, jitted, jitted):
        card.kernels.clear()
        received = fnet.to_host(call(*moved))
        assert card.kernels["product"] == count and not any(name.startswith("gemm") for name in card.kernels)
        tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol), received, expected)


A, B = numbers(5, 7), numbers(7, 6, seed=1)


def test_all_transposes_and_windows(card: Emulated):
    compared(card, lambda a, b, c, d: (a @ b, c.T @ b, a @ d.T, c.T @ d.T), A, B, A.T.copy(), B.T.copy(), count=4)
    wide = numbers(9, 20, seed=2)
    compared(card, lambda a, x: (a @ x[1:8, 3:9], x[:, 2:9][:, ::-1] @ x[1:8]), A, wide, count=2)
    compared(card, lambda a, x: a[:, 1:] @ x[2:8, 1:], A, wide)  # begins at no multiple of 16 bytes
    compared(card, lambda a, x: a[1:2] @ x[:7, 4:5], A, wide)
    compared(card, lambda x, b: x[:, :14:2] @ b, wide, B)  # copied: neither rows nor columns are without gaps


def test_stacks(card: Emulated):
    stack = numbers(3, 5, 7, seed=3)
    compared(card, lambda x, b: x @ b, stack, B)
    compared(card, lambda a, x: a @ np.swapaxes(x, 1, 2), A, stack)
    compared(card, lambda x: x @ np.swapaxes(x, 1, 2), stack)
    compared(card, lambda x, b: x[..., 1:20:3] @ b, numbers(3, 5, 20), B)
    compared(card, lambda x, y: x[:, None] @ y, numbers(2, 5, 7), numbers(2, 7, 4))


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "sigmoid"])
def test_a_dense_layer_is_a_product_with_its_bias(activation: str, card: Emulated):
    layer = fnet.layers.Dense(6, activation=activation, bias_initializer="normal")
    params, state = layer.init(fnet.random.key(0), (7,))
    jitted = fnet.jit(lambda params, x: layer.apply(params, state, x)[0])
    expected = jitted(params, A)
    given = there((params, A))
    np.testing.assert_allclose(fnet.to_host(jitted(*given)), expected, rtol=1e-5, atol=1e-6)
    assert card.kernels == {"product": 1} | ({} if activation == "linear" else {"sum_parts": 1})


def test_a_bias_that_the_library_cannot_add_is_a_launch_behind_it(card: Emulated, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(card, "multiplies", lambda product: not product.has_bias)
    y = fnet.jit(lambda a, b, bias: a @ b + bias)(*there((A, B, A[0, :6])))
    np.testing.assert_allclose(fnet.to_host(y), A @ B + A[0, :6], rtol=1e-5, atol=1e-6)
    assert card.kernels == {"product": 1, "sum_parts": 1}


def test_other_types_and_levels(card: Emulated):
    compared(card, lambda a, b: a @ b, A.astype(F8), B.astype(F8), rtol=1e-13)
    with fnet.precision("medium"):
        received = fnet.to_host(there(A) @ there(B))
    np.testing.assert_allclose(received, rounded(A) @ rounded(B), rtol=1e-5, atol=1e-6)
    assert np.linalg.norm(received - A @ B) < 8e-3 * np.linalg.norm(A @ B) and card.kernels["product"] == 2
    with fnet.precision("high"):
        there(A) @ there(B)
    there((10 * A).astype(np.int32)) @ there((10 * B).astype(np.int32))
    device.FOUND["cuda"].wait()
    assert card.kernels["product"] == 2 and card.kernels["gemm"] == 2


def test_nothing_to_multiply(card: Emulated):
    for m, k, n in ((0, 4, 3), (3, 4, 0), (3, 0, 4)):
        a, b = numbers(m, k), numbers(k, n)
        np.testing.assert_array_equal(fnet.to_host(there(a) @ there(b)), a @ b)
    of_nothing = there(numbers(2, 1, 3, 1))[..., 1:][..., :2, :]  # neither row-major nor transposed
    assert (there(numbers(2, 4, 2)) @ of_nothing).shape == (2, 2, 4, 0)
    jitted = fnet.jit(lambda a, b, bias: a @ b + bias)
    y = jitted(*there((numbers(2, 0), numbers(0, 3), np.arange(3, dtype=np.float32))))
    np.testing.assert_array_equal(fnet.to_host(y), [[0, 1, 2]] * 2)
    assert card.kernels["product"] == 0


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_numbers_that_are_infinite_or_none_go_through(activation: str, card: Emulated):
    x = numbers(4, 7)
    x[0, 0], x[1, 1], x[2, 2] = np.nan, np.inf, -np.inf
    layer = fnet.layers.Dense(6, activation=activation)
    params, state = layer.init(fnet.random.key(0), (7,))
    jitted = fnet.jit(lambda params, x: layer.apply(params, state, x)[0])
    with np.errstate(invalid="ignore"):
        expected = jitted(params, x)
    received = fnet.to_host(jitted(*there((params, x))))
    assert np.isnan(received[0]).all()
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-6)


def trained(name: str, steps: int = 3) -> Any:
    """What steps make of a network of Dense layers."""
    jitted = fnet.jit(step_of(mlp(False)), donate=(0, 1, 2, 3))
    *carry, x, y = begun(mlp(False)) if name == "cpu" else there(begun(mlp(False)), name)
    for _ in range(steps):
        *carry, loss = jitted(*carry, x, y)
    return fnet.to_host((*carry, loss))


def test_a_network_is_trained_as_on_the_cpu(card: Emulated, monkeypatch: pytest.MonkeyPatch):
    expected, received = trained("cpu"), trained("cuda")
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), received, expected)
    assert card.kernels["product"] == 3 * 5 and not any(name.startswith("gemm") for name in card.kernels)
    assert (card.seen["recorded"], card.seen["replayed"]) == (1, 2)
    monkeypatch.setitem(device.FOUND, "cuda#1", device.FOUND["cuda"].beside("cuda#1"))
    for place in ("cuda", "cuda#1"):  # a stream of its own, with scratch memory of its own
        assert tree.all_equal(trained(place), received)


def test_no_step_allocates_or_waits(card: Emulated):
    jitted = fnet.jit(step_of(mlp(False)), donate=(0, 1, 2, 3))
    *carry, x, y = there(begun(mlp(False)))
    for _ in range(2):
        *carry, _ = jitted(*carry, x, y)
    card.seen.clear()
    *carry, _ = jitted.repeat(4, *carry, x, y)
    assert card.seen["replayed"] == 4 and not card.seen["allocated"] and not card.seen["waited"]


def test_no_room_for_its_scratch_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "FIXED_WORKSPACE", 1 << 25)
    small = Cuda("cuda", Emulated(1 << 24, library=multiply))
    monkeypatch.setitem(device.FOUND, "cuda", small)
    x = there(numbers(64, 64))
    with pytest.raises(DeviceError, match=r"'cuda' has no room for an array uint8\[33554432\], 32 MiB: "):
        x @ x
    np.testing.assert_array_equal(fnet.to_host(x + x), 2 * fnet.to_host(x))


@pytest.fixture
def sizes(cuda: Cuda, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int, int]:
    """m, k and n of products that the device "cuda" computes by a library."""
    if is_real(cuda):
        if (said := fnet.devices().libraries["cublaslt"]).startswith("not in use"):
            pytest.skip(said)
        return 250, 516, 388
    monkeypatch.setattr(products, "LEAST", 1)
    cuda.driver.library = multiply  # type: ignore[attr-defined]
    return 5, 7, 6


@pytest.mark.parametrize(("dtype", "level"), [(F4, "highest"), (F4, "medium"), (F8, "highest")])
def test_products_of_the_library_are_exact_to_rounding(dtype: Any, level: Any, sizes: tuple[int, int, int]):
    m, k, n = sizes
    a, b, stack, bias = numbers(m, k), numbers(k, n, seed=1), numbers(2, m, k, seed=2), numbers(n, seed=3)
    arguments = [x.astype(dtype) for x in (a, a.T.copy(), b, b.T.copy(), stack, bias)]

    def products_of(a: Any, turned_a: Any, b: Any, turned_b: Any, stack: Any, bias: Any) -> Any:
        yield from (a @ b + bias, turned_a.T @ b, a @ turned_b.T, turned_a.T @ turned_b.T)
        yield from (stack @ b, a[:, 1:] @ b[1:], a[1:, :-3] @ turned_b.T[:-3, 2:])

    expected = list(products_of(*(x.astype(F8) for x in arguments)))
    with fnet.precision(level):
        jitted = fnet.jit(lambda *arguments: list(products_of(*arguments)))
        received = fnet.to_host(jitted(*there(arguments)))
        assert str(jitted.plan(*there(arguments))).count("  product  ") == len(expected)
    bound = 2.4e-3 if level == "medium" else 1e-6 if dtype == F4 else 1e-14
    for x, y in zip(received, expected, strict=True):
        assert x.dtype == dtype and np.linalg.norm(x - y) < bound * (1 if k > 100 else 3) * np.linalg.norm(y)


def test_products_of_the_library_are_the_same_bits_in_every_way(sizes: tuple[int, int, int]):
    m, k, n = sizes
    given = there((numbers(m, k), numbers(k, n, seed=1), numbers(n, seed=2), numbers(m, n, seed=3)))

    def dense(x: Any, w: Any, bias: Any, g: Any) -> Any:
        return x @ w + bias, np.tanh(x @ w + bias), x.T @ g, g @ w.T, x[:, : k // 2] @ w[: k // 2]

    expected = fnet.to_host(dense(*given))
    for jitted in (fnet.jit(dense), fnet.jit(dense, executor="walk"), fnet.jit(dense)):
        for _ in range(3):
            assert tree.all_equal(fnet.to_host(jitted(*given)), expected)


def test_infinite_numbers_and_none_go_through_the_library(sizes: tuple[int, int, int]):
    m, k, n = sizes
    x, w = numbers(m, k), np.abs(numbers(k, n, seed=1)) + np.float32(1)
    x[0, 0], x[1, 1], x[2, 2] = np.nan, np.inf, -np.inf
    received = fnet.to_host(fnet.jit(lambda x, w: fnet.ops.relu(x @ w))(*there((x, w))))
    assert np.isnan(received[0]).all() and np.isposinf(received[1]).all() and (received[2] == 0).all()
    assert np.isfinite(received[3:]).all()
