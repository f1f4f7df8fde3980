"""Kernels that other kernels call: LLVM code without machine code, stored and found again."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numba import types
from numba.core import config
from numba.core.caching import NullCache

from fnet.kernels.cpu.simd import at
from fnet.kernels.policy import kernel, scalar

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")


@scalar
def _half(x):
    return x / 2


@kernel
def _halve(x, n):
    for i in range(n):
        x[i] = _half(x[i])


@kernel
def _quarter(x, n):
    _halve(x, n)
    _halve(x, n)


@kernel
def _halve_one(x, n):
    _halve(x, 1)


@kernel
def _eighth(x, n):
    _quarter(at(x, 0), n)
    _halve(at(x, 0), n)


def test_only_what_python_calls_becomes_machine_code(monkeypatch):
    monkeypatch.setattr(_eighth, "_cache", NullCache())  # an earlier run has kept it whole, without what it calls
    x = np.arange(5.0)
    _eighth(x, 5)
    assert np.array_equal(x, np.arange(5.0) / 8)
    assert [len(f.overloads) for f in (_eighth, _quarter, _halve, _half)] == [1, 0, 0, 0]
    kinds = (types.CPointer(types.float64), types.int64)
    for called in (_halve, _quarter):
        library = called.linked.overload(kinds).library
        assert all(function.name.startswith("_ZN") for function in library.get_defined_functions())
        assert library.get_pointer_to_function(called.linked.overload(kinds).fndesc.llvm_func_name) == 0


def test_a_linked_kernel_can_be_called_from_python_and_then_linked():
    x = np.arange(5.0)
    _quarter(x, 5)
    _halve(x, 5)
    assert np.array_equal(x, np.arange(5.0) / 8)
    assert len(_halve.overloads) == 1
    (kinds,) = _halve.overloads
    assert _halve.linked.overload(kinds) is _halve.overloads[kinds]


_PROGRAM = """
import numpy as np
import sys
import test_linking as t
for function, first in ((t._quarter, 2), (t._halve_one, 4))[int(sys.argv[1]):int(sys.argv[2])]:
    x = np.full(5, 8.0)
    function(x, 5)
    assert x[0] == first
linked = t._halve.linked._dispatcher
print(sum(linked.stats.cache_hits.values()), sum(linked.stats.cache_misses.values()))
"""


def _run(folder, *which):
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    environment = dict(os.environ, FNET_CACHE_DIR=str(folder), FNET_CACHE="1", PYTHONPATH=path)
    command = [sys.executable, "-c", _PROGRAM, *map(str, which)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


def test_another_process_finds_what_a_kernel_calls(tmp_path):
    assert _run(tmp_path, 0, 1) == ["0", "1"]
    assert _run(tmp_path, 1, 2) == ["1", "0"]  # a new caller
    assert _run(tmp_path, 0, 2) == ["0", "0"]  # both callers are stored themselves


def test_a_damaged_file_is_compiled_again(tmp_path):
    _run(tmp_path, 0, 1)
    for file in tmp_path.rglob("linked-test_linking._halve-*.nbc"):
        file.write_bytes(b"damaged")
    assert _run(tmp_path, 1, 2) == ["0", "1"]
