"""What goes on beside compiling: one line for a user who waits, no search for garbage."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fnet.kernels.compiler import compiling
from fnet.kernels.compiler.compiling import Notice


@pytest.fixture
def notice(monkeypatch: pytest.MonkeyPatch) -> Notice:
    monkeypatch.setattr(Notice, "said", False)
    return Notice()


def test_the_user_is_told_once_when_compiling_takes_long(notice, monkeypatch, caplog):
    compile_one = notice.compiling(lambda x: x + 1, kept=True)
    assert compile_one(1) == 2
    assert not caplog.records
    monkeypatch.setattr(compiling, "LONG", -1.0)
    assert [compile_one(x) for x in range(3)] == [1, 2, 3]
    (record,) = caplog.records
    assert record.getMessage() == "fnet is compiling kernels for the first time; later runs find them on disk."
    assert (record.name, record.levelno) == ("fnet", logging.WARNING)


def test_without_a_cache_the_line_says_so(notice, monkeypatch, caplog):
    monkeypatch.setattr(compiling, "LONG", -1.0)
    notice.compiling(lambda: None, kept=False)()
    assert caplog.messages == ["fnet is compiling kernels for the first time; FNET_CACHE=1 would keep them on disk."]


def test_kernels_that_a_kernel_calls_are_part_of_it_and_errors_end_it(notice):
    inner = notice.compiling(lambda: notice.seconds, kept=True)
    assert notice.compiling(inner, kept=True)() == 0
    spent = notice.seconds
    assert spent > 0
    with pytest.raises(ZeroDivisionError):
        notice.compiling(lambda: 1 / 0, kept=True)()
    assert not notice.busy and notice.seconds > spent


_PROGRAM = """
import fnet.kernels.compiler.compiling as compiling
compiling.LONG = -1.0
import numpy as np, fnet
print(fnet.jit(lambda x: x + 1)(np.zeros(1)))
"""


@pytest.mark.parametrize("quiet", ["0", "1"])
def test_the_line_goes_to_stderr_or_nowhere(tmp_path: Path, quiet: str):
    environment = dict(os.environ, FNET_CACHE_DIR=str(tmp_path), FNET_QUIET=quiet, NUMBA_DISABLE_JIT="0")
    command = [sys.executable, "-W", "error", "-c", _PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[1.]\n"
    assert done.stderr.count("compiling kernels") == (quiet == "0")
    assert done.stderr.count("\n") == (quiet == "0")
