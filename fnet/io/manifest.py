"""The list of what a file of arrays holds: strict JSON with a shape, a format and a checksum for every array."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from fnet.errors import FileError, plain

VERSION = 1
ENOUGH = 1 << 20  # bytes for the manifest of any usual network
NO_DIGEST = "0" * 64  # stands for a checksum that is not known yet, and is as long
_DIGEST = re.compile(r"[0-9a-f]{64}")


class FileKind(NamedTuple):
    """A kind of files: the name of its format, and what errors say that a file may be of another one of.

    beside: what a file may hold beside the arrays, which is not looked at.
    """

    format: str
    of: str
    beside: tuple[str, ...] = ()


class Entry(NamedTuple):
    """One array: shape, what its numbers are, SHA-256 of its little-endian row-major bytes.

    dtype: NumPy's name, or of an array of 16 bits that stand for floating numbers the name of their format, "bfloat16".
    """

    shape: tuple[int, ...]
    dtype: str
    sha256: str

    @property
    def nbytes(self) -> int:
        """The size of an array of NumPy's dtype of this name, 0 for other names."""
        try:
            return math.prod(self.shape) * np.dtype(self.dtype).itemsize
        except TypeError:
            return 0


def entry(array: np.ndarray, dtype: str) -> Entry:
    """What the manifest says of an array."""
    return Entry(array.shape, dtype, digest(array))


def most_bytes(names: Iterable[str]) -> int:
    """How long a manifest of these arrays may be; parsed, it takes some 20 times as much."""
    return max(ENOUGH, 2 * sum(len(name.encode()) + 512 for name in names))


def digest(array: np.ndarray) -> str:
    """The SHA-256 of the elements, little-endian in row-major order."""
    return hashlib.sha256(as_bytes(np.asarray(array, array.dtype.newbyteorder("<"))).data).hexdigest()


def as_bytes(array: np.ndarray) -> np.ndarray:
    """The bytes of the elements in row-major order, (size * itemsize,) uint8: of a row-major array without a copy."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def encode(entries: dict[str, Entry], kind: FileKind) -> bytes:
    """The manifest as bytes; the same entries give the same bytes."""
    leaves = {path: {"shape": list(e.shape), "dtype": e.dtype, "sha256": e.sha256} for path, e in entries.items()}
    return json.dumps({"format": kind.format, "version": VERSION, "leaves": leaves}, indent=1).encode()


def decode(data: bytes, kind: FileKind) -> dict[str, Entry]:
    """The entries by path; anything that `encode` would not write is refused with a `FileError`."""
    try:
        content = parsed(data)
        if not isinstance(content, dict) or content.get("format") != kind.format:
            raise ValueError(f"it does not say that it is of the format '{kind.format}'")
        version = content.get("version")
        if version != VERSION:
            raise ValueError(
                f"it has the version {plain(repr(version))} and this fnet reads version {VERSION}: use a newer fnet"
            )
        if set(content) != {"format", "version", "leaves"} or not isinstance(content["leaves"], dict):
            raise ValueError(f"it has the entries {plain(str(sorted(content)))}")
        return {path: _entry(path, value) for path, value in content["leaves"].items()}
    except (ValueError, RecursionError) as error:
        raise FileError(f"the manifest is not valid: {plain(str(error), 400)}.") from None


def parsed(data: bytes) -> Any:
    """What the JSON says; a `ValueError` or `RecursionError` for keys that occur twice, and for what is no JSON."""
    return json.loads(data, object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _entry(path: str, value: Any) -> Entry:
    if not isinstance(value, dict) or set(value) != {"shape", "dtype", "sha256"}:
        raise ValueError(f"the entry of '{plain(path)}' needs shape, dtype and sha256")
    shape, dtype, sha256 = value["shape"], value["dtype"], value["sha256"]
    sizes = isinstance(shape, list) and len(shape) <= 32 and all(type(n) is int and n >= 0 for n in shape)
    if not sizes or not isinstance(dtype, str) or not isinstance(sha256, str) or not _DIGEST.fullmatch(sha256):
        raise ValueError(f"the entry of '{plain(path)}' has values of the wrong kind")
    return Entry(tuple(shape), dtype, sha256)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
