"""What layers take that run on the host alone: texts, and integers that are looked at one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.arguments import described
from fnet.device_array import DeviceArray
from fnet.errors import DeviceError, DtypeError, ShapeError, TracingError
from fnet.spec import Varying
from fnet.transforms import linear_maps
from fnet.transforms.operand import is_known


def host_array(who: str, x: Any) -> np.ndarray:
    """The values as an array, lists of texts as one of objects; an error for a value of a device, or a traced one."""
    if isinstance(x, DeviceArray):
        raise DeviceError(f"{who} runs on the host, received {x!r:.60}. Bring it there: fnet.to_host(x).")
    if not is_known(x):
        raise TracingError(
            f"{who} runs on the host, before what is compiled: call its apply outside of jit, and give the ids to the "
            f"function that is jitted or trained."
        )
    if isinstance(x, np.ndarray):
        return x
    try:
        array = np.asarray(x)
    except ValueError:
        raise ShapeError(f"{who}: a list becomes an array if its rows have equally many entries.") from None
    return np.asarray(x, object) if array.dtype.kind in "US" else array


def texts(who: str, x: Any, encoding: str = "utf-8") -> np.ndarray:
    """The texts as an array of Python's strings; bytes are decoded. Raises `DtypeError` for anything else."""
    array = host_array(who, x)
    made = np.empty(array.shape, object)
    made.reshape(-1)[:] = [_text(who, part, encoding) for part in array.reshape(-1).tolist()]
    return made


def _text(who: str, part: Any, encoding: str) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, bytes):
        return part.decode(encoding, "surrogateescape")
    raise DtypeError(f"{who}: expected texts, received {described(part)}. Convert them: x.astype(str).")


def rows_of_any_length(x: Any) -> Any:
    """What stands for a row of integers for each sample of `x`, of which only the shape is asked: (batch, None)."""
    batch = x.shape[0]
    one = linear_maps.broadcast_to(linear_maps.reshape(x, shape=(batch, 1)), shape=(batch, Varying(9)))
    return linear_maps.cast(one, dtype=np.dtype(np.int64))


def as_bytes(array: np.ndarray, encoding: str = "utf-8") -> list[bytes]:
    """Each value as the bytes that a hash takes: texts in their encoding, numbers as integers in decimal."""
    if array.dtype.kind == "f":
        array = array.astype(np.int64)
    return [
        part if isinstance(part, bytes) else str(part).encode(encoding, "surrogateescape")
        for part in (array.astype(np.int64) if array.dtype.kind == "b" else array).reshape(-1).tolist()
    ]
