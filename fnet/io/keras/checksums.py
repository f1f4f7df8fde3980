"""Checksums in files of Keras' layouts that fnet wrote: a dataset that Keras does not look at."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import FileError
from fnet.io import arrays, hdf5, manifest
from fnet.io.keras.members import Numbers

MODEL = manifest.FileKind("fnet model", "model")


def checksums(file: Any) -> dict[str, manifest.Entry]:
    """What fnet's manifest in a file of Keras says of its arrays, nothing where there is none."""
    if file.get(arrays.MANIFEST, getlink=True) is None:
        return {}
    node = hdf5.dataset(file, arrays.MANIFEST)
    if node.ndim != 1 or node.dtype != np.uint8 or node.size > hdf5.size(file):
        raise FileError("the manifest is no list of checksums: the file is damaged.")
    return manifest.decode(hdf5.read(node, node.shape, node.dtype, arrays.MANIFEST).tobytes(), MODEL)


def numbers_of(file: Any, listed: dict[str, manifest.Entry]) -> Numbers:
    """The function that reads an array of the file; where checksums are listed, the array must have its own."""

    def read(path: str, shape: tuple[int, ...]) -> np.ndarray:
        array = hdf5.read_numbers(file, path, shape)
        if listed and (path not in listed or manifest.digest(array) != listed[path].sha256):
            raise FileError(f"'{path}' does not have the checksum of the manifest: the file is damaged. Use a copy.")
        return array

    return read
