"""Matrix products by CUDA kernels, run by the checker: what NumPy gives, however operands lie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fnet.compile.emit import Ref
from fnet.compile.recording import Recording
from fnet.devices.cuda.lower import linalg
from fnet.devices.cuda.tiling import Tiling, tiling
from fnet.kernels.cuda.block_tile import tile_of_block
from fnet.kernels.cuda.runtime.kernel import kernel
from fnet.ops import linalg as of_linalg
from fnet.testing.cuda import run_kernel
from tests.devices.cuda.unloaded import Unloaded, aligned, copied

EDGES = [(1, 1, 1), (16, 16, 16), (17, 3, 33), (5, 40, 15), (33, 17, 1), (2, 0, 3)]  # m, k, n

MEANING = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


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


@pytest.mark.parametrize("activation", MEANING)
def test_bias_and_activation(activation: str):
    a, b, bias = numbers(18, 5), numbers(5, 20, seed=1), numbers(20, seed=2)
    device = Unloaded()
    emit = Recording(device, 4)
    refs = [Ref.whole(i, x.dtype, x.shape) for i, x in enumerate((a, b, bias))]
    c = aligned((18, 20), np.float32)
    linalg.matmul(emit, refs, [Ref.whole(3, c.dtype, c.shape)], activation=activation)
    device.run(emit, [*(copied(x).reshape(-1) for x in (a, b, bias)), c.reshape(-1)])
    close(c, a, b, MEANING[activation](a.astype("f8") @ b.astype("f8") + bias))


@pytest.mark.parametrize("count, shape", [(1, (3, 4, 5)), (3, (17, 2, 18)), (5, (1, 2, 1))])
def test_a_stack(count: int, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(linalg, "MOST_Y", 2)
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


SLOW = pytest.mark.slow
OF_ORDER = {"rows": (False, False), "left": (True, False), "right": (False, True), "both": (True, True)}


def in_tiles(tile: int, monkeypatch: pytest.MonkeyPatch, *operands: Any, activation: str = "linear") -> np.ndarray:
    """A product, or a stack of them, with a bias where there is a third operand, by blocks of this size."""
    monkeypatch.setattr(linalg, "tiling", lambda m, n, k, *_: Tiling(tile, k, 1))
    c, device = product_of(*operands, activation=activation)
    suffix = "_f64" if c.dtype == np.float64 else ""
    assert next(iter(device.launched)).startswith("gemm" if tile == 16 else f"gemm_{tile}{suffix}")
    return c


def product_of(*operands: Any, activation: str = "linear", precision: str = "highest") -> tuple[np.ndarray, Unloaded]:
    """The same, by blocks of the size that the rule says; and what ran it."""
    a, b, *bias = operands
    device, c = Unloaded(), aligned((*a.shape[:-1], b.shape[-1]), a.dtype)
    emit = Recording(device, len(operands) + 1)
    flat = [x if x.flags.c_contiguous else np.swapaxes(x, -1, -2) for x in (a, b)]
    refs = [Ref.whole(i, x.dtype, x.shape) for i, x in enumerate([*flat, *bias, c])]
    for i, x in enumerate((a, b)):
        refs[i] = refs[i] if x.flags.c_contiguous else refs[i].viewed(np.swapaxes, axis1=-1, axis2=-2)
    if a.ndim == 3:
        linalg.stacked_matmul(emit, refs[:-1], refs[-1:], precision=precision)
    else:
        linalg.matmul(emit, refs[:-1], refs[-1:], activation=activation, precision=precision)
    device.run(emit, [*(copied(x).reshape(-1) for x in (*flat, *bias)), c.reshape(-1)])
    return c, device


def turned(x: np.ndarray, is_turned: bool) -> np.ndarray:
    """The same matrices, column-major where so said."""
    return np.swapaxes(np.ascontiguousarray(np.swapaxes(x, -1, -2)), -1, -2) if is_turned else x


@pytest.mark.parametrize(
    ("tile", "shape", "order"),
    [
        (64, (5, 17, 8), "rows"),
        (64, (7, 3, 5), "both"),
        (64, (3, 0, 2), "rows"),
        (128, (9, 8, 4), "left"),
        pytest.param(64, (65, 16, 66), "right", marks=SLOW),
        pytest.param(64, (64, 20, 64), "rows", marks=SLOW),
        pytest.param(64, (66, 36, 12), "both", marks=SLOW),
        pytest.param(128, (129, 9, 5), "rows", marks=SLOW),
        pytest.param(128, (68, 12, 130), "right", marks=SLOW),
        pytest.param(128, (8, 20, 128), "both", marks=SLOW),
    ],
)
def test_a_product_in_registers_has_the_bits_of_the_plain_one(
    tile: int, shape: tuple[int, int, int], order: str, monkeypatch: pytest.MonkeyPatch
):
    m, k, n = shape
    a, b = (turned(x, t) for x, t in zip((numbers(m, k), numbers(k, n, seed=1)), OF_ORDER[order], strict=True))
    received = in_tiles(tile, monkeypatch, a, b)
    close(received, a, b, a.astype("f8") @ b.astype("f8"))
    np.testing.assert_array_equal(received, in_tiles(16, monkeypatch, a, b))


@pytest.mark.parametrize(
    ("tile", "activation"),
    [(64, "tanh"), *(pytest.param(t, a, marks=SLOW) for t in (64, 128) for a in ("linear", "relu", "sigmoid"))],
)
def test_bias_and_activation_in_registers(tile: int, activation: str, monkeypatch: pytest.MonkeyPatch):
    operands = numbers(6, 2), numbers(2, 9, seed=1), numbers(9, seed=2)
    received = in_tiles(tile, monkeypatch, *operands, activation=activation)
    np.testing.assert_array_equal(received, in_tiles(16, monkeypatch, *operands, activation=activation))


@pytest.mark.parametrize(
    ("tile", "dtype"),
    [(64, np.float32), pytest.param(128, np.float32, marks=SLOW), pytest.param(64, np.float64, marks=SLOW)],
)
def test_a_stack_in_registers(tile: int, dtype: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(linalg, "MOST_Y", 1)
    a, b = numbers(2, 3, 5, dtype=dtype), turned(numbers(2, 5, 4, seed=1, dtype=dtype), True)
    received = in_tiles(tile, monkeypatch, a, b)
    np.testing.assert_array_equal(received, in_tiles(16, monkeypatch, a, b))


def rounded(x: np.ndarray) -> np.ndarray:
    """To bfloat16, in float64; numbers that are neither infinite nor NaN."""
    bits = x.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32).astype("f8")


def split_product(a: np.ndarray, b: np.ndarray, precision: str) -> np.ndarray:
    """What a level computes, with sums in float64."""
    high_a, high_b = rounded(a), rounded(b)
    if precision == "medium":
        return high_a @ high_b
    low_a, low_b = (rounded(x - high.astype("f4")) for x, high in ((a, high_a), (b, high_b)))
    return low_a @ high_b + high_a @ low_b + high_a @ high_b


@pytest.mark.parametrize(
    ("tile", "precision", "shape", "order", "activation"),
    [
        (64, "high", (3, 34, 5), "rows", "linear"),
        (64, "medium", (5, 3, 9), "both", "tanh"),
        pytest.param(64, "medium", (66, 33, 12), "left", "linear", marks=SLOW),
        pytest.param(64, "high", (7, 20, 65), "right", "sigmoid", marks=SLOW),
        pytest.param(128, "medium", (12, 17, 130), "right", "relu", marks=SLOW),
        pytest.param(128, "high", (40, 18, 36), "left", "linear", marks=SLOW),
    ],
)
def test_a_product_by_tensor_cores(
    tile: int, precision: str, shape: tuple[int, int, int], order: str, activation: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(linalg, "tiling", lambda m, n, k, *_: Tiling(tile, k, 1))
    m, k, n = shape
    a, b = (turned(x, t) for x, t in zip((numbers(m, k), numbers(k, n, seed=1)), OF_ORDER[order], strict=True))
    bias = numbers(n, seed=2)
    received, device = product_of(a, b, bias, activation=activation, precision=precision)
    assert dict(device.launched) == {f"{precision}_{tile}": 1}
    expected = split_product(np.ascontiguousarray(a), np.ascontiguousarray(b), precision) + bias
    close(received, a, b, MEANING[activation](expected))
    if activation == "linear" and m * n > 500:  # which the norm is meant for
        exact = a.astype("f8") @ b + bias
        assert np.linalg.norm(received - exact) < {"medium": 8e-3, "high": 5e-6}[precision] * np.linalg.norm(exact)


@pytest.mark.parametrize("precision", [pytest.param("medium", marks=SLOW), pytest.param("high", marks=SLOW)])
def test_a_stack_in_parts_by_tensor_cores(precision: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        linalg, "tiling", lambda m, n, k, count, *_: Tiling(64, 32, 2) if count == 1 else Tiling(64, k, 1)
    )
    a, b = numbers(2, 5, 40), numbers(2, 40, 3, seed=1)
    for left, right in ((a[0], b[0]), (a[:, :, :3], b[:, :3])):
        left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
        received, _ = product_of(left, right, precision=precision)
        close(received, left, right, split_product(left, right, precision))


@pytest.mark.parametrize("precision", ["medium", "high"])
def test_numbers_that_are_infinite_or_none_pass_through_tensor_cores(precision: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(linalg, "tiling", lambda m, n, k, *_: Tiling(64, k, 1))
    a, b = numbers(4, 3), np.abs(numbers(3, 6, seed=1)) + np.float32(1)
    b[:, 1], b[2, 2] = 1, np.nan  # 1 is a number of bfloat16: what rounding leaves of it is 0
    a[1, 0], a[2, 1], a[3, 2] = np.inf, -np.inf, 3e38
    received, _ = product_of(a, b, precision=precision)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = a @ b
    for of_both in (np.isnan, np.isposinf, np.isneginf):
        np.testing.assert_array_equal(of_both(received), of_both(expected))


@pytest.mark.parametrize(
    ("dtype", "precision", "kernel"),
    [(np.float32, "high", "high_128"), (np.float32, "highest", "gemm_128"), (np.float64, "medium", "gemm_64_f64")],
)
def test_the_level_of_a_product(dtype: Any, precision: str, kernel: str):
    recording = Recording(Unloaded(), 3)
    refs = [Ref.whole(i, np.dtype(dtype), (1024, 1024)) for i in range(3)]
    linalg.matmul(recording, refs[:2], refs[2:], precision=precision)
    assert kernel in [launch.__name__ for launch, _ in recording.calls]


@pytest.mark.parametrize(
    ("tile", "part", "activation"),
    [
        (16, 32, "tanh"),
        pytest.param(64, 32, "linear", marks=SLOW),
        pytest.param(128, 32, "relu", marks=SLOW),
        (16, 96, "linear"),
    ],
)
def test_parts_of_k_are_summed_in_their_order(tile: int, part: int, activation: str, monkeypatch: pytest.MonkeyPatch):
    a, b, bias = numbers(5, 75), turned(numbers(75, 6, seed=1), tile == 64), numbers(6, seed=2)
    parts = -(-75 // part)
    cut = Tiling(tile, part, parts) if parts > 1 else Tiling(tile, 75, 1)
    monkeypatch.setattr(linalg, "tiling", lambda *_: cut)
    received, device = product_of(a, b, bias, activation=activation)
    assert device.launched["sum_parts"] == (parts > 1)
    expected = sum_in_parts(a, b, part) + bias
    close(received, a, b, MEANING[activation](expected.astype("f8")))
    if activation == "linear" and parts > 1:
        np.testing.assert_array_equal(received, expected)


def sum_in_parts(a: np.ndarray, b: np.ndarray, part: int) -> np.ndarray:
    """The sums of the products of each part, rounded as kernels do, in the order of the parts."""
    total = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for first in range(0, a.shape[1], part):
        of_part = np.zeros_like(total)
        for k in range(first, min(first + part, a.shape[1])):
            of_part += np.outer(a[:, k], b[k])
        total = of_part if first == 0 else total + of_part
    return total


@pytest.mark.parametrize(
    ("m", "n", "k", "count", "dtype", "cut"),
    [
        (4096, 4096, 4096, 1, np.float32, (128, 4096, 1)),
        (4096, 4096, 4096, 1, np.float64, (64, 4096, 1)),
        (1024, 1024, 64, 1, np.float32, (128, 64, 1)),
        (1024, 1024, 4096, 1, np.float32, (128, 1024, 4)),
        (1024, 1024, 64, 8, np.float32, (128, 64, 1)),
        (1024, 32, 1024, 64, np.float32, (64, 1024, 1)),
        (256, 256, 256, 1, np.float32, (16, 256, 1)),
        (256, 256, 8192, 1, np.float32, (128, 320, 26)),
        (512, 512, 512, 1, np.float32, (64, 512, 1)),
        (384, 256, 256, 1, np.float32, (64, 256, 1)),
        (320, 256, 256, 1, np.float32, (16, 256, 1)),
        (784, 10, 60000, 1, np.float32, (16, 12000, 5)),
        (784, 10, 60000, 2, np.float32, (16, 60000, 1)),
        (4096, 4096, 1 << 31, 1, np.float32, (16, 1 << 31, 1)),
        (4096, 4096, 4096, 1, np.int64, (16, 4096, 1)),
        (16, 16, 4096, 1, np.int64, (16, 4096, 1)),
        (0, 16, 4096, 1, np.float32, (16, 4096, 1)),
    ],
)
def test_how_sizes_are_cut(m: int, n: int, k: int, count: int, dtype: Any, cut: tuple[int, int, int]):
    assert tiling(m, n, k, count, np.dtype(dtype)) == Tiling(*cut)
    assert cut[1] * (cut[2] - 1) < k <= cut[1] * cut[2]
    assert tiling(m, n, k, count, np.dtype(dtype), in_parts=False).parts == 1


def test_columns_beyond_what_the_second_axis_of_a_grid_can_be():
    a, b = numbers(1, 1), numbers(1, 1 << 21, seed=1)
    recording = Recording(Unloaded(), 3)
    c = np.empty((1, 1 << 21), np.float32)
    linalg.matmul(
        recording, [Ref.whole(0, a.dtype, a.shape), Ref.whole(1, b.dtype, b.shape)], [Ref.whole(2, c.dtype, c.shape)]
    )
    ((launch, _),) = recording.calls
    assert launch.grid == (1 << 17, 1, 1)


def test_steps_beyond_32_bits_are_for_plain_tiles():
    recording, shape = Recording(Unloaded(), 3), (1024, 1024)
    refs = [Ref.whole(i, np.dtype(np.float32), shape) for i in range(3)]
    linalg.matmul(recording, [replace(refs[0], strides=(1 << 31, 1)), refs[1]], refs[2:])
    assert [launch.__name__ for launch, _ in recording.calls] == ["gemm"]


def test_every_tile_has_one_block():
    @kernel
    def places(found, down, across):
        row, column = tile_of_block(down, across)
        found[row * across + column] += 1

    for down, across in ((1, 1), (8, 3), (9, 2), (17, 5), (3, 40)):
        found = np.zeros(down * across, np.int64)
        run_kernel(places, down * across, 1, found, down, across)
        assert (found == 1).all()
