"""Layers that change images by chance: laws of all, formulas in plain NumPy, and what belongs to the images."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import random
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.layers import (
    AugMix,
    CenterCrop,
    CutMix,
    MaxNumBoundingBoxes,
    MixUp,
    RandAugment,
    RandomColorJitter,
    RandomCrop,
    RandomElasticTransform,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomPerspective,
    RandomPosterization,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Resizing,
    Solarization,
)
from tests.layers.image_table import IMAGES, SHAPE, UNIT

RNG = np.random.default_rng(0)
X = RNG.random((3, *SHAPE)).astype("float32")
KEY = random.key(3)


def trained(layer, x=X, key=KEY):
    return layer.apply({}, {}, x, key=key, train=True)[0]


LONG = ("clahe", "random-elastic", "rand-augment", "aug-mix")  # to compile
EACH = [pytest.param(row, id=row.id, marks=pytest.mark.slow if row.id in LONG else ()) for row in IMAGES]


@pytest.mark.parametrize("row", EACH)
def test_an_image_and_a_key_say_all(row):
    layer = row.make()
    y, still = trained(layer), layer.apply({}, {}, X)[0]
    assert y.shape == X.shape and y.dtype == X.dtype and layer.out_shape(SHAPE) == SHAPE
    assert np.isfinite(y).all() and y.min() >= 0 and y.max() <= (2 if row.id == "pipeline" else 1)
    np.testing.assert_array_equal(trained(layer), y)
    if row.random and row.id != "pipeline":
        np.testing.assert_array_equal(still, X)
        assert not np.array_equal(y, X)
    if not row.mixes:
        np.testing.assert_array_equal(trained(layer, X[:1]), y[:1])


@pytest.mark.slow
def test_all_are_the_same_bits_in_one_program():
    made = [row.make() for row in IMAGES]
    run = fnet.jit(lambda x, key: [trained(layer, x, key) for layer in made])
    for row, layer, y in zip(IMAGES, made, run(X, KEY), strict=True):
        np.testing.assert_array_equal(y, trained(layer), err_msg=row.id)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in IMAGES if row.slope], ids=lambda row: row.id)
def test_derivatives_are_finite(row):
    g = fnet.grad(lambda x: np.sum(trained(row.make(), x) ** 2))(X)
    assert np.isfinite(g).all() and g.any()


def test_bytes_of_images():
    x = np.array([[[[0], [59], [128], [255]]]], "uint8")
    assert trained(Solarization(), x).ravel().tolist() == [255, 196, 127, 0]
    assert trained(Solarization(0.0, (0.5, 0.5)), x).ravel().tolist() == [0, 59, 127, 0]
    assert trained(Solarization((0.2, 0.2), (1.0, 1.0)), x).ravel().tolist() == [51, 110, 179, 0]
    for bits, values in ((1, [0, 0, 128, 128]), (3, [0, 32, 128, 224]), (8, [0, 59, 128, 255])):
        assert trained(RandomPosterization(bits), x).ravel().tolist() == values
    many = trained(RandomPosterization((2, 4)), np.broadcast_to(x, (64, *x.shape[1:])))
    assert {tuple(image.ravel()) for image in many} == {(0, 0, 128, 192), (0, 32, 128, 224)}


def test_colours_jitter_by_what_is_given():
    np.testing.assert_array_equal(trained(RandomColorJitter(UNIT)), X)
    grey = trained(RandomColorJitter(UNIT, saturation_factor=(0.0, 0.0)))
    np.testing.assert_allclose(grey, np.broadcast_to(X.max(-1, keepdims=True), X.shape), atol=1e-6)
    assert np.ptp(trained(RandomColorJitter((0.0, 255.0), saturation_factor=(1.0, 1.0)), 255 * X).min(-1)) < 1e-3


def test_a_blur_is_a_mean_of_pixels_around():
    y = trained(RandomGaussianBlur((1.0, 1.0), (3, 1), 1.0, UNIT))
    outer = np.exp(-0.5) / (1 + 2 * np.exp(-0.5))
    wide = np.pad(X, ((0, 0), (0, 0), (1, 1), (0, 0)))
    expected = outer * (wide[:, :, :-2] + wide[:, :, 2:]) + (1 - 2 * outer) * X
    np.testing.assert_allclose(y, expected, atol=1e-6)


def test_a_patch_is_erased():
    x = np.ones((16, 8, 8, 2), "float32")
    y = trained(RandomErasing((1.0, 1.0), (0.25, 0.25), [0.25, 0.5], UNIT), x)
    for image in y:
        rows, columns = np.nonzero(image[..., 0] < 1)
        assert {len(set(rows)), len(set(columns))} == {4} and len(rows) == 16
        assert np.ptp(rows) == np.ptp(columns) == 3
        assert set(image[rows, columns].ravel()) == {0.25, 0.5}
    assert np.array_equal(trained(RandomErasing(0.0), x), x)
    with pytest.raises(ShapeError, match="RandomErasing: fill_value has a number for each channel, 2, received 3"):
        trained(RandomErasing(fill_value=[1, 2, 3]), x)


@pytest.mark.parametrize("layer", [CutMix(), MixUp(1.0)], ids=lambda layer: layer.name)
def test_labels_are_mixed_as_the_images_are(layer):
    n = 8
    x = np.broadcast_to(np.arange(1.0, n + 1, dtype="float32")[:, None, None, None], (n, 40, 40, 1))
    data = {"images": x, "labels": np.eye(n, dtype="float32"), "segmentation_masks": x.copy()}
    y = trained(layer, data)
    assert list(y) == list(data) and not np.array_equal(y["labels"], data["labels"])
    np.testing.assert_allclose(y["labels"].sum(1), 1, rtol=1e-6)
    means = y["labels"] @ np.arange(1.0, n + 1)
    np.testing.assert_allclose(y["images"].mean((1, 2, 3)), means, atol=0.4 if layer.kind == "CutMix" else 1e-5)
    np.testing.assert_array_equal(y["segmentation_masks"], y["images"])
    np.testing.assert_array_equal(trained(layer, x), y["images"])
    still = layer.apply({}, {}, data)[0]
    assert all(np.array_equal(still[name], data[name]) for name in data)
    counted = trained(layer, {"images": x, "labels": np.arange(n)})["labels"]
    np.testing.assert_allclose(counted, y["labels"] @ np.arange(n), rtol=1e-5, atol=1e-5)


def lit(image):
    """The box around what is lit."""
    rows, columns = np.nonzero(image[..., 0] > 0.5)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


BOX = [3, 2, 7, 5]
BOXED = {
    "flip": (RandomFlip(bounding_box_format="xyxy"), 0),
    "turn": (RandomRotation((0.25, 0.25), "constant", bounding_box_format="xyxy"), 0),
    "move": (RandomTranslation((0.2, 0.2), (-0.25, -0.25), "constant", bounding_box_format="xyxy"), 0),
    "zoom": (RandomZoom((-0.5, -0.5), fill_mode="constant", bounding_box_format="xyxy"), 1),
    "crop": (RandomCrop(9, 11, bounding_box_format="xyxy"), 0),
    "size": (Resizing(20, 24, "nearest", bounding_box_format="xyxy"), 0),
    "fitted": (Resizing(6, 12, "nearest", pad_to_aspect_ratio=True, bounding_box_format="xyxy"), 1),
    "middle": (CenterCrop(8, 8, bounding_box_format="xyxy"), 0),
    "aside": (RandomPerspective((1.0, 1.0), 0.3, bounding_box_format="xyxy"), 1),
    "several": (RandAugment(UNIT, 1, (0.05, 0.05), "nearest", bounding_box_format="xyxy"), 1),
}


@pytest.mark.parametrize("name", BOXED)
def test_boxes_and_masks_go_where_the_pixels_go(name):
    layer, near = BOXED[name]
    x = np.zeros((4, 10, 12, 3), "float32")
    x[:, BOX[1] : BOX[3], BOX[0] : BOX[2]] = 1
    boxes = {"boxes": np.full((4, 2, 4), -1, "float32"), "labels": np.full((4, 2), -1)}
    boxes["boxes"][:, 0], boxes["labels"][:, 0] = BOX, 7
    y = trained(layer, {"images": x, "bounding_boxes": boxes, "segmentation_masks": x.astype("int32")[..., :1]})
    assert y["segmentation_masks"].dtype == np.int32
    found, labels = y["bounding_boxes"]["boxes"], y["bounding_boxes"]["labels"]
    for i, (image, mask) in enumerate(zip(y["images"], y["segmentation_masks"], strict=True)):
        np.testing.assert_allclose(found[i, 0], lit(mask), atol=1e-4 + near)
        assert name == "several" or np.abs(np.subtract(lit(image), lit(mask))).max() <= near
        assert found[i, 1].tolist() == [-1] * 4 and labels[i].tolist() == [7, -1]


FORMATS = {
    "xyxy": (1, 2, 4, 8),
    "yxyx": (2, 1, 8, 4),
    "xywh": (1, 2, 3, 6),
    "center_xywh": (2.5, 5, 3, 6),
    "center_yxhw": (5, 2.5, 6, 3),
    "rel_xyxy": (0.1, 0.1, 0.4, 0.4),
    "rel_yxyx": (0.1, 0.1, 0.4, 0.4),
    "rel_xywh": (0.1, 0.1, 0.3, 0.3),
    "rel_center_xywh": (0.25, 0.25, 0.3, 0.3),
}


@pytest.mark.parametrize("form", FORMATS)
def test_formats_of_boxes(form):
    data = {"boxes": np.array([[FORMATS[form]]], "float32"), "labels": np.array([[3]])}
    given = {"images": np.zeros((1, 20, 10, 1), "float32"), "bounding_boxes": data}
    doubled = Resizing(40, 10, bounding_box_format=form).apply({}, {}, given)[0]["bounding_boxes"]["boxes"].ravel()
    times = 1 if form.startswith("rel") else [2, 1, 2, 1] if form.startswith(("y", "center_y")) else [1, 2, 1, 2]
    np.testing.assert_allclose(doubled, np.multiply(FORMATS[form], times), rtol=1e-6)


def test_a_box_that_leaves_the_image_is_none():
    away = RandomTranslation((0.5, 0.5), (0.0, 0.0), bounding_box_format="XYXY")
    boxes = {"boxes": np.array([[[0, 6, 4, 8], [0, 0, 4, 4.5]]], "float32"), "labels": np.array([[1, 2]])}
    found = trained(away, {"images": np.zeros((1, 8, 8, 1), "float32"), "bounding_boxes": boxes})["bounding_boxes"]
    assert found["labels"].tolist() == [[-1, 2]] and found["boxes"].tolist() == [[[0, 8, 4, 8], [0, 4, 4, 8]]]


def test_the_number_of_boxes():
    boxes = {"boxes": np.arange(8.0, dtype="float32").reshape(1, 2, 4), "labels": np.array([[5, 7]])}
    for count, labels in ((1, [[5]]), (2, [[5, 7]]), (3, [[5, 7, -2]])):
        made = MaxNumBoundingBoxes(count, -2).apply({}, {}, {"images": X[:1], "bounding_boxes": boxes})[0]
        assert made["bounding_boxes"]["labels"].tolist() == labels
        assert made["bounding_boxes"]["boxes"].shape == (1, count, 4)
    mixed = trained(MixUp(), {"images": X[:1], "bounding_boxes": boxes})["bounding_boxes"]
    assert mixed["labels"].tolist() == [[5, 7, 5, 7]] and mixed["boxes"].shape == (1, 4, 4)


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic"])
def test_a_pixel_that_is_no_number_stays_where_it_is(method):
    x = np.ones((1, 16, 16, 1), "float32")
    x[0, 5, 5] = np.nan
    for size in ((24, 24), (8, 8), (16, 16), (8, 24)):
        y = Resizing(*size, method).apply({}, {}, x)[0]
        rows, columns = np.nonzero(np.isnan(y[0, ..., 0]))
        for places, n in ((rows, size[0]), (columns, size[1])):
            assert all(abs((place + 0.5) * 16 / n - 5.5) < 2.5 for place in places)


@pytest.mark.slow
def test_policies_pick_for_each_image_and_for_the_batch():
    same = np.broadcast_to(X[:1], (48, *SHAPE))
    picked = trained(RandAugment(UNIT, 1, (0.3, 0.3), "nearest"), same)
    assert len(np.unique(picked.reshape(48, -1), axis=0)) >= 8
    for seed in range(3):
        assert np.isfinite(trained(AugMix(UNIT, 3, 2, all_ops=False, alpha=0.5), key=random.key(seed))).all()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "bool"])
def test_integers_give_float32(dtype):
    x = (X > 0.5).astype(dtype)
    for layer in (RandomFlip(), Resizing(2, 2), Solarization(value_range=UNIT)):
        assert trained(layer, x).dtype == np.float32


def test_other_parts_stay_as_they_are():
    assert trained(RandomFlip(), data(number=ONE["labels"]))["number"] is ONE["labels"]


def data(**parts):
    return {"images": X, **parts}


ONE = {"boxes": np.zeros((3, 1, 4)), "labels": np.zeros((3, 1))}
MISTAKES = [
    (lambda: trained(CutMix(), data(bounding_boxes=ONE)), StructureError, "CutMix cannot change bounding_boxes"),
    (lambda: trained(AugMix(), data(segmentation_masks=X)), StructureError, "AugMix cannot change segmentation_masks"),
    (lambda: trained(RandomFlip(), data(bounding_boxes=ONE)), StructureError,
     r"RandomFlip: bounding boxes have a format: RandomFlip\(\.\.\., bounding_box_format='xyxy'\)"),
    (lambda: trained(MixUp(), data(label=X)), StructureError, "MixUp: expected images, or a dict .*'labels'"),
    (lambda: trained(MixUp(), data(bounding_boxes=X)), StructureError, "of 'boxes' and 'labels', received ndarray"),
    (lambda: trained(MixUp(), data(bounding_boxes={**ONE, "labels": np.zeros((2, 1))})), ShapeError,
     r"expected boxes of shape \(batch, boxes, 4\) and labels \(batch, boxes\), received \(3, 1, 4\) and \(2, 1\)"),
    (lambda: RandomFlip(bounding_box_format="xyz"), ValueRangeError, "RandomFlip: .*bounding_box_format.*'xyz'"),
    (lambda: RandomPosterization(9), ValueRangeError, "factor is an integer from 1 to 8, or two that rise, received 9"),
    (lambda: RandomGaussianBlur(kernel_size=4), ValueRangeError, "RandomGaussianBlur: kernel_size is odd, received 4"),
    (lambda: MixUp(0), ValueRangeError, r"MixUp: alpha is above 0, received 0\.0"),
    (lambda: AugMix(alpha=-1.0), ValueRangeError, r"AugMix: alpha is above 0, received -1\.0"),
    (lambda: RandomPerspective(scale=2.0), ValueRangeError, "RandomPerspective: expected 0 <= scale <= 1, received 2"),
    (lambda: trained(RandomColorJitter(hue_factor=0.1), X[..., :2]), ShapeError, "RandomHue: expected 3 channels, "),
    (lambda: RandomElasticTransform(scale=1.5), ValueRangeError, "Transform: scale is a number, or two that"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "error", "says"), MISTAKES)
def test_mistakes_are_told(wrong, error, says):
    with pytest.raises(error, match=says):
        wrong()
