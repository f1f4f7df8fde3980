"""Where compiled code is kept between processes: a folder of files that are whole, undamaged and the user's own.

Machine code runs as soon as it is loaded, so nothing is taken from a folder that other users can write, and every file
carries a checksum that is compared before its content is looked at. A folder that cannot be made, trusted or written
costs time, not results: fnet goes on without, and says so once.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import secrets
import sys
import time
import warnings
from pathlib import Path

import llvmlite
import numba
from numba.core import config

from fnet.kernels.compiler.host import LEVEL_1, LEVEL_2

_OFF = {"0", "off", "false", "no"}
_FORMAT = "4"  # of the files
_DIGEST = hashlib.sha256().digest_size
_USER = getattr(os, "geteuid", None)  # Windows has none: a profile's folders are private there
_MINUTE = 60.0  # seconds
_complaints: list[str] = []


@functools.cache
def cache_directory() -> Path | None:
    """The folder of machine code and generated sources for these versions and settings, private to the user.

    None where there is none: it is switched off (``FNET_CACHE=0``), cannot be made, or is not the user's alone.
    """
    if os.environ.get("FNET_CACHE", "1").lower() in _OFF:
        return None
    try:
        root = _root().absolute()
        path = root / _settings()
        for folder in (root, path, path / "machine", path / "generated"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if reason := _distrusted(folder):
                _complain(f"'{folder}' {reason}, so others could make this process run their code")
                return None
    except (OSError, RuntimeError) as error:  # there may be no home
        _complain(str(error))
        return None
    return path


def keep(path: Path, content: bytes, sealed: bool = True) -> None:
    """Write a file of the cache, whole or not at all, under its checksum if it is to be read with `kept`.

    After the first failure nothing is written any more.
    """
    if _complaints:
        return
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_stale(path.parent)
        try:
            with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(hashlib.sha256(content).digest() + content if sealed else content)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        _complain(str(error))


def kept(path: Path) -> bytes | None:
    """The content of a file that `keep` sealed; None if there is none, it is damaged, or another user made it."""
    try:
        with path.open("rb") as file:
            if _is_foreign(os.fstat(file.fileno())):
                return None
            digest, content = file.read(_DIGEST), file.read()
    except OSError:
        return None
    return content if hashlib.sha256(content).digest() == digest else None


@functools.cache
def _remove_stale(folder: Path) -> None:
    """Remove what processes left that were killed while they wrote, once for a folder; writing takes no minute."""
    for path in folder.glob("*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # it has just been written
            if time.time() - path.stat().st_mtime > _MINUTE:
                path.unlink()


def _root() -> Path:
    if chosen := os.environ.get("FNET_CACHE_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home()) / "fnet"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fnet"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "fnet"


def _settings() -> str:
    """The name of the folder of what these versions and settings compile."""
    settings = (config.OPT, config.BOUNDSCHECK, config.LOOP_VECTORIZE, config.SLP_VECTORIZE, config.DEBUGINFO_DEFAULT)
    simd = os.environ.get("FNET_SIMD", "")
    host = (platform.machine(), simd, LEVEL_1, LEVEL_2)  # what kernels choose their instructions and blocks by
    versions = (_FORMAT, numba.__version__, llvmlite.__version__, sys.version_info[:3], *host)
    return hashlib.sha256(repr((settings, versions)).encode()).hexdigest()[:12]


def _distrusted(folder: Path) -> str | None:
    """Why others could have put files into the folder, if so."""
    if _USER is None:
        return None
    found = folder.stat()
    if _is_foreign(found):
        return f"belongs to another user (number {found.st_uid})"
    if found.st_mode & 0o022:
        return f"can be written by others (mode {found.st_mode & 0o777:o}: chmod go-w takes that away)"
    return None


def _is_foreign(found: os.stat_result) -> bool:
    """Whether neither this user nor the administrator made it."""
    return _USER is not None and found.st_uid not in (_USER(), 0)


def _complain(reason: str) -> None:
    """Say once that nothing is kept from now on, and why."""
    if not _complaints:
        _complaints.append(reason)
        warnings.warn(
            f"fnet: compiled code is not kept for the next start: {reason}.\n"
            f"Set FNET_CACHE_DIR to a folder that only you can write, or FNET_CACHE=0 to do without.",
            RuntimeWarning,
            stacklevel=2,
        )
