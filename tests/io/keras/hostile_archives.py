"""What an archive can be: each function spoils a good one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.io.keras.hostile_files import (
    members_of,
    write_archive,
)


def renamed(name: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        write_archive(path, members_of(path) | {name: b"x"})

    return spoil


def symbolic_link(path: Path) -> None:
    members = members_of(path)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            if name == "model.weights.h5":
                info.external_attr, content = 0o120777 << 16, b"/etc/passwd"
            file.writestr(info, content)


def twice(path: Path) -> None:
    members = members_of(path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
        file.writestr("config.jsom", b"{}")
    path.write_bytes(buffer.getvalue().replace(b"config.jsom", b"config.json"))


def flagged(path: Path) -> None:
    """As if it were encrypted."""
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + at] |= 1
            place = data.find(mark, place + 4)
    path.write_bytes(bytes(data))


def bomb(member: str, size: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        write_archive(path, members_of(path) | {member: bytes(size)}, zipfile.ZIP_DEFLATED)

    return spoil


def packed(compression: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        write_archive(path, members_of(path), compression)

    return spoil


def without(member: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        write_archive(path, {name: content for name, content in members_of(path).items() if name != member})

    return spoil


def longer_than_said(path: Path) -> None:
    """A member of which the folder of the archive says that it is short."""
    write_archive(path, members_of(path), zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.find(mark)
        while place >= 0:
            data[place + at : place + at + 4] = (10).to_bytes(4, "little")
            place = data.find(mark, place + 4)
    path.write_bytes(bytes(data))


def many_members(path: Path) -> None:
    write_archive(path, members_of(path) | {f"assets/{i}": b"" for i in range(10_001)})


ARCHIVES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a path upwards": (renamed("../../evil"), "has the name '../../evil', which leads out of it"),
    "a path from the root": (renamed("/tmp/evil"), "has the name '/tmp/evil', which leads out of it"),
    "a path of another system": (renamed("..\\evil"), "which leads out of it"),
    "a link": (symbolic_link, "'model.weights.h5' is no file but a link"),
    "a member twice": (twice, "or two of one name"),
    "encrypted": (flagged, "is encrypted|cannot be read as a zip archive"),
    "a long config": (bomb("config.json", 40 << 20), "'config.json' has 41943040 bytes, expected at most 33554432"),
    "long weights": (bomb("model.weights.h5", (1 << 28) + (1 << 20)), r"'model.weights.h5' becomes \d+ bytes from"),
    "another compression": (packed(zipfile.ZIP_LZMA), "is packed by a method that is not read"),
    "longer than said": (longer_than_said, "damaged|is no JSON"),
    "many members": (many_members, "it has 10004 members"),
    "no config": (without("config.json"), "there is no 'config.json' in the archive"),
    "no weights": (without("model.weights.h5"), "there is no 'model.weights.h5' in the archive"),
}
