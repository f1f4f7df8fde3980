"""Texts of no fixed length in HDF5, which lie in heaps: the library reads them for ever where a heap is damaged.

A heap is a row of objects, each with its size. From one to the next HDF5 goes by these sizes; by a size of nothing it
stays where it is. So the row is walked here first.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from fnet.errors import FileError

_BEGIN = b"GCOL\x01"  # a heap, of the one version that there is
_WORD = int.from_bytes(_BEGIN[:4], "little")
_HEAD, _OBJECT = 16, 16  # bytes before the objects, and before what an object holds
_LEAST = 4096  # bytes of a heap
_PIECE = 1 << 18
_OVERLAP = 2  # bytes of heaps for each byte of the file, at most


def check_heaps(file: Any) -> None:
    """Raise a `FileError` where the texts of a file of h5py cannot be read to an end."""
    if file.mode != "r":  # it is being written
        return
    found = os.stat(file.filename)
    _check(file.filename, file.id.get_create_plist().get_sizes()[1], found.st_size, (found.st_ino, found.st_mtime_ns))


@functools.lru_cache(maxsize=1)
def _check(path: str, width: int, size: int, version: tuple[int, int]) -> None:
    """Check each version of a file once. width: bytes of a size in it."""
    left = _OVERLAP * size + _LEAST
    with open(path, "rb") as file:
        for place in _places(file):
            file.seek(place + 8)
            length = int.from_bytes(file.read(width), "little")
            left -= max(length, _LEAST) if place + length <= size else _LEAST
            if left < 0:
                raise FileError("it has heaps of texts in one another: it is hostile.")
            if _LEAST <= length <= size - place:  # otherwise HDF5 refuses it
                file.seek(place)
                _walk(file.read(length), width)


def _places(file: IO[bytes]) -> Iterator[int]:
    """Where the bytes are with which a heap begins."""
    at, kept = 0, b""
    while piece := os.pread(file.fileno(), _PIECE, at):
        window = kept + piece
        begin = window.find(_BEGIN) if _has_word(window) else -1
        while begin >= 0:
            yield at - len(kept) + begin
            begin = window.find(_BEGIN, begin + 1)
        at, kept = at + len(piece), window[1 - len(_BEGIN) :]


def _has_word(window: bytes) -> bool:
    """Whether its first four bytes are somewhere in it: in twice the speed of `bytes.find`."""
    counts = ((len(window) - first) // 4 for first in range(4))
    return any((np.frombuffer(window, "<u4", n, first) == _WORD).any() for first, n in enumerate(counts) if n > 0)


def _walk(heap: bytes, width: int) -> None:
    at = _HEAD
    while at + _OBJECT <= len(heap):
        number, size = (int.from_bytes(heap[at + i : at + j], "little") for i, j in ((0, 2), (8, 8 + width)))
        taken = _OBJECT + (size + 7) // 8 * 8 if number else size  # number 0: what is free, with these bytes
        if not 0 < taken <= len(heap) - at:
            raise FileError("an attribute cannot be read: the heap of its text is damaged. Use a copy.")
        at += taken
