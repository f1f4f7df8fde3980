"""Trees of arrays in files of the safetensors format, which other libraries read and write.

The format has a name, a dtype and a shape for each array, and its bytes: nothing that could be run. Its parser is that
of the package ``safetensors`` (the extra ``safetensors``). A file of fnet also has a manifest with a checksum for every
array in its metadata, where others pass over it.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from fnet import tree
from fnet.device_array import DeviceArray
from fnet.errors import DtypeError, FileError, StructureError, plain, scope
from fnet.io import manifest
from fnet.io.arrays import Leaf, same_names
from fnet.io.atomic import replacing
from fnet.networks.storage import FORMATS, Stored, restore
from fnet.spec import ArraySpec, as_array, check_array, check_dtype
from fnet.transfer import to_host

SAFETENSORS = manifest.FileKind("fnet safetensors", "tree")
_METADATA = "fnet"
_MARK = {"written_by": "fnet"}  # the file has a manifest, also where it is not found

_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "BOOL": "bool",
    **{f"{kind[0].upper()}{bits}": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
}


class _Described(NamedTuple):
    """An array of a file, not yet read: what its numbers are, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


def save_safetensors(path: str | os.PathLike[str], tree_of_arrays: Any) -> None:
    """Write a tree of arrays to a safetensors file, which replaces one that is at `path`.

    An array is called as its path in the tree, with dots: ``dense.kernel``. Arrays that `fnet.store` keeps in 16 bits
    are written as such. The file is read back and compared before it takes its place.
    Raises `ImportError` without the package, `DtypeError` for leaves that are no arrays, `StructureError` for two
    arrays of one name, `FileError` where `path` is no regular file, `OSError` where it cannot be written.

    >>> import tempfile
    >>> params = {"dense": {"kernel": np.ones((2, 1), "float32")}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(f"{folder}/w.safetensors", params)
    ...     load_safetensors(f"{folder}/w.safetensors")
    {'dense.kernel': array([[1.],
           [1.]], dtype=float32)}
    """
    package = _package()
    leaves = _leaves(tree_of_arrays)
    specs, alive = {}, []
    for name, leaf in leaves.items():
        array = np.ascontiguousarray(leaf.array, leaf.array.dtype.newbyteorder("<"))
        alive.append(array)
        pointer, size = array.ctypes.data, array.nbytes
        shape = list(leaf.array.shape)
        specs[name] = package.TensorSpec(dtype=leaf.dtype, shape=shape, data_ptr=pointer, data_len=size)
    listed = manifest.encode({name: manifest.entry(*leaf) for name, leaf in leaves.items()}, SAFETENSORS)
    data = bytes(package.serialize(specs, {_METADATA: listed.decode(), **_MARK}))
    del alive  # until here the package reads their memory
    with replacing(path) as temporary:
        temporary.write_bytes(data)
        _read(temporary, Path(path), leaves)


def load_safetensors(path: str | os.PathLike[str], like: Any = None) -> Any:
    """The arrays of a safetensors file by their names, or as a tree like `like`.

    like: a tree of arrays, whose values do not matter, or of `fnet.ArraySpec`; the file has an array of the name, shape
    and dtype of each leaf, and no others. float32 leaves are also filled from arrays of 16 bits, exactly. Without it, a
    dict by name; floating numbers of 16 bits are as `fnet.store` makes them, and `fnet.restore` makes them float32.
    Raises `ImportError` without the package, `FileError` that lists all differences, or says what is damaged, `OSError`
    where there is no file that may be read.
    """
    if like is None:
        return _read(Path(path), Path(path), None)
    leaves = _leaves(like)
    loaded = _read(Path(path), Path(path), leaves)
    return tree.unflatten(tree.structure(like, is_leaf=_is_whole), [loaded[name] for name in leaves])


def _read(path: Path, shown: Path, template: dict[str, Leaf] | None) -> dict[str, Any]:
    """The arrays by name, compared with those of `template` before they are read; an error calls the file `shown`."""
    package = _package()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file '{shown}'")
    data = path.read_bytes()
    with scope(str(shown)):
        try:
            with package.safe_open(path, framework="np") as file:
                metadata, slices = file.metadata() or {}, {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
                described = {name: _described(name, part) for name, part in slices.items()}
            if template is not None:
                _compare(described, template)
            content = dict(package.deserialize(data))
        except package.SafetensorError as error:
            raise FileError(f"cannot be read as safetensors ({plain(str(error), 200)}): it is damaged.") from None
        found = {name: _array(content[name]["data"], part) for name, part in described.items()}
        if _METADATA not in metadata and metadata.items() >= _MARK.items():
            raise FileError("its manifest is missing, so nothing can be verified: the file is damaged. Use a copy.")
        if _METADATA in metadata:
            _check_sums(metadata[_METADATA].encode(), found)
        if template is None:
            return found
        return {name: _widened(found[name], leaf) for name, leaf in template.items()}


def _described(name: str, part: Any) -> _Described:
    kind = part.get_dtype()
    if kind not in _DTYPES:
        raise FileError(f"'{plain(name)}' is {plain(kind)}, expected one of {', '.join(_DTYPES)}. Convert it first.")
    return _Described(_DTYPES[kind], tuple(part.get_shape()))


def _compare(found: dict[str, _Described], template: dict[str, Leaf]) -> None:
    """Refuse other names, shapes and dtypes than those of the template, all of a kind at once."""
    same_names("the file", list(found), template, SAFETENSORS)
    wrong = []
    for name, leaf in template.items():
        expected = _Described(leaf.dtype, leaf.array.shape)
        narrow = found[name].dtype in FORMATS and leaf.dtype == "float32"
        if found[name] != expected and not (narrow and found[name].shape == expected.shape):
            wrong.append(f"'{name}' is {found[name]}, expected {expected}")
    if wrong:
        more = f"; and {len(wrong) - 8} more" if len(wrong) > 8 else ""
        raise FileError(f"the file is of another tree: {'; '.join(wrong[:8])}{more}.")


def _array(data: bytes, part: _Described) -> Any:
    """The array of the bytes; floating numbers of 16 bits as a `Stored`."""
    bits = part.dtype in FORMATS
    dtype = np.dtype("uint16" if bits else part.dtype)
    array = np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(part.shape)
    return Stored(array, part.dtype) if bits else array


def _check_sums(listed: bytes, found: dict[str, Any]) -> None:
    if len(listed) > (most := manifest.most_bytes(found)):
        raise FileError(f"the manifest has {len(listed)} bytes, expected at most {most}. Is it of another tree?")
    entries = manifest.decode(listed, SAFETENSORS)
    same_names("the manifest", list(entries), found, SAFETENSORS)
    for name, value in found.items():
        leaf = _leaf(value)
        if entries[name] != manifest.entry(*leaf):
            raise FileError(f"'{plain(name)}' does not have the checksum of the manifest: it is damaged. Use a copy.")


def _widened(value: Any, leaf: Leaf) -> Any:
    return restore(value) if isinstance(value, Stored) and leaf.dtype == "float32" else value


def _leaves(of: Any) -> dict[str, Leaf]:
    """The leaves by name."""
    pairs = tree.leaves_with_path(of, is_leaf=_is_whole)
    leaves = {}
    for path, value in pairs:
        with scope(path):
            leaves[path.replace("/", ".")] = _leaf(value)
    if len(leaves) < len(pairs):
        raise StructureError("two leaves would have the same name in the file: use keys without '.' and '/'.")
    if "__metadata__" in leaves or "" in leaves:
        raise StructureError(
            "a safetensors file has a name for each array, other than '__metadata__': give a dict, {'kernel': array}."
        )
    return leaves


def _leaf(value: Any) -> Leaf:
    if isinstance(value, Stored):
        return Leaf(as_array(to_host(value.bits)), value.format)
    if isinstance(value, DeviceArray):
        value = to_host(value)
    if isinstance(value, ArraySpec):
        return Leaf(np.broadcast_to(np.zeros((), value.dtype), value.shape), value.dtype.name)
    if not hasattr(value, "dtype"):
        kind = type(value).__name__
        raise DtypeError(f"a safetensors file holds arrays, received a {kind}. Give it as one: np.array(value).")
    check_array(value)
    array = as_array(value)
    return Leaf(array, check_dtype(array.dtype).name)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Stored)


def _package() -> ModuleType:
    """The package, imported when first needed."""
    try:
        import safetensors
    except ImportError as error:
        raise ImportError(
            f"files of this format need safetensors ({error}). Install it: pip install 'safetensors>=0.8'."
        ) from error
    return safetensors
