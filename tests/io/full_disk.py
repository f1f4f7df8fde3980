"""A disk that becomes full while a file is written."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fnet.io import written


class _Full(io.FileIO):
    """A file on a disk that has room for `room` bytes more."""

    room = 0

    def write(self, data: Any) -> int:
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)
        return super().write(data)


@contextmanager
def disk_with_room(room: int) -> Iterator[None]:
    """Within the context, a file that fnet writes may have so many bytes."""
    opened = written.Written.__init__

    def on_full_disk(target: written.Written, temporary: Path) -> None:
        opened(target, temporary)
        target._file.close()
        target._file = _Full(temporary, "r+")
        target._file.room = room

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written.Written, "__init__", on_full_disk)
        yield
