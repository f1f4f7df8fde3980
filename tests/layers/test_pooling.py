"""Pooling layers: Keras' sizes, padding and defaults, the laws of maxima and means, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.layers import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling1D, MaxPooling2D

KEY = fnet.random.key(0)
X = np.random.default_rng(0).normal(size=(2, 6, 5, 3))


def run(layer: fnet.Layer, x: Any) -> np.ndarray:
    return layer.apply({}, {}, x)[0]


@pytest.mark.parametrize(
    ("arguments", "size", "expected"),
    [
        ((2,), 7, 3), ((2, None, "same"), 7, 4), ((3, 2), 7, 3), ((3, 2, "same"), 6, 3), ((2, 1, "same"), 5, 5),
        ((5, 2, "same"), 28, 14), ((3, 1), 3, 1), ((2,), None, None),
    ],
)  # fmt: skip
def test_sizes(arguments: Any, size: Any, expected: Any) -> None:
    assert MaxPooling1D(*arguments).out_shape((size, 4)) == (expected, 4)
    assert layers.AveragePooling1D(*arguments).out_shape((size, 4)) == (expected, 4)


def test_padding_same_is_kerass() -> None:
    """The smaller half of an odd padding comes first: for 6 steps, window 3, stride 2 it is 0 and 1."""
    x = np.arange(1.0, 7.0).reshape(1, 6, 1)
    assert run(MaxPooling1D(3, 2, "same"), -x).ravel().tolist() == [-1, -3, -5]
    assert run(layers.AveragePooling1D(3, 2, "same"), x).ravel().tolist() == [2, 4, 5.5]
    assert run(layers.AveragePooling1D(2, 1, "same"), x).ravel().tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6]


def test_defaults_are_halves() -> None:
    for rank in (1, 2, 3):
        shape = (8,) * rank + (3,)
        for kind in ("MaxPooling", "AveragePooling", "MaxPool", "AvgPool"):
            assert getattr(layers, f"{kind}{rank}D")().out_shape(shape) == (4,) * rank + (3,)
        for kind in ("GlobalMaxPooling", "GlobalAveragePooling", "GlobalMaxPool", "GlobalAvgPool"):
            assert getattr(layers, f"{kind}{rank}D")().out_shape(shape) == (3,)
            assert getattr(layers, f"{kind}{rank}D")(keepdims=True).out_shape(shape) == (*(1,) * rank, 3)
    assert MaxPooling2D().name == "max_pooling2d"
    assert GlobalAveragePooling2D().name == "global_average_pooling2d"


def test_global_pooling_is_the_reduction_over_all_pixels() -> None:
    np.testing.assert_array_equal(run(GlobalMaxPooling2D(), X), X.max((1, 2)))
    np.testing.assert_allclose(run(GlobalAveragePooling2D(), X), X.mean((1, 2)), rtol=1e-14)
    np.testing.assert_array_equal(run(GlobalMaxPooling2D(), X), run(MaxPooling2D((6, 5)), X)[:, 0, 0])
    large = np.random.default_rng(1).normal(size=(1, 40, 30, 2))
    np.testing.assert_array_equal(run(GlobalMaxPooling2D(), large), large.max((1, 2)))


def test_windows_of_one_change_nothing() -> None:
    for layer in (MaxPooling2D(1), AveragePooling2D(1, padding="same")):
        np.testing.assert_array_equal(run(layer, X), X)


def test_maxima_commute_with_monotone_maps_and_means_are_linear() -> None:
    np.testing.assert_array_equal(run(MaxPooling2D(), np.exp(X)), np.exp(run(MaxPooling2D(), X)))
    mean = run(AveragePooling2D(), 2 * X + 1)
    np.testing.assert_allclose(mean, 2 * run(AveragePooling2D(), X) + 1, rtol=1e-12, atol=1e-14)


def test_the_gradient_goes_to_the_first_maximum_and_none_is_lost() -> None:
    x = np.zeros((1, 4, 4, 1))
    y, pull = fnet.vjp(lambda x: run(MaxPooling2D(), x), x)
    (dx,) = pull(np.arange(1.0, 5.0).reshape(y.shape))
    assert dx[0, :, :, 0].tolist() == [[1, 0, 2, 0], [0] * 4, [3, 0, 4, 0], [0] * 4]
    for layer in (MaxPooling2D(3, 2, "same"), AveragePooling2D((2, 3), 1, "same")):
        y, pull = fnet.vjp(lambda x, layer=layer: run(layer, x), X)
        g = np.random.default_rng(2).normal(size=y.shape)
        np.testing.assert_allclose(np.sum(pull(g)[0]), np.sum(g), rtol=1e-12)


def test_integers_are_pooled_as_floating_numbers() -> None:
    y = run(AveragePooling2D(), np.arange(16).reshape(1, 4, 4, 1))
    assert y.dtype == np.float64 and y.ravel().tolist() == [2.5, 4.5, 10.5, 12.5]


ERRORS = [
    (lambda: MaxPooling2D(0), ValueRangeError, "MaxPooling2D: pool_size is a positive integer, received 0"),
    (lambda: MaxPooling2D((2, 2, 2)), ShapeError, r"MaxPooling2D: pool_size is an integer or 2 of them, received \(2"),
    (lambda: MaxPooling2D(2, 1.5), DtypeError, "MaxPooling2D: strides is a positive integer, received float 1.5"),
    (lambda: MaxPooling2D(padding="full"), ValueRangeError, "padding is 'valid' or 'same', received 'full'"),
    (lambda: MaxPooling2D(data_format="channels_first"), ValueRangeError, "data_format is channels_last"),
    (lambda: GlobalMaxPooling2D("channels_first"), ValueRangeError, "GlobalMaxPooling2D: data_format is channels_last"),
    (
        lambda: MaxPooling2D().init(KEY, (8, 3)), ShapeError,
        r"MaxPooling2D takes samples of shape \(height, width, channels\), received \(8, 3\)",
    ),
    (
        lambda: run(MaxPooling2D(), X[0]), ShapeError,
        r"expected an input \(batch, height, width, channels\), received \(6, 5, 3\)\. Add a batch axis",
    ),
    (
        lambda: run(MaxPooling2D(7), X), ShapeError,
        r"max_pool: pool_size \(7, 7\) does not fit into the axes between batch and channels, of sizes \(6, 5\)",
    ),
    (lambda: run(AveragePooling2D(2, padding="same"), X[:, :0]), ShapeError, "or padding='same' for axes that are not"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for *_, text in ERRORS])
def test_errors(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        wrong()
