"""Checkpoints that someone damaged, or made to do harm: refused in plain words, or their trees are what they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fnet import checkpoint, tree
from fnet.errors import FileError
from fnet.io import manifest
from fnet.io.checkpoint.trees import CHECKPOINT

TREE = {"params": {"kernel": np.arange(6, dtype="float32").reshape(2, 3)}, "counts": [np.int64(3), None], "rate": 0.1}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "c.h5"
    checkpoint.save(path, TREE)
    return path.read_bytes()


@pytest.fixture
def path(good, tmp_path: Path) -> Path:
    """A good file."""
    (tmp_path / "c.h5").write_bytes(good)
    return tmp_path / "c.h5"


def survives(path: Path, data: bytes, value: Any = TREE) -> None:
    """A damaged file is refused, or its tree is what it was."""
    path.write_bytes(data)
    try:
        loaded = checkpoint.load(path, value)
    except FileError as error:
        assert str(error).isprintable() and len(str(error)) < 4000
    else:
        found, expected = ([np.asarray(x).tobytes() for x in tree.leaves(t)] for t in (loaded, value))
        assert found == expected and tree.structure(loaded) == tree.structure(value)


@given(places=st.lists(st.integers(0, 1 << 20), min_size=1, max_size=3), flip=st.integers(1, 255), cut=st.booleans())
@settings(max_examples=150)
def test_flipped_bits_and_cut_files(good, tmp_path_factory, places, flip, cut):
    data = bytearray(good)
    for place in places:
        data[place % len(data)] ^= flip
    survives(tmp_path_factory.mktemp("flip") / "c.h5", bytes(data[: places[0] % len(data)] if cut else data))


@pytest.mark.slow
def test_every_byte_inverted(tmp_path):
    value = {"w": np.ones(2, "float32"), "n": 1}
    checkpoint.save(tmp_path / "c.h5", value)
    data = (tmp_path / "c.h5").read_bytes()
    for place in range(len(data)):
        survives(tmp_path / "c.h5", data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :], value)


@given(st.binary(max_size=200))
@example(b"")
def test_any_bytes_are_no_checkpoint(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "c.h5"
    path.write_bytes(data)
    with pytest.raises(FileError, match="cannot be read as HDF5"):
        checkpoint.load(path, TREE)


def with_structure(path: Path, text: bytes, told: Any = None) -> None:
    """Put another structure into the file, with the right checksum."""
    data = np.frombuffer(text, np.uint8)
    with h5py.File(path, "r+") as file:
        listed = manifest.decode(file["manifest"][()].tobytes(), CHECKPOINT)
        listed["structure"] = manifest.entry(data, "uint8")._replace(**(told or {}))
        del file["structure"], file["manifest"]
        file["structure"] = data
        file["manifest"] = np.frombuffer(manifest.encode(listed, CHECKPOINT), np.uint8)


STRUCTURES = {
    "no json": (b"{", None, "the structure is not valid: Expecting property name"),
    "no object": (b"[]", None, "expected a kind for every path"),
    "no kinds": (b'{"tree": 1}', None, "expected a kind for every path"),
    "twice": (b'{"tree": "dict", "tree": "list"}', None, "the structure is not valid: a key occurs twice"),
    "deep": (b"[" * 200_000, None, "the structure is not valid: maximum recursion depth"),
    "long": (b" " * (2 << 20), None, "its structure has 2097152 bytes, expected at most"),
    "escapes": (json.dumps({"\x1b[2J" + "x" * 900: "\x1b"}).encode(), None, r"unexpected '\\x1b\[2Jxxx"),
    "no text": (b"\xff", None, "the structure is not valid: 'utf-8' codec"),
    "no bytes": (b"{}", {"dtype": "int8"}, "the manifest lists no structure"),
    "another size": (b"{}", {"shape": (3,)}, r"'structure' is uint8 \(2,\), expected uint8 \(3,\)"),
    "another sum": (b"{}", {"sha256": "0" * 64}, "'structure' does not have the checksum of the manifest"),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_hostile_structures(path, name):
    text, told, message = STRUCTURES[name]
    with_structure(path, text, told)
    with pytest.raises(FileError, match=message) as caught:
        checkpoint.load(path, TREE)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 2000 + len(str(path))


def test_arrays_elsewhere_and_arrays_that_the_structure_hides(path, tmp_path):
    (tmp_path / "other.h5").write_bytes(path.read_bytes())
    with h5py.File(tmp_path / "other.h5", "r+") as file:
        file["tree/extra"] = 1.0
    with pytest.raises(FileError, match="the file is of another tree: missing none; unexpected 'tree/extra'"):
        checkpoint.load(tmp_path / "other.h5", TREE)
    with h5py.File(path, "r+") as file:
        del file["tree/rate"]
        file["tree/rate"] = h5py.ExternalLink("other.h5", "tree/rate")
    with pytest.raises(FileError, match="'tree/rate' is a ExternalLink, which is refused"):
        checkpoint.load(path, TREE)
