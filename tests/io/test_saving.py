"""Saving weights: what cannot be saved is refused before anything is written; nothing is left of what failed."""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet import Input, graph, random, tree
from fnet.errors import FileError, StructureError
from fnet.io import atomic, load_weights, save_weights
from fnet.layers import LSTM, Add, BatchNormalization, Bidirectional, Conv2D, Dense, Dropout, Embedding, Flatten
from fnet.networks.combinators import fanout, named, serial
from fnet.networks.layer import Layer
from fnet.networks.storage import store, stored
from tests.io.full_disk import disk_with_room
from tests.weights import any_weights

NET = serial(Dense(3), BatchNormalization(), Dense(2))
PARAMS, STATE = any_weights(NET, (4,))
POSIX = pytest.mark.skipif(os.name != "posix", reason="files as POSIX has them")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@POSIX
@pytest.mark.parametrize("kind", ["pipe", "socket", "folder"])
def test_what_is_no_file_is_refused(tmp_path, kind):
    path, opened = tmp_path / "w", socket.socket(socket.AF_UNIX)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        opened.bind(os.path.relpath(path))  # the length of such a path is limited
    else:
        path.mkdir()
    before = path.stat()
    message = "is a folder" if kind == "folder" else "is a device, a pipe or a socket"
    with pytest.raises(FileError, match=f"'.*w' {message}, expected the name of a file. Nothing was written"):
        save_weights(path, NET, PARAMS, STATE)
    opened.close()
    assert path.stat().st_ino == before.st_ino and [p.name for p in tmp_path.iterdir()] == ["w"]


@POSIX
@pytest.mark.parametrize("exists", [True, False])
def test_links_are_followed(tmp_path, exists):
    real = tmp_path / "real"
    real.mkdir()
    if exists:
        (real / "w.h5").write_bytes(b"old")
    (tmp_path / "one").symlink_to(real)
    (tmp_path / "two").symlink_to(Path("one") / "w.h5")
    save_weights(tmp_path / "two", NET, PARAMS, STATE)
    assert (tmp_path / "two").is_symlink() and list(contents(real)) == ["w.h5"]
    assert tree.all_equal(load_weights(real / "w.h5", NET, PARAMS, STATE), (PARAMS, STATE))


@POSIX
def test_a_link_to_itself(tmp_path):
    (tmp_path / "w").symlink_to("w")
    with pytest.raises(OSError, match=r"symbolic links: '.*w'"):
        save_weights(tmp_path / "w", NET, PARAMS, STATE)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*none.w\.h5'$"):
        save_weights(tmp_path / "none" / "w.h5", NET, PARAMS, STATE)


@pytest.mark.parametrize("name", ["n" * 252, "é" * 126])
def test_names_may_be_as_long_as_the_system_allows(tmp_path, name):
    save_weights(tmp_path / f"{name}.h5"[-255:], NET, PARAMS, STATE)
    assert len(contents(tmp_path)) == 1
    stale = tmp_path / f"{atomic._prefix(next(tmp_path.iterdir()))}{'0' * 16}.tmp"
    stale.touch()
    save_weights(tmp_path / f"{name}.h5"[-255:], NET, PARAMS, STATE)
    assert not stale.exists() or not hasattr(os, "fork")


x = Input((4,))
NETS = {
    "dense": (Dense(3), (4,)),
    "units": (Dense(5), (4,)),
    "no bias": (Dense(3, use_bias=False), (4,)),
    "named": (serial(named("one", Dense(3))), (4,)),
    "serial": (serial(Dense(3)), (4,)),
    "normalised": (serial(Dense(3), BatchNormalization()), (4,)),
    "dropout": (serial(Dense(3), Dropout(0.5), Dense(3)), (4,)),
    "fanout": (fanout(Dense(3), Dense(2)), (4,)),
    "graph": (graph(x, Add()([Dense(2)(x), Dense(2)(x)])), (4,)),
    "conv": (serial(Conv2D(2, 3), Flatten(), Dense(3)), (5, 5, 1)),
    "lstm": (LSTM(3), (5, 2)),
    "bidirectional": (serial(Bidirectional(LSTM(3))), (5, 2)),
    "embedding": (Embedding(7, 3), (5,)),
}


@functools.cache
def of(name: str) -> tuple:
    net, shape = NETS[name]
    return (net, *net.init(random.key(1), shape))


@pytest.mark.parametrize("name", NETS)
def test_trees_of_other_networks_are_refused_before_anything_is_written(tmp_path, name):
    net, params, state = of(name)
    save_weights(tmp_path / "w.h5", net, params, state)
    before = contents(tmp_path)
    with pytest.raises(StructureError, match=r"another network|keyed by layer"):
        save_weights(tmp_path / "w.h5", net, state, params)
    for other in NETS.keys() - {name}:
        _, *foreign = of(other)
        if tree.all_equal(tree.map(np.shape, foreign), tree.map(np.shape, [params, state])):
            continue
        with pytest.raises(StructureError, match=r"another network|keyed by layer"):
            save_weights(tmp_path / "w.h5", net, *foreign)
    assert contents(tmp_path) == before


def test_the_error_says_what_is_of_another_network(tmp_path):
    with pytest.raises(StructureError, match="in 'dense': params of another network, or params and state swapped"):
        save_weights(tmp_path / "w.h5", NET, STATE, PARAMS)
    with pytest.raises(StructureError, match="serial has no layer 'dens'. Did you mean 'dense'"):
        save_weights(tmp_path / "w.h5", NET, {"dens": PARAMS["dense"]}, STATE)
    wide = {**PARAMS, "dense": Dense(4).init(random.key(0), (4,))[0]}
    with pytest.raises(StructureError, match=r"'kernel' has the shape \(4, 4\), expected \(None, 3\)"):
        save_weights(tmp_path / "w.h5", NET, wide, STATE)


def test_what_a_layer_of_the_users_own_has_is_not_guessed(tmp_path):
    own = Layer(lambda key, shape, dtype: ({}, {}), lambda params, state, x, key=None, train=False: (x, state))
    save_weights(tmp_path / "w.h5", serial(own), {"layer": {"a": np.ones(2)}}, {"layer": np.ones(1)})


@pytest.mark.parametrize("form", ["bfloat16", "float16"])
def test_the_format_of_stored_weights_is_in_the_file(tmp_path, form):
    kept, other = store(PARAMS, form), "float16" if form == "bfloat16" else "bfloat16"
    save_weights(tmp_path / "w.h5", NET, kept, STATE)
    loaded, _ = load_weights(tmp_path / "w.h5", NET, store(PARAMS, form), STATE)
    assert tree.all_equal(loaded, kept)
    with pytest.raises(FileError, match=rf"'params/dense/kernel/bits' is {form} \(4, 3\) in the .* expected {other}"):
        load_weights(tmp_path / "w.h5", NET, store(PARAMS, other), STATE)
    plain = tree.map(lambda x: x, {k: {n: {"bits": v.bits} for n, v in d.items()} for k, d in kept.items()})
    with pytest.raises(FileError, match=f"is {form} .* in the manifest, expected uint16"):
        load_weights(tmp_path / "w.h5", Layer(*NET), plain, STATE)
    with pytest.raises(FileError, match="missing"):
        load_weights(tmp_path / "w.h5", NET, PARAMS, STATE)


def test_a_network_that_stores_its_weights_itself(tmp_path):
    net = stored(NET, "float16")
    params, state = net.init(random.key(0), (4,))
    save_weights(tmp_path / "w.h5", net, params, state)
    with pytest.raises(FileError, match="is float16 .* in the manifest, expected bfloat16"):
        load_weights(tmp_path / "w.h5", net, store(PARAMS), state)


def test_a_deep_network_is_saved(tmp_path):
    net = Dense(2)
    for _ in range(80):
        net = serial(net)
    params, state = net.init(random.key(0), (3,))
    save_weights(tmp_path / "w.h5", net, params, state)
    assert tree.all_equal(load_weights(tmp_path / "w.h5", net, params, state)[0], params)


@pytest.mark.parametrize("name", [".", "a\0b", "\ud800"])
def test_names_that_files_cannot_hold_are_refused_when_the_layer_is_made(name):
    with pytest.raises(StructureError, match="cannot be that of a group in a weights file"):
        Dense(2, name=name)
    with pytest.raises(StructureError, match="cannot be that of a group in a weights file"):
        named(name, Dense(2))


@pytest.mark.parametrize("name", ["..", "é", "a b", "\x1b", "😀", "n" * 3000])
def test_all_other_names_come_back(tmp_path, name):
    net = serial(named(name, Dense(2)))
    params, state = net.init(random.key(0), (3,))
    save_weights(tmp_path / "w.h5", net, params, state)
    assert tree.all_equal(load_weights(tmp_path / "w.h5", net, params, state)[0], params)


@pytest.mark.skipif(atomic.fcntl is None, reason="the system deletes no files that are open")
def test_what_killed_saves_left_is_removed_and_what_others_write_is_not(tmp_path):
    stale = tmp_path / ".w.h5.0123456789abcdef.tmp"
    of_another = [
        tmp_path / name for name in (".other.h5.0123456789abcdef.tmp", ".w.h5.tmp", "w.h5.0123456789abcdef.tmp")
    ]
    for path in (stale, *of_another):
        path.write_bytes(b"x")
    with atomic.replacing(tmp_path / "w.h5") as live:
        save_weights(tmp_path / "w.h5", NET, PARAMS, STATE)
        assert live.exists() and not stale.exists() and all(path.exists() for path in of_another)
        live.write_bytes(b"later")
    assert (tmp_path / "w.h5").read_bytes() == b"later" and len(contents(tmp_path)) == 4


def test_saves_at_the_same_time_all_succeed(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(save_weights, tmp_path / "w.h5", NET, PARAMS, STATE) for _ in range(24)]:
            done.result()
    assert list(contents(tmp_path)) == ["w.h5"]


@given(room=st.integers(0, 4000))
def test_a_disk_that_becomes_full_is_an_error_that_names_the_path_and_leaves_the_old_file(tmp_path_factory, room):
    path = tmp_path_factory.mktemp("full") / "w.h5"
    save_weights(path, NET, PARAMS, STATE)
    before = contents(path.parent)
    with disk_with_room(room), pytest.raises(OSError, match=r"No space left on device: '.*w\.h5'$"):
        save_weights(path, NET, tree.map(lambda x: x + 1, PARAMS), STATE)
    assert contents(path.parent) == before


KILLED = """
import sys, numpy as np
from fnet.io.atomic import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""

FULL = """
import resource, sys, numpy as np
from fnet import random
from fnet.io import save_weights
from fnet.layers import Dense
net = Dense(100)
params, state = net.init(random.key(0), (1000,))
save_weights(sys.argv[1], Dense(3), *Dense(3).init(random.key(0), (4,)))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_weights(sys.argv[1], net, params, state)
except OSError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
@POSIX
def test_a_killed_save_is_cleared_away_by_the_next_one(tmp_path):
    path = tmp_path / "w.h5"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdin is not None
    process.stdout.readline()
    save_weights(path, NET, PARAMS, STATE)
    assert len(contents(tmp_path)) == 2  # it lives
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stdin.close()
    time.sleep(0.01)
    save_weights(path, NET, PARAMS, STATE)
    assert list(contents(tmp_path)) == ["w.h5"]


@pytest.mark.slow
@POSIX
def test_a_full_disk_is_an_error_that_names_the_path_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "w.h5"
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("OSError") and str(path) in done.stdout, done
    assert ".tmp" not in done.stdout and done.stderr == "" and list(contents(tmp_path)) == ["w.h5"]
    small = Dense(3)
    params, state = small.init(random.key(0), (4,))
    assert tree.all_equal(load_weights(path, small, params, state)[0], params)
