"""The cache of compiled kernels: Numba's interface, fnet's files.

Each version of a kernel has one file. Its name holds the hash of the kernel's file (or of the file that the attribute
`filed_under` names) and of every kernel module that this file imports. So an edit of a kernel or of its callees makes
the stored code stale. Numba itself does not look at the files of callees.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from fnet.kernels.compiler import claims
from fnet.kernels.compiler.cache_folder import cache_directory, keep, kept
from fnet.kernels.compiler.linking import LinkedCacheImpl
from fnet.kernels.compiler.native_entry import entered
from fnet.kernels.compiler.sources import source_hash


class _KernelLocator(_CacheLocator):
    """Files machine code under the hash of the sources it was made from."""

    def __init__(self, python_file: str) -> None:
        self._hash = source_hash(python_file)

    def ensure_cache_path(self) -> None:
        """Do nothing: code that cannot be written is not kept."""

    def get_cache_path(self) -> str:
        directory = cache_directory()
        assert directory is not None, "kernels have a cache only where there is a folder"
        return str(directory / "machine")

    def get_source_stamp(self) -> str:
        return self._hash

    def get_disambiguator(self) -> str:
        return self._hash[:12]

    @classmethod
    def from_function(cls, py_func: Callable, py_file: str) -> _KernelLocator:
        return cls(getattr(py_func, "filed_under", py_file))


class _Files:
    """The stored versions of one kernel, which Numba calls its cache file.

    A file is named by its key and also holds it, so one file never answers for another version.
    """

    def __init__(self, folder: str, base: str, stamp: str) -> None:
        self._folder, self._base, self._stamp = Path(folder), base, stamp

    def load(self, key: tuple) -> Any:
        content = kept(self.path(key))
        if content is None:
            return None
        stamp, stored_key, data = pickle.loads(content)
        return data if (stamp, stored_key) == (self._stamp, key) else None

    def save(self, key: tuple, data: Any) -> None:
        keep(self.path(key), dumps((self._stamp, key, data)))

    def flush(self) -> None:
        for path in self._folder.glob(f"{self._base}.*.nbc"):
            path.unlink(missing_ok=True)

    def path(self, key: tuple) -> Path:
        return self._folder / f"{self._base}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"


class _Storable(CompileResultCacheImpl):
    """Says which compiled kernels are kept, and where."""

    _locator_classes = (_KernelLocator,)

    def check_cachable(self, compiled: Any) -> bool:
        """Return False for code that holds addresses of this process; code without optimisation does."""
        return not compiled.library.has_dynamic_globals

    def rebuild(self, target_context: Any, stored: tuple) -> Any:
        """Make a kernel from its stored form."""
        compiled = super().rebuild(target_context, stored)
        compiled.library._reload_init.update(compiled.reload_init)
        return entered(compiled)


class KernelCache(FunctionCache):
    """The stored machine code of a kernel; code that cannot be loaded is compiled again."""

    _impl_class = _Storable

    def __init__(self, function: Callable) -> None:
        super().__init__(function)
        locator = self._impl.locator
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, locator.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the stored version, after a wait for the process that is making it; None: this process makes it."""
        stored, sharing = self._stored(sig, target_context), claims.current
        if stored is None and sharing is not None:
            name = str(self._path(sig, target_context))
            sharing.wait(name)
            stored = self._stored(sig, target_context)
            if stored is not None:
                sharing.drop(name)
        return stored

    def save_overload(self, sig: Any, data: Any) -> None:
        super().save_overload(sig, data)
        sharing = claims.current  # another thread may end that
        if sharing is not None:
            sharing.drop(str(self._path(sig, data.target_context)))

    def holds(self, sig: Any, target_context: Any) -> bool:
        """Return whether this version has a file."""
        return self._path(sig, target_context).exists()

    def claim(self, sig: Any, target_context: Any) -> bool:
        """Return whether this process is to compile this version; False while another process does."""
        sharing = claims.current
        return sharing is None or sharing.take(str(self._path(sig, target_context)))

    def _stored(self, sig: Any, target_context: Any) -> Any:
        """Return the version on disk, without filling Numba's tables of all that it can compile.

        Numba fills them here, which takes longer than the rest of a first step. Loading needs none of them, and a
        compilation fills them by itself.
        """
        rtsys.initialize(target_context)
        try:
            return self._load_overload(sig, target_context)
        except Exception:  # whole files, but of something that is not there any more
            return None

    def _path(self, sig: Any, target_context: Any) -> Path:
        return self._cache_file.path(self._index_key(sig, target_context.codegen()))


class _StorableLinked(LinkedCacheImpl, _Storable):
    """Says which LLVM code is kept, and where."""


class LinkedCache(KernelCache):
    """The stored LLVM code of a kernel; if Python has called the kernel, it lies beside its machine code."""

    _impl_class = _StorableLinked

    def __init__(self, kernel: Any) -> None:
        super().__init__(kernel.py_func)
        self._called = None if kernel.linked.is_shared else kernel._cache

    def _stored(self, sig: Any, target_context: Any) -> Any:
        stored = super()._stored(sig, target_context)
        if stored is None and self._called is not None:
            stored = self._called._stored(sig, target_context)
        return stored
