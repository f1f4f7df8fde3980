"""The hash of the sources that a kernel is made of. Stored machine code is filed under it."""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_IMPORT = re.compile(r"^from (fnet(?:\.kernels[\w.]*|\.\w+)?) import (\([\w,\s]*|[\w, ]*)", re.MULTILINE)
_NAME = re.compile(r"\w+")

# Generated modules by the name of their file, which is there only if the cache can be written.
GENERATED: dict[str, str] = {}


@functools.cache
def source_hash(file: str) -> str:
    """Hash of a kernel's file and of every module that it imports of the kernels and below, directly or not."""
    digest, seen, waiting = hashlib.sha256(), set(), [Path(file)]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        text, imported = _source(path)
        digest.update(text)
        waiting += imported
    return digest.hexdigest()


@functools.cache
def _source(path: Path) -> tuple[bytes, list[Path]]:
    """The text of a module, and the files of the modules that it imports of the kernels and below."""
    text = GENERATED[str(path)] if str(path) in GENERATED else path.read_text(encoding="utf-8")
    imported: list[Path] = []
    for package, names in _IMPORT.findall(text):
        parts = package.split(".")[1:]
        candidates = [_ROOT.joinpath(*parts).with_suffix(".py")] if parts else []
        candidates += [_ROOT.joinpath(*parts, name).with_suffix(".py") for name in _NAME.findall(names)]
        imported += sorted(c for c in candidates if c.is_file())
    return text.encode(), imported
