"""Where files cannot be written: nothing is lost, nothing but a regular file is replaced, and errors name the path."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fnet
from fnet import checkpoint, random
from fnet.errors import FileError
from fnet.layers import BatchNormalization, Dense

NET = fnet.serial(Dense(3), BatchNormalization())
TRAINER = fnet.Trainer(NET, "mse", "adam")
TS = TRAINER.init(random.key(0), (4,))
SAVERS: dict[str, Callable[[Any], None]] = {
    "model.h5": lambda path: fnet.save_model(path, NET, TS.params, TS.state),
    "model.keras": lambda path: fnet.save_model(path, NET, TS.params, TS.state),
    "training.h5": lambda path: fnet.save_model(path, NET, TS.params, TS.state, TRAINER, TS),
    "training.keras": lambda path: fnet.save_model(path, NET, TS.params, TS.state, TRAINER, TS),
    "weights.h5": lambda path: fnet.save_weights(path, NET, TS.params, TS.state),
    "w.weights.h5": lambda path: fnet.save_weights(path, NET, TS.params, TS.state),
    "w.safetensors": lambda path: fnet.save_safetensors(path, TS.params),
    "checkpoint.h5": lambda path: checkpoint.save(path, TS),
}
POSIX = pytest.mark.skipif(os.name != "posix", reason="files of POSIX")
every_saver = pytest.mark.parametrize("name", SAVERS)


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


@POSIX
@every_saver
def test_only_regular_files_are_replaced(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    for kind in ("folder", "pipe", "socket", "link to a pipe", "broken link to a folder"):
        path = Path(name)
        if kind == "folder":
            path.mkdir()
            (path / "inside").write_text("kept")
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(name)
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "link to a pipe":
            os.mkfifo("pipe")
            path.symlink_to("pipe")
        else:
            path.symlink_to("nowhere/file")
        before = path.lstat()
        with pytest.raises((FileError, OSError), match=r"Nothing was written\.|No such file or directory: '") as caught:
            SAVERS[name](path)
        assert name in str(caught.value)
        assert (path.lstat().st_mode, path.lstat().st_ino) == (before.st_mode, before.st_ino)
        assert not [entry for entry in tmp_path.iterdir() if entry.name.endswith(".tmp")]
        if kind == "folder":
            assert (path / "inside").read_text() == "kept"
            (path / "inside").unlink()
            path.rmdir()
        else:
            path.unlink()


@every_saver
def test_what_looks_like_a_device_is_not_replaced(tmp_path, name, monkeypatch):
    path = tmp_path / name
    path.write_bytes(b"old")
    is_file = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda self: self.name != name and is_file(self))
    with pytest.raises(FileError, match=r"is a device, a pipe or a socket, expected the name of a file. Nothing was"):
        SAVERS[name](path)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
@every_saver
def test_a_folder_that_takes_no_files(tmp_path, name, code, monkeypatch):
    SAVERS[name](tmp_path / name)
    before, own = contents(tmp_path), os.open

    def refuse(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & os.O_CREAT and tmp_path in Path(path).parents:
            raise OSError(code, os.strerror(code), os.fspath(path))
        return own(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", refuse)
    for target in (tmp_path / name, tmp_path / f"new_{name}"):
        with pytest.raises(OSError, match=f"{os.strerror(code)}: '{target}'"):
            SAVERS[name](target)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("call", ["fsync", "replace"])
@every_saver
def test_a_disk_that_fails_at_the_end(tmp_path, name, call, monkeypatch):
    SAVERS[name](tmp_path / name)
    before = contents(tmp_path)

    def refuse(*arguments: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match=f"{os.strerror(errno.EIO)}: '.*{name}'"):
        SAVERS[name](tmp_path / name)
    assert contents(tmp_path) == before


FULL = """
import json, resource, sys
from pathlib import Path
from tests.io.test_targets import SAVERS, contents
folder, found = Path(sys.argv[1]), {}
for name, save in SAVERS.items():
    save(folder / name)
    before, size = contents(folder), (folder / name).stat().st_size
    for room in (0, 100, size // 2, size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try:
            save(folder / name)
            said = "saved"
        except OSError as error:
            said = str(error)
        except BaseException as error:
            said = repr(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        found[f"{name} {room}"] = said if contents(folder) == before else f"changed, {said}"
print(json.dumps(found))
"""


@pytest.mark.slow
@POSIX
def test_a_disk_without_room(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert len(found) == 4 * len(SAVERS)
    for case, said in found.items():
        assert said == f"[Errno {errno.EFBIG}] {os.strerror(errno.EFBIG)}: '{tmp_path / case.split()[0]}'", case
