"""Weights in HDF5: one dataset for each leaf, below ``params`` and ``state``, and a manifest with checksums.

A file is complete or not there, is verified after it is written and while it is read, and cannot run code or make fnet
read other files. A checksum finds damage, not forgery; the parser of HDF5 itself is C code, so for files of
unknown origin keep h5py up to date.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import FileError, StructureError, did_you_mean, scope
from fnet.io import hdf5, manifest
from fnet.io.atomic import replacing
from fnet.layer import Layer
from fnet.spec import check_dtype

MANIFEST = "manifest"


def save_weights(path: str | os.PathLike[str], net: Layer, params: Any, state: Any) -> None:
    """Write the arrays of `params` and `state` to an HDF5 file, which replaces one that is at `path`.

    The file is read back and compared before it takes its place; after a failure the old one is still there.
    Raises `StructureError` for paths that HDF5 cannot hold, `OSError` where the file cannot be written.

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
    leaves = {name: np.asarray(leaf) for name, leaf in _leaves(params, state).items()}
    for name, leaf in leaves.items():
        with scope(name):
            check_dtype(leaf.dtype)
    listed = manifest.encode({name: manifest.entry(leaf) for name, leaf in leaves.items()})
    with replacing(path) as temporary:
        with hdf5.module().File(temporary, "w") as file:
            for name, leaf in leaves.items():
                file.create_dataset(name, data=leaf)
            file.create_dataset(MANIFEST, data=np.frombuffer(listed, np.uint8))
        _read(temporary, leaves)


def load_weights(path: str | os.PathLike[str], net: Layer, params: Any, state: Any) -> tuple[Any, Any]:
    """``(params, state)`` from a file of `save_weights`; the arguments say what is expected and are not changed.

    params, state: trees of arrays as ``net.init`` makes them: structure, shapes and dtypes must be those of the file.
    Raises `FileError` for files that are damaged, hostile or of another network, `OSError` where there is none.
    """
    _check_net(net)
    leaves = {name: np.asarray(leaf) for name, leaf in _leaves(params, state).items()}
    loaded = _read(Path(path), leaves)
    values = iter(loaded.values())
    return tree.map(lambda leaf: next(values), (params, state))


def _read(path: Path, template: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of the file at the paths of `template`, which are compared with it and the manifest first."""
    with scope(str(path)), _open(path) as file:
        entries = _manifest(file)
        _same_names("the manifest", [MANIFEST, *entries], template)
        _same_names("the file", hdf5.members(file), template)
        for name, leaf in template.items():
            listed = (entries[name].shape, entries[name].dtype)
            if listed != (leaf.shape, leaf.dtype.name):
                raise FileError(
                    f"'{name}' is {listed[1]} {listed[0]} in the manifest, expected {leaf.dtype} {leaf.shape}. "
                    f"Is it of another network?"
                )
        loaded = {}
        for name, leaf in template.items():
            loaded[name] = _array(file, name, leaf)
            if manifest.digest(loaded[name]) != entries[name].sha256:
                raise FileError(
                    f"'{name}' does not have the checksum of the manifest: the file is damaged. Use a copy."
                )
        return loaded


def _array(file: Any, name: str, leaf: np.ndarray) -> np.ndarray:
    node = hdf5.dataset(file, name)
    try:
        return hdf5.read(node, leaf.shape, leaf.dtype, name)
    except OSError as error:
        raise FileError(f"'{name}' cannot be read ({error}): the file is damaged. Use a copy.") from None


def _manifest(file: Any) -> dict[str, manifest.Entry]:
    node = hdf5.dataset(file, MANIFEST)
    if node.ndim != 1 or node.dtype != np.uint8 or node.size > manifest.MAX_BYTES:
        raise FileError(f"the manifest is {node.dtype} {node.shape}, expected at most {manifest.MAX_BYTES} bytes.")
    return manifest.decode(hdf5.read(node, node.shape, node.dtype, MANIFEST).tobytes())


def _same_names(where: str, found: list[str], template: dict[str, np.ndarray]) -> None:
    """Refuse arrays that are missing in the file or unexpected there, all at once."""
    expected = [MANIFEST, *template]
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    if missing or unexpected:
        hint = did_you_mean(missing[0], unexpected) if missing and unexpected else ""
        raise FileError(
            f"{where} is of another network: missing {_listed(missing)}; unexpected {_listed(unexpected)}.{hint}"
        )


def _leaves(params: Any, state: Any) -> dict[str, Any]:
    """The leaves by path, below ``params`` and ``state``; a path must say in one way which groups a leaf is in."""
    pairs = tree.leaves_with_path({"params": params, "state": state})
    leaves = dict(pairs)
    for name in leaves:
        if any(part in ("", ".") or "\0" in part for part in name.split("/")):
            raise StructureError(
                f"'{name}' cannot be a path in an HDF5 file: keys must not be empty, '.', or contain NUL."
            )
    inner = {"/".join(name.split("/")[:depth]) for name in leaves for depth in range(1, name.count("/") + 1)}
    if len(leaves) < len(pairs) or inner & set(leaves):
        raise StructureError("two leaves have the same path, or one lies within another: use keys without '/'.")
    return leaves


def _open(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file '{path}'")
    try:
        return hdf5.module().File(path, "r")
    except OSError as error:
        raise FileError(f"cannot be opened as HDF5 ({error}): it is damaged or of another kind.") from None


def _check_net(net: Any) -> None:
    if not isinstance(net, Layer):
        raise StructureError(f"expected a Layer as the second argument, received a {type(net).__name__}.")


def _listed(names: list[str]) -> str:
    return (
        ", ".join(f"'{name}'" for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        or "none"
    )
