"""Images beside Keras: places between pixels and beyond edges, sizes, crops."""

from __future__ import annotations

import os

import numpy as np
import pytest

from fnet import layers
from fnet.layers.resizing import resized
from fnet.layers.warp import FILL_MODES, INTERPOLATIONS, affine

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.random((3, 5, 7, 2)).astype("float32")


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_affine(interpolation, fill_mode):
    matrix = np.zeros((3, 8), "float32")
    matrix[:, :6] = RNG.normal((1, 0, 0, 0, 1, 0), (0.5, 0.5, 4, 0.5, 0.5, 4), (3, 6))
    theirs = keras.ops.image.affine_transform(
        X, matrix, interpolation=interpolation, fill_mode=fill_mode, fill_value=0.3
    )
    ours = affine(X, tuple(matrix[:, :6].T), interpolation, fill_mode, 0.3)
    np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-6)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"])
def test_resize(interpolation, antialias):
    for size in ((9, 4), (2, 3)):
        theirs = keras.ops.image.resize(X, size, interpolation=interpolation, antialias=antialias)
        np.testing.assert_allclose(resized(X, size, interpolation, antialias), np.asarray(theirs), atol=2e-6)


@pytest.mark.parametrize("size", [(3, 4), (3, 8), (9, 2), (4, 4)])
def test_layers(size):
    for name, options in (
        ("Resizing", {}),
        ("Resizing", {"crop_to_aspect_ratio": True}),
        ("Resizing", {"pad_to_aspect_ratio": True, "fill_value": 2.0}),
        ("CenterCrop", {}),
    ):
        theirs = getattr(keras.layers, name)(*size, **options)(X)
        ours, _ = getattr(layers, name)(*size, **options).apply({}, {}, X)
        np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-6)


def test_turns_and_contrast_that_are_drawn_alike():
    turn = keras.layers.RandomRotation((0.1, 0.1), fill_mode="constant")(X, training=True)
    ours, _ = layers.RandomRotation((0.1, 0.1), "constant").apply({}, {}, X, key=np.zeros(2, "uint32"), train=True)
    np.testing.assert_allclose(ours, np.asarray(turn), atol=1e-5)
    moved = keras.layers.RandomTranslation((0.3, 0.3), (-0.2, -0.2))(X, training=True)
    ours, _ = layers.RandomTranslation((0.3, 0.3), (-0.2, -0.2)).apply({}, {}, X, key=np.zeros(2, "uint32"), train=True)
    np.testing.assert_allclose(ours, np.asarray(moved), atol=1e-5)
    zoomed = keras.layers.RandomZoom((-0.4, -0.4), (0.2, 0.2))(X, training=True)
    ours, _ = layers.RandomZoom((-0.4, -0.4), (0.2, 0.2)).apply({}, {}, X, key=np.zeros(2, "uint32"), train=True)
    np.testing.assert_allclose(ours, np.asarray(zoomed), atol=1e-5)
