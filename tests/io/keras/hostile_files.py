"""Files of Keras' formats that someone made to do harm: good ones, and ways to change them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from fnet import random, save_model, save_weights, serial
from fnet.layers import Dense

NET = serial(Dense(3, name="one"), Dense(2, name="two"))
PARAMS, STATE = NET.init(random.key(0), (4,))
KINDS = ("model.h5", "model.keras", "legacy.h5", "new.weights.h5")


class Place(NamedTuple):
    """Where the first layer is in a file."""

    group: str
    kernel: str
    names: str | None  # the group whose attribute lists the layers


LEGACY = Place("model_weights/one", "model_weights/one/one/kernel", "model_weights")
NEW = Place("layers/dense", "layers/dense/vars/0", None)


def place_of(kind: str) -> Place:
    return NEW if kind in ("model.keras", "new.weights.h5") else LEGACY


def make_good(folder: Path, kind: str) -> Path:
    """A good file without a list of checksums: who makes a hostile one leaves it out."""
    path = folder / kind
    if kind.startswith("model"):
        save_model(path, NET, PARAMS, STATE)
    else:
        save_weights(path, NET, PARAMS, STATE)
    with_hdf5(path, without_checksums)
    return path


def without_checksums(file: h5py.File) -> None:
    """Leave what Keras has."""
    for part, names in ((file, ("manifest", "params", "state")), (file.attrs, ("fnet",))):
        for name in names:
            if name in part:
                del part[name]


def with_hdf5(path: Path, change: Callable[[h5py.File], Any]) -> None:
    """Change the HDF5 file, or that in an archive."""
    if path.suffix != ".keras":
        with h5py.File(path, "r+") as file:
            change(file)
        return
    members = members_of(path)
    inner = path.with_suffix(".inner.h5")
    inner.write_bytes(members["model.weights.h5"])
    with h5py.File(inner, "r+") as file:
        change(file)
    write_archive(path, members | {"model.weights.h5": inner.read_bytes()})
    inner.unlink()


def with_config(path: Path, change: Callable[[str], str | bytes]) -> None:
    """Change the text that says the model."""
    if path.suffix == ".keras":
        members = members_of(path)
        changed = change(members["config.json"].decode())
        write_archive(path, members | {"config.json": changed if isinstance(changed, bytes) else changed.encode()})
        return
    with h5py.File(path, "r+") as file:
        text = file.attrs["model_config"]
        changed = change(text if isinstance(text, str) else text.decode())
        file.attrs["model_config"] = np.bytes_(changed) if isinstance(changed, bytes) else changed


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write_archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[str], str]:
    """A change of a config as text, from one of the object that it says."""

    def change_text(text: str) -> str:
        config = json.loads(text)
        change(config)
        return json.dumps(config)

    return change_text


def dense(config: dict[str, Any]) -> dict[str, Any]:
    return config["config"]["layers"][1]
