"""Records: plain data with arrays in it, in a file that says itself what it holds.

The data are dicts, lists, tuples, None, text, numbers, arrays and `Stored` arrays. They are written as JSON, in which
an array is a number. Small arrays lie behind each other in one dataset, as little-endian bytes: a dataset of its own
takes as long as some 100 kB of numbers. So the JSON is ``{"data": ..., "packed": [...]}``, with ``[dtype, shape]`` for
a small array and null for one that has a dataset. In files of before it is the data alone, and no array is packed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fnet.device_array import DeviceArray
from fnet.errors import DtypeError, FileError, plain
from fnet.io import arrays, manifest
from fnet.io.arrays import Leaf
from fnet.networks.storage import FORMATS, Stored
from fnet.spec import SUPPORTED, check_dtype
from fnet.transfer import to_host

RECORD = manifest.FileKind("fnet record", "record")
_CONTENT, _PACKED = "content", "packed"
_SMALL = 1 << 16  # bytes of an array that is packed
_DTYPES = {dtype.name: dtype for dtype in map(np.dtype, SUPPORTED)}


def save_record(path: str | os.PathLike[str], value: Any) -> None:
    """Write plain data to a file, which replaces one at `path` when it is complete and verified.

    Raises `DtypeError` that names what is no plain data, `OSError` where the file cannot be written.
    """
    found: list[np.ndarray] = []
    data = _encoded(value, "", found)
    dtypes = [check_dtype(array.dtype).name for array in found]
    table = [[name, a.shape] if a.nbytes < _SMALL else None for name, a in zip(dtypes, found, strict=True)]
    packed = b"".join(
        np.asarray(array, array.dtype.newbyteorder("<")).tobytes() for array in found if array.nbytes < _SMALL
    )
    parts = {_CONTENT: json.dumps({"data": data, "packed": table}).encode(), _PACKED: packed}
    leaves = {name: Leaf(np.frombuffer(part, np.uint8), "uint8") for name, part in parts.items()}
    leaves |= {f"arrays/{i}": Leaf(found[i], dtypes[i]) for i, entry in enumerate(table) if entry is None}
    arrays.save(path, leaves, RECORD)


def load_record(path: str | os.PathLike[str], put: Callable[[np.ndarray], Any] = np.asarray) -> Any:
    """The data of a file of `save_record`; `put` brings those arrays to a device that came from one.

    What is read is never more than the size of the file. Raises `FileError` for a file that is damaged or hostile.
    """
    path = Path(path)
    with arrays.opened(path, path) as file:
        size = path.stat().st_size
        found = arrays.entries(file, {}, RECORD, most=size)
        if sum(entry.nbytes for entry in found.values()) > size:
            raise FileError(f"its arrays have more bytes than the whole file, {size}: it is damaged or hostile.")
        if unknown := {entry.dtype for entry in found.values()} - _DTYPES.keys():
            raise FileError(f"it has arrays of the dtype {plain(min(unknown))}, expected one of {', '.join(_DTYPES)}.")
        template = {
            name: Leaf(np.broadcast_to(np.zeros((), entry.dtype), entry.shape), entry.dtype)
            for name, entry in found.items()
        }
        loaded = arrays.read(file, found, template, RECORD)
        try:
            content = manifest.parsed(loaded.pop(_CONTENT).tobytes())
            if not isinstance(content, dict):  # of before
                return _decoded(content, [loaded[f"arrays/{i}"] for i in range(len(loaded))], put)
            if content.keys() != {"data", "packed"}:
                raise ValueError("it has other entries")
            return _decoded(content["data"], _unpacked(content["packed"], loaded), put)
        except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
            raise FileError(f"its content is not valid ({plain(str(error), 200)}): it is damaged.") from None


def _encoded(value: Any, path: str, found: list[np.ndarray]) -> Any:
    """The value for JSON, in which a list begins with its kind. Arrays are appended to `found`."""

    def parts(values: Any) -> list[Any]:
        return [_encoded(part, f"{path}/{i}", found) for i, part in enumerate(values)]

    def number(array: Any) -> int:
        found.append(array)
        return len(found) - 1

    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return ["float", value.hex()]
    if type(value) is dict:
        pairs = [[_encoded(k, path, found), _encoded(v, f"{path}/{k}", found)] for k, v in value.items()]
        return ["dict", *pairs]
    if type(value) in (list, tuple):
        return [type(value).__name__, *parts(value)]
    if isinstance(value, Stored):
        return ["stored", value.format, _encoded(value.bits, path, found)]
    if isinstance(value, DeviceArray):
        return ["device", number(to_host([value])[0])]
    if isinstance(value, np.generic):
        return ["number", number(np.asarray(value))]
    if isinstance(value, np.ndarray):
        return ["array", number(value)]
    raise DtypeError(
        f"'{path[1:]}' is a {type(value).__name__}, expected dicts, lists, tuples, None, text, numbers and arrays."
    )


def _unpacked(table: list[Any], loaded: dict[str, np.ndarray]) -> list[np.ndarray]:
    """All arrays, those that `table` describes taken out of the packed bytes."""
    packed, begin = loaded.pop(_PACKED).tobytes(), 0
    found = []
    for i, entry in enumerate(table):
        if entry is None:
            found.append(loaded.pop(f"arrays/{i}"))
        else:
            name, shape = entry
            if not all(type(n) is int and n >= 0 for n in shape):
                raise ValueError("it has an array without a shape")
            stored = np.ndarray(tuple(shape), _DTYPES[name].newbyteorder("<"), packed, begin)
            found.append(stored.astype(_DTYPES[name]))
            begin += stored.nbytes
    if loaded or begin != len(packed):
        raise ValueError("it has arrays that nothing stands for")
    return found


def _decoded(value: Any, found: list[np.ndarray], put: Callable[[np.ndarray], Any]) -> Any:
    if not isinstance(value, list):
        if isinstance(value, dict | float):
            raise ValueError("it has what is never written")
        return value
    kind, *parts = value
    if kind == "float":
        return float.fromhex(parts[0])
    if kind == "dict":
        return {_decoded(k, found, put): _decoded(v, found, put) for k, v in parts}
    if kind in ("list", "tuple"):
        inner = [_decoded(part, found, put) for part in parts]
        return inner if kind == "list" else tuple(inner)
    if kind == "stored":
        return Stored(_decoded(parts[1], found, put), FORMATS[FORMATS.index(parts[0])])
    if kind not in ("array", "device", "number"):
        raise ValueError(f"{kind!r:.40} is never written")
    array = found[parts[0]]
    return array if kind == "array" else put(array) if kind == "device" else array[()]
