"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fnet.errors import FileError

try:
    import fcntl
except ImportError:  # Windows, which deletes no file that is open
    fcntl = None  # type: ignore[assignment,unused-ignore]

_LONG = 200  # bytes, of the usual 255


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file beside `path` to be written in the context, which takes its place when the context succeeds.

    The data reach the disk before the name does, and the name before this returns; a failure, or a machine that stops
    at any time, leaves what was at `path` before. A link at `path` stays, and what it leads to is replaced. Temporary
    files of processes that were killed are removed, those of others that are being written are not.
    Raises `FileError` where `path` is no regular file, `OSError` that names `path` where it cannot be written.
    """
    target = _target(path)
    temporary, handle = _claimed(path, target)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, target)
        _sync(target.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, os.fspath(temporary)) and error.errno is not None:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise
    finally:
        os.close(handle)


def _target(path: str | os.PathLike[str]) -> Path:
    """The file that `path` means, with links followed."""
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "a device, a pipe or a socket"
        raise FileError(f"'{path}' is {kind}, expected the name of a file. Nothing was written.")
    return target


def _claimed(path: str | os.PathLike[str], target: Path) -> tuple[Path, int]:
    """A new temporary file, and a handle that holds its lock for as long as this process lives."""
    remove_abandoned(target.parent, re.compile(re.escape(_prefix(target)[1:-1])))
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666
    while True:
        temporary = target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}.tmp")
        try:
            handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        _lock(handle, wait=True)
        if os.fstat(handle).st_nlink or fcntl is None:
            return temporary, handle
        os.close(handle)  # another process took it for a stale one before it was locked


def _prefix(target: Path) -> str:
    """How the names of its temporary files begin; a long name would be too long with what comes behind it."""
    encoded = os.fsencode(target.name)
    return f".{target.name if len(encoded) < _LONG else hashlib.sha256(encoded).hexdigest()}."


def remove_abandoned(folder: Path, names: re.Pattern[str]) -> None:
    """Remove the temporary files, for targets in `folder` whose names match, that no living process writes."""
    try:
        entries = list(folder.iterdir()) if fcntl is not None else []
    except OSError:  # whether the folder can be written is another question
        return
    temporary = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{16}\.tmp")
    for entry in entries:
        name = temporary.fullmatch(entry.name)
        if name and names.fullmatch(name["target"]) and entry.is_file() and not entry.is_symlink():
            try:
                handle = os.open(entry, os.O_RDONLY)
            except OSError:  # it is another user's, or has just been removed
                continue
            try:
                if _lock(handle, wait=False):
                    entry.unlink(missing_ok=True)
            finally:
                os.close(handle)


def _lock(handle: int, wait: bool) -> bool:
    """Whether the lock of the file could be had."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # it is taken, or the file system has no locks
        return False
    return True


def _sync(path: Path) -> None:
    """Wait until the file, or the entries of the directory, are on the disk."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):
        return  # Windows has no handles of directories
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
