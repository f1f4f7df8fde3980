"""Convolutions by CUDA kernels, run by the checker: the definition in float64, for any axes, groups, and tile edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fnet.compile.emit import Ref
from fnet.compile.recording import Recording
from fnet.devices.cuda.lower import conv as rules
from fnet.devices.cuda.tiling import Tiling, conv_tiling
from fnet.kernels.cuda.window_operand import multiplier
from fnet.ops.conv import _conv, _conv_input, _conv_weight
from fnet.taps import Axes, Axis
from tests.devices.cuda.unloaded import Unloaded, aligned, copied
from tests.kernels.cpu import conv_reference as reference

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def window(size: int, kernel: int, stride: int = 1, dilation: int = 1, before: int = 0, after: int = 0) -> Axis:
    """An axis with padding on both sides; no output where the kernel does not fit."""
    span = (kernel - 1) * dilation + 1
    return Axis(size, max(0, (size + before + after - span) // stride + 1), kernel, stride, dilation, before)


# axes, samples, groups, channels of a group, filters of a group
CASES: dict[str, tuple[Axes, int, int, int, int]] = {
    "one axis": ((window(9, 3, before=1, after=1),), 2, 1, 3, 5),
    "residues of unequal tiles": ((window(5, 3, 2, before=1, after=1), window(7, 3, 2, after=1)), 2, 1, 2, 3),
    "strides and dilation": ((window(11, 3, 2, 2, 1, 2), window(5, 2, 3, 1, 0, 1)), 2, 1, 2, 3),
    "full tiles": ((window(4, 1), window(4, 2, before=1)), 1, 1, 8, 16),
    "beyond tiles": ((window(3, 3, before=1, after=1), window(6, 2, before=1)), 1, 1, 3, 17),
    "groups": ((window(4, 3, before=1, after=1), window(3, 2)), 2, 3, 2, 2),
    "three axes": ((window(3, 2), window(4, 2, 2, 1, 1, 1), window(3, 3, before=2)), 1, 1, 2, 3),
    "four axes": ((window(2, 2, before=1), window(3, 2), window(2, 1), window(3, 2)), 1, 2, 1, 2),
    "strides beyond the kernel": ((window(7, 2, 3),), 1, 1, 2, 2),
    "padding beyond the input": ((window(2, 3, before=4, after=3), window(1, 2, 1, 3, 3, 3)), 1, 1, 1, 2),
}


def numbers(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def of_case(case: str, dtype: Any = np.float32) -> tuple[np.ndarray, np.ndarray, np.ndarray, Axes, int]:
    """Input, kernel, and gradient of the output."""
    axes, samples, groups, depth, columns = {**CASES, **TILED}[case]
    x = numbers(samples, *(a.size for a in axes), groups * depth, dtype=dtype)
    w = numbers(*(a.kernel for a in axes), depth, groups * columns, dtype=dtype, seed=1)
    g = numbers(samples, *(a.outputs for a in axes), groups * columns, dtype=dtype, seed=2)
    return x, w, g, axes, groups


@pytest.mark.parametrize("case", CASES)
def test_a_convolution_and_its_gradients(case: str):
    x, w, g, axes, groups = of_case(case)
    device = Unloaded()
    for primitive, operands in ((_conv, (x, w)), (_conv_input, (g, w)), (_conv_weight, (x, g))):
        (received,) = device.compute(primitive, *operands, axes=axes, groups=groups, precision="highest")
        expected = getattr(reference, primitive.name)(*operands, axes, groups)
        assert received.shape == expected.shape
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=2e-5, err_msg=primitive.name)


SLOW = pytest.mark.slow
COPIES = {"copy_rows", "copy_strided", "copy_transposed", "take_numbers", "take_rows"}
TILED: dict[str, tuple[Axes, int, int, int, int]] = {
    "channels in fours": ((window(4, 3, before=1, after=1), window(5, 2, before=1)), 2, 1, 4, 6),
    "three channels": ((window(4, 3, 2, before=1, after=1), window(7, 3, 2, before=1, after=2)), 2, 1, 3, 5),
    "a line that goes on in the next": ((window(3, 2), window(7, 7, 2, after=2)), 1, 1, 1, 2),
    "three channels, dilation": ((window(6, 3, 1, 2), window(7, 3, 1, 2, before=1, after=2)), 1, 1, 3, 5),
    "beyond a tile of 64": ((window(9, 2), window(9, 3, before=1, after=1)), 1, 1, 12, 68),
    "beyond a tile of 128": ((window(12, 2), window(12, 1)), 1, 1, 5, 130),
    "a hundred targets": ((window(101, 2),), 1, 1, 3, 40),
    "full tiles of 64": ((window(8, 2, before=1), window(8, 2, before=1)), 1, 1, 16, 64),
}  # fmt: skip


@pytest.mark.parametrize(
    ("tile", "case"),
    [
        (64, "a line that goes on in the next"),
        pytest.param(64, "three channels", marks=SLOW),
        pytest.param(64, "channels in fours", marks=SLOW),
        pytest.param(128, "padding beyond the input", marks=SLOW),
    ],
)
def test_register_tiles_have_the_bits_of_plain_ones(tile: int, case: str, monkeypatch: pytest.MonkeyPatch):
    x, w, g, axes, groups = of_case(case)
    for primitive, operands in ((_conv, (x, w)), (_conv_input, (g, w)), (_conv_weight, (x, g))):
        cuts = Tiling(tile, 0, 1), Tiling(16, 0, 1)
        found, (launched, plain) = in_tiles(primitive, operands, axes, groups, cuts, monkeypatch)
        assert plain <= {"gather", "weight_gradient"}
        assert launched - COPIES <= {f"gather_{tile}", f"weight_gradient_{tile}"}
        np.testing.assert_array_equal(*found, err_msg=primitive.name)


@pytest.mark.slow
def test_residues_of_unequal_tiles_have_the_bits_of_plain_ones(monkeypatch: pytest.MonkeyPatch):
    axes = window(3, 2, 2), window(129, 5, 2)  # two tiles of 128 for the first residue, one for others
    g, w = numbers(1, *(a.outputs for a in axes), 3), numbers(2, 5, 5, 3, seed=1)  # two steps of k
    cuts = Tiling(128, 0, 1, is_narrow=True), Tiling(16, 0, 1)
    found, (launched, _) = in_tiles(_conv_input, (g, w), axes, 1, cuts, monkeypatch)
    assert launched - COPIES == {"gather_narrow"}
    np.testing.assert_array_equal(*found)


def in_tiles(
    primitive: Any,
    operands: tuple[np.ndarray, ...],
    axes: Axes,
    groups: int,
    cuts: tuple[Tiling, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[list[np.ndarray], list[set[str]]]:
    """The result in each of these tiles, and the kernels that computed it."""
    found, launched = [], []
    for cut in cuts:
        monkeypatch.setattr(rules, "conv_tiling", lambda m, n, k, *_, cut=cut: (cut._replace(part=k), False))
        device = Unloaded()
        found += device.compute(primitive, *operands, axes=axes, groups=groups, precision="highest")
        launched.append(set(device.launched))
    return found, launched


@pytest.mark.slow
def test_parts_of_a_weight_gradient_in_register_tiles(monkeypatch: pytest.MonkeyPatch):
    x, _, g, axes, groups = of_case("groups")
    device, targets = Unloaded(), g.size // g.shape[-1]
    monkeypatch.setattr(rules, "conv_tiling", lambda *_: (Tiling(64, 5, -(-targets // 5)), False))
    (received,) = device.compute(_conv_weight, x, g, axes=axes, groups=groups, precision="highest")
    assert dict(device.launched) == {"weight_gradient_64": 1, "sum_parts": 1}
    np.testing.assert_allclose(received, reference.conv_weight(x, g, axes, groups), rtol=1e-5, atol=2e-5)


def by_tensor_cores(monkeypatch: pytest.MonkeyPatch, is_narrow: bool) -> None:
    """Let them compute all that is not to be exact."""

    def tiling(m: int, n: int, k: int, count: int, precision: str, in_parts: bool) -> tuple[Tiling, bool]:
        exact = precision == "highest"
        return (Tiling(16, k, 1), False) if exact else (Tiling(128, k, 1, is_narrow or in_parts), True)

    monkeypatch.setattr(rules, "conv_tiling", tiling)


@pytest.mark.slow
@pytest.mark.parametrize("is_narrow", [False, True], ids=["wide", "narrow"])
def test_tensor_cores_keep_the_bounds_of_their_level(is_narrow: bool, monkeypatch: pytest.MonkeyPatch):
    by_tensor_cores(monkeypatch, is_narrow)
    x, w, g, axes, groups = of_case("a hundred targets")
    for primitive, operands in ((_conv, (x, w)), (_conv_input, (g, w)), (_conv_weight, (x, g))):
        if is_narrow and primitive is _conv_weight:
            continue  # as wide as above
        device = Unloaded()
        (received,) = device.compute(primitive, *operands, axes=axes, groups=groups, precision="medium")
        names = {"medium_gather_narrow"} if is_narrow else {"medium_gather", "medium_weight_gradient"}
        assert names & device.launched.keys()
        expected = getattr(reference, primitive.name)(*operands, axes, groups)
        error = np.linalg.norm(received - expected) / np.linalg.norm(expected)
        assert 1e-4 < error < 8e-3, primitive.name


@pytest.mark.slow
def test_what_is_infinite_in_a_split_convolution(monkeypatch: pytest.MonkeyPatch):
    by_tensor_cores(monkeypatch, False)
    x, w, g, axes, groups = of_case("one axis")
    x[0, 4, 1], w[...], g[...] = np.inf, 1, 1
    for primitive, operands in ((_conv, (x, w)), (_conv_weight, (x, g))):
        (received,) = Unloaded().compute(primitive, *operands, axes=axes, groups=groups, precision="high")
        (expected,) = Unloaded().compute(primitive, *operands, axes=axes, groups=groups, precision="highest")
        assert np.isinf(received).any() and not np.isnan(received).any()
        np.testing.assert_allclose(received, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("m", "n", "k", "count", "precision", "in_parts", "cut", "by_tensor_cores"),
    [
        (100352, 128, 576, 1, "highest", False, (128, 576, 1), False),
        (100352, 64, 576, 1, "highest", False, (128, 576, 1, True), False),
        (1568, 256, 2304, 1, "highest", False, (64, 2304, 1), False),
        (3584, 64, 576, 4, "highest", False, (128, 576, 1, True), False),
        (64, 256, 200704, 1, "highest", True, (64, 7456, 27), False),
        (50, 8, 9, 1, "highest", False, (16, 9, 1), False),
        (100352, 128, 576, 1, "medium", False, (128, 576, 1), True),
        (100352, 64, 576, 1, "high", False, (128, 576, 1, True), True),
        (100352, 8, 576, 1, "high", False, (128, 576, 1, True), False),
        (63, 64, 576, 1, "high", False, (16, 576, 1), False),
        (2304, 256, 25088, 1, "high", True, (128, 8384, 3, True), True),
    ],
)
def test_how_convolutions_are_cut(
    m: int, n: int, k: int, count: int, precision: str, in_parts: bool, cut: tuple[Any, ...], by_tensor_cores: bool
):
    assert conv_tiling(m, n, k, count, precision, in_parts) == (Tiling(*cut), by_tensor_cores)


def test_a_kernel_of_one_pixel_is_a_matrix():
    axes = (window(3, 1), window(5, 1))
    x, w, g = numbers(2, 3, 5, 4), numbers(1, 1, 4, 6, seed=1), numbers(2, 3, 5, 6, seed=2)
    for primitive, operands in ((_conv, (x, w)), (_conv_input, (g, w)), (_conv_weight, (x, g))):
        device = Unloaded()
        (received,) = device.compute(primitive, *operands, axes=axes, groups=1, precision="highest")
        assert dict(device.launched) == {"gemm": 1}
        expected = getattr(reference, primitive.name)(*operands, axes, 1)
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=2e-5, err_msg=primitive.name)


@pytest.mark.parametrize("divisor", [1, 2, 3, 7, 64, 641, 65537, 2**31 - 1])
def test_a_division_by_multiplying(divisor: int):
    factor, shift = multiplier(divisor)
    assert factor < 1 << 32
    for n in {0, 1, divisor - 1, divisor, divisor + 1, 2**31 - 1, (2**31 - 1) // divisor * divisor - 1, 123456789}:
        assert n >> 31 or n * factor >> shift == n // divisor


def test_parts_of_a_weight_gradient(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "PART", 5)
    monkeypatch.setattr(rules, "BLOCKS", 9)
    x, _, g, axes, groups = of_case("groups")
    device = Unloaded()
    (received,) = device.compute(_conv_weight, x, g, axes=axes, groups=groups, precision="highest")
    assert dict(device.launched) == {"weight_gradient": 1, "sum_parts": 1}
    np.testing.assert_allclose(received, reference.conv_weight(x, g, axes, groups), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("targets", "blocks", "found"),
    [(0, 1, (0, 1)), (255, 1, (255, 1)), (512, 1, (256, 2)), (10**6, 4, (3907, 256)), (10**6, 2000, (10**6, 1))],
)
def test_the_parts_that_sizes_have(targets: int, blocks: int, found: tuple[int, int]):
    assert rules._parts(targets, blocks) == found


def test_float64_keeps_its_digits():
    _, w, g, axes, groups = of_case("strides and dilation", np.float64)
    (received,) = Unloaded().compute(_conv_input, g, w, axes=axes, groups=groups, precision="highest")
    np.testing.assert_allclose(received, reference.conv_input(g, w, axes, groups), rtol=1e-13, atol=1e-13)


def test_no_samples():
    x, w, g, axes, groups = of_case("groups")
    device = Unloaded()
    (y,) = device.compute(_conv, x[:0], w, axes=axes, groups=groups, precision="highest")
    (dw,) = device.compute(_conv_weight, x[:0], g[:0], axes=axes, groups=groups, precision="highest")
    assert y.shape == g[:0].shape
    np.testing.assert_array_equal(dw, np.zeros_like(w))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", ["conv", "conv_input"])
def test_bias_and_activation(name: str, activation: str):
    x, w, g, axes, groups = of_case("groups")
    source, expected = (x, reference.conv(x, w, axes, groups)) if name == "conv" else (
        g, reference.conv_input(g, w, axes, groups)
    )  # fmt: skip
    bias = numbers(expected.shape[-1], seed=3)
    device, y = Unloaded(), aligned(expected.shape, np.float32)
    emit = Recording(device, 4)
    refs = [Ref.whole(i, v.dtype, v.shape) for i, v in enumerate((source, w, bias, y))]
    getattr(rules, name)(emit, refs[:3], refs[3:], axes=axes, groups=groups, activation=activation)
    device.run(emit, [*(copied(v).reshape(-1) for v in (source, w, bias)), y.reshape(-1)])
    np.testing.assert_allclose(y, ACTIVATIONS[activation](expected + bias), rtol=1e-5, atol=2e-5)
