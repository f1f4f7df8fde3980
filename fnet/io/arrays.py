"""Files of named arrays in HDF5: one dataset for each, and a manifest with a checksum for every array.

A file is complete or not there, is verified after it is written and while it is read, and cannot run code or make fnet
read other files. A checksum finds damage, not forgery; the parser of HDF5 itself is C code, so for files of
unknown origin keep h5py up to date.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fnet.errors import FileError, FnetError, did_you_mean, plain, scope
from fnet.io import hdf5, manifest
from fnet.io.atomic import replacing
from fnet.io.checksums import Checksums
from fnet.io.written import Written

MANIFEST = "manifest"
_PIECE = 1 << 18  # bytes


class Leaf(NamedTuple):
    """An array of the file, and what its numbers are: NumPy's name of the dtype, or the format of a `Stored`."""

    array: np.ndarray
    dtype: str


def save(
    path: str | os.PathLike[str],
    leaves: dict[str, Leaf],
    kind: manifest.FileKind,
    add: Callable[[Any], None] | None = None,
) -> None:
    """Write the arrays to a file, which is read back and compared before it takes the place of one at `path`.

    add: writes more into the file behind the arrays, as `kind.beside` says.
    Raises `FileError` where `path` is no regular file, `OSError` where it cannot be written.
    """
    listed = {name: manifest.Entry(leaf.array.shape, leaf.dtype, manifest.NO_DIGEST) for name, leaf in leaves.items()}
    with replacing(path) as temporary:
        with Written(temporary) as target:
            _write(target, leaves, manifest.encode(listed, kind), add)
        if target.error is not None:
            raise target.error
        with opened(temporary, Path(path)) as file:
            place, complete = _read_back(file, leaves, kind)
        _fill_in(temporary, place, manifest.encode(complete, kind))
        with opened(temporary, Path(path)) as file:
            if entries(file, leaves, kind) != complete:
                raise FileError("the manifest did not reach the file. Save it to another disk.")


@contextmanager
def opened(path: Path, shown: Path) -> Iterator[Any]:
    """The file to be read in the context; an error raised there names the file as `shown`."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file '{shown}'")
    os.close(os.open(path, os.O_RDONLY))  # says what HDF5 would say in its own words: that it may not be read
    with scope(str(shown)):
        try:
            with hdf5.module().File(path, "r", locking=False) as file:
                yield file
        except (FnetError, MemoryError):
            raise
        except Exception as error:  # of damaged files h5py raises errors of many kinds
            raise FileError(f"cannot be read as HDF5 ({_reason(error)}): it is damaged or of another kind.") from None


def entries(file: Any, template: dict[str, Leaf], kind: manifest.FileKind, most: int = 0) -> dict[str, manifest.Entry]:
    """What the manifest of the file lists. It is no longer than one for the template may be, or than `most` bytes."""
    node, most = hdf5.dataset(file, MANIFEST), max(most, manifest.most_bytes(template))
    if node.ndim != 1 or node.dtype != np.uint8 or node.size > most:
        found = f"{plain(str(node.dtype))} {node.shape}"
        raise FileError(f"the manifest is {found}, expected at most {most} bytes. Is it of another {kind.of}?")
    return manifest.decode(hdf5.read(node, node.shape, node.dtype, MANIFEST).tobytes(), kind)


def read(
    file: Any, found: dict[str, manifest.Entry], template: dict[str, Leaf], kind: manifest.FileKind
) -> dict[str, np.ndarray]:
    """The arrays of the file at the paths of `template`, which are compared with it and the manifest first."""
    same_names("the manifest", list(found), template, kind)
    same_names("the file", hdf5.members(file, [MANIFEST, *template], kind.beside), [MANIFEST, *template], kind)
    for name, leaf in template.items():
        listed = (found[name].shape, found[name].dtype)
        if listed != (leaf.array.shape, leaf.dtype):
            raise FileError(
                f"'{name}' is {plain(listed[1])} {plain(str(listed[0]))} in the manifest, expected {leaf.dtype} "
                f"{leaf.array.shape}. Is it of another {kind.of}?"
            )
    loaded = {}
    with Checksums() as sums:
        for name, leaf in template.items():
            loaded[name] = _numbers(file, name, leaf)
            sums.add(name, loaded[name])
        for name in template:
            _same_sum(name, sums[name], found[name])
    return loaded


def read_one(file: Any, found: manifest.Entry, leaf: Leaf, name: str) -> np.ndarray:
    """One array, of the shape and dtype of `leaf`; a `FileError` if it does not have its checksum."""
    array = _numbers(file, name, leaf)
    _same_sum(name, manifest.digest(array), found)
    return array


def names(listed: Sequence[str], most: int = 8) -> str:
    """Some names for a message, and how many more there are."""
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(f"'{name}'" for name in listed[:most]) + more or "none"


def same_names(where: str, found: list[str], expected: Iterable[str], kind: manifest.FileKind) -> None:
    """Refuse arrays that are missing in the file or unexpected there, all at once."""
    there, wanted = set(found), dict.fromkeys(expected)
    missing = [name for name in wanted if name not in there]
    unexpected = [plain(name) for name in found if name not in wanted]
    if missing or unexpected:
        hint = did_you_mean(missing[0], unexpected[:100]) if missing and unexpected else ""
        hint = hint if hint.startswith(" Did") else ""  # they are listed anyway
        raise FileError(
            f"{where} is of another {kind.of}: missing {names(missing)}; unexpected {names(unexpected)}.{hint}"
        )


def _write(target: Written, leaves: dict[str, Leaf], listed: bytes, add: Callable[[Any], None] | None) -> None:
    with hdf5.module().File(target, "w") as file:
        for name, leaf in leaves.items():
            file.create_dataset(name, data=leaf.array)
        file.create_dataset(MANIFEST, data=np.frombuffer(listed, np.uint8))
        if add is not None:
            add(file)


def _read_back(file: Any, leaves: dict[str, Leaf], kind: manifest.FileKind) -> tuple[int, dict[str, manifest.Entry]]:
    """Where the manifest is in a file that was written, and what it is to list: checksums of what the file has.

    Each array is compared with the one in memory. So the file has what is in memory and the checksums of that, also
    where another thread changes it meanwhile.
    """
    same_names("the file", hdf5.members(file, [MANIFEST, *leaves], kind.beside), [MANIFEST, *leaves], kind)
    with Checksums() as sums:
        for name, leaf in leaves.items():
            array = _numbers(file, name, leaf)
            sums.add(name, array)
            if not _same_bytes(array, leaf.array):
                raise FileError(
                    f"'{name}' does not have the checksum of what was to be written: it was changed meanwhile, or the "
                    f"disk is faulty. Save it again, or to another disk."
                )
        complete = {name: manifest.Entry(leaf.array.shape, leaf.dtype, sums[name]) for name, leaf in leaves.items()}
    return hdf5.dataset(file, MANIFEST).id.get_offset(), complete


def _fill_in(path: Path, place: int, data: bytes) -> None:
    """Write `data` at this place of the file, over as many bytes."""
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)


def _numbers(file: Any, name: str, leaf: Leaf) -> np.ndarray:
    return hdf5.read(hdf5.dataset(file, name), leaf.array.shape, leaf.array.dtype, name)


def _same_sum(name: str, digest: str, found: manifest.Entry) -> None:
    if digest != found.sha256:
        raise FileError(f"'{name}' does not have the checksum of the manifest: the file is damaged. Use a copy.")


def _same_bytes(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the elements are the same to the bit; compared in pieces, which stay in the cache."""
    one, other = manifest.as_bytes(a), manifest.as_bytes(b)
    return all(np.array_equal(one[i : i + _PIECE], other[i : i + _PIECE]) for i in range(0, one.size, _PIECE))


def _reason(error: Exception) -> str:
    """What an error of h5py says, which may quote the file."""
    return plain(f"{error}" if isinstance(error, OSError) else f"{type(error).__name__}: {error}", 200)
