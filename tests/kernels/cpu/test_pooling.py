"""Pooling kernels against windows written out in NumPy: edges, ties, NaN and Inf, both passes, bits on threads."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numba.core import config

from fnet.kernels.cpu import pooling as k
from fnet.kernels.cpu.runtime import threads

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
DTYPES = [np.float32, np.float64]
INF, NAN = np.inf, np.nan
# (size, window, stride, before) of an axis: tiled, overlapping, apart, a remainder, cut off at both ends, one position
AXES = [(6, 2, 2, 0), (5, 3, 1, 1), (7, 2, 3, 0), (7, 3, 2, 1), (4, 4, 1, 2), (3, 3, 3, 0), (1, 1, 1, 0), (5, 2, 2, 0)]
# blocks of vectors, single vectors and a rest, for vectors of 2 to 16 elements
CHANNELS = [1, 3, 4, 16, 21, 64, 100]


class Windows:
    """The geometry of windows over (N, D, H, W, C), and what the kernels should compute."""

    def __init__(self, axes: Any, samples: int, channels: int, chunk: int = 3, band: int = 100) -> None:
        self.axes, self.samples, self.channels = axes, samples, channels
        self.outs = [-(-(n + b - w + 1) // s) if not self._cut(w, b) else -(-n // s) for n, w, s, b in axes]
        sizes = [n for n, *_ in axes]
        tiled = all(w == s for _, w, s, _ in axes) and all(
            o * w >= n + b for o, (n, w, _, b) in list(zip(self.outs, axes, strict=True))[1:]
        )
        rows = [(n, o, w, s, b) for (n, w, s, b), o in zip(axes, self.outs, strict=True)]
        of_axes = {name: n for place, row in enumerate(rows) for name, n in k.axis_geometry(place, *row).items()}
        band = min(band, sizes[0])
        self.geometry = k.GEOMETRY.array(
            **of_axes, samples=samples, channels=channels, chunk=chunk, band=band, tiled=tiled
        )
        self.x_shape, self.y_shape = (samples, *sizes, channels), (samples, *self.outs, channels)

    @staticmethod
    def _cut(window: int, before: int) -> bool:
        """Whether the edges cut windows off, as with padding "same"."""
        return before > 0 and window > before

    def positions(self) -> Any:
        """Each output position with the slices of its window."""
        for place in np.ndindex(*self.outs):
            starts = [o * s - b for o, (_, _, s, b) in zip(place, self.axes, strict=True)]
            edges = zip(starts, self.axes, strict=True)
            yield place, tuple(slice(max(0, a), min(n, a + w)) for a, (n, w, _, _) in edges)

    def run(self, name: str, *arrays: np.ndarray, into: tuple, dtype: Any = None) -> np.ndarray:
        out = np.full(into, 7, dtype or arrays[0].dtype)
        getattr(k, name)(*[a.reshape(-1) for a in arrays], out.reshape(-1), self.geometry)
        return out

    def max(self, x: np.ndarray, number: Any = np.uint8) -> tuple[np.ndarray, np.ndarray]:
        y, index = np.full(self.y_shape, 7, x.dtype), np.full(self.y_shape, 99, number)
        k.max_pool(x.reshape(-1), y.reshape(-1), index.reshape(-1), self.geometry)
        return y, index

    def reference(self, x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, ...]:
        """Maximum, number of its tap, mean, and the two gradients, in the order of the windows."""
        top, index, mean = np.empty(self.y_shape, x.dtype), np.empty(self.y_shape, int), np.empty(self.y_shape)
        d_top, d_mean = np.zeros_like(x), np.zeros(x.shape)
        for place, window in self.positions():
            for n in range(self.samples):
                taps = x[(n, *window)].reshape(-1, self.channels)
                first = np.argmax(taps, axis=0)  # the first NaN, or the first maximum
                top[(n, *place)], index[(n, *place)] = taps[first, np.arange(self.channels)], first
                mean[(n, *place)] = taps.astype(float).mean(0)
                hits = np.arange(len(taps))[:, None] == first
                shape = d_top[(n, *window)].shape
                d_top[(n, *window)] += np.where(hits, g[(n, *place)], 0).reshape(shape).astype(x.dtype)
                d_mean[(n, *window)] += g[(n, *place)] / len(taps)
        return top, index, mean, d_top, d_mean


def drawn(shape: tuple, dtype: Any, seed: int = 0) -> np.ndarray:
    """Few different values, so that windows have ties."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


@given(
    st.tuples(*[st.sampled_from(AXES)] * 3), st.integers(0, 3), st.sampled_from(CHANNELS), st.sampled_from(DTYPES),
    st.integers(1, 50), st.integers(1, 7), st.integers(0, 99),
)  # fmt: skip
@example(((6, 2, 2, 0), (1, 1, 1, 0), (6, 2, 2, 0)), 2, 64, np.float32, 5, 2, 0)
@example(((7, 3, 2, 1), (1, 1, 1, 0), (5, 3, 1, 1)), 2, 21, np.float32, 5, 2, 0)
@example(((7, 3, 2, 1), (4, 4, 1, 2), (5, 2, 2, 0)), 1, 3, np.float64, 4, 1, 0)
def test_values_and_gradients_are_those_of_the_windows(axes, samples, channels, dtype, chunk, band, seed):
    w = Windows(axes, samples, channels, chunk, band)
    x, g = drawn(w.x_shape, dtype, seed), np.random.default_rng(seed).normal(size=w.y_shape).astype(dtype)
    top, index, mean, d_top, d_mean = w.reference(x, g)
    y, numbers = w.max(x)
    np.testing.assert_array_equal(y, top)
    np.testing.assert_array_equal(numbers, index)
    tolerance = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(w.run("average_pool", x, into=w.y_shape), mean, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(w.run("max_pool_vjp", g, numbers, into=w.x_shape), d_top)
    got = w.run("average_pool_vjp", g, into=w.x_shape)
    np.testing.assert_allclose(got, d_mean, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(w.run("pick_pool", x, numbers, into=w.y_shape), top)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 21, 64])
def test_backward_is_the_adjoint_of_forward(channels, dtype):
    w = Windows([(7, 3, 2, 1), (1, 1, 1, 0), (5, 2, 1, 0)], 2, channels, band=3)
    rng = np.random.default_rng(1)
    x, h, g = (rng.normal(size=s).astype(dtype) for s in (w.x_shape, w.x_shape, w.y_shape))
    _, index = w.max(x)
    for forward, backward in (
        (w.run("average_pool", h, into=w.y_shape), w.run("average_pool_vjp", g, into=w.x_shape)),
        (w.run("pick_pool", h, index, into=w.y_shape), w.run("max_pool_vjp", g, index, into=w.x_shape)),
    ):
        here, there = np.sum(forward.astype(float) * g), np.sum(backward.astype(float) * h)
        np.testing.assert_allclose(here, there, rtol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_is_the_maximum_and_infinities_are_numbers(dtype):
    w = Windows([(4, 4, 4, 0), (1, 1, 1, 0), (1, 1, 1, 0)], 1, 6)
    columns = [
        [1, NAN, 3, NAN], [NAN, 5, 6, 7], [-INF, -INF, -INF, -INF], [-INF, 2, INF, INF], [0.0, -0.0, -1, -0.0],
        [3, 2, NAN, 9],
    ]  # fmt: skip
    x = np.array(columns, dtype).T.reshape(w.x_shape)
    y, index = w.max(x)
    np.testing.assert_array_equal(y.ravel(), np.array([NAN, NAN, -INF, INF, 0, NAN], dtype))
    assert index.ravel().tolist() == [1, 0, 0, 2, 0, 2]
    mean = w.run("average_pool", x, into=w.y_shape).ravel()
    np.testing.assert_array_equal(mean, np.array([NAN, NAN, -INF, NAN, -0.25, NAN], dtype))


def test_a_gradient_that_is_not_finite_reaches_its_element_only():
    w = Windows([(6, 2, 2, 0), (1, 1, 1, 0), (2, 1, 1, 0)], 1, 3)
    x, g = drawn(w.x_shape, np.float32), np.full(w.y_shape, NAN, np.float32)
    g[0, 0], g[0, 1] = 1, INF
    _, index = w.max(x)
    dx = w.run("max_pool_vjp", g, index, into=w.x_shape)
    assert np.isfinite(dx[0, :2]).all()
    assert np.isinf(dx[0, 2:4]).sum() == np.isnan(dx[0, 4:]).sum() == 6
    assert (dx == 0).sum() == 18 and (dx == 1).sum() == 6


def test_windows_of_more_taps_than_a_byte_counts():
    w = Windows([(20, 20, 20, 0), (1, 1, 1, 0), (30, 30, 30, 0)], 1, 5)
    x = np.random.default_rng(2).permutation(3000).astype(np.float32).reshape(w.x_shape)
    for values in (x, x.astype(np.float64)):
        y, index = w.max(values, np.int32)
        np.testing.assert_array_equal(y.ravel(), values.reshape(600, 5).max(0))
        np.testing.assert_array_equal(index.ravel(), values.reshape(600, 5).argmax(0))
        dx = w.run("max_pool_vjp", y, index, into=w.x_shape)
        np.testing.assert_array_equal(dx, np.where(values == y, values, 0))


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has one thread")
@pytest.mark.parametrize("axes", [[AXES[0], AXES[6], AXES[0]], [AXES[3], AXES[6], AXES[1]], [AXES[3]] * 3], ids=str)
def test_bits_do_not_depend_on_threads_chunks_and_bands(axes):
    results = []
    before = threads.thread_count()
    try:
        for count, chunk, band in itertools.product((1, 2, 4), (1, 10_000), (1, 3, 100)):
            threads.set_thread_count(count)
            w = Windows(
                [(20 * n, *rest) if a == 0 else (n, *rest) for a, (n, *rest) in enumerate(axes)], 3, 70, chunk, band
            )
            rng = np.random.default_rng(0)
            x, g = (rng.normal(size=s).astype(np.float32) for s in (w.x_shape, w.y_shape))
            y, index = w.max(x)
            results.append(
                (y, index, w.run("average_pool", x, into=w.y_shape), w.run("pick_pool", x, index, into=w.y_shape),
                 w.run("max_pool_vjp", g, index, into=w.x_shape), w.run("average_pool_vjp", g, into=w.x_shape))
            )  # fmt: skip
    finally:
        threads.set_thread_count(before)
    for other in results[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(results[0], other, strict=True))
