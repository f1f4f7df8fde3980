"""Hostile files of Keras' formats: refused in plain words, in little time and memory, and nothing else is touched."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fnet import load_model, load_training, load_weights, random, save_model, serial
from fnet.errors import FileError
from fnet.layers import LSTM
from tests.io.keras import hostile_files as hostile
from tests.io.keras.hostile_archives import ARCHIVES
from tests.io.keras.hostile_configs import CONFIGS
from tests.io.keras.hostile_hdf5 import STRUCTURES


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("good")
    return {kind: hostile.make_good(folder, kind).read_bytes() for kind in hostile.KINDS}


@pytest.fixture
def path_of(good, tmp_path):
    """A good file of a kind, beside a secret one of a right shape."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["kernel"] = np.full((4, 3), 7, "f4")
    (tmp_path / "secret.bin").write_bytes(bytes(48))

    def make(kind: str) -> Path:
        (tmp_path / kind).write_bytes(good[kind])
        return tmp_path / kind

    return make


MODELS = {"model.h5": load_model, "model.keras": load_training}  # which read a network alike


def weights_of(path: Path) -> Any:
    return load_weights(path, hostile.NET, hostile.PARAMS, hostile.STATE)


def refused(path: Path, message: str, loaders: Iterable[Callable[[Path], Any]]) -> None:
    for load in loaders:
        with pytest.raises(FileError, match=message) as caught:
            load(path)
        text = str(caught.value)
        assert text.isprintable() and len(text) < 2000 + len(str(path)), text[:300]


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_good_files_are_read(path_of, kind):
    path = path_of(kind)
    params, _ = weights_of(path)
    assert np.array_equal(params["one"]["kernel"], hostile.PARAMS["one"]["kernel"])
    if kind.startswith("model"):
        assert np.array_equal(load_model(path)[1]["one"]["kernel"], hostile.PARAMS["one"]["kernel"])


@pytest.mark.parametrize("kind", hostile.KINDS)
@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(path_of, kind, name):
    spoil, message = STRUCTURES[name]
    path = path_of(kind)
    try:
        hostile.with_hdf5(path, lambda file: spoil(file, hostile.place_of(kind)))
    except NotImplementedError:
        pytest.skip("it has no lists of names")
    refused(path, message, [weights_of, *([MODELS[kind]] if kind in MODELS else [])])


@pytest.mark.parametrize("kind", ["model.h5", "model.keras"])
@pytest.mark.parametrize("name", CONFIGS)
def test_configs(path_of, kind, name):
    change, message = CONFIGS[name]
    path = path_of(kind)
    hostile.with_config(path, change)
    refused(path, message, [MODELS[kind]])


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives(path_of, tmp_path, name):
    spoil, message = ARCHIVES[name]
    path = path_of("model.keras")
    before = {entry.name for entry in tmp_path.parent.iterdir()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spoil(path)
    alone = "config" in name or "longer" in name  # what weights alone have nothing to do with
    refused(path, message, [load_model] if alone else [load_model, weights_of])
    assert {entry.name for entry in tmp_path.parent.iterdir()} == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"secret.h5", "secret.bin", "model.keras"}


@pytest.mark.parametrize("kind", ["model.h5", "model.keras"])
def test_states_larger_than_what_goes_with_the_file(tmp_path, kind):
    net = serial(LSTM(3, stateful=True, batch_size=2))
    save_model(tmp_path / kind, net, *net.init(random.key(0), (3, 4)), shape=(3, 4))
    hostile.with_hdf5(tmp_path / kind, hostile.without_checksums)

    def large(config):
        first = config["config"]["layers"][0]["config"]
        shape = [1 << 20, 3, 4]
        first["batch_shape" if "batch_shape" in first else "batch_input_shape"] = shape
        config["config"]["build_input_shape"] = shape

    hostile.with_config(tmp_path / kind, hostile.edited(large))
    with pytest.raises(FileError, match="model: its states are larger than what goes with a file of this size"):
        load_model(tmp_path / kind)


MEASURED = """
import resource, sys, time
import h5py
from fnet import load_model, load_training, load_weights, random, save_model, serial
from fnet.errors import FileError
from tests.io.keras import hostile_files as hostile
limit = 3 << 30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
peak = None
worst = 0
for path in sys.argv[1:]:
    for load in (load_model, load_training, lambda p: load_weights(p, hostile.NET, hostile.PARAMS, hostile.STATE)):
        start = time.perf_counter()
        try:
            load(path)
        except FileError:
            pass
        worst = max(worst, (time.perf_counter() - start, path)) if worst else (time.perf_counter() - start, path)
    if peak is None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        worst = 0
print(worst[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux does")
def test_hostile_files_cost_little_time_and_memory(good, tmp_path):
    paths = [tmp_path / "model.h5"]
    paths[0].write_bytes(good["model.h5"])

    def of(kind: str, spoil) -> None:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / kind).write_bytes(good[kind])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                spoil(folder / kind)
            except NotImplementedError:
                return
        paths.append(folder / kind)

    for kind in hostile.KINDS:
        for spoil, _ in STRUCTURES.values():
            at = hostile.place_of(kind)
            of(kind, lambda p, spoil=spoil, at=at: hostile.with_hdf5(p, lambda file: spoil(file, at)))
    for kind in hostile.KINDS[:2]:
        for change, _ in CONFIGS.values():
            of(kind, lambda p, change=change: hostile.with_config(p, change))
    for spoil, _ in ARCHIVES.values():
        of("model.keras", spoil)
    command = [sys.executable, "-c", MEASURED, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    seconds, kilobytes = map(float, done.stdout.split())
    assert seconds < 5 and kilobytes < 400_000
