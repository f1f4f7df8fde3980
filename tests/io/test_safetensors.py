"""Files of safetensors: bit for bit both ways, read by name, atomic, refused by their text where they do not fit."""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import load_safetensors, save_safetensors, tree
from fnet.errors import DtypeError, FileError, StructureError
from fnet.layers import BatchNormalization, Dense
from fnet.networks.storage import Stored
from fnet.spec import SUPPORTED, ArraySpec

safetensors = pytest.importorskip("safetensors")

TREE = {"dense": {"kernel": np.arange(6, dtype="float32").reshape(2, 3), "bias": np.ones(3)}, "steps": [np.array(4)]}


def header(names: dict[str, Any], data: bytes) -> bytes:
    """A file as the format says."""
    text = json.dumps(names).encode()
    return struct.pack("<Q", len(text)) + text + data


def part(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_safetensors(tmp_path / "w.safetensors", TREE)
    return tmp_path / "w.safetensors"


def test_a_tree_comes_back(path):
    assert tree.all_equal(load_safetensors(path, TREE), TREE)
    assert tree.structure(load_safetensors(path, TREE)) == tree.structure(TREE)
    found = load_safetensors(path)
    assert {name: x.shape for name, x in found.items()} == {"dense.kernel": (2, 3), "dense.bias": (3,), "steps.0": ()}
    assert found["dense.kernel"].flags.writeable


@pytest.mark.parametrize("dtype", sorted(SUPPORTED, key=str), ids=str)
def test_every_dtype_and_byte_order(tmp_path, dtype):
    bits = np.random.default_rng(0).integers(0, 256, 12 * dtype.itemsize, np.uint8)
    array = (bits % 2 if dtype.kind == "b" else bits).astype(np.uint8)[: 12 * dtype.itemsize].view(dtype).reshape(3, -1)
    save_safetensors(tmp_path / "a", {"a": array, "swapped": array.T, "none": array[:0]})
    loaded = load_safetensors(tmp_path / "a")
    assert loaded["a"].tobytes() == array.tobytes() and loaded["a"].dtype == dtype
    assert loaded["swapped"].tobytes() == array.T.tobytes() and loaded["none"].shape == (0, *array.shape[1:])


@pytest.mark.parametrize("format", ["bfloat16", "float16"])
def test_stored_parameters_stay_in_16_bits(tmp_path, format):
    net = fnet.serial(Dense(3), BatchNormalization())
    params, state = net.init(fnet.random.key(0), (2,))
    kept = {"params": fnet.store(params, format), "state": state}
    save_safetensors(tmp_path / "w", kept)
    loaded = load_safetensors(tmp_path / "w", kept)
    assert isinstance(loaded["params"]["dense"]["kernel"], Stored)
    assert tree.all_equal(loaded, kept)
    assert safetensors.safe_open(tmp_path / "w", "np").get_slice("params.dense.kernel").get_dtype() == (
        "BF16" if format == "bfloat16" else "F16"
    )
    wide = load_safetensors(tmp_path / "w", {"params": params, "state": state})
    assert tree.all_equal(wide["params"], fnet.restore(kept["params"]))


def test_a_training_goes_on(tmp_path):
    trainer = fnet.Trainer(Dense(1), "mse", "adam")
    ts = trainer.init(fnet.random.key(0), (2,))
    save_safetensors(tmp_path / "ts", ts)
    assert tree.all_equal(load_safetensors(tmp_path / "ts", ts), ts)


def test_the_package_reads_what_fnet_writes_and_the_reverse(tmp_path):
    from safetensors.numpy import load_file, save_file

    save_safetensors(tmp_path / "ours", TREE)
    assert np.array_equal(load_file(tmp_path / "ours")["dense.kernel"], TREE["dense"]["kernel"])
    save_file({"fc1.weight": np.eye(2, 3, dtype="float32")}, tmp_path / "theirs", {"format": "pt"})
    assert np.array_equal(load_safetensors(tmp_path / "theirs")["fc1.weight"], np.eye(2, 3))
    like = {"fc1": {"weight": ArraySpec((2, 3), np.dtype("float32"))}}
    assert np.array_equal(load_safetensors(tmp_path / "theirs", like)["fc1"]["weight"], np.eye(2, 3))


def test_all_differences_are_listed(path):
    other = {"dense": {"kernel": np.zeros((2, 3), "float32"), "gamma": np.zeros(3)}, "steps": [np.array(4)]}
    with pytest.raises(FileError, match=r"of another tree: missing 'dense.gamma'; unexpected 'dense.bias'"):
        load_safetensors(path, other)
    shapes = {"dense": {"kernel": np.zeros((3, 2), "float32"), "bias": np.ones(3, "float32")}, "steps": [np.array(4)]}
    text = r"'dense.kernel' is float32\[2, 3\], expected float32\[3, 2\]; 'dense.bias' is float64\[3\], expected"
    with pytest.raises(FileError, match=text):
        load_safetensors(path, shapes)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"a": 1.0}, DtypeError, r"in 'a': a safetensors file holds arrays, received a float. Give it as one"),
        ({"a": np.zeros(1, "complex64")}, DtypeError, r"complex64 is not supported"),
        ({"a.b": np.zeros(1), "a": {"b": np.zeros(1)}}, StructureError, "two leaves would have the same name"),
        (np.zeros(1), StructureError, "has a name for each array"),
        ({"__metadata__": np.zeros(1)}, StructureError, "other than '__metadata__'"),
    ],
)
def test_what_the_format_cannot_hold(tmp_path, given, error, text):
    with pytest.raises(error, match=text):
        save_safetensors(tmp_path / "w", given)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file(path, monkeypatch):
    old = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save_safetensors(path, {"a": np.zeros(3)})
    assert path.read_bytes() == old and os.listdir(path.parent) == [path.name]


def test_without_the_package(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (lambda: load_safetensors(path), lambda: save_safetensors(path, TREE)):
        with pytest.raises(ImportError, match=r"need safetensors .* Install it: pip install 'safetensors>=0.8'"):
            call()


def test_without_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_safetensors(tmp_path / "no")
    with pytest.raises(FileNotFoundError):
        load_safetensors(tmp_path)


HOSTILE = {
    "not a header": (b"\xff" * 16, "cannot be read as safetensors"),
    "beyond the end": (header({"a": part("F32", [1 << 40], 0, 1 << 42)}, b""), "cannot be read as safetensors"),
    "overlapping": (
        header({"a": part("U8", [2], 0, 2), "b": part("U8", [2], 1, 3)}, bytes(3)),
        "cannot be read as safetensors",
    ),
    "a hole": (header({"a": part("U8", [2], 2, 4)}, bytes(4)), "cannot be read as safetensors"),
    "of 8 bits": (header({"a": part("F8_E4M3", [2], 0, 2)}, bytes(2)), "'a' is F8_E4M3, expected one of F64, F32"),
    "a manifest of others": (
        header({"__metadata__": {"fnet": "{}"}, "a": part("U8", [2], 0, 2)}, bytes(2)),
        "the manifest is not valid",
    ),
    "a long manifest": (
        header({"__metadata__": {"fnet": " " * (1 << 20) + "{}"}, "a": part("U8", [2], 0, 2)}, bytes(2)),
        "the manifest has 1048578 bytes, expected at most 1048576",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path, name):
    data, text = HOSTILE[name]
    (tmp_path / "h").write_bytes(data)
    with pytest.raises(FileError, match=text):
        load_safetensors(tmp_path / "h")


@given(place=st.integers(0, 1 << 16), flip=st.integers(1, 255), cut=st.booleans())
@settings(max_examples=100)
def test_damage_is_found(tmp_path_factory, place, flip, cut):
    path = tmp_path_factory.mktemp("damaged") / "w"
    save_safetensors(path, TREE)
    data = bytearray(path.read_bytes())
    place %= len(data)
    data[place] ^= flip
    path.write_bytes(bytes(data[:place] if cut else data))
    try:
        loaded = load_safetensors(path, TREE)
    except FileError as error:
        assert str(error).isprintable()
    else:
        assert tree.all_equal(loaded, TREE)  # what changed is a space, or the name of the manifest
