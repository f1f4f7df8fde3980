"""How every fnet kernel is compiled: the flags, and the on-disk cache of machine code.

`kernel` decorates a void, out-parameter, allocation-free loop nest; `scalar` decorates a pure function of
scalars that is inlined into kernels. Both keep NaN and Inf: the fast-math set never holds ``nnan`` or ``ninf``.

Machine code is cached below `cache_directory()`, under a hash of the kernel's file and of every kernel module it
imports, so an edited kernel is never answered with stale code (Numba itself does not look at the files of callees).
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

from fnet.kernels.linking import LinkedCacheImpl, link_without_machine_code

FASTMATH = {"contract", "arcp", "nsz", "afn"}
_OFF = {"0", "off", "false", "no"}
_ROOT = Path(__file__).parent
_IMPORT = re.compile(r"^from (fnet\.kernels[\w.]*) import \(?([\w, ]*)", re.MULTILINE)


def kernel(function: Callable | None = None, *, reassoc: bool = False) -> Any:
    """Compile `function` lazily as a kernel; `reassoc` lets sums vectorise, at the price of a fixed order."""
    if function is None:
        return functools.partial(kernel, reassoc=reassoc)
    return _compiled(function, reassoc)


def scalar(function: Callable | None = None, *, reassoc: bool = False) -> Any:
    """Compile a function of scalars that is always inlined into its callers; its flags stay on its instructions."""
    if function is None:
        return functools.partial(scalar, reassoc=reassoc)
    return _compiled(function, reassoc, forceinline=True)


@functools.cache
def cache_directory() -> Path:
    """The folder of machine code and generated sources for these versions and settings, private to the user."""
    settings = (config.OPT, config.BOUNDSCHECK, config.LOOP_VECTORIZE, config.SLP_VECTORIZE, config.DEBUGINFO_DEFAULT)
    simd = os.environ.get("FNET_SIMD", "")
    versions = (numba.__version__, llvmlite.__version__, sys.version_info[:3], platform.machine(), simd)
    path = _cache_root() / hashlib.sha256(repr((settings, versions)).encode()).hexdigest()[:12]
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError:
        path = Path(tempfile.mkdtemp(prefix="fnet-"))
    return path


@functools.cache
def source_hash(file: str) -> str:
    """Hash of a kernel's file and of every fnet kernel module that it imports, directly or not."""
    digest, seen, waiting = hashlib.sha256(), set(), [Path(file)]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        text = path.read_bytes()
        digest.update(text)
        for package, names in _IMPORT.findall(text.decode()):
            parts = package.split(".")[2:]
            candidates = [_ROOT.joinpath(*parts).with_suffix(".py")] if parts else []
            candidates += [_ROOT.joinpath(*parts, name.strip()).with_suffix(".py") for name in names.split(",")]
            waiting += sorted(c for c in candidates if c.is_file())
    return digest.hexdigest()


def cache_enabled() -> bool:
    """False when the user switched the disk cache off with ``FNET_CACHE=0``."""
    return os.environ.get("FNET_CACHE", "1").lower() not in _OFF


def _cache_root() -> Path:
    if chosen := os.environ.get("FNET_CACHE_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home()))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "fnet"


def _compiled(function: Callable, reassoc: bool, **options: Any) -> Any:
    """A Numba dispatcher with fnet's cache instead of Numba's own."""
    flags = FASTMATH | {"reassoc"} if reassoc else FASTMATH
    options |= {"nogil": True, "error_model": "numpy", "fastmath": flags}
    dispatcher = numba.njit(**options)(function)
    if config.DISABLE_JIT:
        return dispatcher
    if cache_enabled():
        dispatcher._cache = _KernelCache(function)
    link_without_machine_code(dispatcher, options, _LinkedCache if cache_enabled() else None)
    return dispatcher


class _KernelLocator(_CacheLocator):
    """Files machine code under the hash of the sources it was made from."""

    def __init__(self, python_file: str) -> None:
        self._hash = source_hash(python_file)

    def get_cache_path(self) -> str:
        return str(cache_directory() / "machine")

    def get_source_stamp(self) -> str:
        return self._hash

    def get_disambiguator(self) -> str:
        return self._hash[:12]

    @classmethod
    def from_function(cls, py_func: Callable, py_file: str) -> _KernelLocator:
        return cls(py_file)


class _KernelCacheImpl(CompileResultCacheImpl):
    _locator_classes = (_KernelLocator,)


class _KernelCache(FunctionCache):
    """Answers a damaged entry by forgetting it and compiling again."""

    _impl_class = _KernelCacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a truncated or foreign pickle can raise anything
            self.flush()
            return None


class _LinkedCacheImpl(LinkedCacheImpl):
    _locator_classes = (_KernelLocator,)


class _LinkedCache(_KernelCache):
    """The LLVM code of kernels that others call; that of kernels which Python called is with their machine code."""

    _impl_class = _LinkedCacheImpl

    def __init__(self, kernel: Any) -> None:
        super().__init__(kernel.py_func)
        self._called = kernel._cache

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        stored = super().load_overload(sig, target_context)
        return self._called.load_overload(sig, target_context) if stored is None else stored
