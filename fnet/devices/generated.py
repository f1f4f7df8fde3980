"""Generated source as modules: named by the hash of their text, imported like any other, kept in the cache to be read.

The file is for the reader, for debuggers and profilers: what runs is the text itself, so it does not matter to the
results whether the file can be written or is changed.
"""

from __future__ import annotations

import functools
import hashlib
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from fnet.kernels.compiler import loaded  # noqa: F401  (before all that imports Numba)
from fnet.kernels.compiler.cache_folder import cache_directory, keep
from fnet.kernels.compiler.sources import GENERATED

NAME = "__NAME__"
PACKAGE = "fnet_generated"


@functools.cache
def define(prefix: str, text: str) -> Any:
    """The function that `text` defines; `NAME` stands for its name, which is `prefix` and the hash of `text`."""
    name, text = _named(prefix, text)
    module = ModuleType(f"{PACKAGE}.{name}")
    module.__file__ = file = _written(name, text)
    GENERATED[file] = text
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # for tracebacks
    exec(compile(text, file, "exec"), module.__dict__)
    sys.modules.setdefault(module.__name__, module)  # where Numba looks for the globals of cached code; whole, once
    return function(name)


def restored(name: str) -> Callable:
    """The function `name` that another process has defined, from the file that `define` wrote."""
    folder = cache_directory()
    assert folder is not None, "another process has no files without a folder"
    prefix, _, _ = name.rpartition("_")
    return define(prefix, _file(folder, name).read_text(encoding="utf-8").replace(name, NAME))


def is_written(prefix: str, text: str) -> bool:
    """Whether the file that `define` writes for `text` is there."""
    name, text = _named(prefix, text)
    folder = cache_directory()
    return folder is not None and _holds(_file(folder, name), text.encode())


def function(name: str) -> Callable:
    """The generated function called `name`, which this process has defined."""
    return getattr(sys.modules[f"{PACKAGE}.{name}"], name)


def _named(prefix: str, text: str) -> tuple[str, str]:
    name = f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return name, text.replace(NAME, name)


def _file(folder: Path, name: str) -> Path:
    return folder / "generated" / f"{name}.py"


def _written(name: str, text: str) -> str:
    """The file of a module, written unless it is there with the same text; where there is no cache, just a name."""
    folder = cache_directory()
    if folder is None:
        return f"<{name}>"
    path, content = _file(folder, name), text.encode()
    if not _holds(path, content):
        keep(path, content, sealed=False)
    return str(path)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
