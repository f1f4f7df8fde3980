"""Weights files: they give back what was saved, survive failures, and everything else is refused by its text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet import tree
from fnet.errors import DtypeError, FileError, StructureError
from fnet.io import atomic, load_weights, save_weights
from fnet.layers import Dense
from fnet.networks.combinators import serial
from fnet.networks.layer import Layer
from tests.weights import any_weights

NET = serial(Dense(3), Dense(2))
PARAMS, STATE = any_weights(NET, (4,))
OWN = Layer(lambda key, shape, dtype: ({}, {}), lambda params, state, x, key=None, train=False: (x, state))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file."""
    save_weights(tmp_path / "weights.h5", NET, PARAMS, STATE)
    return tmp_path / "weights.h5"


@given(st.data())
def test_any_tree_comes_back(tmp_path_factory, data):
    shape = st.lists(st.integers(0, 3), max_size=3).map(tuple)
    dtype = st.sampled_from(["float32", "float64", "int64", "uint8", "bool"])
    leaf = st.builds(lambda s, d: np.random.default_rng(len(s)).integers(0, 2, s).astype(d), shape, dtype)
    key = st.text("abc_Ä0 .", min_size=1, max_size=4).filter(lambda k: k != ".")
    trees = st.recursive(
        leaf, lambda child: st.dictionaries(key, child, max_size=3) | st.tuples(child, child), max_leaves=6
    )
    params, state = data.draw(trees), data.draw(trees)
    path = tmp_path_factory.mktemp("any") / "weights.h5"
    save_weights(path, OWN, params, state)
    assert tree.all_equal(load_weights(path, OWN, params, state), (params, state))
    assert [p.name for p in path.parent.iterdir()] == ["weights.h5"]


def test_nan_and_inf_keep_their_bits(tmp_path):
    params = {"w": np.array([np.nan, np.inf, -0.0, 5e-324])}
    save_weights(tmp_path / "w.h5", OWN, params, {})
    loaded, _ = load_weights(tmp_path / "w.h5", OWN, params, {})
    assert loaded["w"].tobytes() == params["w"].tobytes()


def test_the_same_weights_give_the_same_file(path, tmp_path):
    save_weights(tmp_path / "again.h5", NET, PARAMS, STATE)
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


def test_a_failed_save_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def fail(*args: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(atomic.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_weights(path, NET, tree.map(lambda x: x + 1, PARAMS), STATE)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def test_what_was_written_is_read_back_before_it_takes_its_place(path, monkeypatch):
    before = path.read_bytes()
    create = h5py.Group.create_dataset
    monkeypatch.setattr(
        h5py.Group, "create_dataset", lambda g, n, data: create(g, n, data=data * 2 if "b" in n else data)
    )
    with pytest.raises(FileError, match="does not have the checksum"):
        save_weights(path, NET, tree.map(lambda x: x + 1, PARAMS), STATE)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def external_link(file: h5py.File) -> None:
    del file["params/dense/bias"]
    file["params/dense/bias"] = h5py.ExternalLink("other.h5", "params/dense/bias")


def external_group(file: h5py.File) -> None:
    del file["params/dense"]
    file["params/dense"] = h5py.ExternalLink("other.h5", "params/dense")


def soft_link(file: h5py.File) -> None:
    del file["params/dense/bias"]
    file["params/dense/bias"] = h5py.SoftLink("/params/dense_1/bias")


def external_data(file: h5py.File) -> None:
    del file["params/dense/bias"]
    file.create_dataset("params/dense/bias", (3,), "f4", external=[("other.bin", 0, 12)])


def virtual_data(file: h5py.File) -> None:
    del file["params/dense/bias"]
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "params/dense/bias", (3,))
    file.create_virtual_dataset("params/dense/bias", layout)


def unknown_filter(file: h5py.File) -> None:
    del file["params/dense/bias"]
    file.create_dataset("params/dense/bias", data=np.zeros(3, "f4"), compression="lzf")


def cycle(file: h5py.File) -> None:
    file["params/dense/self"] = file["params"]


def other_shape(file: h5py.File) -> None:
    del file["params/dense/bias"]
    file["params/dense/bias"] = np.zeros(1 << 20, "f4")


def huge_shape(file: h5py.File) -> None:
    del file["params/dense/bias"]
    file.create_dataset("params/dense/bias", (1 << 45,), "f4", chunks=(1024,))


def other_dtype(file: h5py.File) -> None:
    del file["params/dense/bias"]
    file["params/dense/bias"] = np.zeros(3, "f8")


def strings(file: h5py.File) -> None:
    del file["params/dense/bias"]
    file["params/dense/bias"] = ["a", "b", "c"]


def changed_value(file: h5py.File) -> None:
    file["params/dense/bias"][1] = 7


def missing(file: h5py.File) -> None:
    del file["params/dense/bias"]


def unexpected(file: h5py.File) -> None:
    file["params/dense/gamma"] = np.zeros(3, "f4")


def group_in_place_of_data(file: h5py.File) -> None:
    del file["params/dense/bias"]
    file.create_group("params/dense/bias/inner")


def named_type(file: h5py.File) -> None:
    file["params/dense/kind"] = np.dtype("f4")


def no_manifest(file: h5py.File) -> None:
    del file["manifest"]


REFUSED: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "external link": (external_link, "'params/dense/bias' is a ExternalLink, which is refused"),
    "external group": (external_group, "'params/dense' is a ExternalLink, which is refused"),
    "soft link": (soft_link, "'params/dense/bias' is a SoftLink, which is refused"),
    "external data": (external_data, "the data of 'params/dense/bias' are in another file"),
    "virtual data": (virtual_data, "the data of 'params/dense/bias' are in another file"),
    "filter": (unknown_filter, r"'params/dense/bias' uses the filters \[32000\]"),
    "cycle": (cycle, "missing none; unexpected 'params/dense/self'"),
    "shape": (other_shape, r"'params/dense/bias' is float32 \(1048576,\), expected float32 \(3,\)"),
    "huge shape": (huge_shape, r"'params/dense/bias' is float32 \(35184372088832,\), expected float32 \(3,\)"),
    "dtype": (other_dtype, r"'params/dense/bias' is float64 \(3,\), expected float32 \(3,\)"),
    "strings": (strings, r"'params/dense/bias' is object \(3,\), expected float32 \(3,\)"),
    "value": (changed_value, "'params/dense/bias' does not have the checksum of the manifest"),
    "missing": (missing, "missing 'params/dense/bias'; unexpected none"),
    "unexpected": (unexpected, "missing none; unexpected 'params/dense/gamma'"),
    "group": (group_in_place_of_data, "missing 'params/dense/bias'; unexpected none"),
    "type": (named_type, "'params/dense/kind' is neither a group nor a dataset"),
    "manifest": (no_manifest, "there is no dataset 'manifest'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, path):
    spoil, message = REFUSED[name]
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(FileError, match=message):
        load_weights(path, NET, PARAMS, STATE)


def change_manifest(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with h5py.File(path, "r+") as file:
        content = json.loads(file["manifest"][()].tobytes())
        text = change(content) or json.dumps(content)
        del file["manifest"]
        file["manifest"] = np.frombuffer(text.encode(), np.uint8)


BIAS = "params/dense/bias"
MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no json": (lambda m: "{", "the manifest is not valid"),
    "deep": (lambda m: "[" * 100000, "the manifest is not valid"),
    "list": (lambda m: "[]", "does not say that it is of the format 'fnet weights'"),
    "constant": (lambda m: json.dumps(m).replace('"version": 1', '"version": NaN'), "NaN is no number of JSON"),
    "twice": (lambda m: json.dumps(m).replace('"version": 1', '"version": 1, "version": 1'), "a key occurs twice"),
    "version": (lambda m: m.update(version=2), "it has the version 2 and this fnet reads version 1: use a newer fnet"),
    "extra": (lambda m: m.update(module="os"), "it has the entries"),
    "kinds": (lambda m: m["leaves"][BIAS].update(shape="3"), f"the entry of '{BIAS}' has values of the wrong kind"),
    "sizes": (lambda m: m["leaves"][BIAS].update(shape=[-3]), f"the entry of '{BIAS}' has values of the wrong kind"),
    "keys": (lambda m: m["leaves"][BIAS].pop("dtype"), f"the entry of '{BIAS}' needs shape, dtype and sha256"),
    "leaf": (lambda m: m["leaves"].pop(BIAS) and None, f"the manifest is of another network: missing '{BIAS}'"),
    "dtype": (
        lambda m: m["leaves"][BIAS].update(dtype="int8"),
        f"'{BIAS}' is int8 .* in the manifest, expected float32",
    ),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_refused(name, path):
    change, message = MANIFESTS[name]
    change_manifest(path, lambda m: text if isinstance(text := change(m), str) and len(text) != 7 else None)
    with pytest.raises(FileError, match=message):
        load_weights(path, NET, PARAMS, STATE)


@pytest.mark.parametrize("cut", [1, 100, 0.5, 1.0])
def test_truncated(path, cut):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - (cut if isinstance(cut, int) else int(len(data) * cut))])
    with pytest.raises(FileError, match=r"in '.*weights.h5': cannot be read as HDF5"):
        load_weights(path, NET, PARAMS, STATE)


def test_no_file_and_a_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_weights(tmp_path / "none.h5", NET, PARAMS, STATE)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_weights(tmp_path, NET, PARAMS, STATE)


def test_another_network_lists_what_is_missing_and_suggests(path):
    params = {"dense": PARAMS["dense"], "dense_2": PARAMS["dense_1"]}
    with pytest.raises(
        FileError, match=r"missing 'params/dense_2/kernel', 'params/dense_2/bias'; unexpected .* Did you mean"
    ):
        load_weights(path, NET, params, STATE)


@pytest.mark.parametrize(
    ("params", "kind", "message"),
    [
        ({"a/b": np.ones(1), "a": {"b": np.ones(1)}}, StructureError, "two leaves have the same path"),
        ({"a": np.ones(1), "a/b": np.ones(1)}, StructureError, "two leaves have the same path"),
        ({"": np.ones(1)}, StructureError, "cannot be a path in an HDF5 file"),
        ({".": np.ones(1)}, StructureError, "cannot be a path in an HDF5 file"),
        ({"a": np.array(["text"])}, DtypeError, "in 'params/a': element type <U4 is not supported"),
        ({"a": np.ones(1, "float16")}, DtypeError, "in 'params/a': element type float16 is not supported"),
    ],
)
def test_trees_that_cannot_be_saved(tmp_path, params, kind, message):
    with pytest.raises(kind, match=message):
        save_weights(tmp_path / "w.h5", OWN, params, {})
    assert not list(tmp_path.iterdir())
