"""Reading HDF5 with nothing but plain arrays in plain groups: no links elsewhere, no other files, no plug-ins."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import FileError

# Deflate, shuffle and Fletcher32, which HDF5 has built in; other numbers make it search for a library to load.
_FILTERS = frozenset({1, 2, 3})
MAX_DEPTH = 64


def module() -> Any:
    """h5py, imported when first needed."""
    import h5py

    return h5py


def members(group: Any, path: str = "", depth: int = 0) -> list[str]:
    """The paths of all datasets below `group`.

    Raises `FileError` for links that are not hard links, for anything but groups and datasets, and for nesting deeper
    than `MAX_DEPTH`, which a group that contains itself has too.
    """
    if depth > MAX_DEPTH:
        raise FileError(
            f"groups are nested deeper than {MAX_DEPTH} at '{path[:80]}...': the file is damaged or hostile."
        )
    found: list[str] = []
    for name in group:
        here = f"{path}/{name}" if path else name
        child = _child(group, name, here)
        found += members(child, here, depth + 1) if isinstance(child, module().Group) else [here]
    return found


def dataset(file: Any, path: str) -> Any:
    """The dataset at `path`, reached through hard links only; a `FileError` if it is not a plain array in this file."""
    node = file
    parts = path.split("/")
    for depth, name in enumerate(parts, start=1):
        here = "/".join(parts[:depth])
        if not isinstance(node, module().Group) or name not in node:
            raise FileError(f"there is no dataset '{path}'.")
        node = _child(node, name, here)
    if not isinstance(node, module().Dataset):
        raise FileError(f"'{path}' is a group, expected a dataset.")
    if node.external or node.is_virtual:
        raise FileError(f"the data of '{path}' are in another file, which is refused: loading reads one file only.")
    plist = node.id.get_create_plist()
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    if filters - _FILTERS:
        raise FileError(
            f"'{path}' uses the filters {sorted(filters - _FILTERS)}; only deflate, shuffle, fletcher32 are read."
        )
    return node


def read(node: Any, shape: tuple[int, ...], dtype: np.dtype, path: str) -> np.ndarray:
    """The array of a dataset whose shape and dtype are those expected; nothing is allocated before that is known."""
    if node.shape != shape or node.dtype.newbyteorder("=") != dtype or node.dtype.metadata is not None:
        raise FileError(f"'{path}' is {node.dtype} {node.shape}, expected {dtype} {shape}. Is it of another network?")
    array = np.empty(shape, dtype)
    if array.size:
        node.read_direct(array)
    return array


def _child(group: Any, name: str, path: str) -> Any:
    link = group.get(name, getlink=True)
    if not isinstance(link, module().HardLink):
        raise FileError(
            f"'{path}' is a {type(link).__name__}, which is refused: only what is in the file itself is read."
        )
    child = group.get(name)
    if not isinstance(child, module().Group | module().Dataset):
        raise FileError(f"'{path}' is neither a group nor a dataset.")
    return child
