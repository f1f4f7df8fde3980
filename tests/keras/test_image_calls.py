"""Layers of images called as tutorials call them: without `training`, on one image, on dicts, in pipelines of data."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import random
from fnet.data import Stream
from fnet.errors import StructureError
from fnet.keras import Input, Model, Sequential, layers, models

X = np.random.default_rng(0).random((4, 4, 5, 3)).astype("float32")
UNIT = (0, 1)


def brighter():
    return layers.RandomBrightness((0.1, 0.2), value_range=UNIT)


def changed(y, x=X):
    assert np.shape(y) == x.shape
    return not np.array_equal(y, x)


def test_a_call_outside_of_models_means_training():
    pipeline = layers.Pipeline([brighter(), layers.RandomFlip(seed=1)])
    assert [layer.name for layer in pipeline.layers] == [layer.name for layer in pipeline.layers]
    for prepare in (brighter(), Sequential([brighter(), layers.Rescaling(1.0)]), pipeline):
        assert changed(prepare(X)) and changed(prepare(X), np.asarray(prepare(X)))
        assert not changed(prepare(X, training=False))
    images = Input(X.shape[1:])
    assert changed(Model(images, brighter()(images))(X)) and not changed(Model(images, brighter()(images)).predict(X))
    net = Sequential([Input(X.shape[1:]), brighter(), layers.Dropout(0.5)])
    assert not changed(net(X)) and not changed(net.predict(X, verbose=0))
    assert np.array_equal(layers.Dropout(0.5)(X), X)


def test_one_image_is_a_batch_of_one():
    for layer in (brighter(), layers.RandomCrop(2, 3), layers.Pipeline([layers.Resizing(2, 2)])):
        assert layer(X[0]).shape == layer(X)[0].shape
    boxes = {"boxes": np.array([[0.0, 0, 2, 2]]), "labels": np.array([3])}
    found = layers.RandomFlip("horizontal", bounding_box_format="xyxy")({"images": X[0], "bounding_boxes": boxes})
    assert found["images"].shape == X.shape[1:] and found["bounding_boxes"]["boxes"][0, 0] in (0, 3)
    kept = brighter().__class__(0.1, bounding_box_format="xyxy")({"images": X[0], "bounding_boxes": boxes})
    assert np.array_equal(kept["bounding_boxes"]["boxes"], boxes["boxes"])


def test_labels_in_a_model_and_its_file(tmp_path):
    data = {"images": X, "labels": np.eye(4, dtype="float32")}
    inputs = {"images": Input(X.shape[1:]), "labels": Input((4,))}
    model = Model(inputs, layers.MixUp(0.9)(inputs))
    assert changed(model(data, training=True)["labels"], data["labels"])
    model.save(tmp_path / "mixed.keras")
    read = models.load_model(tmp_path / "mixed.keras")
    assert not changed(read.predict(data, verbose=0)["labels"], data["labels"])


def test_streams_are_mixed():
    y = np.eye(4, dtype="float32")
    stream = Stream(lambda number: iter([(X, y)] * 3), 3)
    mixed = stream.map(lambda x, y: layers.CutMix()({"images": x, "labels": y}))
    assert len({batch["labels"].tobytes() for batch in mixed}) > 1
    mix = fnet.layers.MixUp(1.0)
    keyed = stream.map(lambda key, x, y: mix.apply({}, {}, {"images": x, "labels": y}, key=key, train=True)[0],
                       key=random.key(1))  # fmt: skip
    first, second = list(keyed), list(keyed)
    found = [batch["labels"] for batch in (*first, *second)]
    assert len({labels.tobytes() for labels in found}) == 6


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(StructureError, match="CutMix cannot change bounding_boxes"):
        layers.CutMix()({"images": X, "bounding_boxes": {}})
