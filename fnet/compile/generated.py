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

from fnet.kernels.cache_folder import cache_directory, keep
from fnet.kernels.sources import GENERATED

NAME = "__NAME__"
PACKAGE = "fnet_generated"


@functools.cache
def define(prefix: str, text: str) -> Callable:
    """The function that `text` defines; `NAME` stands for its name, which is `prefix` and the hash of `text`."""
    name = f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    text = text.replace(NAME, name)
    module = ModuleType(f"{PACKAGE}.{name}")
    module.__file__ = file = _written(name, text)
    GENERATED[file] = text
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # for tracebacks
    sys.modules[module.__name__] = module  # where Numba looks for the globals of cached code
    exec(compile(text, file, "exec"), module.__dict__)
    return function(name)


def function(name: str) -> Callable:
    """The generated function called `name`, which this process has defined."""
    return getattr(sys.modules[f"{PACKAGE}.{name}"], name)


def _written(name: str, text: str) -> str:
    """The file of a module, written unless it is there with the same text; where there is no cache, just a name."""
    folder = cache_directory()
    if folder is None:
        return f"<{name}>"
    path, content = folder / "generated" / f"{name}.py", text.encode()
    if not _holds(path, content):
        keep(path, content, sealed=False)
    return str(path)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
