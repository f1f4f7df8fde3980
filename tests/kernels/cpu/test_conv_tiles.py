"""Convolutions by AMX tiles, emulated bit for bit: outputs and both gradients."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.kernels.cpu import conv_table, conv_tiles, conv_weight_tiles
from fnet.kernels.cpu.runtime import threads
from fnet.kernels.cpu.vector import amx
from fnet.taps import Axis
from tests.kernels.cpu.tile_reference import COMPILED, emulate, reference

pytestmark = COMPILED
BOUND = {"high": (1e-7, 8e-6), "medium": (1e-3, 8e-3)}  # of errors, relative to norms
# The shapes of x and w, and arguments: odd channels, edges of blocks, strides, dilation, one to three axes.
CASES = [
    ((3, 24, 20, 33), (3, 3, 33, 35), {"padding": "same"}),
    ((4, 21, 20, 16), (5, 3, 16, 40), {"strides": 2, "padding": "same"}),
    ((3, 32, 33, 3), (7, 7, 3, 20), {"strides": 2}),
    ((9, 70, 34), (3, 34, 17), {"dilation": 2}),
    ((2, 7, 9, 6, 16), (2, 2, 2, 16, 16), {"padding": "same"}),
    ((2, 30, 20, 32), (1, 1, 32, 16), {"strides": 2}),
]


@pytest.fixture(autouse=True)
def emulated(monkeypatch):
    emulate(monkeypatch)


def draw(*shapes, dtype="f4"):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def differentiated(x, w, level, **arguments):
    """The output and both gradients for a fixed cotangent."""
    with fnet.precision(level):
        y, pull = fnet.vjp(lambda x, w: ops.conv(x, w, **arguments), x, w)
        return y, *pull(np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case[1]))
def test_outputs_and_gradients_keep_the_bound_of_their_level(case):
    x_shape, w_shape, arguments = case
    x, w = draw(x_shape, w_shape)
    exact = differentiated(x.astype("f8"), w.astype("f8"), "highest", **arguments)
    for level, (low, high) in BOUND.items():
        errors = [
            np.linalg.norm(have - want) / np.linalg.norm(want)
            for have, want in zip(differentiated(x, w, level, **arguments), exact, strict=True)
        ]
        assert max(errors) < high
        assert errors[0] > low  # the output at least is computed by tiles


def test_all_three_products_are_computed_by_tiles():
    x, w = draw(*CASES[0][:2])
    exact = differentiated(x, w, "highest", padding="same")
    for have, want in zip(differentiated(x, w, "medium", padding="same"), exact, strict=True):
        assert np.linalg.norm(have - want) / np.linalg.norm(want) > 1e-3


@pytest.mark.parametrize("products", [1, 3])
@pytest.mark.parametrize(("depth", "columns", "stride"), [(5, 17, 1), (32, 33, 2), (2, 16, 1)])
def test_an_output_has_the_bits_of_the_instructions(depth, columns, stride, products):
    x, w, bias = draw((2, 9, 8, depth), (3, 2, depth, columns), columns)
    axes = (Axis(9, (9 - 3) // stride + 1, 3, stride), Axis(8, (8 - 2) // stride + 1, 2, stride))
    y = convolved(x, w, bias, axes, products)
    patches = np.lib.stride_tricks.sliding_window_view(x, (3, 2), (1, 2))[:, ::stride, ::stride]
    rows = padded_pairs(np.moveaxis(patches, 3, -1)).reshape(-1, 6 * (depth + depth % 2))
    weights = padded_pairs(np.swapaxes(w, -1, -2))
    weights = np.swapaxes(weights, -1, -2).reshape(-1, columns)
    want = reference(rows, weights, np.broadcast_to(bias, (len(rows), columns)), products)
    np.testing.assert_array_equal(y.reshape(want.shape), want, strict=True)


def convolved(x, w, bias, axes, products):
    """The output of the kernel, with guards behind what it may write."""
    depth, columns = w.shape[-2:]
    pairs, outputs = conv_tiles.pair_count(depth), [axis.outputs for axis in axes]
    table = conv_table.output_table(axes, pairs, columns, pairs)
    pixels, taps = x.size // depth, w.size // (depth * columns)
    words = np.full(conv_tiles.tiles_words(pixels, pairs, table, columns, products) + 9, 0x7FC07FC0, np.uint32)
    work = np.full(conv_tiles.tiles_work() + 9, 7, np.float32)
    y = np.full(len(x) * np.prod(outputs) * columns + 9, 7, np.float32)
    sizes = conv_tiles.SIZES.array(
        pixels=pixels, samples=len(x), x_pixels=pixels // len(x), y_sample=(y.size - 9) // len(x), taps=taps,
        depth=depth, columns=columns, packed=conv_tiles.packed_words(table, columns), row=conv_tiles.row_words(table),
        reverse=0, has_bias=1, products=products, act=0,
    )  # fmt: skip
    state = amx.emulation(conv_tiles.TASKS)
    conv_tiles.gather_tiles(x.ravel(), w.ravel(), bias, y, table, words, work, state, sizes)
    assert (words[-9:] == 0x7FC07FC0).all() and (work[-9:] == 7).all() and (y[-9:] == 7).all()
    return y[:-9]


def padded_pairs(x):
    """A zero behind an odd number of elements on the last axis."""
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, x.shape[-1] % 2)])


@pytest.mark.parametrize("products", [1, 3])
def test_a_weight_gradient_has_the_bits_of_the_instructions(products):
    samples, size, channels, filters = 3, 20, 17, 33
    x, g = draw((samples, size, channels), (samples, size - 2, filters))
    memory = np.full(3 * channels * filters + 9, 7, np.float32)
    words = np.full(3 * conv_weight_tiles.task_words(channels, filters, products) + 9, 0x7FC07FC0, np.uint32)
    axes = (Axis(size, size - 2, 3),)
    sizes = conv_weight_tiles.SIZES.array(
        samples=samples, x_sample=size * channels, g_sample=(size - 2) * filters, taps=3, channels=channels,
        filters=filters, parts=1, slices=3, room=conv_weight_tiles.task_words(channels, filters, products),
        products=products,
    )  # fmt: skip
    conv_weight_tiles.weight_gradient_tiles(
        x.ravel(), g.ravel(), memory, np.zeros(memory.size, np.float32),
        conv_table.weight_table(axes, channels, filters, channels), words,
        np.zeros(6 * conv_weight_tiles.PIXELS, np.int64), np.zeros(6 * 1024, np.float32), amx.emulation(3), sizes,
    )  # fmt: skip
    assert (memory[-9:] == 7).all() and (words[-9:] == 0x7FC07FC0).all()
    rows = g.reshape(-1, filters).T
    for tap, have in enumerate(memory[:-9].reshape(3, channels, filters)):
        seen = x[:, tap : tap + size - 2].reshape(-1, channels)
        want = reference(rows, seen, np.zeros((filters, channels), np.float32), products)
        np.testing.assert_array_equal(have, want.T, strict=True)


@pytest.mark.slow
@pytest.mark.parametrize("level", BOUND)
def test_bits_depend_neither_on_threads_nor_on_the_executor(level):
    x, w = draw((4, 24, 20, 32), (3, 3, 32, 40))
    bias, before, results = draw(40)[0], threads.thread_count(), []

    def layer(x, w, bias):
        return ops.tanh(ops.conv(x, w, padding="same") + bias)

    try:
        for count in (1, 2, 4):
            threads.set_thread_count(count)
            results.append(differentiated(x, w, level, padding="same"))
    finally:
        threads.set_thread_count(before)
    for result in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(result, results[0], strict=True))
    with fnet.precision(level):
        walked, native = (fnet.jit(layer, executor=name)(x, w, bias) for name in ("walk", "native"))
        plain = fnet.jit(lambda x, w: ops.conv(x, w, padding="same"), executor="native")(x, w)
    np.testing.assert_array_equal(walked, native)
    np.testing.assert_array_equal(plain, results[0][0])
    np.testing.assert_allclose(walked, np.tanh(results[0][0] + bias), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("level", BOUND)
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_special_values_reach_what_they_reach_in_float32(special, level):
    x, w = draw((2, 20, 21, 16), (3, 3, 16, 16))
    w[1, 1, 2:4] = 0  # times infinity is NaN
    x[1, 3, 0, 5] = special
    with np.errstate(invalid="ignore"):
        want, have = (differentiated(x, w, name, padding="same") for name in ("highest", level))
        for a, b in zip(have, want, strict=True):
            np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
            np.testing.assert_array_equal(np.isposinf(a), np.isposinf(b))
            np.testing.assert_array_equal(np.isneginf(a), np.isneginf(b))
        x[1, 3, 0, 5], w[0, 0, 3, 3] = 1, special
        want, have = (differentiated(x, w, name, padding="same") for name in ("highest", level))
        for a, b in zip(have, want, strict=True):
            np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))


@pytest.mark.parametrize("level", BOUND)
def test_large_and_tiny_numbers_zero_sizes_and_float64(level):
    x, w = draw((2, 20, 21, 16), (3, 3, 16, 16))
    exact = differentiated(x.astype("f8"), w.astype("f8"), "highest")
    for scale in (1e15, 1e-15):
        y, dx, _ = differentiated(x * np.float32(scale), w * np.float32(scale), level)
        assert np.linalg.norm(y / scale / scale - exact[0]) < BOUND[level][1] * np.linalg.norm(exact[0])
        assert np.linalg.norm(dx / scale - exact[1]) < BOUND[level][1] * np.linalg.norm(exact[1])
    assert not differentiated(x * np.float32(1e-42), w, level)[0].any()  # subnormals count as zero
    for a, b in zip(differentiated(x.astype("f8"), w.astype("f8"), level), exact, strict=True):
        np.testing.assert_array_equal(a, b)
    y, dx, dw = differentiated(x[:0], w, level)
    assert y.size == dx.size == 0 and not dw.any()
    y, dx, dw = differentiated(x[..., :0], w[:, :, :0], level)
    assert not y.any() and dx.size == dw.size == 0


def test_short_rows_and_few_pixels_are_not_worth_packing():
    def table(size, channels):
        return conv_table.output_table((Axis(size, size, 3, before=1),) * 2, channels, 64, channels)

    assert conv_tiles.gains(table(32, 32), 1, 64) and conv_tiles.gains(table(8, 32), 16, 64)
    assert not conv_tiles.gains(table(8, 32), 1, 64)
    assert not conv_tiles.gains(table(32, 1), 32, 64) and not conv_tiles.gains(table(32, 32), 32, 8)
    assert conv_weight_tiles.gains(1024, 16, 16)
    assert not conv_weight_tiles.gains(1024, 3, 16) and not conv_weight_tiles.gains(100, 16, 16)
