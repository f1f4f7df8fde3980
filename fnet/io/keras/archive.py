"""Archives ``*.keras``: a zip file with the config as JSON, and the weights as a ``.weights.h5`` file.

Only the members that are needed are read, after their sizes are known. Nothing is written under a name of the archive.
"""

from __future__ import annotations

import datetime
import json
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fnet.errors import FileError, plain

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MOST_CONFIG = 1 << 25  # bytes
MOST_TEXT = 1 << 27
_MOST_MEMBERS, _MOST_METADATA = 10_000, 1 << 16
_FLOOR, _EXPANSION = 1 << 28, 100  # a larger member that became so from less than a hundredth is refused
_PIECE = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)


def is_archive(path: Path) -> bool:
    """Whether the file begins and ends as an archive does."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04" and zipfile.is_zipfile(file)


def write(target: Path, config: bytes, weights: Path, version: str) -> None:
    """Write an archive of a config and a file of weights."""
    saved = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    metadata = json.dumps({"keras_version": version, "date_saved": saved}).encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for name, content in ((METADATA, metadata), (CONFIG, config)):
            file.writestr(zipfile.ZipInfo(name, _EPOCH), content)
        with weights.open("rb") as source, file.open(zipfile.ZipInfo(WEIGHTS, _EPOCH), "w", force_zip64=True) as member:
            while piece := source.read(_PIECE):
                member.write(piece)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive to be read in the context; a `FileError` for one that is damaged or has a name twice."""
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
            if len(names) > _MOST_MEMBERS or len(set(names)) < len(names):
                raise FileError(f"it has {len(names)} members, or two of one name: it is damaged or hostile.")
            for name in names:
                if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
                    raise FileError(f"a member has the name {plain(repr(name))}, which leads out of it: it is hostile.")
            yield file
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise FileError(f"cannot be read as a zip archive ({plain(str(error), 200)}): it is damaged.") from None


def config(file: zipfile.ZipFile) -> bytes:
    """The JSON of the config."""
    info = _member(file, CONFIG)
    if info.file_size > MOST_CONFIG:
        raise FileError(f"'{CONFIG}' has {info.file_size} bytes, expected at most {MOST_CONFIG}.")
    with file.open(info) as member:
        content = member.read(MOST_CONFIG + 1)
        member.read(1)  # at its end the checksum is compared
    return content


def text(file: zipfile.ZipFile, name: str) -> str | None:
    """The text of a member in UTF-8, None where there is none of this name."""
    if name not in file.namelist():
        return None
    info = _member(file, name)
    if info.file_size > MOST_TEXT:
        raise FileError(f"'{plain(name)}' has {info.file_size} bytes, expected at most {MOST_TEXT}.")
    with file.open(info) as member:
        content = member.read(MOST_TEXT + 1)
        member.read(1)  # at its end the checksum is compared
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise FileError(f"'{plain(name)}' is no text in UTF-8: it is damaged.") from None


def version(file: zipfile.ZipFile) -> str:
    """The version of Keras that wrote the archive, "" where it does not tell."""
    if METADATA not in file.namelist():
        return ""
    info = _member(file, METADATA)
    if info.file_size > _MOST_METADATA:
        raise FileError(f"'{METADATA}' has {info.file_size} bytes, expected at most {_MOST_METADATA}.")
    with file.open(info) as member:
        content = member.read(_MOST_METADATA)
    try:
        described = json.loads(content)
    except (ValueError, RecursionError):
        raise FileError(f"'{METADATA}' is no JSON: it is damaged.") from None
    found = described.get("keras_version") if isinstance(described, dict) else None
    return found if isinstance(found, str) else ""


@contextmanager
def weights(file: zipfile.ZipFile) -> Iterator[Path]:
    """The file of weights, copied to where HDF5 can read it."""
    info = _member(file, WEIGHTS)
    if info.file_size > max(_FLOOR, _EXPANSION * info.compress_size):
        raise FileError(f"'{WEIGHTS}' becomes {info.file_size} bytes from {info.compress_size}: it is hostile.")
    with TemporaryDirectory(prefix="fnet-") as folder:
        path = Path(folder) / "weights.h5"
        with file.open(info) as member, path.open("wb") as target:
            left = info.file_size
            while piece := member.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise FileError(f"'{WEIGHTS}' is longer than the archive says: it is damaged or hostile.")
                target.write(piece)
        yield path


def _member(file: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    try:
        info = file.getinfo(name)
    except KeyError:
        raise FileError(f"there is no '{name}' in the archive. Is it a model of Keras 3?") from None
    if stat.S_ISLNK(info.external_attr >> 16):
        raise FileError(f"'{name}' is no file but a link, which is refused: only what is in the archive is read.")
    if info.flag_bits & 1:
        raise FileError(f"'{name}' is encrypted. Save the model without a password.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileError(f"'{name}' is packed by a method that is not read. Keras packs by none.")
    return info
