"""Kernels that other kernels call: LLVM code without machine code, stored and found again."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from numba import types
from numba.core import config
from numba.core.caching import NullCache

from fnet.kernels.cpu.vector.simd import at
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


@kernel(shared=True)
def _double(x, n):
    for i in range(n):
        x[i] *= 2


@kernel(shared=True)
def _quadruple(x, n):
    _double(x, n)
    _double(x, n)


@kernel
def _octuple(x, n):
    _quadruple(at(x, 0), n)
    _double(at(x, 0), n)


@kernel
def _doubled_later(x, n):
    _double(at(x, 0), n)


@kernel
def _through_called(x, n):
    _doubled_later(x, n)


@kernel
def _between(x, n):
    _double(x, n)


@kernel
def _through(x, n):
    _between(at(x, 0), n)


@kernel
def _through_again(x, n):
    _between(at(x, 0), n)


@kernel(whole=True)
def _whole(x, n):
    _quadruple(at(x, 0), n)


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
calls = (t._quarter, 2), (t._halve_one, 4), (t._octuple, 64), (t._doubled_later, 16), (t._through_called, 16)
calls = (*calls, (t._through, 16), (t._through_again, 16))[int(sys.argv[1]):int(sys.argv[2])]
for function, first in calls:
    x = np.full(5, 8.0)
    function(x, 5)
    assert x[0] == first
linked = (t._halve if sys.argv[1] < "2" else t._double).linked._dispatcher
print(sum(linked.stats.cache_hits.values()), sum(linked.stats.cache_misses.values()))
print(sum(sum(function.stats.cache_hits.values()) for function, _ in calls))
"""


def _run(folder, *which):
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    environment = dict(os.environ, FNET_CACHE_DIR=str(folder), FNET_CACHE="1", PYTHONPATH=path)
    command = [sys.executable, "-c", _PROGRAM, *map(str, which)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


def test_another_process_finds_what_a_kernel_calls(tmp_path):
    assert _run(tmp_path, 0, 1) == ["0", "1", "0"]
    assert _run(tmp_path, 1, 2) == ["1", "0", "0"]  # a new caller
    assert _run(tmp_path, 0, 2) == ["0", "0", "2"]  # both callers are stored themselves


def test_a_damaged_file_is_compiled_again(tmp_path):
    _run(tmp_path, 0, 1)
    for file in tmp_path.rglob("linked-test_linking._halve-*.nbc"):
        file.write_bytes(b"damaged")
    assert _run(tmp_path, 1, 2) == ["0", "1", "0"]


def _defined(library):
    names = "7_double", "10_quadruple"  # as they are mangled
    return {name for function in library.get_defined_functions() for name in names if name in function.name}


def test_callers_call_the_one_machine_code_of_a_shared_kernel(monkeypatch):
    for each in (_octuple, _doubled_later, _whole):
        monkeypatch.setattr(each, "_cache", NullCache())  # in an earlier run this test may have kept them
        x = np.arange(5.0)
        each(x, 5)
        assert np.array_equal(x, np.arange(5.0) * {_octuple: 8, _doubled_later: 2, _whole: 4}[each])
    kinds = (types.CPointer(types.float64), types.int64)
    one = _double.linked.overload(kinds)
    assert one.library.get_pointer_to_function(one.fndesc.llvm_func_name)
    (called,), (later,), (whole,) = (each.overloads.values() for each in (_octuple, _doubled_later, _whole))
    assert _defined(called.library) == _defined(later.library) == set()
    assert len(called.reload_init) == 2
    declared = [f.name for f in whole.library._final_module.functions if f.is_declaration]
    assert not any("_double" in name or "_quadruple" in name for name in declared)
    assert not whole.reload_init


@pytest.mark.slow
def test_another_process_loads_shared_kernels_before_what_calls_them(tmp_path):
    assert _run(tmp_path, 2, 3) == ["0", "1", "0"]
    assert _run(tmp_path, 3, 4) == ["1", "0", "0"]  # a new caller
    assert _run(tmp_path, 3, 4) == ["1", "0", "1"]
    for file in tmp_path.rglob("linked-test_linking._double-*.nbc"):
        file.write_bytes(b"damaged")
    assert _run(tmp_path, 2, 4) == ["0", "1", "2"]  # under the name that its stored callers look for


@pytest.mark.slow
def test_what_links_a_stored_caller_of_a_shared_kernel_loads_that_too(tmp_path):
    _run(tmp_path, 3, 4)  # machine code that is linked
    _run(tmp_path, 5, 6)  # LLVM code that is linked
    for which in ((4, 5), (6, 7)):
        assert _run(tmp_path, *which)[2] == "0"
        assert _run(tmp_path, *which) == ["1", "0", "1"]


def test_a_caller_of_a_shared_kernel_with_another_name_is_not_loaded():
    kinds = (types.CPointer(types.float64), types.int64)
    _double.linked.call_template(kinds, {})
    (needed,) = _double.linked.overload(kinds).library._reload_init
    needed()
    x = np.arange(5.0)
    _double(x, 5)  # under a name of Numba's, which is another one in each process
    _double.linked.call_template(tuple(map(numba.typeof, (x, 5))), {})
    (version,) = _double.overloads
    assert _double.linked.overload(version).library is not _double.overloads[version].library
    with pytest.raises(LookupError, match=r"test_linking\._double is not what it was"):
        needed._replace(symbol="another")()


_CHAIN = """
import sys
import numba
import numpy as np
import test_linking as t

@numba.njit(cache=True)
def inner(x):
    t._whole(x, 5)

@numba.njit(cache=True)
def outer(x):
    inner(x)

x = np.ones(5)
(inner if sys.argv[1] == "inner" else outer)(x)
assert x[0] == 4
"""


@pytest.mark.slow
def test_what_users_have_cached_is_whole(tmp_path):
    program = tmp_path / "chain.py"
    program.write_text(_CHAIN)
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    environment = dict(os.environ, FNET_CACHE_DIR=str(tmp_path), FNET_CACHE="1", PYTHONPATH=path)
    for called in ("inner", "outer", "outer"):  # the last one loads a function that was linked with a loaded one
        subprocess.run([sys.executable, program, called], env=environment, check=True)
