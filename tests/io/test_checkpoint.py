"""Checkpoints: any tree comes back bit for bit, failures leave the old file, everything else is refused by its text."""

from __future__ import annotations

import errno
import os
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import Trainer, checkpoint, random, tree
from fnet.errors import DtypeError, FileError, StructureError
from fnet.io import atomic, load_weights, save_weights
from fnet.layers import BatchNormalization, Dense, Dropout
from fnet.masking import Masked
from fnet.networks.combinators import serial
from fnet.networks.storage import Stored
from fnet.spec import SUPPORTED, ArraySpec
from fnet.train.state import TrainState
from tests.io.full_disk import disk_with_room

TREE = {
    "params": {"kernel": np.arange(6, dtype="float32").reshape(2, 3), "bias": np.ones(3, "float32")},
    "counts": [np.int64(3), (np.zeros((0, 2)), None)],
    "epoch": 4,
    "rate": 0.1,
    "done": False,
}
POSIX = pytest.mark.skipif(os.name != "posix", reason="files as POSIX has them")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file."""
    checkpoint.save(tmp_path / "c.h5", TREE)
    return tmp_path / "c.h5"


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "c.h5"
    checkpoint.save(path, TREE)
    return path.read_bytes()


def bits(value: Any) -> tuple[type, str, tuple[int, ...], bytes]:
    """All that is to be kept of a leaf."""
    if type(value) is float:
        return float, "", (), struct.pack("<d", value)
    if type(value) in (int, bool):
        return type(value), "", (), str(value).encode()
    return type(value), value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes()


def same(a: Any, b: Any) -> bool:
    return tree.structure(a) == tree.structure(b) and list(map(bits, tree.leaves(a))) == list(map(bits, tree.leaves(b)))


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    """Any bits, in any layout."""
    dtype = draw(st.sampled_from(sorted(SUPPORTED, key=str)))
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), np.uint8)
    array = (raw % 2 if dtype.kind == "b" else raw).view(dtype).reshape(shape)
    return draw(st.sampled_from([array, np.asfortranarray(array), array.T, array[..., ::-1] if shape else array]))


NUMBERS = (
    st.integers(-(2**63), 2**63 - 1) | st.floats() | st.booleans() | arrays().map(lambda x: x.reshape(-1)[:1].sum())
)
KEYS = st.text("ab_Ä0 ./%[]\0\ud800", max_size=3) | st.integers(-2, 2)


def containers(child: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.dictionaries(KEYS, child, max_size=3)
        | st.dictionaries(KEYS, child, max_size=2).map(OrderedDict)
        | st.lists(child, max_size=2)
        | st.tuples(child, child)
        | st.builds(TrainState, child, child, child, child, child)
        | st.builds(Masked, child, child)
        | st.builds(Stored, child, st.sampled_from(["bfloat16", "float16"]))
    )


TREES = st.recursive(arrays() | NUMBERS | st.none(), containers, max_leaves=8)


@given(TREES)
@settings(max_examples=20)
def test_any_tree_comes_back_bit_for_bit(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("any") / "c.h5"
    checkpoint.save(path, value)
    assert same(checkpoint.load(path, value), value)
    assert [p.name for p in path.parent.iterdir()] == ["c.h5"]


SMALL = st.recursive(
    st.sampled_from([None, 1, 1.5, np.zeros(()), np.zeros(2), np.zeros(2, "int8")]),
    lambda child: st.lists(child, max_size=2) | st.tuples(child) | st.dictionaries(st.sampled_from("ab"), child),
    max_leaves=3,
)


def fits(like: Any, value: Any) -> bool:
    """Whether `value` has the structure, the shapes and the dtypes of `like`."""
    expected, structure = tree.flatten(like)
    try:
        found = tree.flatten_like(structure, value)
    except StructureError:
        return False
    return [(type(x), *bits(x)[1:3]) for x in expected] == [(type(x), *bits(x)[1:3]) for x in found]


@given(SMALL, SMALL)
@settings(max_examples=40)
def test_a_tree_is_loaded_like_those_of_its_form_only(tmp_path_factory, value, like):
    path = tmp_path_factory.mktemp("pair") / "c.h5"
    checkpoint.save(path, value)
    if fits(like, value):
        assert tree.all_equal(checkpoint.load(path, like), value)
    else:
        with pytest.raises(FileError, match=r"c\.h5': it holds another tree than `like`: "):
            checkpoint.load(path, like)


def test_keys_that_look_alike_are_told_apart(tmp_path):
    keys = ["", "%", "%25", "\0", "%00", ".", "%2E", "..", 1, "1", "[1]", "%5B1]", "a/b", "a%2Fb", "\ud800", "a\n"]
    value = {key: i for i, key in enumerate(keys)}
    checkpoint.save(tmp_path / "c.h5", {**value, "a": {"b": -1}})
    like = {"a": {"b": 0}, **dict.fromkeys(reversed(keys), 0)}
    assert checkpoint.load(tmp_path / "c.h5", like) == {**value, "a": {"b": -1}}


def test_payloads_of_nan_and_negative_zero(tmp_path):
    odd = {
        "f4": np.array([0x7FC12345, 0xFF812345, 0x80000000, 1], np.uint32).view(np.float32),
        "f8": np.array([0x7FF8000000ABCDEF, 1 << 63], np.uint64).view(np.float64),
        "number": struct.unpack("<d", struct.pack("<Q", 0xFFF8000000ABCDEF))[0],
        "zero": -0.0,
    }
    checkpoint.save(tmp_path / "c.h5", odd)
    assert same(checkpoint.load(tmp_path / "c.h5", tree.map(lambda x: x, odd)), odd)


def test_the_layout_in_memory_is_not_kept(tmp_path):
    rows = np.arange(12.0).reshape(3, 4)
    for name, array in (("rows", rows), ("columns", np.asfortranarray(rows)), ("back", rows[::-1].copy()[::-1])):
        checkpoint.save(tmp_path / name, {"w": array})
        assert checkpoint.load(tmp_path / name, {"w": array})["w"].flags.c_contiguous
    assert len({entry.read_bytes() for entry in tmp_path.iterdir()}) == 1


def test_like_gives_the_form_and_the_order_but_no_values(path):
    like = {
        "done": True,
        "rate": 9.9,
        "epoch": 2**80,
        "counts": [np.zeros((), "int64"), (np.ones((0, 2)), None)],
        "params": {"bias": ArraySpec((3,), np.dtype("float32")), "kernel": np.full((2, 3), 9, "float32")},
    }
    loaded = checkpoint.load(path, like)
    assert list(loaded) == list(like) and isinstance(loaded["counts"][0], np.ndarray) and loaded["epoch"] == 4
    assert tree.all_equal(loaded, TREE) and like["params"]["kernel"][0, 0] == 9
    loaded["params"]["kernel"][:] = 7
    assert tree.all_equal(checkpoint.load(path, TREE), TREE)


def test_like_may_be_what_eval_shape_gives(tmp_path):
    net = Dense(2)
    params, _ = net.init(random.key(0), (3,))
    checkpoint.save(tmp_path / "c.h5", params)
    specs = fnet.eval_shape(lambda key: net.init(key, (3,))[0], random.key(0))
    assert same(checkpoint.load(tmp_path / "c.h5", specs), params)


def test_all_differences_are_listed_at_once(path):
    like = {
        "params": {"kernel": np.zeros((3, 2), "float32"), "bias": np.zeros(3), "scale": {"a": 1, "b": 2}},
        "counts": (np.int64(0), 2),
        "epoch": np.zeros((), "int64"),
        "done": 1,
        "state": [1.0, 2.0],
    }
    with pytest.raises(FileError) as caught:
        checkpoint.load(path, like)
    assert str(caught.value) == (
        f"in '{path}': it holds another tree than `like`: missing 'params/scale', 'state'; unexpected 'rate'; "
        "'params/kernel' is float32 (2, 3), expected float32 (3, 2); 'params/bias' is float32 (3,), "
        "expected float64 (3,); 'counts' is list, expected tuple; 'counts/1' is tuple, expected Python int; "
        "'epoch' is Python int, expected int64 (); 'done' is Python bool, expected Python int."
    )


def test_very_many_differences_are_counted(tmp_path):
    checkpoint.save(tmp_path / "c.h5", [np.zeros(n) for n in range(60)])
    with pytest.raises(FileError, match=r"missing none; unexpected none; '0' is .*; '49' is .*; 10 more are different"):
        checkpoint.load(tmp_path / "c.h5", [np.zeros(n + 1) for n in range(60)])
    with pytest.raises(FileError, match=r"unexpected '0', .*'49' and 10 more\.$|'tree' is list, expected dict\.$"):
        checkpoint.load(tmp_path / "c.h5", {})


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (Stored(np.zeros(2, "uint16"), "float16"), Stored(np.zeros(2, "uint16"), "bfloat16"), "is Stored 'float16', e"),
        ({1: 0.5}, {"1": 0.5}, r"missing '1'; unexpected '\[1\]'"),
        ({"a/b": 1}, {"a": {"b": 1}}, "missing 'a'; unexpected 'a%2Fb'"),
        ({"a": None}, {"a": ()}, "'a' is None, expected tuple"),
        (TrainState(1, 2, 3, 4, 5), (1, 2, 3, 4, 5), "'tree' is TrainState, expected tuple"),
        ({"a": {}}, {}, "unexpected 'a'"),
        (1, 1.0, "'tree' is Python int, expected Python float"),
    ],
)
def test_trees_that_look_alike(tmp_path, one, other, message):
    checkpoint.save(tmp_path / "c.h5", one)
    with pytest.raises(FileError, match=message):
        checkpoint.load(tmp_path / "c.h5", other)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"a": [np.zeros(2, "float16")]}, DtypeError, "in 'a/0': element type float16 is not supported"),
        ({"a": np.zeros(2, ">f4")}, DtypeError, "in 'a': element type >f4 is not supported"),
        ({"a": "text"}, DtypeError, "in 'a': element type <U4 is not supported"),
        ({"a": Path("x")}, DtypeError, "in 'a': expected an array, a number or a tree of them"),
        ({"a": np.ma.masked_array([1.0], [True])}, DtypeError, "in 'a': a masked array is not supported"),
        ({"a": 2**63}, DtypeError, "in 'a': expected an integer of 64 bits with its sign, received one of 64 bits"),
        ({"a": {0.5: 1}}, StructureError, "'a' has the key 0.5; keys must be text or integers"),
        ({"a": ArraySpec((3,), np.dtype("float32"))}, DtypeError, "in 'a': expected an array, .*received a ArraySpec"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(path, value, error, message):
    before = path.read_bytes()
    with pytest.raises(error, match=message):
        checkpoint.save(path, value)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def test_files_of_another_kind(path, tmp_path):
    net = Dense(3)
    params, state = net.init(random.key(0), (2,))
    with pytest.raises(FileError, match="it does not say that it is of the format 'fnet weights'"):
        load_weights(path, net, params, state)
    save_weights(tmp_path / "w.h5", net, params, state)
    with pytest.raises(FileError, match="it does not say that it is of the format 'fnet checkpoint'"):
        checkpoint.load(tmp_path / "w.h5", {"params": params, "state": state})
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*none\.h5'"):
        checkpoint.load(tmp_path / "none.h5", TREE)


@POSIX
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_refused(tmp_path, kind):
    target = tmp_path / "c"
    os.mkfifo(target) if kind == "pipe" else target.mkdir()
    before = target.stat()
    message = "is a folder" if kind == "folder" else "is a device, a pipe or a socket"
    with pytest.raises(FileError, match=f"'.*c' {message}, expected the name of a file. Nothing was written"):
        checkpoint.save(target, TREE)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        checkpoint.load(target, TREE)
    assert target.stat().st_ino == before.st_ino and [p.name for p in tmp_path.iterdir()] == ["c"]


def test_a_read_only_folder_is_an_error_that_names_the_path(path, monkeypatch):
    before, opened = path.read_bytes(), os.open

    def refuse(name: Any, flags: int, *args: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), name)
        return opened(name, flags, *args)

    monkeypatch.setattr(atomic.os, "open", refuse)
    with pytest.raises(OSError, match=r"Read-only file system: '.*c\.h5'$"):
        checkpoint.save(path, {"a": 1})
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


@given(room=st.integers(0, 4000))
@settings(max_examples=25)
def test_a_disk_that_becomes_full_leaves_the_old_file(good, tmp_path_factory, room):
    path = tmp_path_factory.mktemp("full") / "c.h5"
    path.write_bytes(good)
    with disk_with_room(room), pytest.raises(OSError, match=r"No space left on device: '.*c\.h5'$"):
        checkpoint.save(path, TREE)
    assert path.read_bytes() == good and len(list(path.parent.iterdir())) == 1


def test_what_was_written_is_read_back_before_it_takes_its_place(path, monkeypatch):
    before, create = path.read_bytes(), h5py.Group.create_dataset
    monkeypatch.setattr(
        h5py.Group, "create_dataset", lambda g, n, data: create(g, n, data=data * 2 if n == "tree/rate" else data)
    )
    with pytest.raises(FileError, match="'tree/rate' does not have the checksum"):
        checkpoint.save(path, TREE)
    assert path.read_bytes() == before


def test_two_saves_in_turn(path, good):
    later = {**TREE, "epoch": 5, "more": np.zeros(3)}
    checkpoint.save(path, later)
    assert same(checkpoint.load(path, later), later)
    checkpoint.save(path, TREE)
    assert path.read_bytes() == good and [p.name for p in path.parent.iterdir()] == ["c.h5"]


def test_a_training_that_goes_on_from_a_checkpoint_gives_the_bits_of_one_never_stopped(tmp_path):
    trainer = Trainer(serial(Dense(4, "relu"), BatchNormalization(), Dropout(0.3), Dense(1)), "mse", "adam")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)).astype("float32"), rng.normal(size=(20, 1)).astype("float32")
    ts = trainer.init(random.key(1), (3,))
    whole, record = trainer.fit(ts, x, y, batch_size=8, epochs=3, verbose=False)
    stopped, _ = trainer.fit(ts, x, y, batch_size=8, epochs=1, verbose=False)
    checkpoint.save(tmp_path / "c.h5", stopped)
    loaded = checkpoint.load(tmp_path / "c.h5", trainer.init(random.key(2), (3,)))
    assert same(loaded, stopped) and not tree.all_equal(stopped, whole)
    resumed, rest = trainer.fit(loaded, x, y, batch_size=8, epochs=3, initial_epoch=1, verbose=False)
    assert same(resumed, whole) and rest["loss"] == record["loss"][1:]
