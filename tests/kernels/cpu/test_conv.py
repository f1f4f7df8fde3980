"""The kernels of convolution against the definition in float64: any axes, channels, groups, around every tile edge."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fnet.activation_codes import LINEAR, RELU, SIGMOID, TANH
from fnet.kernels.cpu import conv as kernels
from fnet.kernels.cpu import conv_taps, conv_weight, conv_weight_taps, depthwise
from fnet.kernels.cpu.conv_table import (
    GROUP,
    column_table,
    filter_table,
    input_table,
    input_taps,
    line_places,
    output_table,
    output_taps,
    tap_table,
    weight_table,
)
from fnet.kernels.cpu.runtime import threads
from fnet.kernels.cpu.vector import simd
from fnet.taps import Axis, input_regions, output_regions
from tests.kernels.cpu import conv_reference as reference

DTYPES = ("float32", "float64")
FEWER = 6 if simd.config.DISABLE_JIT else 1  # as interpreted kernels take long
ACTIVATIONS = {
    LINEAR: lambda x: x,
    RELU: lambda x: np.maximum(x, 0),
    TANH: np.tanh,
    SIGMOID: lambda x: 1 / (1 + np.exp(-x)),
}


def window(size, kernel, stride=1, dilation=1, before=0, after=0):
    """An axis with padding on both sides; no output where the kernel does not fit."""
    span = (kernel - 1) * dilation + 1
    return Axis(size, max(0, (size + before + after - span) // stride + 1), kernel, stride, dilation, before)


AXIS = st.builds(
    window,
    st.integers(1, 7),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 3),
    st.integers(0, 3),
)
AXES = st.lists(AXIS, min_size=1, max_size=3).map(tuple)
# Around the lanes and the panels of the narrowest and the widest vectors, per group.
COLUMNS = st.sampled_from([1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 33, 48, 65])
DEPTH = st.integers(1, 4)


def draw(seed, *shape, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


class Guarded:
    """An output of uncertain contents between borders that must stay."""

    def __init__(self, shape, dtype):
        self.memory = np.full(int(np.prod(shape)) + 64, 77, dtype)
        self.flat, self.shape = self.memory[32:-32], shape

    def checked(self):
        assert (self.memory[:32] == 77).all() and (self.memory[-32:] == 77).all()
        return self.flat.reshape(self.shape)


def sizes_of(x, w, shape, bias, groups, depth, columns, steps, act):
    reverse, group_step, tap_step, row_step, column_step = steps
    return kernels.SIZES.array(
        samples=len(x), x_sample=int(np.prod(x.shape[1:])), y_sample=int(np.prod(shape[1:])), groups=groups,
        taps=int(np.prod(w.shape[:-2])), depth=depth, columns=columns, reverse=reverse, group_step=group_step,
        tap_step=tap_step, row_step=row_step, column_step=column_step, has_bias=bias is not None, act=act,
    )  # fmt: skip


def conv(x, w, axes, groups=1, bias=None, act=LINEAR):
    depth, filters = w.shape[-2:]
    table, steps = (
        output_table(axes, depth * groups, filters, depth),
        (0, filters // groups, depth * filters, filters, 1),
    )
    shape = (len(x), *(a.outputs for a in axes), filters)
    return gathered(x, w, bias, shape, table, groups, depth, filters // groups, steps, act)


def conv_input(g, w, axes, groups=1, bias=None, act=LINEAR):
    (columns, filters), shape = w.shape[-2:], (len(g), *(a.size for a in axes), w.shape[-2] * groups)
    depth = filters // groups
    table, steps = input_table(axes, columns * groups, filters, depth), (1, depth, columns * filters, 1, filters)
    return gathered(g, w, bias, shape, table, groups, depth, columns, steps, act)


def gathered(x, w, bias, shape, table, groups, depth, columns, steps, act):
    rows, y = w.size // w.shape[-1] // w.shape[-2] * depth, Guarded(shape, x.dtype)
    panels = Guarded((kernels.packed_size(rows, columns, groups, w.dtype),), w.dtype)
    sizes = sizes_of(x, w, shape, bias, groups, depth, columns, steps, act)
    kernels.pack(w.ravel(), panels.flat, sizes)
    kernels.gather(x.ravel(), panels.checked(), y.flat if bias is None else bias, y.flat, table, sizes)
    return y.checked()


def conv_by_taps(x, w, axes, groups=1, bias=None, act=LINEAR):
    (depth, filters), shape = w.shape[-2:], (len(x), *(a.outputs for a in axes), w.shape[-1])
    columns = filters // groups
    table, steps = output_taps(axes, depth * groups, filters, depth), (0, columns, depth * filters, filters, 1)
    return gathered_by_taps(x, w, bias, shape, table, groups, depth, columns, steps, act)


def conv_input_by_taps(g, w, axes, groups=1, bias=None, act=LINEAR):
    (columns, filters), shape = w.shape[-2:], (len(g), *(a.size for a in axes), w.shape[-2] * groups)
    depth = filters // groups
    table, steps = input_taps(axes, columns * groups, filters, depth), (1, depth, columns * filters, 1, filters)
    return gathered_by_taps(g, w, bias, shape, table, groups, depth, columns, steps, act)


def gathered_by_taps(x, w, bias, shape, table, groups, depth, columns, steps, act):
    y, pixels = Guarded(shape, x.dtype), int(np.prod(shape[1:-1]))
    panels = Guarded((conv_taps.panels_size(len(x), pixels, groups, depth, columns),), x.dtype)
    conv_taps.gather_taps(
        x.ravel(), w.ravel(), y.flat if bias is None else bias, y.flat, table, panels.flat,
        conv_taps.samples_of_task(len(x), pixels), sizes_of(x, w, shape, bias, groups, depth, columns, steps, act),
    )  # fmt: skip
    panels.checked()
    return y.checked()


def conv_weights(x, g, axes, groups=1, parts=1, by_taps=False, made=weight_table):
    (depth, filters), taps = (x.shape[-1] // groups, g.shape[-1]), [a.kernel for a in axes]
    dw = Guarded((*taps, depth, filters), x.dtype)
    partial = Guarded((parts * dw.flat.size,), x.dtype)
    samples = len(x), int(np.prod(x.shape[1:])), int(np.prod(g.shape[1:]))
    columns, rows = filters // groups, int(np.prod(taps)) * depth
    arrays, sizes = (x.ravel(), g.ravel(), dw.flat, partial.flat), (*samples, groups, depth, columns, rows, parts)
    if by_taps:
        table, lines = tap_table(axes, x.shape[-1], filters, depth), line_places(g.shape[1:-1], filters)
        panel = Guarded((conv_weight_taps.panel_size(len(x), lines, groups, columns, rows, parts),), x.dtype)
        conv_weight_taps.weight_gradient(*arrays, panel.flat, table, lines, *sizes)
        panel.checked()
    else:
        conv_weight.weight_gradient(*arrays, made(axes, x.shape[-1], filters, depth), *sizes)
    partial.checked()
    return dw.checked()


def conv_weights_transposed(x, g, axes, parts=1):
    depth, filters, taps = x.shape[-1], g.shape[-1], [a.kernel for a in axes]
    dw = Guarded((*taps, filters, depth), x.dtype)
    partial = Guarded((parts * dw.flat.size,), x.dtype)
    sizes = len(x), int(np.prod(g.shape[1:])), int(np.prod(x.shape[1:])), 1, filters, depth
    table, rows = filter_table(axes, depth, filters), int(np.prod(taps)) * filters
    conv_weight.weight_gradient(g.ravel(), x.ravel(), dw.flat, partial.flat, table, *sizes, rows, parts)
    partial.checked()
    return dw.checked().swapaxes(-1, -2)


def depthwise_conv(x, w, axes, transposed=False, bias=None, act=LINEAR):
    channels = x.shape[-1]
    sizes = [a.size if transposed else a.outputs for a in axes]
    table = (input_table if transposed else output_table)(axes, channels, channels, 1)
    w = np.ascontiguousarray(np.flip(w, tuple(range(w.ndim - 1))) if transposed else w)
    y = Guarded((len(x), *sizes, channels), x.dtype)
    samples, taps = (int(np.prod(s[1:])) for s in (x.shape, y.shape)), int(np.prod(w.shape[:-1]))
    added = y.flat if bias is None else bias
    depthwise.gather_channels(
        x.ravel(), w.ravel(), added, y.flat, table, len(x), *samples, channels, taps, int(bias is not None), act
    )
    return y.checked()


def depthwise_weight(x, g, axes, parts=1):
    channels, taps = x.shape[-1], [a.kernel for a in axes]
    dw = Guarded((*taps, channels), x.dtype)
    partial = Guarded((parts * dw.flat.size,), x.dtype)
    table = weight_table(axes, channels, channels, 1)
    samples = (int(np.prod(s[1:])) for s in (x.shape, g.shape))
    depthwise.channel_weight_gradient(
        x.ravel(), g.ravel(), dw.flat, partial.flat, table, len(x), *samples, channels, int(np.prod(taps)), parts
    )
    partial.checked()
    return dw.checked()


def assert_sum(result, exact, size, terms):
    """Within the bound of a sum of products: terms eps sum |a b|; activations have a slope of at most 1."""
    allowed = np.finfo(result.dtype).eps * ((terms + 2) * size + 4)
    assert result.shape == exact.shape
    assert (np.abs(result - exact) <= allowed).all()


def check_convolutions(axes, samples, groups, depth, columns, dtype, act, biased, parts, seed):
    """The three kernels on one geometry."""
    x = draw(seed, samples, *(a.size for a in axes), depth * groups, dtype=dtype)
    w = draw(seed + 1, *(a.kernel for a in axes), depth, columns * groups, dtype=dtype)
    g = draw(seed + 2, samples, *(a.outputs for a in axes), columns * groups, dtype=dtype)
    taps, add = int(np.prod(w.shape[:-2])), lambda n, i: draw(seed + i, n, dtype=dtype) if biased else None
    for ours, exact, a, terms, bias in (
        ((conv, conv_by_taps), reference.conv, x, taps * depth, add(columns * groups, 3)),
        ((conv_input, conv_input_by_taps), reference.conv_input, g, taps * columns, add(depth * groups, 4)),
    ):
        plus = 0.0 if bias is None else bias.astype(np.float64)
        expected = ACTIVATIONS[act](exact(a, w, axes, groups) + plus)
        size = exact(np.abs(a), np.abs(w), axes, groups) + np.abs(plus)
        for way in ours:
            assert_sum(way(a, w, axes, groups, bias, act), expected, size, terms)
    size = reference.conv_weight(np.abs(x), np.abs(g), axes, groups)
    pixels = samples * int(np.prod([a.outputs for a in axes]))
    for way in ({}, {"made": column_table}, {"by_taps": True}):
        result = conv_weights(x, g, axes, groups, parts, **way)
        assert_sum(result, reference.conv_weight(x, g, axes, groups), size, pixels)
    if groups == 1:
        result = conv_weights_transposed(x, g, axes, parts)
        assert_sum(result, reference.conv_weight(x, g, axes, groups), size, pixels)


def check_depthwise(axes, samples, channels, dtype, act, biased, parts, seed):
    x = draw(seed, samples, *(a.size for a in axes), channels, dtype=dtype)
    w = draw(seed + 1, *(a.kernel for a in axes), channels, dtype=dtype)
    g = draw(seed + 2, samples, *(a.outputs for a in axes), channels, dtype=dtype)
    bias, one = draw(seed + 3, channels, dtype=dtype) if biased else None, w[..., None, :]
    plus, taps = 0.0 if bias is None else bias.astype(np.float64), int(np.prod(w.shape[:-1]))
    for transposed, exact, a in ((False, reference.conv, x), (True, reference.conv_input, g)):
        expected = ACTIVATIONS[act](exact(a, one, axes, channels) + plus)
        size = exact(np.abs(a), np.abs(one), axes, channels) + np.abs(plus)
        assert_sum(depthwise_conv(a, w, axes, transposed, bias, act), expected, size, taps)
    pixels = samples * int(np.prod([a.outputs for a in axes]))
    exact, size = (reference.conv_weight(f(x), f(g), axes, channels)[..., 0, :] for f in (lambda a: a, np.abs))
    assert_sum(depthwise_weight(x, g, axes, parts), exact, size, pixels)


GEOMETRY = {
    "axes": AXES, "samples": st.integers(0, 4), "dtype": st.sampled_from(DTYPES),
    "act": st.sampled_from(list(ACTIVATIONS)), "biased": st.booleans(), "parts": st.integers(1, 3),
    "seed": st.integers(0, 99),
}  # fmt: skip


NO_OUTPUTS = {"axes": (window(1, 2, 1, 1, 0, 0),), "samples": 1, "dtype": "float32", "act": LINEAR, "biased": False}


@settings(deadline=None, max_examples=60 // FEWER)
@example(**NO_OUTPUTS, parts=1, seed=0, groups=1, depth=1, columns=1)
@given(**GEOMETRY, groups=st.integers(1, 2), depth=DEPTH, columns=COLUMNS)
def test_convolutions_of_any_geometry(**case):
    check_convolutions(**case)


@settings(deadline=None, max_examples=40 // FEWER)
@given(**GEOMETRY, channels=st.sampled_from([1, 3, 4, 7, 8, 16, 17, 33, 65]))
def test_depthwise_convolutions_of_any_geometry(**case):
    check_depthwise(**case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [16, 31, 64, 100])
def test_more_rows_than_a_chunk(columns, dtype):
    axes = (window(15, 3, before=1, after=1), window(14, 2, 1, 1, 0, 1))
    x, w = draw(0, 3, 15, 14, 2, dtype=dtype), draw(1, 3, 2, 2, columns, dtype=dtype)
    g = draw(2, 3, 15, 14, columns, dtype=dtype)
    size = reference.conv(np.abs(x), np.abs(w), axes)
    assert_sum(conv(x, w, axes), reference.conv(x, w, axes), size, 12)
    size = reference.conv_weight(np.abs(x), np.abs(g), axes)
    for made in (weight_table, column_table):
        assert_sum(conv_weights(x, g, axes, made=made), reference.conv_weight(x, g, axes), size, 630)


def test_weight_gradients_go_by_columns_of_taps_where_that_leaves_tiles_less_to_do():
    padded = (window(16, 3, before=1, after=1),) * 2
    assert conv_weight.table_of(padded, 128, 128, 128)[1 + GROUP] == 3
    assert conv_weight.table_of(padded, 3, 64, 3)[1 + GROUP] == 1  # two tiles for 9 rows, three times, or five for 27
    assert conv_weight.table_of((window(16, 3), window(3, 3)), 128, 128, 128)[1 + GROUP] == 1  # lines go down


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [16, 70])
@pytest.mark.parametrize(
    "axes",
    [
        (window(18, 3, before=1, after=1), window(27, 3, before=1, after=1)),  # two pieces of 70 channels
        (window(4, 2, 1, 1, 1, 0), window(21, 3, 2, 2, 1, 2)),  # taps as far apart as outputs
        (window(5, 3, 2, 1, 1, 1), window(19, 6, 1, 1, 2, 3)),  # twice three taps
        (window(12, 4, before=1, after=2), window(3, 3, before=1, after=1)),  # lines along the first axis
    ],
)
def test_depthwise_lines_longer_than_a_tile(axes, channels, dtype):
    check_depthwise(axes, 1 if channels == 70 else 2, channels, dtype, RELU, True, 1, 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_reaches_the_depthwise_outputs_and_weights_that_see_it_and_no_others(dtype):
    axes = (window(3, 3, before=1, after=1), window(20, 3, before=1, after=1))
    x, w = np.ones((1, 3, 20, 65), dtype), np.ones((3, 3, 65), dtype)
    for place in range(20):
        x[0, 0, place, 64] = x[0, 0, place, 3] = np.nan
        seen = np.zeros((1, 3, 20, 65), bool)
        seen[0, :2, max(0, place - 1) : place + 2, [3, 64]] = True
        np.testing.assert_array_equal(np.isnan(depthwise_conv(x, w, axes)), seen)
        seen = np.zeros((3, 3, 65), bool)
        taps = [t for t in range(3) if 0 <= place + 1 - t < 20]
        seen[np.ix_([0, 1], taps, [3, 64])] = True
        np.testing.assert_array_equal(np.isnan(depthwise_weight(x, np.ones_like(x), axes)), seen)
        x[...] = 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_input_gradient_is_the_transpose_and_weight_gradient_too(dtype):
    axes = (window(9, 3, 2, 1, 1, 1), window(8, 2, 1, 2, 0, 2))
    x, w = draw(0, 2, 9, 8, 6, dtype=dtype), draw(1, 3, 2, 3, 40, dtype=dtype)
    g = draw(2, 2, *(a.outputs for a in axes), 40, dtype=dtype)
    inner = [
        float(np.sum(a.astype(np.float64) * b))
        for a, b in ((conv(x, w, axes, 2), g), (x, conv_input(g, w, axes, 2)), (conv_weights(x, g, axes, 2), w))
    ]
    np.testing.assert_allclose(inner, inner[0], rtol=1e3 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads_samples_or_neighbours(dtype):
    axes = (window(10, 3, before=1, after=1),) * 2
    x, w = draw(0, 6, 10, 10, 8, dtype=dtype), draw(1, 3, 3, 8, 70, dtype=dtype)
    g, one = draw(2, 6, 10, 10, 70, dtype=dtype), draw(3, 3, 3, 8, dtype=dtype)
    sides, large = (window(24, 3, before=1, after=1),) * 2, draw(4, 1, 24, 24, 70, dtype=dtype)  # pieces of a sample
    calls = (
        lambda: conv(x, w, axes), lambda: conv_input(g, w, axes), lambda: conv_weights(x, g, axes, 1, 3),
        lambda: depthwise_conv(x, one, axes), lambda: depthwise_weight(x, g[..., :8].copy(), axes, 3),
        lambda: depthwise_conv(large, draw(5, 3, 3, 70, dtype=dtype), sides),
    )  # fmt: skip
    before = threads.thread_count()
    try:
        threads.set_thread_count(1)
        single = [call() for call in calls]
        for count in (2, 4):
            threads.set_thread_count(count)
            for call, expected in zip(calls, single, strict=True):
                np.testing.assert_array_equal(call(), expected)
    finally:
        threads.set_thread_count(before)
    np.testing.assert_array_equal(conv(x[2:3].copy(), w, axes), single[0][2:3])
    np.testing.assert_array_equal(conv(x, w[..., 64:].copy(), axes), single[0][..., 64:])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("act", [LINEAR, RELU])
@pytest.mark.parametrize("columns", [1, 40])
def test_nan_and_infinity_reach_the_pixels_that_see_them_and_no_others(dtype, act, columns):
    axes = (window(6, 3, before=1, after=1),) * 2
    w = np.ones((3, 3, 2, columns), dtype)
    for value in (np.nan, np.inf):
        x = np.zeros((2, 6, 6, 2), dtype)
        x[1, 0, 3, 1] = value
        expected = np.zeros((2, 6, 6, columns), dtype)
        expected[1, :2, 2:5] = value
        np.testing.assert_array_equal(conv(x, w, axes, 1, None, act), expected)
        np.testing.assert_array_equal(depthwise_conv(x, w[:, :, 0, :1].repeat(2, -1), axes)[..., 1:], expected[..., :1])
    w[0] = np.inf  # padding is not multiplied: no 0 * inf in the first row, whose pixels do not see these weights
    y = conv(np.ones((1, 6, 6, 2), dtype), w, axes, 1, None, act)
    assert np.isfinite(y[:, 0]).all() and np.isposinf(y[:, 1:]).all()


def test_weights_that_only_ever_see_padding_have_gradient_zero():
    axes = (window(1, 3, before=1, after=1),)
    dw = conv_weights(np.ones((2, 1, 1)), np.ones((2, 1, 4)), axes)
    np.testing.assert_array_equal(dw[:, 0], [[0] * 4, [2] * 4, [0] * 4])


@settings(deadline=None, max_examples=200)
@given(axis=AXIS)
def test_regions_name_every_product_once(axis):
    """Both tables are the same set of (input, tap, output), read from either side."""
    expected = {
        (o * axis.stride + t * axis.dilation - axis.before, t, o)
        for o in range(axis.outputs)
        for t in range(axis.kernel)
    }
    expected = sorted((i, t, o) for i, t, o in expected if 0 <= i < axis.size)
    forward = [
        (source + shift, tap, o)
        for r in output_regions(axis)
        for o, source in zip(r.targets, r.sources, strict=True)
        for tap, shift in zip(r.taps, r.shifts, strict=True)
    ]
    backward = [
        (i, axis.kernel - 1 - tap, source + shift)
        for r in input_regions(axis)
        for i, source in zip(r.targets, r.sources, strict=True)
        for tap, shift in zip(r.taps, r.shifts, strict=True)
    ]
    assert sorted(forward) == expected
    assert sorted(backward) == expected
    for regions, count in ((output_regions(axis), axis.outputs), (input_regions(axis), axis.size)):
        assert sorted(t for r in regions for t in r.targets) == list(range(count))


SHAPES = """
import sys
import test_conv as t
same, strided = t.window(5, 3, 1, 1, 1, 1), t.window(6, 2, 2, 1, 0, 1)
for dtype in sys.argv[1:]:
    for act in t.ACTIVATIONS:
        t.check_convolutions((same, strided), 2, 2, 2, 19, dtype, act, True, 2, 0)
        t.check_depthwise((same,), 2, 21, dtype, act, True, 2, 0)
print(t.simd.INSTRUCTION_SET, t.simd.config.DISABLE_JIT)
"""


def run_python(code, *arguments, **environment):
    folder = os.path.dirname(__file__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, *sys.path]), **environment}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_without_the_jit_compiler():
    done = run_python(SHAPES, *DTYPES, NUMBA_DISABLE_JIT="1")
    assert done.stdout.split() == [simd.INSTRUCTION_SET, "1"], done.stderr


# The others are slow: each of them compiles all kernels anew.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["avx2", "generic"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_narrower_vectors(name, dtype):
    done = run_python(SHAPES, dtype, FNET_SIMD=name, NUMBA_DISABLE_JIT="0")
    assert done.stdout.split() == [name, "0"], done.stderr
