"""The list of what a weights file holds: strict JSON with a shape, a dtype and a checksum for every array."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NamedTuple

import numpy as np

from fnet.errors import FileError

FORMAT, VERSION = "fnet weights", 1
MAX_BYTES = 1 << 24
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Entry(NamedTuple):
    """One array: shape, NumPy's name of the dtype, SHA-256 of its little-endian row-major bytes."""

    shape: tuple[int, ...]
    dtype: str
    sha256: str


def entry(array: np.ndarray) -> Entry:
    """What the manifest says of an array."""
    return Entry(array.shape, array.dtype.name, digest(array))


def digest(array: np.ndarray) -> str:
    """The SHA-256 of the elements, little-endian in row-major order."""
    return hashlib.sha256(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).hexdigest()


def encode(entries: dict[str, Entry]) -> bytes:
    """The manifest as bytes; the same entries give the same bytes."""
    leaves = {path: {"shape": list(e.shape), "dtype": e.dtype, "sha256": e.sha256} for path, e in entries.items()}
    return json.dumps({"format": FORMAT, "version": VERSION, "leaves": leaves}, indent=1).encode()


def decode(data: bytes) -> dict[str, Entry]:
    """The entries by path; anything that `encode` would not write is refused with a `FileError`."""
    try:
        content = json.loads(data, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"it does not say that it is of the format '{FORMAT}'")
        version = content.get("version")
        if version != VERSION:
            raise ValueError(f"it has the version {version!r} and this fnet reads version {VERSION}: use a newer fnet")
        if set(content) != {"format", "version", "leaves"} or not isinstance(content["leaves"], dict):
            raise ValueError(f"it has the entries {sorted(content)}")
        return {path: _entry(path, value) for path, value in content["leaves"].items()}
    except (ValueError, RecursionError) as error:
        raise FileError(f"the manifest is not valid: {error}.") from None


def _entry(path: str, value: Any) -> Entry:
    if not isinstance(value, dict) or set(value) != {"shape", "dtype", "sha256"}:
        raise ValueError(f"the entry of '{path}' needs shape, dtype and sha256")
    shape, dtype, sha256 = value["shape"], value["dtype"], value["sha256"]
    sizes = isinstance(shape, list) and len(shape) <= 32 and all(type(n) is int and n >= 0 for n in shape)
    if not sizes or not isinstance(dtype, str) or not isinstance(sha256, str) or not _DIGEST.fullmatch(sha256):
        raise ValueError(f"the entry of '{path}' has values of the wrong kind")
    return Entry(tuple(shape), dtype, sha256)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
