"""The cache on disk: it answers with what was stored or not at all, and what it cannot do costs nobody a result."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import config

from fnet.devices import generated
from fnet.kernels.compiler import cache_folder
from fnet.kernels.compiler.cache_folder import cache_directory, keep, kept
from fnet.kernels.policy import kernel

needs_jit = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")


def double(x, n):
    for i in range(n):
        x[i] = 2 * x[i]


TEXT = f"""from fnet.kernels.policy import kernel


@kernel
def {generated.NAME}(x, n):
    for i in range(n):
        x[i] = 3 * x[i]
"""


@pytest.fixture
def begin(monkeypatch):
    """A function that lets a folder be the cache, as in a new process."""

    def begin(folder: Path | str) -> Path | None:
        monkeypatch.setenv("FNET_CACHE_DIR", str(folder))
        monkeypatch.setattr(cache_folder, "_complaints", [])
        cache_directory.cache_clear()
        generated.define.cache_clear()
        return cache_directory()

    monkeypatch.setenv("FNET_CACHE", "1")
    yield begin
    cache_directory.cache_clear()
    generated.define.cache_clear()


def compiled() -> tuple[int, int]:
    """Whether a new kernel found its machine code, and whether it was compiled; it computes in any case."""
    function, x = kernel(double), np.arange(3.0)
    function(x, 3)
    assert x.tolist() == [0, 2, 4]
    return sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values())


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@needs_jit
def test_a_new_kernel_finds_what_was_compiled_and_nothing_else_is_left(begin, tmp_path):
    begin(tmp_path)
    assert [compiled(), compiled()] == [(0, 1), (1, 0)]
    assert [path.suffix for path in files(tmp_path)] == [".nbc"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.rglob("*") if os.name == "posix")


@needs_jit
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EFBIG])
def test_what_cannot_be_stored_is_said_once(begin, tmp_path, monkeypatch, code):
    begin(tmp_path)

    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(cache_folder.os, "replace", refuse)
    with pytest.warns(RuntimeWarning, match="compiled code is not kept for the next start: .*\n.*FNET_CACHE_DIR") as w:
        assert [compiled(), compiled()] == [(0, 1), (0, 1)]
        x = np.ones(2)
        generated.define("refused", TEXT)(x, 2)
    assert len(w) == 1 and x.tolist() == [3, 3] and files(tmp_path) == []


@needs_jit
def test_a_full_cache_is_still_read(begin, tmp_path, monkeypatch):
    begin(tmp_path)
    compiled()
    begin(tmp_path)
    monkeypatch.setattr(cache_folder.os, "open", lambda *args: pytest.fail("nothing is to be written"))
    assert compiled() == (1, 0)


@needs_jit
def test_a_folder_that_is_deleted_meanwhile_is_made_again(begin, tmp_path):
    folder = begin(tmp_path)
    compiled()
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    assert [compiled(), compiled()] == [(0, 1), (1, 0)]
    generated.define("deleted", TEXT)


def test_what_killed_processes_left_is_removed_and_what_is_being_written_is_not(begin, tmp_path):
    folder = begin(tmp_path)
    old, young = folder / "machine" / "a.tmp", folder / "machine" / "b.tmp"
    old.touch()
    young.touch()
    os.utime(old, (1, 1))
    keep(folder / "machine" / "x", b"content")
    assert young.exists() and not old.exists()


def test_a_relative_folder_stays_where_it_was(begin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = begin("relative")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    keep(folder / "machine" / "x", b"content")
    assert kept(tmp_path / "relative" / folder.name / "machine" / "x") == b"content"
    assert not files(tmp_path / "elsewhere")


def test_without_a_home_the_chosen_folder_is_used_and_with_neither_there_is_none(begin, tmp_path, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(cache_folder.Path, "home", homeless)
    monkeypatch.setattr(cache_folder.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert begin("").parent == tmp_path / "fnet"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the specification says to ignore
    with pytest.warns(RuntimeWarning, match="Could not determine home directory"):
        assert begin("") is None


@needs_jit
def test_a_folder_that_cannot_be_made_leaves_nothing_behind(begin, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.warns(RuntimeWarning, match="compiled code is not kept for the next start: .*file") as w:
        assert begin(tmp_path / "file" / "cache") is None
        compiled()
        generated.define("unmade", TEXT)(np.ones(1), 1)
    assert len(w) == 1 and [path.name for path in tmp_path.iterdir()] == ["file"]


@needs_jit
def test_switched_off(begin, tmp_path, monkeypatch):
    monkeypatch.setenv("FNET_CACHE", "off")
    assert begin(tmp_path) is None
    x = np.ones(2)
    generated.define("off", TEXT)(x, 2)
    assert x.tolist() == [3, 3] and not files(tmp_path)


@given(data=st.data())
@settings(max_examples=60)
def test_a_damaged_file_is_no_file(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("cache") / "x"
    keep(path, content := data.draw(st.binary(max_size=40)))
    whole = path.read_bytes()
    assert kept(path) == content
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = {
        "bit": whole[:place] + bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))]) + whole[place + 1 :],
        "cut": whole[:place],
        "zeros": bytes(len(whole)),
        "garbage": data.draw(st.binary(max_size=80)),
        "longer": whole + b"\0",
    }[data.draw(st.sampled_from(["bit", "cut", "zeros", "garbage", "longer"]))]
    path.write_bytes(damaged)
    assert kept(path) is None


@needs_jit
@pytest.mark.parametrize("damage", [lambda data: bytes(len(data)), lambda data: data[:-9] + b"\x01" + data[-8:]])
def test_damaged_machine_code_is_never_run_and_is_replaced(begin, tmp_path, damage):
    begin(tmp_path)
    compiled()
    (path,) = files(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert [compiled(), compiled()] == [(0, 1), (1, 0)]


@needs_jit
def test_a_file_does_not_answer_for_another_version(begin, tmp_path):
    begin(tmp_path)
    function = kernel(double)
    function(np.ones(1), 1)
    (float64,) = files(tmp_path)
    function(np.ones(1, "float32"), 1)
    (float32,) = (path for path in files(tmp_path) if path != float64)
    float32.write_bytes(float64.read_bytes())
    again, x = kernel(double), np.ones(1, "float32")
    again(x, 1)
    assert sum(again.stats.cache_misses.values()) == 1 and x == 2


def test_the_text_runs_whatever_is_in_the_file(begin, tmp_path):
    folder = begin(tmp_path)
    name = generated.define("garbled", TEXT).__name__
    path = folder / "generated" / f"{name}.py"
    for content in (b"", bytes(99), b"raise SystemExit", b"\xff\xfe"):
        path.write_bytes(content)
        generated.define.cache_clear()
        x = np.ones(1)
        generated.define("garbled", TEXT)(x, 1)
        assert x == 3 and path.read_text() == TEXT.replace(generated.NAME, name)


@pytest.mark.skipif(os.name != "posix", reason="owners and modes are those of POSIX")
@pytest.mark.parametrize("where", ["", "own", "own/machine", "own/generated"])
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_folder_that_others_can_write_is_refused(begin, tmp_path, where, mode):
    own = begin(tmp_path)
    folder = tmp_path / where.replace("own", own.name)
    before = folder.stat().st_mode
    folder.chmod(mode)
    with pytest.warns(RuntimeWarning, match=f"'{folder}' can be written by others .mode {mode & 0o777:o}: chmod go-w"):
        assert begin(tmp_path) is None
    folder.chmod(before)
    assert begin(tmp_path) == own


@pytest.mark.skipif(os.name != "posix", reason="owners and modes are those of POSIX")
def test_folders_and_files_of_another_user_are_refused(begin, tmp_path, monkeypatch):
    folder = begin(tmp_path)
    keep(folder / "machine" / "x", b"content")
    owner = tmp_path.stat().st_uid
    if owner == 0:  # files of the administrator are trusted, so give them away
        owner = 12345
        os.chown(folder / "machine" / "x", owner, -1)
        assert kept(folder / "machine" / "x") is None
        os.chown(folder / "generated", owner, -1)
    else:
        monkeypatch.setattr(cache_folder, "_USER", lambda: owner + 1)
        assert kept(folder / "machine" / "x") is None
    with pytest.warns(RuntimeWarning, match=f"belongs to another user .number {owner}."):
        assert begin(tmp_path) is None


PROGRAM = """
import resource, sys, numpy as np, fnet
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
f = fnet.jit(lambda x: fnet.ops.sum(fnet.ops.exp(x) * 2.0), executor="native")
print(f(np.zeros(4, np.float32)))
"""


@pytest.mark.slow
@needs_jit
@pytest.mark.skipif(os.name != "posix", reason="limits are those of POSIX")
def test_a_disk_that_takes_no_more_costs_one_warning(tmp_path):
    environment = os.environ | {"FNET_CACHE_DIR": str(tmp_path), "FNET_CACHE": "1"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "8.0" and done.stderr.count("compiled code is not kept") == 1, done.stderr
    assert not [path for path in files(tmp_path) if path.suffix in (".tmp", ".nbc")]


def test_no_warning_where_nothing_is_wrong(begin, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert begin(tmp_path) is not None


UNOPTIMISED = """
import numpy as np
from fnet.kernels.policy import kernel
import test_cache
x = np.arange(3.0)
kernel(test_cache.double)(x, 3)
print(x)
"""


ONE_OPERATION = """
import sys
import numpy as np, fnet
print(fnet.ops.negative(np.ones(2)), "numba.np.arraymath" in sys.modules)
"""


@needs_jit
@pytest.mark.slow
def test_loading_a_kernel_loads_nothing_that_compiles(tmp_path):
    environment = os.environ | {"FNET_CACHE": "1", "FNET_CACHE_DIR": str(tmp_path)}
    command, root, printed = [sys.executable, "-c", ONE_OPERATION], Path(__file__).parents[3], []
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=root)
        printed.append(done.stdout.strip())
    assert printed == ["[-1. -1.] True", "[-1. -1.] False"]


@pytest.mark.slow
def test_numba_without_optimisation(tmp_path):
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    environment = os.environ | {"FNET_CACHE_DIR": str(tmp_path), "NUMBA_OPT": "0", "PYTHONPATH": path}
    command = [sys.executable, "-W", "error", "-c", UNOPTIMISED]
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "[0. 2. 4.]" and not done.stderr, done.stderr
