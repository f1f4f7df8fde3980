"""Checksums in files of Keras' layouts that fnet wrote: a dataset that Keras does not look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from fnet.errors import FileError, plain
from fnet.io import arrays, hdf5, manifest
from fnet.io.keras.archive import CONFIG, MOST_CONFIG
from fnet.io.keras.legacy import GROUP

MODEL = manifest.FileKind("fnet model", "model")
_MARK = "fnet"  # attribute: the file has a manifest, also where it is not found
_NAMES = "names"  # entry: the lists of names, whose order tells which array is which
_TEXTS = ("model_config", "training_config")
_TRAINING = ("optimizer", "fnet_training", "training_config")  # what a model without its training leaves out


def complete(file: Any, entries: Mapping[str, manifest.Entry], config: bytes | None = None) -> None:
    """Write the manifest of the arrays, texts and lists of names of a file that is otherwise written.

    config: that of the archive which the file is in.
    """
    texts = {name: _text(file, name).encode() for name in _TEXTS if name in file.attrs}
    texts |= {_NAMES: _names(file)} | ({} if config is None else {CONFIG: config})
    own = {name: _entry(text) for name, text in texts.items()}
    file.create_dataset(arrays.MANIFEST, data=np.frombuffer(manifest.encode({**entries, **own}, MODEL), np.uint8))
    file.attrs[_MARK] = "checksums are in 'manifest'"


class Checked:
    """Reads arrays and texts of a file; where fnet's manifest is in it, they must have their checksums."""

    def __init__(self, file: Any) -> None:
        self._file, self._open = file, set[str]()
        self._listed: dict[str, manifest.Entry] = {}
        if file.get(arrays.MANIFEST, getlink=True) is None:
            if _MARK in file.attrs:
                raise FileError("its manifest is missing, so nothing can be verified: the file is damaged. Use a copy.")
            return
        node = hdf5.dataset(file, arrays.MANIFEST)
        if node.ndim != 1 or node.dtype != np.uint8 or node.size > hdf5.size(file):
            raise FileError("the manifest is no list of checksums: the file is damaged.")
        self._listed = manifest.decode(hdf5.read(node, node.shape, node.dtype, arrays.MANIFEST).tobytes(), MODEL)
        self._open = set(self._listed)
        if _NAMES in self._listed:  # not in files of older versions
            self._compare(_NAMES, _names(file))

    def numbers(self, path: str, shape: tuple[int, ...]) -> np.ndarray:
        """The array at a path, which has this shape."""
        array = hdf5.read_numbers(self._file, path, shape)
        self._compare(path, array)
        return array

    def text(self, name: str) -> bytes | None:
        """The text of an attribute, None where it is not there."""
        content = _text(self._file, name).encode() if name in self._file.attrs else None
        if content is not None or name in self._listed:
            self._compare(name, content or b"")
        return content

    def config(self, content: bytes) -> None:
        """Compare the config of the archive which the file is in."""
        if CONFIG in self._listed:  # not in files of older versions
            self._compare(CONFIG, content)

    def all_compared(self, with_training: bool) -> None:
        """Refuse a file that lists what nobody has found in it: a name in it is damaged."""
        unread = sorted(name for name in self._open if with_training or not name.startswith(_TRAINING))
        unread = [name for name in unread if name not in (*_TEXTS, CONFIG)]
        if unread:
            raise FileError(
                f"the manifest lists '{plain(unread[0])}', which is not found: the file is damaged. Use a copy."
            )

    def _compare(self, name: str, content: np.ndarray | bytes) -> None:
        if not self._listed:
            return
        array = np.frombuffer(content, np.uint8) if isinstance(content, bytes) else content
        if name not in self._listed or manifest.digest(array) != self._listed[name].sha256:
            raise FileError(f"'{name}' does not have the checksum of the manifest: the file is damaged. Use a copy.")
        self._open.discard(name)


def _entry(text: bytes) -> manifest.Entry:
    return manifest.entry(np.frombuffer(text, np.uint8), "uint8")


def _text(file: Any, name: str) -> str:
    return hdf5.text(file, name, MOST_CONFIG) or ""


def _names(file: Any) -> bytes:
    """The lists of names of layers and weights, in their order."""
    found: dict[str, list[str]] = {}
    for name in (GROUP, "optimizer_weights"):
        if hdf5.is_group(file, name):
            group = hdf5.group(file, name)
            found[name] = hdf5.names(group, "layer_names") + hdf5.names(group, "weight_names")
            for layer in hdf5.names(group, "layer_names"):
                found[f"{name}/{layer}"] = hdf5.names(hdf5.group(file, f"{name}/{layer}"), "weight_names")
    return json.dumps(found).encode()
