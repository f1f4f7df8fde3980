"""Files of images: as batches for a model, and read and written alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fnet.errors import ShapeError
from fnet.keras import Sequential, layers, utils

pytest.importorskip("PIL")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for i in range(8):
        path = tmp_path / ("dark" if i % 2 else "light") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        utils.save_img(path, rng.integers(0, 100, (6, 9, 3)) + (0 if i % 2 else 150), scale=False)
    return tmp_path


def test_images_in_folders_train_a_model(folder, capsys):
    train, test = utils.image_dataset_from_directory(
        folder, batch_size=4, image_size=(4, 4), seed=1, validation_split=0.25, subset="both"
    )
    assert capsys.readouterr().out == "Found 8 files belonging to 2 classes.\n"
    assert (train.class_names, len(train), len(test)) == (["dark", "light"], 2, 1)
    for images, labels in train:
        assert images.shape[1:] == (4, 4, 3) and images.dtype == "float32" and images.max() > 1
        assert np.array_equal(images.mean((1, 2, 3)) > 120, labels == 1)
    model = Sequential([layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(train, validation_data=test, epochs=2, verbose=0).history
    assert np.isfinite(history["val_loss"]).all()


def test_an_image_keeps_its_bytes_and_its_ratio(folder):
    path = folder / "dark" / "1.png"
    x = utils.img_to_array(utils.load_img(path))
    assert x.shape == (6, 9, 3) and x.dtype == "float32"
    utils.save_img(folder / "again.png", x, scale=False)
    np.testing.assert_array_equal(utils.img_to_array(utils.load_img(folder / "again.png")), x)
    assert utils.img_to_array(utils.load_img(path, "grayscale", (3, 2))).shape == (3, 2, 1)
    options = {"batch_size": None, "shuffle": False, "verbose": False, "label_mode": None}
    whole = next(iter(utils.image_dataset_from_directory(folder / "dark", image_size=(6, 9), **options)))
    np.testing.assert_allclose(whole, x, atol=1e-3)
    middle = next(
        iter(
            utils.image_dataset_from_directory(folder / "dark", image_size=(6, 6), crop_to_aspect_ratio=True, **options)
        )
    )
    np.testing.assert_allclose(middle, x[:, 1:7], atol=1e-3)
    around = next(
        iter(
            utils.image_dataset_from_directory(folder / "dark", image_size=(9, 9), pad_to_aspect_ratio=True, **options)
        )
    )
    np.testing.assert_allclose(around[1:7], x, atol=1e-3)
    assert not around[0].any() and not around[7:].any()


def test_arrays_become_images():
    image = utils.array_to_img(np.array([[[-1.0], [1.0]]]))
    assert utils.img_to_array(image).ravel().tolist() == [0, 255]
    with pytest.raises(ShapeError, match=r"array_to_img: expected \(height, width, 1, 3 or 4 channels\)"):
        utils.array_to_img(np.ones((2, 2)))
