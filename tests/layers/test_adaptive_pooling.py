"""Adaptive pooling: Keras' windows, one mean or maximum for each, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers
from fnet.errors import ShapeError, ValueRangeError
from fnet.layers import AdaptiveAveragePooling2D, AdaptiveMaxPooling1D

SIZES = [(1, 1), (5, 3), (7, 2), (6, 3), (4, 8), (2, 5), (8, 8)]


def pooled(x: np.ndarray, axis: int, count: int, reduce: Any) -> np.ndarray:
    """`x` with windows along one axis, in plain NumPy."""
    size = x.shape[axis]
    windows = [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
    return np.stack([reduce(np.take(x, window, axis), axis) for window in windows], axis)


@pytest.mark.parametrize("kind", ["Average", "Max"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_windows(kind: str, rank: int) -> None:
    rng, reduce = np.random.default_rng(rank), {"Average": np.mean, "Max": np.max}[kind]
    for (size, count), (other, others) in zip(SIZES, SIZES[::-1], strict=True):
        sizes, counts = ((size, other, 3)[:rank], (count, others, 2)[:rank])
        x = rng.normal(size=(2, *sizes, 2))
        expected = x
        for axis, n in enumerate(counts, 1):
            expected = pooled(expected, axis, n, reduce)
        layer = getattr(layers, f"Adaptive{kind}Pooling{rank}D")(counts)
        np.testing.assert_allclose(layer.apply({}, {}, x)[0], expected, rtol=1e-13)
        assert layer.out_shape((*(None,) * rank, 2)) == (*counts, 2)


def test_the_gradient_goes_to_the_first_maximum_of_each_window() -> None:
    x = np.array([[[1.0], [3.0], [3.0], [2.0], [0.0]]])
    g = fnet.grad(lambda x: np.sum(AdaptiveMaxPooling1D(3).apply({}, {}, x)[0]))(x)
    assert g.ravel().tolist() == [0, 2, 0, 1, 0]  # windows [1, 3], [3, 3, 2], [2, 0]


def test_a_number_that_is_none_stays_in_its_windows() -> None:
    x = np.zeros((1, 5, 4, 1))
    x[0, 0, 0] = np.inf
    y, _ = AdaptiveAveragePooling2D((3, 2)).apply({}, {}, x)
    assert np.isfinite(y[0, :, :, 0]).tolist() == [[False, True], [True, True], [True, True]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: AdaptiveMaxPooling1D(0), ValueRangeError, "AdaptiveMaxPooling1D: output_size is a positive integer"),
        (lambda: AdaptiveAveragePooling2D((2, 3, 4)), ShapeError, "output_size is an integer or 2 of them, received"),
        (lambda: AdaptiveMaxPooling1D(2, "channels_first"), ValueRangeError, "data_format is channels_last, received"),
        (lambda: AdaptiveMaxPooling1D(2).init(fnet.random.key(0), (3, 4, 5)), ShapeError, "takes samples of shape"),
        (lambda: AdaptiveMaxPooling1D(2).apply({}, {}, np.ones((2, 0, 3))), ShapeError,
         r"AdaptiveMaxPooling1D: an input without any steps has no windows, received \(2, 0, 3\)"),
    ],
)  # fmt: skip
def test_errors(call: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
