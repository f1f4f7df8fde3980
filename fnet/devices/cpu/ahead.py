"""The kernels of a plan compiled before it runs, by two processes at once where that pays.

Both go through the kernels in the same order, the slowest to compile first. Each leaves out what the other has claimed.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from fnet.compile.plan import KernelCall, Plan, Slot
from fnet.devices.generated import PACKAGE, restored
from fnet.kernels.compiler import claims, second
from fnet.kernels.compiler.cache import KernelCache
from fnet.kernels.compiler.cache_folder import cache_directory

# The second process begins with these, before there is a plan: what nearly every network needs and takes longest, and
# what the next process measures the price of a thread with.
_EXPECTED = [
    ["fnet.kernels.cpu.gemm", "gemm", *["<f4"] * 5, "<i8"],
    ["fnet.kernels.cpu.runtime.handover", "exchange", "<f4", "<i8", "", ""],
]
FEW = 4  # kernels that are not worth a second process, which takes 0.7 s to start


class Version(NamedTuple):
    """A kernel for arguments of certain types: the dtype of each flat array, an empty text for each integer."""

    kernel: Any
    dtypes: tuple[str, ...]

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types as Numba's."""
        return tuple(_kind(code) for code in self.dtypes)

    def is_missing(self) -> bool:
        """Whether it has to be compiled: neither this process nor the cache's folder has it."""
        kernel, kinds = self.kernel, self.kinds
        return kinds not in kernel.overloads and not kernel._cache.holds(kinds, kernel.targetctx)

    def compile(self, patient: bool) -> bool:
        """Make it unless another process does; patient: wait for that one, and load what it has made."""
        kernel, kinds = self.kernel, self.kinds
        if not patient and not kernel._cache.claim(kinds, kernel.targetctx):
            return False
        kernel.compile(kinds)
        return True


def compile_kernels(plan: Plan) -> None:
    """Compile the kernels of a plan that nobody has compiled yet; if they are few, the calls of them do that."""
    versions = dict.fromkeys(_version(call) for call in plan.calls if _is_shared(call.kernel))
    missing = [version for version in versions if version.is_missing()]
    if len(missing) < FEW or not second.start():
        return
    missing.sort(key=lambda version: -_weight(version.kernel))
    try:
        second.tell([[v.kernel.py_func.__module__, v.kernel.py_func.__name__, *v.dtypes] for v in missing])
        left = [version for version in missing if not version.compile(patient=False)]
        for version in left:
            version.compile(patient=True)
    finally:
        second.stop()


def serve(file: int, folder: str) -> None:
    """The second process: compile what the first one says, into the same folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first one, which ends this one
    first = os.getppid()
    if str(cache_directory()) != folder:
        return
    claims.share(file)
    for work in chain([_EXPECTED], second.received()):
        for module, name, *dtypes in work:
            if os.getppid() != first:
                return
            version = Version(_found(module, name), tuple(dtypes))
            if version.is_missing():
                version.compile(patient=False)


def _found(module: str, name: str) -> Any:
    return restored(name) if module.startswith(PACKAGE) else getattr(importlib.import_module(module), name)


def _version(call: KernelCall) -> Version:
    return Version(call.kernel, tuple(arg.dtype.str if isinstance(arg, Slot) else "" for arg in call.args))


def _kind(code: str) -> Any:
    from numba import from_dtype, types

    return types.Array(from_dtype(np.dtype(code)), 1, "C") if code else types.int64


def _is_shared(kernel: Any) -> bool:
    """Whether another process can find the kernel without running anything of the user's."""
    python = getattr(kernel, "py_func", None)
    if python is None or not isinstance(getattr(kernel, "_cache", None), KernelCache):
        return False
    module: str = python.__module__
    if module.startswith(PACKAGE):
        return True
    is_own = module.partition(".")[0] == __name__.partition(".")[0]
    return is_own and getattr(sys.modules[module], python.__name__, None) is kernel


@functools.cache
def _weight(kernel: Callable[..., Any]) -> int:
    """Bytes of Python's code for a kernel and what it calls: the more, the longer it takes to compile."""
    return sum(len(code.co_code) for code in _codes(kernel, set()))


def _codes(kernel: Any, seen: set[Any]) -> Iterable[Any]:
    seen.add(kernel)
    python = kernel.py_func
    yield python.__code__
    for name in python.__code__.co_names:
        called = python.__globals__.get(name)
        if hasattr(called, "py_func") and called not in seen:
            yield from _codes(called, seen)
