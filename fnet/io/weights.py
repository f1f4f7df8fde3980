"""Weights in HDF5: one dataset for each leaf, below ``params`` and ``state``, and a manifest with checksums.

A file is complete or not there, is verified after it is written and while it is read, and cannot run code or make fnet
read other files. A checksum finds damage, not forgery; the parser of HDF5 itself is C code, so for files of
unknown origin keep h5py up to date.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fnet import tree
from fnet.errors import FileError, FnetError, StructureError, did_you_mean, plain, scope
from fnet.io import hdf5, manifest
from fnet.io.atomic import replacing
from fnet.io.belonging import check_trees
from fnet.io.written import Written
from fnet.networks.layer import Layer, is_path_part
from fnet.networks.storage import Stored
from fnet.spec import check_dtype

MANIFEST = "manifest"


class Leaf(NamedTuple):
    """An array of the file, and what its numbers are: NumPy's name of the dtype, or the format of a `Stored`."""

    array: np.ndarray
    dtype: str


def save_weights(path: str | os.PathLike[str], net: Layer, params: Any, state: Any) -> None:
    """Write the arrays of `params` and `state` to an HDF5 file, which replaces one that is at `path`.

    The file is read back and compared before it takes its place; after a failure the old one is still there.
    Raises `StructureError` for trees that are not those of `net` and for paths that HDF5 cannot hold, `FileError` where
    `path` is no regular file, `OSError` where it cannot be written.

    >>> import tempfile
    >>> from fnet import random
    >>> from fnet.layers import Dense
    >>> net = Dense(2)
    >>> params, state = net.init(random.key(0), (3,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(f"{folder}/weights.h5", net, params, state)
    ...     loaded, _ = load_weights(f"{folder}/weights.h5", net, params, state)
    >>> tree.all_equal(loaded, params)
    True
    """
    _check_net(net)
    check_trees(net, params, state)
    leaves = _leaves(params, state)
    for name, leaf in leaves.items():
        with scope(name):
            check_dtype(leaf.array.dtype)
    listed = manifest.encode({name: manifest.entry(*leaf) for name, leaf in leaves.items()})
    with replacing(path) as temporary:
        with Written(temporary) as target:
            _write(target, leaves, listed)
        if target.error is not None:
            raise OSError(target.error.errno, target.error.strerror, os.fspath(path))
        _read(temporary, Path(path), leaves)


def load_weights(path: str | os.PathLike[str], net: Layer, params: Any, state: Any) -> tuple[Any, Any]:
    """``(params, state)`` from a file of `save_weights`; the arguments say what is expected and are not changed.

    params, state: trees of arrays as ``net.init`` makes them: structure, shapes and dtypes must be those of the file.
    Raises `FileError` for files that are damaged, hostile or of another network, `OSError` where there is none, or
    none that may be read.
    """
    _check_net(net)
    loaded = _read(Path(path), Path(path), _leaves(params, state))
    values = iter(loaded.values())
    return tree.map(lambda leaf: next(values), (params, state))


def _write(target: Written, leaves: dict[str, Leaf], listed: bytes) -> None:
    with hdf5.module().File(target, "w") as file:
        for name, leaf in leaves.items():
            file.create_dataset(name, data=leaf.array)
        file.create_dataset(MANIFEST, data=np.frombuffer(listed, np.uint8))


def _read(path: Path, shown: Path, template: dict[str, Leaf]) -> dict[str, np.ndarray]:
    """The arrays of the file at the paths of `template`, which are compared with it and the manifest first.

    shown: the path of the file in errors.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file '{shown}'")
    os.close(os.open(path, os.O_RDONLY))  # says what HDF5 would say in its own words: that it may not be read
    with scope(str(shown)):
        try:
            with hdf5.module().File(path, "r", locking=False) as file:
                return _compared(file, template)
        except (FnetError, MemoryError):
            raise
        except Exception as error:  # of damaged files h5py raises errors of many kinds
            raise FileError(f"cannot be read as HDF5 ({_reason(error)}): it is damaged or of another kind.") from None


def _compared(file: Any, template: dict[str, Leaf]) -> dict[str, np.ndarray]:
    entries = _manifest(file, template)
    _same_names("the manifest", [MANIFEST, *entries], template)
    _same_names("the file", hdf5.members(file, [MANIFEST, *template]), template)
    for name, leaf in template.items():
        listed = (entries[name].shape, entries[name].dtype)
        if listed != (leaf.array.shape, leaf.dtype):
            raise FileError(
                f"'{name}' is {plain(listed[1])} {plain(str(listed[0]))} in the manifest, expected {leaf.dtype} "
                f"{leaf.array.shape}. Is it of another network?"
            )
    loaded = {}
    for name, leaf in template.items():
        loaded[name] = hdf5.read(hdf5.dataset(file, name), leaf.array.shape, leaf.array.dtype, name)
        if manifest.digest(loaded[name]) != entries[name].sha256:
            raise FileError(f"'{name}' does not have the checksum of the manifest: the file is damaged. Use a copy.")
    return loaded


def _manifest(file: Any, template: dict[str, Leaf]) -> dict[str, manifest.Entry]:
    node, most = hdf5.dataset(file, MANIFEST), manifest.most_bytes(template)
    if node.ndim != 1 or node.dtype != np.uint8 or node.size > most:
        found = f"{plain(str(node.dtype))} {node.shape}"
        raise FileError(f"the manifest is {found}, expected at most {most} bytes. Is it of another network?")
    return manifest.decode(hdf5.read(node, node.shape, node.dtype, MANIFEST).tobytes())


def _same_names(where: str, found: list[str], template: dict[str, Leaf]) -> None:
    """Refuse arrays that are missing in the file or unexpected there, all at once."""
    expected = {MANIFEST: None, **dict.fromkeys(template)}
    there = set(found)
    missing = [name for name in expected if name not in there]
    unexpected = [plain(name) for name in found if name not in expected]
    if missing or unexpected:
        hint = did_you_mean(missing[0], unexpected[:100]) if missing and unexpected else ""
        hint = hint if hint.startswith(" Did") else ""  # they are listed anyway
        raise FileError(
            f"{where} is of another network: missing {_listed(missing)}; unexpected {_listed(unexpected)}.{hint}"
        )


def _leaves(params: Any, state: Any) -> dict[str, Leaf]:
    """The leaves by path, below ``params`` and ``state``; a path must say in one way which groups a leaf is in."""
    both = {"params": params, "state": state}
    formats = {
        f"{path}/bits": leaf.format
        for path, leaf in tree.leaves_with_path(both, is_leaf=lambda x: isinstance(x, Stored))
        if isinstance(leaf, Stored)
    }
    pairs = [(path, np.asarray(leaf)) for path, leaf in tree.leaves_with_path(both)]
    leaves = {path: Leaf(array, formats.get(path, array.dtype.name)) for path, array in pairs}
    for name in leaves:
        if any(not is_path_part(part) for part in name.split("/")):
            raise StructureError(
                f"{name!r} cannot be a path in an HDF5 file: keys must be text, not be empty, '.', or contain NUL."
            )
    inner = {"/".join(name.split("/")[:depth]) for name in leaves for depth in range(1, name.count("/") + 1)}
    if len(leaves) < len(pairs) or inner & set(leaves):
        raise StructureError("two leaves have the same path, or one lies within another: use keys without '/'.")
    return leaves


def _reason(error: Exception) -> str:
    """What an error of h5py says, which may quote the file."""
    return plain(f"{error}" if isinstance(error, OSError) else f"{type(error).__name__}: {error}", 200)


def _check_net(net: Any) -> None:
    if not isinstance(net, Layer):
        raise StructureError(f"expected a Layer as the second argument, received a {type(net).__name__}.")


def _listed(names: list[str]) -> str:
    return (
        ", ".join(f"'{name}'" for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        or "none"
    )
