"""Reading HDF5 with nothing but plain arrays in plain groups: no links elsewhere, no other files, no plug-ins.

A file says what is in it, but what is looked for is known before: only groups on the way to an array that is expected
are opened, each once, so that the time and the memory that a file takes are those of the expected arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from fnet.errors import FileError, plain
from fnet.io.chunks import check_chunks
from fnet.io.heaps import check_heaps

_WIDEST = 8  # bytes of a number
_MOST_NAMES, _MOST_TEXT = 100_000, 1 << 28  # in a list of an attribute; a few bytes of a file can say a name many times


def module() -> Any:
    """h5py, imported when first needed."""
    import h5py

    return h5py


def members(file: Any, paths: Iterable[str], beside: Collection[str] = (), most: int = 100) -> list[str]:
    """The datasets of `paths` that are there, and what else the groups on the way to them hold, `most` of it at most.

    beside: what the file may hold at its top, which is not looked at.

    Raises `FileError` for one that is not in the file itself, or neither a group nor a dataset.
    """
    wanted: dict[str, set[str]] = {"": set()}
    for path in paths:
        parts = path.split("/")
        for depth, name in enumerate(parts):
            wanted.setdefault("/".join(parts[:depth]), set()).add(name)
    found, others = list[str](), list[str]()
    groups: list[tuple[str, Any]] = [("", file)]
    while groups:
        here, group = groups.pop()
        for name in group:
            path = f"{here}/{name}" if here else name
            if path in beside:
                continue
            child = _child(group, name, path)
            if name not in wanted[here]:
                others.append(path)
                if len(others) == most:
                    return found + others
            elif isinstance(child, module().Dataset):
                found.append(path)
            elif path in wanted:
                groups.append((path, child))
    return found + others


def dataset(file: Any, path: str) -> Any:
    """The dataset at `path`, reached through hard links only; a `FileError` if it is not a plain array in this file."""
    node = file
    parts = path.split("/")
    for depth, name in enumerate(parts, start=1):
        if not isinstance(node, module().Group) or node.get(name, getlink=True) is None:
            raise FileError(f"there is no dataset '{path}'.")
        node = _child(node, name, "/".join(parts[:depth]))
    if not isinstance(node, module().Dataset):
        raise FileError(f"'{path}' is a group, expected a dataset.")
    if node.external or node.is_virtual:
        raise FileError(f"the data of '{path}' are in another file, which is refused: loading reads one file only.")
    return node


def read(node: Any, shape: tuple[int, ...], dtype: np.dtype, path: str) -> np.ndarray:
    """The array of a dataset whose shape and dtype are those expected; nothing is allocated before that is known."""
    if node.shape != shape or node.dtype.newbyteorder("=") != dtype or node.dtype.metadata is not None:
        found = f"{plain(str(node.dtype))} {node.shape}"
        raise FileError(f"'{path}' is {found}, expected {dtype} {shape}. Is it of another network?")
    check_chunks(node, path)
    array = np.empty(shape, dtype)
    if array.size:
        node.read_direct(array)
    return array


def group(file: Any, path: str) -> Any:
    """The group at `path`, "" for the file itself, reached through hard links only."""
    node = file
    parts = path.split("/") if path else []
    for depth, name in enumerate(parts, start=1):
        here = "/".join(parts[:depth])
        if not isinstance(node, module().Group) or node.get(name, getlink=True) is None:
            raise FileError(f"there is no group '{plain(here)}'.")
        node = _child(node, name, here)
    if not isinstance(node, module().Group):
        raise FileError(f"'{plain(path)}' is a dataset, expected a group.")
    return node


def is_group(file: Any, name: str) -> bool:
    """Whether the file has a group of this name."""
    return file.get(name, getlink=True) is not None and isinstance(_child(file, name, name), module().Group)


def shape(file: Any, path: str) -> tuple[int, ...] | None:
    """The shape of the dataset at `path`, None where there is none."""
    try:
        return dataset(file, path).shape
    except FileError as error:
        if error.message.startswith("there is no"):
            return None
        raise


def read_numbers(file: Any, path: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array at `path`, which has this shape, in the format that the file has; that of bfloat16 becomes float32."""
    node = dataset(file, path)
    dtype = node.dtype.newbyteorder("=")
    if dtype.kind not in "fiub" or dtype.itemsize > _WIDEST:
        raise FileError(f"'{plain(path)}' is {plain(str(node.dtype))}, expected numbers.")
    array = read(node, shape, dtype, path)
    if dtype == np.uint16 and text(node, "dtype", 100) == "bfloat16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array


def size(file: Any) -> int:
    """The bytes that the file has."""
    return int(file.id.get_filesize())


def text(node: Any, attribute: str, most: int) -> str | None:
    """The text of an attribute, None where there is none; a `FileError` for anything else, and for more bytes."""
    if attribute not in node.attrs:
        return None
    kind = node.attrs.get_id(attribute)
    length = module().check_string_dtype(kind.dtype)
    if kind.shape != () or length is None or (length.length or 0) > most:
        raise FileError(f"the attribute '{attribute}' is no text of at most {most} bytes.")
    if length.length is None:
        check_heaps(node.file)
    value = node.attrs[attribute]
    try:
        value = (value.encode() if isinstance(value, str) else bytes(value)).decode()
    except UnicodeError:
        raise FileError(f"the attribute '{attribute}' is no text.") from None
    if len(value) > most:
        raise FileError(f"the attribute '{attribute}' is no text of at most {most} bytes.")
    return value


def has_names(node: Any, attribute: str) -> bool:
    """Whether there is a list of names, see `names`."""
    return attribute in node.attrs or f"{attribute}0" in node.attrs


def names(node: Any, attribute: str) -> list[str]:
    """The texts of an attribute that lists some; of several, ``names0``, ``names1``, ..., where the list is long."""
    parts = [attribute] if attribute in node.attrs else []
    while f"{attribute}{len(parts)}" in node.attrs and (not parts or parts[0] != attribute):
        parts.append(f"{attribute}{len(parts)}")
    found = list[str]()
    for part in parts:
        kind = node.attrs.get_id(part)
        if len(kind.shape) != 1:
            raise FileError(f"the attribute '{part}' is no list of names.")
        if kind.shape == (0,):
            continue
        length = module().check_string_dtype(kind.dtype)
        per_name = size(node.file) if length is None or length.length is None else length.length
        if length is None or kind.shape[0] > _MOST_NAMES or kind.shape[0] * per_name > _MOST_TEXT:
            raise FileError(f"the attribute '{part}' is no list of at most {_MOST_NAMES} names.")
        if length.length is None:
            check_heaps(node.file)
        try:
            found += [(name.encode() if isinstance(name, str) else bytes(name)).decode() for name in node.attrs[part]]
        except UnicodeError:
            raise FileError(f"the attribute '{part}' is no list of names.") from None
    return found


def _child(group: Any, name: str, path: str) -> Any:
    link = group.get(name, getlink=True)
    if not isinstance(link, module().HardLink):
        raise FileError(
            f"'{plain(path)}' is a {type(link).__name__}, which is refused: only what is in the file itself is read."
        )
    child = group.get(name)
    if not isinstance(child, module().Group | module().Dataset):
        raise FileError(f"'{plain(path)}' is neither a group nor a dataset.")
    return child
