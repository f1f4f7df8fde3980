"""Kernels compiled before a plan runs are the ones that it calls, whoever compiles them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core import config

import fnet
from fnet.devices.cpu.ahead import _EXPECTED, Version, _found, _is_shared, _version, _weight

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")


def _step(w: np.ndarray, x: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y = np.where(keep, np.matmul(x, w), 0.0)
    return np.sum(y * y, axis=1), keep.T.copy()


def test_the_types_are_those_that_the_walker_calls_with():
    step = fnet.jit(_step, executor="walk")
    args = np.ones((3, 2), np.float32), np.ones((4, 3), np.float32), np.eye(4, 2) > 0
    step(*args)
    calls = step.plan(*args).calls
    assert calls
    for call in calls:
        assert _is_shared(call.kernel)
        version = _version(call)
        assert version.kinds in call.kernel.overloads
        assert not version.is_missing()
        python = call.kernel.py_func
        assert _found(python.__module__, python.__name__) is call.kernel


def test_what_is_expected_is_what_a_large_product_calls():
    product = fnet.jit(np.matmul, executor="walk")
    x = np.zeros((200, 200), np.float32)
    (call,) = product.plan(x, x).calls
    version = _version(call)
    python = call.kernel.py_func
    assert [python.__module__, python.__name__, *version.dtypes] == _EXPECTED[0]


def test_what_calls_more_is_expected_to_take_longer():
    from fnet.kernels.cpu.gemm import gemm, small_gemm
    from fnet.kernels.cpu.product import product

    assert _weight(gemm) > _weight(small_gemm)
    assert _weight(gemm) > _weight(product)
    assert Version(gemm, ("<f4", "", "|b1")).kinds[1].name == "int64"


def test_a_kernel_of_the_user_is_compiled_when_it_is_called():
    from fnet.kernels.policy import kernel

    @kernel
    def own(x, n):
        x[0] = n

    assert not _is_shared(own)
    assert not _is_shared(print)


_PROGRAM = """
import os, signal, sys
import numpy as np, fnet
from fnet.kernels.compiler import second
started = []
start = second.start
second.start = lambda: started.append(start()) or started[-1]
x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)
f = fnet.jit(lambda x: (np.exp(x), np.sum(x * x, axis=1), np.tanh(x.T).copy(), np.max(x, axis=0), np.matmul(x, x.T)))
signal.alarm(120)
for result in f(x):
    print(result.tobytes().hex())
print(any(started), second._process)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child")
"""


def _run(folder: Path, **variables: str) -> list[str]:
    environment = dict(os.environ, FNET_CACHE_DIR=str(folder), NUMBA_DISABLE_JIT="0") | variables
    command = [sys.executable, "-W", "error", "-c", _PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.slow
def test_two_processes_give_the_same_bits_as_one_and_leave_nothing_behind(tmp_path):
    *alone, started = _run(tmp_path / "one", FNET_COMPILERS="1")[:-1]
    assert started == "False None"
    *together, started, children = _run(tmp_path / "two", FNET_COMPILERS="2")
    assert together == alone
    is_possible = os.name == "posix" and len(os.sched_getaffinity(0)) > 1
    assert started == f"{is_possible} None"
    assert children == "no child"
    names = [{path.name for path in (tmp_path / which).rglob("*.nbc")} for which in ("one", "two")]
    assert names[1] >= {name for name in names[0] if not name.startswith("linked-")}
    assert _run(tmp_path / "two", FNET_COMPILERS="2")[-2:] == ["False None", "no child"]  # nothing is missing
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_without_files_there_is_one_process(tmp_path):
    assert _run(tmp_path, FNET_COMPILERS="2", FNET_CACHE="0")[-2:] == ["False None", "no child"]
