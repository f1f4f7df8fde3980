"""Images resized, cropped, and changed by chance: laws, and the formulas in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import random
from fnet.errors import ShapeError, ValueRangeError
from fnet.layers import (
    CenterCrop,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomGrayscale,
    RandomInvert,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Resizing,
)
from fnet.layers.resizing import weights_of
from fnet.layers.warp import FILL_MODES, affine

X = np.random.default_rng(0).random((3, 4, 4, 2)).astype("float32")
METHODS = ["bilinear", "bicubic", "lanczos3", "lanczos5"]


def trained(layer, x=X, seed=0):
    return layer.apply({}, {}, x, key=random.key(seed), train=True)[0]


def inferred(layer, x=X):
    return layer.apply({}, {}, x)[0]


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_nothing_changes_where_each_place_is_its_own(fill_mode, interpolation):
    np.testing.assert_array_equal(affine(X, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), interpolation, fill_mode, 0.0), X)


@pytest.mark.parametrize(("fill_mode", "mode"), [("wrap", "wrap"), ("reflect", "symmetric"), ("nearest", "edge")])
def test_beyond_the_edges_images_go_on_as_padded_ones(fill_mode, mode):
    padded = np.pad(X, ((0, 0), (3, 3), (3, 3), (0, 0)), mode=mode)
    for down, right in ((-3, 2), (3, 1), (0, -3)):
        moved = affine(X, (1.0, 0.0, float(right), 0.0, 1.0, float(down)), "bilinear", fill_mode, 0.0)
        np.testing.assert_array_equal(moved, padded[:, 3 + down : 7 + down, 3 + right : 7 + right])


def test_beyond_the_edges_is_the_value_that_was_asked_for():
    moved = affine(X, (1.0, 0.0, 0.0, 0.0, 1.0, -1.5), "bilinear", "constant", 5.0)
    np.testing.assert_allclose(moved[:, 0], 5.0)
    np.testing.assert_allclose(moved[:, 1], 0.5 * 5.0 + 0.5 * X[:, 0], rtol=1e-6)
    np.testing.assert_allclose(moved[:, 2], 0.5 * X[:, 0] + 0.5 * X[:, 1], rtol=1e-6)


def test_a_quarter_of_a_turn():
    turned = trained(RandomRotation((0.25, 0.25)))
    np.testing.assert_allclose(turned, np.rot90(X, 1, axes=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(trained(RandomRotation((-0.5, -0.5))), X[:, ::-1, ::-1], atol=1e-6)


def test_a_move_by_a_part_of_the_size():
    moved = trained(RandomTranslation((0.25, 0.25), (-0.5, -0.5), "wrap"))
    np.testing.assert_allclose(moved, np.roll(X, (1, -2), axis=(1, 2)), atol=1e-6)


def test_a_zoom_keeps_the_middle():
    x = X[:, :3, :3]
    near = trained(RandomZoom((-0.5, -0.5)), x)
    np.testing.assert_allclose(near[:, 1, 1], x[:, 1, 1], atol=1e-6)
    np.testing.assert_allclose(near[:, 0, 1], 0.5 * (x[:, 0, 1] + x[:, 1, 1]), atol=1e-6)


def test_flips_are_drawn_for_each_image_and_direction():
    x = np.broadcast_to(X[:1], (64, 4, 4, 2))
    kinds = [X[0], X[0, :, ::-1], X[0, ::-1], X[0, ::-1, ::-1]]
    for mode, count in (("horizontal", 2), ("vertical", 2), ("horizontal_and_vertical", 4)):
        found = trained(RandomFlip(mode), x)
        which = [[np.array_equal(image, kind) for kind in kinds] for image in found]
        assert np.all(np.sum(which, axis=1) == 1) and np.count_nonzero(np.sum(which, axis=0)) == count


def test_a_crop_is_a_window_of_each_image():
    x = np.arange(36.0).reshape(1, 6, 6, 1) + 100 * np.arange(32.0)[:, None, None, None]
    found = trained(RandomCrop(2, 3), x)
    corners = found[:, 0, 0, 0] - 100 * np.arange(32)
    rows, columns = corners // 6, corners % 6
    assert set(rows) == set(range(5)) and set(columns) == set(range(4))
    expected = corners[:, None, None] + 6 * np.arange(2)[:, None] + np.arange(3)
    np.testing.assert_array_equal(found[..., 0] - 100 * np.arange(32)[:, None, None], expected)
    halves = x[:, 1:5].reshape(32, 2, 2, 3, 2, 1).mean((2, 4))  # rows 1 to 4 of 6 have the ratio of 2 to 3
    np.testing.assert_allclose(inferred(RandomCrop(2, 3), x), halves)


@pytest.mark.parametrize(
    "layer",
    [RandomFlip(), RandomRotation(0.3), RandomZoom(0.3), RandomBrightness(0.5), RandomContrast(0.5), RandomInvert()],
    ids=lambda layer: layer.name,
)
def test_inference_changes_nothing_and_a_key_says_all(layer):
    np.testing.assert_array_equal(inferred(layer), X)
    np.testing.assert_array_equal(trained(layer), trained(layer))
    twice = trained(layer, np.concatenate([X[:1], X[:1], X[:1], X[:1]]))
    assert layer.name in ("random_flip", "random_invert") or not np.array_equal(twice[0], twice[1])


def test_colours():
    grey = trained(RandomGrayscale(1.0), X[..., [0, 1, 0]])
    expected = 0.2989 * X[..., 0] + 0.587 * X[..., 1] + 0.114 * X[..., 0]
    np.testing.assert_allclose(grey, np.stack([expected] * 3, -1), rtol=1e-6)
    np.testing.assert_allclose(trained(RandomInvert((1.0, 1.0), (0.0, 2.0))), 2.0 - X, rtol=1e-6)
    np.testing.assert_allclose(trained(RandomBrightness((0.25, 0.25), (0.0, 1.0))), np.minimum(X + 0.25, 1), rtol=1e-6)
    mean = X.mean((1, 2), keepdims=True)
    ratios = (trained(RandomContrast(0.5, (-9.0, 9.0))) - mean) / (X - mean)
    factor = np.median(ratios, axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(ratios, np.broadcast_to(factor, X.shape), rtol=1e-3)
    assert np.all((factor > 0.5) & (factor < 1.5)) and len(np.unique(factor)) == 3


@pytest.mark.parametrize("method", METHODS)
def test_weights_of_a_resize(method):
    for before, after in ((4, 7), (7, 4), (5, 5), (1, 3), (3, 1)):
        for antialias in (False, True):
            np.testing.assert_allclose(weights_of(before, after, method, antialias).sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(weights_of(5, 5, method, False), np.eye(5), atol=1e-12)


@given(st.integers(1, 6), st.integers(1, 6))
def test_sizes_of_any_ratio(height, width):
    for options in ({}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 1.0}):
        y = inferred(Resizing(height, width, "nearest", **options), np.ones((1, 4, 3, 1), "float32"))
        np.testing.assert_array_equal(y, np.ones((1, height, width, 1)))
    assert inferred(CenterCrop(height, width)).shape == (3, height, width, 2)


def test_bytes_become_floating_numbers():
    assert (
        inferred(Resizing(2, 2), np.full((1, 4, 4, 3), 200, "uint8")).tolist() == np.full((1, 2, 2, 3), 200.0).tolist()
    )


def test_mistakes_are_told():
    with pytest.raises(ValueRangeError, match=r"RandomRotation: factor is a number, or two that rise, from -1 to 1"):
        RandomRotation(1.5)
    with pytest.raises(ValueRangeError, match=r"RandomContrast: value_range is \(least, largest\)"):
        RandomContrast(0.1, (1.0, 0.0))
    with pytest.raises(ShapeError, match=r"expected an input \(batch, height, width, channels\).*x\[None\]"):
        inferred(Resizing(2, 2), X[0])
    with pytest.raises(ShapeError, match="RandomGrayscale: expected 3 channels"):
        trained(RandomGrayscale(1.0))
    with pytest.raises(ValueRangeError, match="data_format is channels_last"):
        CenterCrop(2, 2, "channels_first")


def test_they_are_trained_through():
    net = fnet.serial(RandomFlip(), RandomRotation(0.1), Resizing(3, 3), fnet.layers.Flatten(), fnet.layers.Dense(1))
    trainer = fnet.Trainer(net, "mse")
    _, record = trainer.fit(trainer.init(random.key(0), (4, 4, 2)), X, X[:, 0, 0, :1], epochs=2, verbose=0)
    assert np.isfinite(record["loss"]).all()
