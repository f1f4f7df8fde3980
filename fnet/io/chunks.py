"""Chunks of an array in HDF5, which may be compressed: to be read only if they become no more than what is expected.

A few bytes can inflate to any amount, as often as they were deflated. So what a chunk becomes is measured, with a
bound, before HDF5 reads it.
"""

from __future__ import annotations

import math
import os
import zlib
from typing import Any

from fnet.errors import FileError

# Those that HDF5 has built in; other numbers make it search for a library to load.
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_CHECKSUM = 4  # bytes that Fletcher32 adds


def check_chunks(node: Any, path: str) -> None:
    """Raise a `FileError` for a dataset in chunks that are larger than it, or become so, or need other filters."""
    if node.chunks is None:
        return
    plist = node.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    if set(filters) - {_DEFLATE, _SHUFFLE, _FLETCHER32} or len(set(filters)) < len(filters):
        raise FileError(f"'{path}' uses the filters {filters}; only deflate, shuffle, fletcher32 are read, each once.")
    if math.prod(node.chunks) > node.size:
        raise FileError(f"'{path}' has chunks {node.chunks}, more than the whole of it, {node.shape}: it is hostile.")
    most = math.prod(node.chunks) * node.dtype.itemsize + _CHECKSUM
    in_file = os.path.getsize(node.file.filename)
    for chunk in _chunks(node.id):
        if chunk.byte_offset + chunk.size > in_file:
            raise FileError(f"a chunk of '{path}' lies beyond the end of the file: it is damaged. Use a copy.")
        if _DEFLATE in filters:
            skipped, stored = node.id.read_direct_chunk(chunk.chunk_offset)
            if not skipped >> filters.index(_DEFLATE) & 1 and _inflates_beyond(stored, most):
                raise FileError(
                    f"a chunk of '{path}' becomes more than {most} bytes, which it should have: it is hostile."
                )


def _chunks(dataset: Any) -> list[Any]:
    """Where the chunks are that the file has."""
    found: list[Any] = []
    if hasattr(dataset, "chunk_iter"):
        dataset.chunk_iter(found.append)
        return found
    return [dataset.get_chunk_info(i) for i in range(dataset.get_num_chunks())]


def _inflates_beyond(stored: bytes, most: int) -> bool:
    try:
        return len(zlib.decompressobj().decompress(stored, most + 1)) > most
    except zlib.error:  # HDF5 will find that it is damaged
        return False
