"""Images beside Keras: places between pixels and beyond edges, sizes, crops."""

from __future__ import annotations

import os

import numpy as np
import pytest

from fnet import layers
from fnet.layers.bounding_boxes import BOX_FORMATS, moving
from fnet.layers.random_distortion import inverse, mapped, perspective, smoothed
from fnet.layers.random_hues import turned
from fnet.layers.random_patches import within
from fnet.layers.resizing import resized
from fnet.layers.warp import FILL_MODES, INTERPOLATIONS, affine, sampled

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.random((3, 5, 7, 2)).astype("float32")
KEY = np.zeros(2, "uint32")


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


RANGES = [(0.0, 1.0)]
COLORS = RNG.random((1, 9, 11, 3)).astype("float32")
SURE = {  # with factors that leave nothing to chance
    "AutoContrast": {},
    "ContrastLimitedAdaptiveHistogramEqualization": {"tile_grid_size": (2, 3)},
    "RandomColorDegeneration": {"factor": (0.3, 0.3)},
    "RandomHue": {"factor": (0.0, 0.0)},
    "RandomPosterization": {"factor": (3, 3)},
    "RandomSaturation": {"factor": (0.4, 0.4)},
    "RandomSharpness": {"factor": (0.8, 0.8)},
    "Solarization": {"threshold_factor": (0.0, 0.0)},
}


def ours_and_theirs(name, options, x):
    theirs = np.asarray(getattr(keras.layers, name)(**options)(x, training=True))
    return getattr(layers, name)(**options).apply({}, {}, x, key=KEY, train=True)[0], theirs


@pytest.mark.parametrize("values", RANGES)
@pytest.mark.parametrize("name", SURE)
def test_colours_without_chance(name, values):
    ours, theirs = ours_and_theirs(name, {"value_range": values, **SURE[name]}, COLORS * np.float32(values[1]))
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * values[1])


def test_an_equalization_of_one_image():
    ours, theirs = ours_and_theirs("Equalization", {"bins": 16}, np.round(255 * COLORS))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("values", RANGES)
def test_a_hue_that_is_drawn(values):
    x, turns = COLORS.repeat(3, 0) * np.float32(values[1]), np.array([-0.4, 0.05, 0.3], "float32")
    theirs = keras.layers.RandomHue(0.5, value_range=values).transform_images(x, {"factor": turns})
    np.testing.assert_allclose(turned(x, turns, values), np.asarray(theirs), atol=1e-6 * values[1])


def test_a_view_from_aside():
    start = np.array([[[0, 0], [6, 0], [0, 4], [6, 4]]], "float32").repeat(3, 0)
    end = start * RNG.uniform(0.8, 1.2, (3, 4, 2)).astype("float32")
    theirs = keras.ops.image.perspective_transform(X, start, end, fill_value=0.5)
    back = [part.reshape(-1, 1, 1) for part in inverse(perspective(end, 5, 7))]
    across, down = mapped(back, np.arange(7, dtype="float32"), np.arange(5, dtype="float32")[:, None])
    ours = sampled(X, down, across, "bilinear", "constant", 0.5)
    np.testing.assert_allclose(ours, np.asarray(theirs), atol=5e-6)  # Keras solves 8 equations in float32


def test_blurs_of_several_deviations():
    deviations = np.array([0.2, 0.6, 0.9], "float32")
    ours = smoothed(X, deviations, 1.3)
    for i, s in enumerate(deviations.tolist()):
        size = (int(6 * s) | 1,) * 2
        theirs = keras.ops.image.gaussian_blur(X, size, (s, s), data_format="channels_last")
        np.testing.assert_allclose(ours[i], np.asarray(theirs)[i], atol=1e-6)


def test_mixtures_that_are_drawn_alike():
    weight, order = np.array([0.2, 0.7, 1.0], "float32"), np.array([2, 0, 1])
    data, labels = {"mix_weight": weight, "permutation_order": order}, np.eye(3, dtype="float32")
    theirs = keras.layers.MixUp().transform_images(X, data), keras.layers.MixUp().transform_labels(labels, data)
    for part, expected in zip((X, labels), theirs, strict=True):
        w = weight.reshape(-1, *(1,) * (part.ndim - 1))
        np.testing.assert_allclose(w * part + (1 - w) * part[order], np.asarray(expected), atol=1e-6)
    edges = np.array([0.5, 1, 0]), np.array([1, 0.2, 0]), np.array([3.1, 4, 1]), np.array([2, 3.5, 5])
    x0, y0, x1, y1 = (part.astype("float32") for part in edges)
    masks, _ = keras.layers.CutMix()._generate_batch_mask(X.shape, (x0, x1, y0, y1))
    np.testing.assert_array_equal(np.broadcast_to(within(X, (x0, y0, x1, y1)), X.shape), np.asarray(masks))


@pytest.mark.parametrize("form", BOX_FORMATS)
def test_formats_of_boxes(form):
    given = np.array([[[3.0, 3, 5, 4], [1, 1, 2, 2]]], "float32") / (10 if form.startswith("rel") else 1)
    theirs = keras.utils.bounding_boxes.convert_format(given, form, "xyxy", height=20, width=10)
    boxes = {"boxes": given, "labels": np.array([[1, 2]])}
    corners = []
    move = moving("it", form, lambda edges, images, key: (corners.extend(edges), edges)[1])
    back = move(boxes, np.zeros((1, 20, 10, 1)), None)
    np.testing.assert_allclose(np.stack(corners, -1), np.asarray(theirs), atol=1e-5)
    np.testing.assert_allclose(back["boxes"], given, atol=1e-6)


def test_boxes_that_are_moved_and_mirrored():
    boxes = {"boxes": np.array([[[1.0, 2, 4, 3]]], "float32"), "labels": np.array([[5]])}
    for name, options in (
        ("RandomTranslation", {"height_factor": (0.2, 0.2), "width_factor": (-0.1, -0.1)}),
        ("CenterCrop", {"height": 3, "width": 5}),
        ("Resizing", {"height": 10, "width": 14}),
    ):
        options["bounding_box_format"] = "xyxy"
        data = {"images": X[:1], "bounding_boxes": boxes}
        theirs = getattr(keras.layers, name)(**options)(
            {"images": X[:1], "bounding_boxes": dict(boxes)}, training=True
        )["bounding_boxes"]
        ours = getattr(layers, name)(**options).apply({}, {}, data, key=KEY, train=True)[0]["bounding_boxes"]
        np.testing.assert_allclose(ours["boxes"], np.asarray(theirs["boxes"]), atol=1e-5)
        np.testing.assert_array_equal(ours["labels"], np.asarray(theirs["labels"]))
