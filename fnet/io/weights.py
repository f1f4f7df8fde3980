"""Weights in HDF5: one dataset for each leaf, below ``params`` and ``state``, and a manifest with checksums."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import StructureError, scope
from fnet.io import arrays, manifest
from fnet.io.arrays import Leaf
from fnet.io.belonging import check_trees
from fnet.networks.layer import Layer, is_path_part
from fnet.networks.storage import Stored
from fnet.spec import check_dtype

WEIGHTS = manifest.FileKind("fnet weights", "network")


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
    arrays.save(path, leaves, WEIGHTS)


def load_weights(path: str | os.PathLike[str], net: Layer, params: Any, state: Any) -> tuple[Any, Any]:
    """``(params, state)`` from a file of `save_weights`; the arguments say what is expected and are not changed.

    params, state: trees of arrays as ``net.init`` makes them: structure, shapes and dtypes must be those of the file.
    Raises `FileError` for files that are damaged, hostile or of another network, `OSError` where there is none, or
    none that may be read.
    """
    _check_net(net)
    template = _leaves(params, state)
    with arrays.opened(Path(path), Path(path)) as file:
        loaded = arrays.read(file, arrays.entries(file, template, WEIGHTS), template, WEIGHTS)
    values = iter(loaded.values())
    return tree.map(lambda leaf: next(values), (params, state))


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


def _check_net(net: Any) -> None:
    if not isinstance(net, Layer):
        raise StructureError(f"expected a Layer as the second argument, received a {type(net).__name__}.")
