"""What is verified when files of arrays are written and read, with arrays so large that a thread hashes them."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from fnet import checkpoint
from fnet.errors import FileError
from fnet.io import arrays
from fnet.io.checksums import LARGE, Checksums

TREE = {"large": np.arange(LARGE, dtype="float32").reshape(4, -1), "more": np.ones(LARGE), "small": np.arange(3)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "c.h5", TREE)
    return tmp_path / "c.h5"


def test_the_manifest_has_the_checksums_of_what_is_in_the_file(path):
    with h5py.File(path) as file:
        listed = json.loads(file["manifest"][:].tobytes())["leaves"]
        assert len(listed) == 4
        for name, entry in listed.items():
            assert entry["sha256"] == hashlib.sha256(file[name][:].tobytes()).hexdigest()


@pytest.mark.parametrize("name", ["large", "more", "small"])
def test_a_changed_byte_is_found_in_any_array(path, name):
    with h5py.File(path, "r+") as file:
        place = file[f"tree/{name}"].id.get_offset() + TREE[name].nbytes - 1
    with path.open("r+b") as file:
        file.seek(place)
        last = file.read(1)[0]
        file.seek(place)
        file.write(bytes([last ^ 1]))
    with pytest.raises(FileError, match=f"'tree/{name}' does not have the checksum of the manifest"):
        checkpoint.load(path, TREE)


def test_numbers_that_change_while_they_are_written_are_an_error(path, monkeypatch):
    before, write = path.read_bytes(), arrays._write
    own = {name: array.copy() for name, array in TREE.items()}

    def written_and_changed(*arguments) -> None:
        write(*arguments)
        own["large"][-1, -1] += 1

    monkeypatch.setattr(arrays, "_write", written_and_changed)
    with pytest.raises(FileError, match="'tree/large' does not have the checksum of what was to be written: it was"):
        checkpoint.save(path, own)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def test_checksums_that_do_not_reach_the_file_are_an_error(path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(arrays, "_fill_in", lambda *arguments: None)
    with pytest.raises(FileError, match=r"c\.h5': the manifest did not reach the file\. Save it to another disk\."):
        checkpoint.save(path, TREE)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def test_arrays_in_any_layout_have_the_checksum_of_their_rows(tmp_path):
    square = np.arange(LARGE, dtype="float32").reshape(256, 256)
    checkpoint.save(tmp_path / "a.h5", {"a": square.T, "b": np.zeros((0, 3)), "c": np.float32(1)})
    checkpoint.save(tmp_path / "b.h5", {"a": square.T.copy(), "b": np.zeros((0, 3)), "c": np.float32(1)})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_an_interpreter_that_ends_starts_no_threads_and_saves_all_the_same(path, monkeypatch):
    def refuse(*arguments) -> None:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    before = path.read_bytes()
    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    checkpoint.save(path, TREE)
    assert path.read_bytes() == before
    assert np.array_equal(checkpoint.load(path, TREE)["large"], TREE["large"])


def test_no_more_than_two_arrays_wait_for_their_checksums():
    with Checksums() as sums:
        for i in range(5):
            sums.add(str(i), np.full(LARGE, i))
            assert sums._thread._work_queue.qsize() <= 1
        assert len({sums[str(i)] for i in range(5)}) == 5
