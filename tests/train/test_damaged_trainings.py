"""Files of trainings in which names are damaged: noticed, although the arrays themselves are as they were."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import fnet
from fnet.errors import FileError
from fnet.io import manifest
from fnet.io.keras import checksums
from fnet.layers import BatchNormalization, Dense

NET = fnet.serial(BatchNormalization(), Dense(3))


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    trainer = fnet.Trainer(NET, "mse", "adam")
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    ts, _ = trainer.fit(trainer.init(fnet.random.key(7), (3,)), x, x, epochs=1, verbose=0)
    path = tmp_path_factory.mktemp("good") / "m.h5"
    fnet.save_model(path, NET, ts.params, ts.state, trainer, ts)
    return path.read_bytes()


def swapped_weights(file: h5py.File) -> None:
    group = file["model_weights/batch_normalization"]
    names = list(group.attrs["weight_names"])
    group.attrs["weight_names"] = names[1::-1] + names[2:]


def swapped_slots(file: h5py.File) -> None:
    names = list(file["optimizer_weights"].attrs["weight_names"])
    file["optimizer_weights"].attrs["weight_names"] = [*names[:2], names[3], names[2], *names[4:]]


MODEL, TRAINING = "model", "training"  # what notices it
DAMAGE = {
    "the manifest's name": (lambda file: file.move("manifest", "manifesu"), MODEL, "its manifest is missing"),
    "swapped weights": (swapped_weights, MODEL, "'names' does not have the checksum of the manifest"),
    "swapped slots": (swapped_slots, MODEL, "'names' does not have the checksum of the manifest"),
    "the key's name": (
        lambda file: file.move("fnet_training", "fnet_trainjng"),
        TRAINING,
        "'fnet_training/key', which",
    ),
    "the optimizer's name": (
        lambda file: file.move("optimizer_weights", "o"),
        MODEL,
        "'names' does not have the check",
    ),
    "no slots": (lambda file: file["optimizer_weights"].attrs.pop("weight_names"), MODEL, "'names' does not have the"),
    "the config's name": (lambda file: file.attrs.pop("training_config"), TRAINING, "'training_config' does not have"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_names_are_noticed(good, tmp_path, name):
    damage, noticed, message = DAMAGE[name]
    path = tmp_path / "m.h5"
    path.write_bytes(good)
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(FileError, match=message):
        fnet.load_training(path)
    if noticed == MODEL:
        with pytest.raises(FileError, match=message):
            fnet.load_model(path)
    else:
        fnet.load_model(path)


def test_files_without_a_list_of_names_are_read(good, tmp_path):
    """Those of older versions."""
    path = tmp_path / "m.h5"
    path.write_bytes(good)
    expected = fnet.load_training(path)[1]
    with h5py.File(path, "r+") as file:
        listed = manifest.decode(file["manifest"][()].tobytes(), checksums.MODEL)
        del file["manifest"], file.attrs["fnet"], listed["names"]
        file["manifest"] = np.frombuffer(manifest.encode(listed, checksums.MODEL), np.uint8)
    assert fnet.tree.all_equal(fnet.load_training(path)[1], expected)
