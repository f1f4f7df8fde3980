"""Records: plain data come back as they were; damaged and hostile files are refused."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from fnet.errors import DtypeError, FileError
from fnet.io import arrays, manifest
from fnet.io.arrays import Leaf
from fnet.io.records import RECORD, load_record, save_record
from fnet.networks.storage import Stored

VALUE = {
    "text": "é\ud800",
    3: [None, True, -(2**80), 0.1, float("inf"), -0.0, (), [], {}],
    "arrays": (np.ones((2, 3), "int8"), np.float32(0.5), np.zeros((0, 2)), Stored(np.ones(2, "uint16"), "float16")),
    "large": [np.arange(20_000.0), np.arange(10.0)[::2], np.arange(6).reshape(2, 3).T],
}


def test_plain_data_come_back_as_they_were(tmp_path):
    save_record(tmp_path / "r", VALUE)
    back = load_record(tmp_path / "r")
    assert list(back) == ["text", 3, "arrays", "large"] and back["text"] == VALUE["text"]
    assert repr(back[3]) == repr(VALUE[3])
    for one, other in zip(back["arrays"][:3], VALUE["arrays"][:3], strict=True):
        assert type(one) is type(other) and one.dtype == other.dtype and np.array_equal(one, other)
    for one, other in zip(back["large"], VALUE["large"], strict=True):
        assert one.dtype == other.dtype and np.array_equal(one, other)
    assert repr(back["arrays"][3]) == repr(VALUE["arrays"][3]) and back["arrays"][3].bits.dtype == np.uint16


def test_small_arrays_are_one_dataset(tmp_path):
    save_record(tmp_path / "r", VALUE)
    with h5py.File(tmp_path / "r") as file:
        assert list(file) == ["arrays", "content", "manifest", "packed"] and len(file["arrays"]) == 1


def test_files_of_before_have_a_dataset_for_every_array(tmp_path):
    content = ["dict", ["a", ["array", 1]], ["b", ["number", 0]]]
    leaves = {"content": Leaf(np.frombuffer(json.dumps(content).encode(), np.uint8), "uint8")}
    leaves |= {"arrays/0": Leaf(np.asarray(0.5), "float64"), "arrays/1": Leaf(np.arange(3), "int64")}
    arrays.save(tmp_path / "r", leaves, RECORD)
    back = load_record(tmp_path / "r")
    assert back["a"].tolist() == [0, 1, 2] and type(back["b"]) is np.float64 and back["b"] == 0.5


@pytest.mark.parametrize("value", [{1, 2}, 1j, object(), np.array(["a"]), b"a"], ids=lambda value: type(value).__name__)
def test_what_is_no_plain_data_is_refused(tmp_path, value):
    with pytest.raises(DtypeError):
        save_record(tmp_path / "r", {"a": [value]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    [["array", 7], ["array", "x"], ["array", -1], ["dict", [[], 1]], ["dict", 1], ["float", 3], ["float", "x"], [], {},
     0.5, ["stored", "int4", None], ["os.system", "ls"], ["stored"]],
    ids=str,
)  # fmt: skip
def test_content_that_is_never_written_is_refused(tmp_path, content):
    data = np.frombuffer(json.dumps(content).encode(), np.uint8)
    arrays.save(tmp_path / "r", {"content": Leaf(data, "uint8")}, RECORD)
    with pytest.raises(FileError, match=r"r': its content is not valid \(.*\): it is damaged\."):
        load_record(tmp_path / "r")


@pytest.mark.parametrize(
    "table",
    [[["float64", [2]]], [["float64", [4]]], [["float64", [-1]]], [["float64", [1 << 62, 1 << 62]]], [["object", [3]]],
     [["float64", ["x"]]], [["float64", 3]], [["float64"]], [None], [], {}, 3, None,
     [["float64", [3]], None], [["float64", [3]], ["float64", [0, 1 << 63]]]],
    ids=str,
)  # fmt: skip
def test_packed_arrays_that_are_never_written_are_refused(tmp_path, table):
    content = json.dumps({"data": ["array", 0], "packed": table}).encode()
    parts = {"content": np.frombuffer(content, np.uint8), "packed": np.zeros(24, np.uint8)}
    arrays.save(tmp_path / "r", {name: Leaf(part, "uint8") for name, part in parts.items()}, RECORD)
    with pytest.raises(FileError, match=r"r': its content is not valid \(.*\): it is damaged\."):
        load_record(tmp_path / "r")


@pytest.mark.parametrize("content", [{"data": None}, {"data": None, "packed": [], "more": 1}, {"packed": []}], ids=str)
def test_other_entries_are_refused(tmp_path, content):
    parts = {"content": np.frombuffer(json.dumps(content).encode(), np.uint8), "packed": np.zeros(0, np.uint8)}
    arrays.save(tmp_path / "r", {name: Leaf(part, "uint8") for name, part in parts.items()}, RECORD)
    with pytest.raises(FileError, match="its content is not valid"):
        load_record(tmp_path / "r")


def test_a_damaged_packed_array_is_noticed(tmp_path):
    save_record(tmp_path / "r", {"a": np.zeros(3), "b": np.arange(5)})
    with h5py.File(tmp_path / "r", "r+") as file:
        file["packed"][7] = 1
    with pytest.raises(FileError, match="'packed' does not have the checksum of the manifest"):
        load_record(tmp_path / "r")


def test_a_file_that_claims_more_than_it_has_is_refused_before_it_is_read(tmp_path):
    save_record(tmp_path / "r", {"a": np.zeros(3)})
    with h5py.File(tmp_path / "r", "r+") as file:
        file.create_dataset("arrays/1", shape=(1 << 40,), dtype="float64", chunks=(1 << 20,))
        listed = manifest.decode(file["manifest"][:].tobytes(), RECORD)
        listed["arrays/1"] = manifest.Entry((1 << 40,), "float64", "0" * 64)
        del file["manifest"]
        file["manifest"] = np.frombuffer(manifest.encode(listed, RECORD), np.uint8)
    with pytest.raises(FileError, match="its arrays have more bytes than the whole file"):
        load_record(tmp_path / "r")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_record(tmp_path / "none")
    (tmp_path / "text").write_text("text")
    with pytest.raises(FileError, match="cannot be read as HDF5"):
        load_record(tmp_path / "text")
