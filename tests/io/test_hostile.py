"""Weights files that someone damaged, or made to do harm: refused quickly, in little memory, in plain words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fnet.errors import FileError
from fnet.io import load_weights, save_weights
from fnet.io.weights import WEIGHTS
from fnet.layers import Dense
from tests.weights import any_weights

NET = Dense(3)
PARAMS, STATE = any_weights(NET, (4,))


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "weights.h5"
    save_weights(path, NET, PARAMS, STATE)
    return path.read_bytes()


def load(path: Path) -> None:
    load_weights(path, NET, PARAMS, STATE)


def survives(path: Path, data: bytes) -> None:
    """A damaged file is refused, or its arrays are what they were."""
    path.write_bytes(data)
    try:
        loaded, _ = load_weights(path, NET, PARAMS, STATE)
    except FileError as error:
        assert str(error).isprintable() or "\n" not in str(error)
        assert len(str(error)) < 2000
    else:
        assert all(loaded[name].tobytes() == PARAMS[name].tobytes() for name in PARAMS)


@given(places=st.lists(st.integers(0, 1 << 20), min_size=1, max_size=3), bits=st.integers(1, 255), cut=st.booleans())
@settings(max_examples=150)
def test_flipped_bits_and_cut_files(good, tmp_path_factory, places, bits, cut):
    data = bytearray(good)
    for place in places:
        data[place % len(data)] ^= bits
    survives(tmp_path_factory.mktemp("flip") / "w.h5", bytes(data[: places[0] % len(data)] if cut else data))


@given(st.binary(max_size=200))
@example(b"")
def test_any_bytes_are_no_weights(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "w.h5"
    path.write_bytes(data)
    with pytest.raises(FileError, match="cannot be read as HDF5"):
        load(path)


@pytest.mark.slow
def test_every_byte_inverted(good, tmp_path):
    for place in range(len(good)):
        survives(tmp_path / "w.h5", good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])


def listed(file: h5py.File, text: str) -> None:
    del file["manifest"]
    file["manifest"] = np.frombuffer(text.encode(), np.uint8)


def doubled_links(file: h5py.File) -> None:
    """2^30 paths in 30 groups."""
    inner = file.create_group("params/zero")
    for _ in range(30):
        outer = file.create_group(None)
        outer["a"] = outer["b"] = inner
        inner = outer
    file["params/zero"]["again"] = inner
    file["deep"] = inner


def compressed_thrice(file: h5py.File) -> None:
    """A small chunk that becomes 3 GiB."""
    del file["params/bias"]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((3 << 28,))
    for _ in range(3):
        plist.set_deflate(9)
    kind, space = h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((3,), (3 << 28,))
    made = h5py.h5d.create(file["params"].id, b"bias", kind, space, plist)
    data = zlib.compress(zlib.compress(zlib.compress(bytes(1 << 20))))
    made.write_direct_chunk((0,), data)


def compressed(file: h5py.File, chunk: int, size: int) -> None:
    """A chunk of `chunk` numbers that inflates to `size` bytes."""
    del file["params/bias"]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((chunk,))
    plist.set_deflate(9)
    space = h5py.h5s.create_simple((3,), (1 << 30,))
    made = h5py.h5d.create(file["params"].id, b"bias", h5py.h5t.IEEE_F32LE, space, plist)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    made.write_direct_chunk((0,), data)


def large_chunk(file: h5py.File) -> None:
    compressed(file, 1 << 28, 0)


def inflating_chunk(file: h5py.File) -> None:
    compressed(file, 3, 1 << 26)


def compressed_manifest(file: h5py.File) -> None:
    """26 kB that would be five million lists."""
    text = b"[" + b"[]," * 5_000_000 + b"[]]"
    del file["manifest"]
    file.create_dataset("manifest", data=np.frombuffer(text, np.uint8), compression="gzip", chunks=(1 << 20,))


def endless_manifest(file: h5py.File) -> None:
    listed(file, "[" + "[]," * 300_000 + "[]]")


def no_text(file: h5py.File) -> None:
    h5py.h5g.create(file["params"].id, b"\xff\xfe")


def long_name(file: h5py.File) -> None:
    file["params/" + "n" * 60_000] = 1


def escapes(file: h5py.File) -> None:
    file["params/\x1b[31mred\u202egreen"] = 1


def many_names(file: h5py.File) -> None:
    for i in range(3000):
        file[f"params/{i}"] = 1


def escapes_in_manifest(file: h5py.File) -> None:
    listed(file, json.dumps({"format": WEIGHTS.format, "version": 1, "leaves": {"\x1b[2J" + "x" * 100_000: 1}}))


def long_version(file: h5py.File) -> None:
    listed(file, json.dumps({"format": WEIGHTS.format, "version": "\x1b[2J" + "x" * 100_000}))


def foreign_manifest(file: h5py.File) -> None:
    entry = {"shape": [1], "dtype": "float32", "sha256": "0" * 64}
    leaves = {"\x1b[2J" + "x" * 1000 + str(i): entry for i in range(500)}
    listed(file, json.dumps({"format": WEIGHTS.format, "version": 1, "leaves": leaves}))


def other_type(file: h5py.File) -> None:
    del file["params/bias"]
    file["params/bias"] = np.zeros(3, [("\x1b[2J" + "f" * 1000 + str(i), "f4") for i in range(20)])


HOSTILE = {
    "doubled links": (doubled_links, "unexpected"),
    "compressed thrice": (compressed_thrice, "'params/bias' uses the filters [1, 1, 1]"),
    "large chunk": (large_chunk, "'params/bias' has chunks (268435456,), more than the whole of it, (3,)"),
    "inflating chunk": (inflating_chunk, "a chunk of 'params/bias' becomes more than 16 bytes"),
    "compressed manifest": (compressed_manifest, "the manifest is uint8 (15000004,), expected at most"),
    "endless manifest": (endless_manifest, "the manifest is not valid: it does not say that it is of the format"),
    "no text": (no_text, "cannot be read as HDF5 (UnicodeDecodeError"),
    "long name": (long_name, "unexpected 'params/nnn"),
    "escapes": (escapes, r"unexpected 'params/\x1b[31mred\u202egreen'"),
    "many names": (many_names, "and 92 more"),
    "escapes in the manifest": (escapes_in_manifest, r"the entry of '\x1b[2Jxxx"),
    "long version": (long_version, r"it has the version '\x1b[2Jxxx"),
    "foreign manifest": (foreign_manifest, r"unexpected '\x1b[2Jxxx"),
    "other type": (other_type, r"'params/bias' is [('\x1b[2Jfff"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(good, tmp_path, name):
    spoil, message = HOSTILE[name]
    path = tmp_path / "w.h5"
    path.write_bytes(good)
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(FileError) as caught:
        load(path)
    text = str(caught.value)
    assert message in text and text.isprintable() and len(text) < 1500 + len(str(path)), text[:300]


MEASURED = """
import sys, time, resource, pickle
from fnet import random
from fnet.io import load_weights
from fnet.errors import FileError
from fnet.layers import Dense
net = Dense(3)
params, state = net.init(random.key(0), (4,))
try:
    load_weights(sys.argv[1], net, params, state)
except FileError:
    pass
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
for path in sys.argv[2:]:
    try:
        load_weights(path, net, params, state)
    except FileError:
        continue
    sys.exit("loaded " + path)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux does")
def test_hostile_files_cost_little_time_and_memory(good, tmp_path):
    paths = []
    for number, (spoil, _) in enumerate(HOSTILE.values()):
        paths.append(tmp_path / f"{number}.h5")
        paths[-1].write_bytes(good)
        with h5py.File(paths[-1], "r+") as file:
            spoil(file)
    (tmp_path / "warm.h5").write_bytes(good)
    command = [sys.executable, "-c", MEASURED, *map(str, [tmp_path / "warm.h5", *paths])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    assert seconds < len(paths) and kilobytes < 100_000


def test_a_file_that_may_not_be_read_is_said_as_such(good, tmp_path, monkeypatch):
    path = tmp_path / "w.h5"
    path.write_bytes(good)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="Permission denied: '.*w.h5'"):
        load(path)


def test_a_manifest_elsewhere_is_not_followed(good, tmp_path):
    (tmp_path / "w.h5").write_bytes(good)
    (tmp_path / "other.h5").write_bytes(good)
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        del file["manifest"]
        file["manifest"] = h5py.ExternalLink("other.h5", "manifest")
    with pytest.raises(FileError, match="'manifest' is a ExternalLink, which is refused"):
        load(tmp_path / "w.h5")


@pytest.mark.parametrize("fletcher32", [True, False])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("compression", ["gzip", None])
def test_files_that_were_packed_by_others_are_read(good, tmp_path, compression, shuffle, fletcher32):
    (tmp_path / "w.h5").write_bytes(good)
    packing = {"chunks": True, "compression": compression, "shuffle": shuffle, "fletcher32": fletcher32}
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        for name in ("params/kernel", "params/bias", "manifest"):
            array = file[name][()]
            del file[name]
            file.create_dataset(name, data=array, **packing)
    loaded, _ = load_weights(tmp_path / "w.h5", NET, PARAMS, STATE)
    assert all(loaded[name].tobytes() == PARAMS[name].tobytes() for name in PARAMS)
