"""The input gradient of convolutions of few channels against the definition, and where it is taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.activation_codes import LINEAR
from fnet.kernels.cpu import conv_scatter as kernels
from fnet.kernels.cpu.runtime import threads
from fnet.kernels.cpu.vector import simd
from tests.kernels.cpu import conv_reference as reference
from tests.kernels.cpu.test_conv import ACTIVATIONS, DTYPES, FEWER, assert_sum, draw, window

OUTER = st.builds(
    window,
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 3),
    st.integers(0, 3),
)
LAST = st.builds(window, st.integers(1, 40), st.integers(1, 5), st.integers(1, 3), st.just(1), *[st.integers(0, 3)] * 2)


def conv_input(g, w, axes, bias=None, act=LINEAR):
    """The kernel, with guards behind what it may write."""
    (*taps, channels, filters), samples, last = w.shape, len(g), axes[-1]
    columns, shape = int(np.prod(taps)) * channels, (samples, *(a.size for a in axes), channels)
    table = kernels.line_table(axes, samples)
    sizes = (
        int(np.prod(shape)),
        kernels.panels_size(filters, columns, w.dtype),
        kernels.work_size(samples, table, last.outputs, columns),
    )
    dx, panels, work = (np.full(size + 64, 77, w.dtype) for size in sizes)
    lines = int(np.prod([a.outputs for a in axes[:-1]]))
    given = kernels.SIZES.array(
        samples=samples, lines=lines, outputs=last.outputs, filters=filters, columns=columns, channels=channels,
        size=last.size, taps=last.kernel, stride=last.stride, before=last.before, has_bias=bias is not None, act=act,
    )  # fmt: skip
    added = dx if bias is None else bias
    kernels.input_gradient(g.reshape(-1), w.reshape(-1), added, dx[: sizes[0]], table, panels, work, given)
    assert all((memory[size:] == 77).all() for memory, size in zip((dx, panels, work), sizes, strict=True))
    return dx[: sizes[0]].reshape(shape)


@settings(deadline=None, max_examples=60 // FEWER)
@given(
    st.lists(OUTER, max_size=2), LAST, st.integers(0, 3), st.integers(1, 4), st.sampled_from([1, 3, 16, 17, 33]),
    st.sampled_from(DTYPES), st.sampled_from(list(ACTIVATIONS)), st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_gradients_of_any_geometry(outer, last, samples, channels, filters, dtype, act, biased, seed):
    axes = (*outer, last)
    w = draw(seed, *(a.kernel for a in axes), channels, filters, dtype=dtype)
    g = draw(seed + 1, samples, *(a.outputs for a in axes), filters, dtype=dtype)
    bias = draw(seed + 2, channels, dtype=dtype) if biased else None
    plus = 0.0 if bias is None else bias.astype(np.float64)
    exact = ACTIVATIONS[act](reference.conv_input(g, w, axes) + plus)
    size = reference.conv_input(np.abs(g), np.abs(w), axes) + np.abs(plus)
    assert_sum(conv_input(g, w, axes, bias, act), exact, size, w[..., 0, :].size + 4)


def test_bits_depend_neither_on_threads_nor_on_other_samples_and_bands():
    axes = (window(70, 5, 2, 1, 2, 2), window(40, 5, 2, 1, 2, 2))
    w, g = draw(1, 5, 5, 3, 17, dtype="float32"), draw(2, 3, 35, 20, 17, dtype="float32")
    assert kernels.line_table(axes, 3)[0] > 1 and kernels.line_table(axes, 30)[0] == 1
    before, results = threads.thread_count(), []
    try:
        for count in (1, 2, 4):
            threads.set_thread_count(count)
            results.append(conv_input(g, w, axes))
    finally:
        threads.set_thread_count(before)
    alone = np.concatenate([conv_input(g[i : i + 1], w, axes) for i in range(3)])
    many = conv_input(np.concatenate([g] * 10), w, axes)
    for other in (*results[1:], alone, many[:3], many[-3:]):
        np.testing.assert_array_equal(other, results[0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_reaches_the_pixels_that_see_it_and_no_others(value):
    axes = (window(20, 3, before=1, after=1),) * 2
    g, w = np.zeros((2, 20, 20, 16), np.float32), np.ones((3, 3, 2, 16), np.float32)
    g[1, 0, 5, 3] = value
    expected = np.zeros((2, 20, 20, 2), np.float32)
    expected[1, :2, 4:7] = value
    np.testing.assert_array_equal(conv_input(g, w, axes), expected)
    w[0] = np.inf  # padding is not computed
    assert np.isfinite(conv_input(np.ones_like(g), w, axes)[:, -1:]).all()


def test_it_is_taken_where_vectors_would_be_mostly_empty():
    axes = (window(32, 3),) * 2
    lanes = simd.VECTOR_BYTES // 4
    assert kernels.gains(axes, lanes // 4, lanes, "float32")
    assert not kernels.gains(axes, lanes // 4 + 1, lanes, "float32")  # enough channels
    assert not kernels.gains(axes, 1, lanes - 1, "float32")  # few filters
    assert not kernels.gains((window(32, 3), window(32, 3, dilation=2)), 1, lanes, "float32")
    assert not kernels.gains((window(32, 3), window(32, 1)), 1, lanes, "float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_users_reach_it_by_gradients_and_transposed_convolutions(dtype):
    (x, w, g), bias = (
        (draw(i, *s, dtype=dtype) for i, s in enumerate([(2, 40, 40, 1), (3, 3, 1, 16), (2, 20, 20, 16)])),
        0.5,
    )
    y, pull = fnet.vjp(lambda x: ops.conv(x, w, 2, "same"), x)
    (dx,) = pull(g)
    assert y.shape == g.shape
    axes = (window(40, 3, 2, 1, 0, 1),) * 2
    np.testing.assert_allclose(dx, reference.conv_input(g, w, axes), rtol=1e-4, atol=1e-4)
    up = fnet.jit(lambda g: ops.relu(ops.conv_transpose(g, w, 2, "same") + np.full(1, bias, dtype)))(g)
    np.testing.assert_allclose(up, np.maximum(reference.conv_input(g, w, axes) + bias, 0), rtol=1e-4, atol=1e-4)
