"""Any tree of arrays in an HDF5 file, bit for bit.

A file has one dataset for each leaf below ``tree``, the structure of the tree as JSON, and a manifest with a checksum
for each of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fnet.device_array import DeviceArray
from fnet.errors import DtypeError, FileError, scope
from fnet.io import arrays, manifest, outline
from fnet.io.arrays import Leaf
from fnet.spec import ArraySpec, as_array, check_array, check_dtype
from fnet.transfer import to_host
from fnet.tree import flatten, unflatten

CHECKPOINT = manifest.FileKind("fnet checkpoint", "tree")
STRUCTURE = "structure"

_NUMBERS = {bool: np.dtype(bool), int: np.dtype(np.int64), float: np.dtype(np.float64)}


def save(path: str | os.PathLike[str], tree: Any) -> None:
    """Write a tree of arrays and numbers to a file, which replaces one that is at `path`.

    The file is read back and compared before it takes its place; after a failure the old one is still there.
    tree: dicts with text or integers as keys, lists, tuples, named tuples as `fnet.TrainState`, None and registered
    classes, of arrays and Python's numbers. Raises `DtypeError` that names a leaf of another kind,
    `StructureError` for other keys, `FileError` where `path` is no regular file, `OSError` where it cannot be written.

    >>> import tempfile
    >>> tree = {"kernel": np.ones((2, 3), "float32"), "epoch": 4}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/training.ckpt", tree)
    ...     load(f"{folder}/training.ckpt", {"kernel": np.zeros((2, 3), "float32"), "epoch": 0})
    {'kernel': array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32), 'epoch': 4}
    """
    leaves, shown = _described(tree, _leaf)
    arrays.save(path, {STRUCTURE: _structure(shown), **leaves}, CHECKPOINT)


def load(path: str | os.PathLike[str], like: Any) -> Any:
    """The tree of a file of `save`, with the containers of `like` and new arrays in host memory.

    like: a tree of the structure, shapes and dtypes that are expected; its values do not matter. It may hold an
    `fnet.ArraySpec` for an array, as `fnet.eval_shape` gives it. Raises `FileError` that lists all differences of the
    tree in the file, or tells what is damaged or hostile, and `OSError` where there is no file that may be read.
    """
    leaves, expected = _described(like, _expected)
    template = {STRUCTURE: _structure(expected), **leaves}
    with arrays.opened(Path(path), Path(path)) as file:
        listed = arrays.entries(file, template, CHECKPOINT)
        outline.check(_found(file, listed, template), expected)
        loaded = arrays.read(file, listed, template, CHECKPOINT)
    values, structure = flatten(like)
    return unflatten(structure, [_as(value, loaded[name]) for name, value in zip(leaves, values, strict=True)])


def _described(tree: Any, leaf: Callable[[Any], Leaf]) -> tuple[dict[str, Leaf], outline.Outline]:
    """The leaves by path, each made by `leaf`, and the outline of the tree."""
    values, structure = flatten(tree)
    leaves = {}
    for name, value in zip(outline.leaf_paths(structure), values, strict=True):
        with scope(outline.shown(name)):
            leaves[name] = leaf(value)
    return leaves, outline.outline(structure, leaves)


def _leaf(value: Any) -> Leaf:
    """A leaf as an array; Python's numbers are told from arrays."""
    dtype = _NUMBERS.get(type(value))
    if dtype is not None:
        try:
            return Leaf(np.array(value, dtype), f"{outline.NUMBER}{type(value).__name__}")
        except OverflowError:
            raise DtypeError(
                f"expected an integer of 64 bits with its sign, received one of {value.bit_length()} bits. "
                f"Give it as an array of smaller ones."
            ) from None
    if isinstance(value, DeviceArray):
        value = to_host(value)
    check_array(value)
    array = as_array(value)
    return Leaf(array, check_dtype(array.dtype).name)


def _expected(value: Any) -> Leaf:
    """A leaf of `like` as an array, whose numbers do not matter."""
    if isinstance(value, ArraySpec):
        return _leaf(np.broadcast_to(np.zeros((), value.dtype), value.shape))
    return _leaf(0) if type(value) is int else _leaf(value)


def _structure(shown: outline.Outline) -> Leaf:
    return Leaf(np.frombuffer(outline.encode(shown), np.uint8), "uint8")


def _found(file: Any, listed: dict[str, manifest.Entry], template: dict[str, Leaf]) -> outline.Outline:
    """The outline in the file, which is read only if it is about as long as that of the template."""
    entry = listed.get(STRUCTURE)
    if entry is None or entry.dtype != "uint8" or len(entry.shape) != 1:
        raise FileError("the manifest lists no structure: the file is damaged. Use a copy.")
    most = manifest.most_bytes(template) + template[STRUCTURE].array.size
    if entry.shape[0] > most:
        raise FileError(f"its structure has {entry.shape[0]} bytes, expected at most {most}. Is it of another tree?")
    form = Leaf(np.broadcast_to(np.uint8(0), entry.shape), "uint8")
    return outline.decode(arrays.read_one(file, entry, form, STRUCTURE).tobytes())


def _as(value: Any, array: np.ndarray) -> Any:
    """The loaded array as what stands in its place in `like`: a number of Python or NumPy, or an array."""
    if type(value) in _NUMBERS:
        return array.item()
    return array[()] if isinstance(value, np.generic) else array
