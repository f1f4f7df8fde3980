"""Texts in heaps of HDF5, which the library reads for ever where an object of no size is in the row."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from fnet.errors import FileError
from fnet.io import hdf5, heaps

TEXTS = {"first": b"x" * 40, "second": b"y" * 20}


@pytest.fixture
def path(tmp_path) -> Path:
    """A file with two texts in a heap, and the same bytes once more as numbers."""
    path = tmp_path / "texts.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(TEXTS)
    heap = path.read_bytes().index(b"GCOL")
    content = path.read_bytes()[heap : heap + 4096]
    with h5py.File(path, "r+") as file:
        file["numbers"] = np.frombuffer(content, np.uint8)
    return path


def texts(path: Path) -> dict[str, bytes]:
    with h5py.File(path, "r") as file:
        return {name: (hdf5.text(file, name, 100) or "").encode() for name in TEXTS}


def changed(path: Path, place: int, value: bytes) -> None:
    data = bytearray(path.read_bytes())
    begin = data.index(b"GCOL") + place
    data[begin : begin + len(value)] = value
    path.write_bytes(data)


def test_good_texts_are_read(path):
    assert texts(path) == TEXTS


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (120, bytes(8)),  # the size of what is free
        (120, struct.pack("<Q", 8)),
        (120, struct.pack("<Q", 1 << 40)),
        (120, struct.pack("<Q", (1 << 64) - 16)),
        (24, struct.pack("<Q", (1 << 64) - 16)),  # that of the first text
        (24, struct.pack("<Q", (1 << 64) - 48)),
        (80, bytes(2000)),
    ],
)
def test_a_damaged_heap_is_refused(path, place, value):
    changed(path, place, value)
    with pytest.raises(FileError, match="an attribute cannot be read: the heap of its text is damaged. Use a copy"):
        texts(path)


def test_heaps_in_one_another_are_refused(path):
    fake = b"GCOL\x01\0\0\0" + struct.pack("<Q", 1 << 15) + bytes(2) + bytes(6) + struct.pack("<Q", (1 << 15) - 16)
    path.write_bytes(path.read_bytes() + fake * 2000)
    with pytest.raises(FileError, match="it has heaps of texts in one another: it is hostile"):
        texts(path)


def test_a_beginning_that_lies_in_two_pieces_is_found(path, monkeypatch):
    whole = path.read_bytes()
    expected = [i for i in range(len(whole)) if whole[i : i + 5] == b"GCOL\x01"]
    for size in (7, 64, len(whole)):
        monkeypatch.setattr(heaps, "_PIECE", size)
        with path.open("rb") as file:
            assert list(heaps._places(file)) == expected and expected
