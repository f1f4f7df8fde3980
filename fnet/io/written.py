"""A file that h5py writes, with errors that reach Python."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Written(io.RawIOBase):
    """A file for h5py to write, whose first `error` is kept for later.

    HDF5 itself crashes the process when it meets a full disk, so it is told that all is well.
    """

    error: OSError | None = None

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        read = self._file.readinto(view) or 0
        view[read:] = bytes(len(view) - read)
        return len(view)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        with self._kept():
            done = 0
            while done < len(view):
                done += self._file.write(view[done:])
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        with self._kept():
            self._file.truncate(size)
        return size or 0

    def close(self) -> None:
        with self._kept():
            self._file.close()
        super().close()

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
