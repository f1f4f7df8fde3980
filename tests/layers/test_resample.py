"""Upsampling, zero padding, cropping, permuting and repeating: Keras' orders and arguments, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.layers import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Permute,
    RepeatVector,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)

KEY = fnet.random.key(0)
X = np.random.default_rng(0).normal(size=(2, 3, 4, 2))


def run(layer: fnet.Layer, x: Any) -> np.ndarray:
    return layer.apply({}, {}, x)[0]


def test_nearest_upsampling_repeats() -> None:
    np.testing.assert_array_equal(run(UpSampling1D(3), X[0]), X[0].repeat(3, 1))
    np.testing.assert_array_equal(run(UpSampling2D((2, 3)), X), X.repeat(2, 1).repeat(3, 2))
    volume = X.reshape(2, 3, 2, 2, 2)
    np.testing.assert_array_equal(run(UpSampling3D((1, 2, 2)), volume), volume.repeat(2, 2).repeat(2, 3))
    assert UpSampling2D().out_shape((5, None, 3)) == (10, None, 3)
    assert UpSampling1D().name == "up_sampling1d"


def test_bilinear_upsampling_has_its_pixels_at_halves() -> None:
    x = np.array([0.0, 4.0, 2.0]).reshape(1, 3, 1, 1)
    y = run(UpSampling2D((2, 1), interpolation="bilinear"), x)
    assert y.ravel().tolist() == [0, 1, 3, 3.5, 2.5, 2]
    y = run(UpSampling2D((3, 1), interpolation="bilinear"), x)
    np.testing.assert_allclose(y.ravel(), [0, 0, 4 / 3, 8 / 3, 4, 10 / 3, 8 / 3, 2, 2], rtol=1e-15)
    ramp = np.arange(12.0).reshape(1, 3, 4, 1).astype("float32")
    y = run(UpSampling2D(2, interpolation="bilinear"), ramp)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.reshape(1, 3, 2, 4, 2).mean((2, 4))[:, 1:-1, 1:-1], ramp[:, 1:-1, 1:-1, 0], rtol=1e-6)


def test_zero_padding_in_all_its_forms() -> None:
    for padding, sides in ((2, (2, 2)), ((1, 2), (1, 2)), ((0, 3), (0, 3))):
        np.testing.assert_array_equal(run(ZeroPadding1D(padding), X[0]), np.pad(X[0], [(0, 0), sides, (0, 0)]))
    for padding, (h, w) in ((1, ((1, 1), (1, 1))), ((1, 2), ((1, 1), (2, 2))), (((1, 0), (2, 3)), ((1, 0), (2, 3)))):
        np.testing.assert_array_equal(run(ZeroPadding2D(padding), X), np.pad(X, [(0, 0), h, w, (0, 0)]))
    volume = X.reshape(2, 3, 2, 2, 2)
    expected = np.pad(volume, [(0, 0), (1, 1), (0, 2), (3, 3), (0, 0)])
    np.testing.assert_array_equal(run(ZeroPadding3D((1, (0, 2), 3)), volume), expected)
    assert [layer().out_shape((4,) * (i + 1) + (2,)) for i, layer in enumerate((ZeroPadding1D, ZeroPadding2D))] == [
        (6, 2),
        (6, 6, 2),
    ]


def test_cropping_in_all_its_forms_undoes_padding() -> None:
    for sides in (1, (0, 2), (2, 0)):
        np.testing.assert_array_equal(run(Cropping1D(sides), run(ZeroPadding1D(sides), X[0])), X[0])
    for both in (1, (1, 2), ((1, 0), (2, 3))):
        np.testing.assert_array_equal(run(Cropping2D(both), run(ZeroPadding2D(both), X)), X)
    volume = X.reshape(2, 3, 2, 2, 2)
    np.testing.assert_array_equal(run(Cropping3D(), run(ZeroPadding3D(), volume)), volume)
    np.testing.assert_array_equal(run(Cropping2D(), X), X)
    np.testing.assert_array_equal(run(Cropping1D(), X[0]), X[0][:, 1:-1])


def test_permute_counts_axes_from_one() -> None:
    np.testing.assert_array_equal(run(Permute((3, 1, 2)), X), X.transpose(0, 3, 1, 2))
    assert Permute([2, 1]).out_shape((None, 4)) == (4, None)
    np.testing.assert_array_equal(run(Permute(1), X[:, 0, 0]), X[:, 0, 0])


def test_repeat_vector() -> None:
    np.testing.assert_array_equal(run(RepeatVector(3), X[:, 0, 0]), np.repeat(X[:, :1, 0], 3, 1))
    assert RepeatVector(3).name == "repeat_vector"


ERRORS = [
    (lambda: UpSampling2D(0), ValueRangeError, "UpSampling2D: size is a positive integer, received 0"),
    (lambda: UpSampling2D(interpolation="linear"), ValueRangeError, "unknown interpolation 'linear'. Did you mean 'bi"),
    (lambda: UpSampling2D(data_format="channels_first"), ValueRangeError, "UpSampling2D: data_format is channels_last"),
    (lambda: ZeroPadding2D(-1), ValueRangeError, r"ZeroPadding2D: padding is an integer >= 0, or 2 of them or 2 pairs"),
    (lambda: ZeroPadding1D(((1, 2), (3, 4))), ValueRangeError, r"ZeroPadding1D: padding is an integer >= 0, or \(bef"),
    (lambda: ZeroPadding3D((1, 2)), ValueRangeError, r"ZeroPadding3D: padding is .* or 3 of them .*received \(1, 2\)"),
    (lambda: Cropping2D((1.5, 1)), ValueRangeError, "Cropping2D: cropping is an integer >= 0"),
    (lambda: run(Cropping2D(2), X), ShapeError, r"cropping \(\(2, 2\), \(2, 2\)\) leaves nothing of samples of shape"),
    (lambda: Cropping1D().init(KEY, (3,)), ShapeError, r"Cropping1D takes samples of shape \(steps, channels\), rec"),
    (lambda: Permute((0, 1)), ShapeError, r"Permute: dims is an order of the axes 1, 2, .*received \(0, 1\)"),
    (lambda: Permute("ab"), ShapeError, "Permute: dims is an order of the axes"),
    (lambda: run(Permute((2, 1)), X), ShapeError, r"Permute: expected samples with 2 axes for dims \(2, 1\), received"),
    (lambda: RepeatVector(2.5), DtypeError, "RepeatVector: n is a positive integer, received float 2.5"),
    (lambda: run(RepeatVector(2), X), ShapeError, r"RepeatVector: expected an input \(batch, features\), received"),
    (lambda: layers.UpSampling4D, AttributeError, "no layer 'UpSampling4D'. Did you mean 'UpSampling"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for *_, text in ERRORS])
def test_errors(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        wrong()
