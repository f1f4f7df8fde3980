"""How Python calls kernels: what is checked, and which kernels have wrappers of Numba's."""

import importlib.util
import sys
import threading

import numpy as np
import pytest
from numba import types
from numba.core import config
from numba.core.compiler_lock import global_compiler_lock

from fnet.kernels.compiler import native_entry
from fnet.kernels.cpu.runtime import atomics
from fnet.kernels.policy import kernel

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT or config.BOUNDSCHECK), reason="no kernel has an entry")


@kernel
def _add(a, x, y, n):
    for i in range(n):
        y[i] += a * x[i]


@kernel
def _wait(word, states, most):
    states[0] = 1
    for _ in range(most):
        if atomics.load(word) != 0:
            states[1] = 1
            return


@kernel
def _sum(x):
    total = 0.0
    for i in range(x.size):
        total += x[i]
    return total


@kernel
def _positive(x):
    for i in range(x.size):
        if x[i] < 0:
            raise ValueError("negative")


def _has_wrapper(compiled):
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cpython_wrapper_name) != 0


def _direct():
    """`_add` for float32, past Numba's dispatch, which looks at the types itself."""
    return _add.compile((types.int64, types.float32[::1], types.float32[::1], types.int64))


def test_a_kernel_is_called_through_its_entry_also_when_it_is_loaded():
    _direct()
    (kinds,) = _add.overloads
    for compiled in (_add.overloads[kinds], _add._cache._stored(kinds, _add.targetctx)):
        assert not _has_wrapper(compiled)
        y = np.ones(3, "f4")
        assert compiled.entry_point(np.int64(2), np.arange(3, dtype="f4"), y, 3) is None
        assert y.tolist() == [1, 3, 5]


class _Derived(np.ndarray):
    pass


def test_derived_and_read_only_arrays_are_taken():
    x, y = np.arange(3, dtype="f4").view(_Derived), np.zeros(3, "f4")
    x.flags.writeable = False
    _direct()(1, x, y, 3)
    assert y.tolist() == [0, 1, 2]


_GOOD = 1, np.ones(3, "f4"), np.ones(3, "f4"), 3
_WRONG = {
    "too few": _GOOD[:3],
    "too many": (*_GOOD, 1),
    "no integer": ("1", *_GOOD[1:]),
    "a float": (1.0, *_GOOD[1:]),
    "no array": (1, [1.0] * 3, *_GOOD[2:]),
    "nothing": (1, None, *_GOOD[2:]),
    "dtype": (1, np.ones(3), *_GOOD[2:]),
    "order of bytes": (1, np.ones(3, np.dtype("f4").newbyteorder()), *_GOOD[2:]),
    "rank": (1, np.ones((1, 3), "f4"), *_GOOD[2:]),
    "rank 0": (1, np.ones((), "f4"), *_GOOD[2:]),
    "strided": (1, np.ones(6, "f4")[::2], *_GOOD[2:]),
}


@pytest.mark.parametrize("args", _WRONG.values(), ids=_WRONG)
def test_other_arguments_are_refused_and_nothing_is_written(args):
    before = [np.copy(arg) for arg in args]
    with pytest.raises(TypeError):
        _direct()(*args)
    assert all(np.array_equal(a, b) for a, b in zip(args, before, strict=True))


def test_a_dtype_has_several_numbers():
    x, y = np.ones(3, np.longlong), np.zeros(3, np.int64)
    assert x.dtype == y.dtype
    for given, result in ((x, y), (y, x)):
        _add(2, given, result, 3)
    assert [*y, *x] == [2, 2, 2, 5, 5, 5]


def test_large_integers_are_refused_and_minus_one_is_none_of_them():
    with pytest.raises(OverflowError):
        _direct()(2**63, *_GOOD[1:])
    y = np.ones(3, "f4")
    _direct()(-1, np.ones(3, "f4"), y, 3)
    assert not y.any()


def test_calls_leave_no_references():
    call, counted = _direct(), [*_GOOD[1:3], None]
    before = list(map(sys.getrefcount, counted))
    for _ in range(1000):
        call(*_GOOD)
    after = list(map(sys.getrefcount, counted))
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) < 100


def test_other_threads_run_while_a_kernel_does():
    word, states = np.zeros(1, np.int64), np.zeros(2, np.int64)
    address = word.__array_interface__["data"][0]
    _wait(address, states, 0)
    states[:] = 0
    thread = threading.Thread(target=_wait, args=(address, states, 1 << 31))
    thread.start()
    while states[0] == 0:
        pass
    word[0] = 1
    thread.join()
    assert states[1] == 1


def test_what_returns_a_value_or_raises_has_a_wrapper():
    assert _sum(np.ones(3)) == 3
    with pytest.raises(ValueError, match="negative"):
        _positive(-np.ones(3))
    for wrapped in (_sum, _positive):
        (compiled,) = wrapped.overloads.values()
        assert _has_wrapper(compiled)


def test_a_module_that_is_imported_again_leaves_the_first_one_as_it_was():
    """Types that are set on functions of ``ctypes.pythonapi`` hold for everybody."""
    spec = importlib.util.spec_from_file_location("imported_again", native_entry.__file__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    with global_compiler_lock:
        native_entry._function_of()
        again._function_of()

    @kernel
    def double(x, y, n):
        for i in range(n):
            y[i] = 2 * x[i]

    y = np.zeros(3)
    double(np.ones(3), y, 3)
    assert y.tolist() == [2, 2, 2]
