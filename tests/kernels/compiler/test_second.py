"""Two processes that compile: what one claims the other leaves out, and nothing of the second one stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import pytest

from fnet.kernels.compiler import claims, second
from fnet.kernels.compiler.cache_folder import cache_directory
from fnet.kernels.compiler.claims import Claims

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there is no second process")

_OTHER = """
import sys
from fnet.kernels.compiler.claims import Claims
claims = Claims(int(sys.argv[1]))
for name in sys.stdin:
    if name.startswith("-"):
        claims.drop(name[1:].strip())
    print(claims.take(name.strip()), flush=True)
"""


@pytest.fixture
def file() -> Iterator[int]:
    with tempfile.TemporaryFile() as opened:
        yield opened.fileno()


@pytest.fixture
def other(file: int) -> Iterator[subprocess.Popen[str]]:
    """A process that claims the names it is told, and says whether it could."""
    command = [sys.executable, "-c", _OTHER, str(file)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, pass_fds=[file], bufsize=1) as process:
        yield process
        process.kill()


def _claims(other: subprocess.Popen[str], name: str) -> bool:
    assert other.stdin is not None and other.stdout is not None
    other.stdin.write(f"{name}\n")
    return other.stdout.readline() == "True\n"


def test_one_process_makes_what_it_claims_until_it_is_made_or_the_process_ends(file, other):
    own = Claims(file)
    assert own.take("a") and own.take("a")
    assert not _claims(other, "a")
    assert _claims(other, "b")
    assert not own.take("b")
    own.drop("a")
    own.drop("never claimed")
    assert _claims(other, "a")
    other.kill()
    own.wait("b")
    assert own.take("a")


def test_who_waits_too_long_goes_on_alone(file, other, monkeypatch):
    assert _claims(other, "a")
    monkeypatch.setattr(claims, "LONGEST", 0.05)
    own = Claims(file)
    own.wait("a")
    begin = time.monotonic()
    own.wait("a")
    assert time.monotonic() - begin < 0.05


def test_a_failure_leaves_nothing_claimed(file, other, monkeypatch):
    own = Claims(file)
    monkeypatch.setattr(claims, "current", own)

    def fail(name: str) -> None:
        assert own.take(name)
        raise KeyError(name)

    with pytest.raises(KeyError):
        claims.dropped_after_failure(fail)("a")
    assert _claims(other, "a")


def test_who_shares_no_longer_claims_everything(other):
    with tempfile.TemporaryFile() as opened:
        claims.share(os.dup(opened.fileno()))
    own = claims.current
    claims.share_no_longer()
    assert claims.current is None and own is not None and own.take("a")
    claims.share_no_longer()


_REPEATS = "import sys\nfor line in sys.stdin: open({!r}, 'a').write(line)"


@pytest.fixture
def permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    if cache_directory() is None:
        pytest.skip("there is no folder")
    monkeypatch.setenv("FNET_COMPILERS", "2")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    monkeypatch.setitem(sys.modules, "multiprocessing", None)


@pytest.mark.usefixtures("permitted")
def test_it_is_told_what_to_do_and_gone_when_it_is_stopped(tmp_path, monkeypatch):
    heard = tmp_path / "heard"
    monkeypatch.setattr(second, "_CODE", _REPEATS.format(str(heard)))
    assert second.start()
    process = second._process
    assert second.start() and second._process is process is not None
    second.tell([["module", "name", "<f4", ""]])
    while not heard.exists() or not heard.read_text():
        time.sleep(0.01)
    second.stop()
    assert process.returncode is not None and claims.current is None and second._process is None
    assert heard.read_text() == '[["module", "name", "<f4", ""]]\n'
    second.tell([["nobody"]])
    second.stop()


@pytest.mark.usefixtures("permitted")
def test_one_that_died_or_does_not_listen_is_done_without(monkeypatch):
    monkeypatch.setattr(second, "_CODE", "import time; time.sleep(60)")
    assert second.start()
    second.tell([["more than a pipe holds"] * 100_000])
    assert second._process is None and claims.current is None
    assert second.start()
    process = second._process
    assert process is not None
    process.kill()
    process.wait()
    second.tell([["name"]])
    assert second._process is None


@pytest.mark.usefixtures("permitted")
def test_a_fork_has_none(monkeypatch):
    monkeypatch.setattr(second, "_CODE", "import time; time.sleep(60)")
    assert second.start()
    process = second._process
    assert process is not None
    returncode = process.returncode
    second._forget()
    assert second._process is None and claims.current is None
    process.returncode = returncode
    process.kill()
    process.wait()


@pytest.mark.usefixtures("permitted")
def test_it_starts_before_there_is_work_only_where_nothing_was_ever_compiled(tmp_path, monkeypatch):
    started: list[bool] = []
    monkeypatch.setattr(second, "start", lambda: started.append(True))
    monkeypatch.setattr(second, "cache_directory", lambda: tmp_path)
    (tmp_path / "generated").mkdir()
    second.expect()
    assert started == [True]
    (tmp_path / "generated" / "file").touch()
    second.expect()
    assert started == [True]
    monkeypatch.setattr(second, "cache_directory", lambda: tmp_path / "removed meanwhile")
    second.expect()
    assert started == [True]


@pytest.mark.usefixtures("permitted")
def test_another_thread_that_ends_it_is_no_error(monkeypatch):
    """What was looked up before the other thread's `stop` is closed after it."""
    monkeypatch.setattr(second, "_CODE", "import time; time.sleep(60)")
    assert second.start()
    sharing, process = claims.current, second._process
    assert sharing is not None and process is not None
    assert sharing.take("a") and sharing.take("b")
    second.stop()
    sharing._is_over = False  # as it was a moment ago
    sharing.drop("a")
    sharing.drop_all()
    assert sharing.take("a")
    monkeypatch.setattr(second, "_process", process)
    second.tell([["name"]])
    assert second._process is None


@pytest.mark.usefixtures("permitted")
def test_there_is_none_where_it_is_not_wanted(monkeypatch):
    monkeypatch.setattr(second, "_CODE", "")
    with monkeypatch.context() as one:
        one.setenv("FNET_COMPILERS", "1")
        assert not second.start()
    with monkeypatch.context() as one:
        one.setattr(os, "sched_getaffinity", lambda process: {0}, raising=False)
        assert not second.start()
    with monkeypatch.context() as one:
        one.setattr(sys, "executable", "/usr/bin/blender")
        assert not second.start()
    with monkeypatch.context() as one:
        one.setattr(second, "cache_directory", lambda: None)
        assert not second.start()
    with monkeypatch.context() as one:
        one.setattr(sys, "executable", "/nowhere/python")
        assert not second.start()
