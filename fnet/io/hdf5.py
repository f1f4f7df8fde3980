"""Reading HDF5 with nothing but plain arrays in plain groups: no links elsewhere, no other files, no plug-ins.

A file says what is in it, but what is looked for is known before: only groups on the way to an array that is expected
are opened, each once, so that the time and the memory that a file takes are those of the expected arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fnet.errors import FileError, plain
from fnet.io.chunks import check_chunks


def module() -> Any:
    """h5py, imported when first needed."""
    import h5py

    return h5py


def members(file: Any, paths: Iterable[str], most: int = 100) -> list[str]:
    """The datasets of `paths` that are there, and what else the groups on the way to them hold, `most` of it at most.

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
