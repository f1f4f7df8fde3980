"""Generated source as real modules: named by the hash of their text, written once, imported like any other."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from fnet.kernels.policy import cache_directory

NAME = "__NAME__"
PACKAGE = "fnet_generated"


@functools.cache
def define(prefix: str, text: str) -> Callable:
    """The function that `text` defines; `NAME` stands for its name, which is `prefix` and the hash of `text`."""
    name = f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return _import(_write(name, text.replace(NAME, name)), name)


def function(name: str) -> Callable:
    """The generated function called `name`, from the module of that name written earlier (by any process)."""
    return _import(_folder() / f"{name}.py", name)


@functools.cache
def _import(path: Path, name: str) -> Callable:
    spec = importlib.util.spec_from_file_location(f"{PACKAGE}.{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where Numba looks for the globals of cached code
    spec.loader.exec_module(module)
    return getattr(module, name)


def _write(name: str, text: str) -> Path:
    """Write the module unless it is there with the same text; another process never sees half a file."""
    path = _folder() / f"{name}.py"
    if path.is_file() and path.read_text() == text:
        return path
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(temporary, path)
    return path


@functools.cache
def _folder() -> Path:
    folder = cache_directory() / "generated"
    folder.mkdir(exist_ok=True)
    return folder
