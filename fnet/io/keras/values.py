"""Values in the calls of Keras' operations: numbers, arrays, slices and lists of them, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fnet.errors import FileError, StructureError, plain
from fnet.io.keras.config import Config, integers, optional, sequence, wrong
from fnet.networks.layer import DEEPEST
from fnet.spec import SUPPORTED

_BOUND = optional(integers(-(2**31)))
_DTYPES = {str(dtype) for dtype in SUPPORTED}


def written(value: Any, tensor: Callable[[Any], Any | None]) -> Any:
    """The plain data that say a value; ``tensor(value)`` gives those of a tensor, None for anything else."""
    own = tensor(value)
    if own is not None:
        return own
    if isinstance(value, list | tuple):
        return [written(part, tensor) for part in value]
    if isinstance(value, slice):
        return {"class_name": "__slice__", "config": {k: getattr(value, k) for k in ("start", "stop", "step")}}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float):
        return value
    raise StructureError(f"a file cannot hold {plain(repr(value))}.")


def read(value: Any, tensor: Callable[[Mapping[str, Any], str], Any], path: str, depth: int = 0) -> Any:
    """The value that plain data say, lists for tuples; ``tensor(data, path)`` reads a tensor. All else is refused."""
    if depth > DEEPEST:
        raise FileError(f"{path}: the inputs of a call are nested deeper than {DEEPEST} levels.")
    class_name = value.get("class_name") if isinstance(value, Mapping) else None
    if class_name == "__keras_tensor__":
        return tensor(value, path)
    if class_name == "__ellipsis__":
        return Ellipsis
    if class_name == "__slice__":
        config = Config(value, path).object("config")
        return slice(*(_BOUND.read(config.raw(key), f"{path}/{key}") for key in ("start", "stop", "step")))
    if class_name in ("__numpy__", "__tensor__"):
        return _array(Config(value, path).object("config"))
    items = sequence(value)
    if items is not None:
        return [read(item, tensor, path, depth + 1) for item in items]
    if isinstance(value, Mapping):
        return {key: read(part, tensor, path, depth + 1) for key, part in value.items()}
    return value


def _array(config: Config) -> np.ndarray:
    dtype = config.raw("dtype")
    if dtype not in _DTYPES:
        raise wrong(f"{config.path}/dtype", "the name of a type of numbers", dtype)
    try:
        return np.array(config.raw("value"), dtype)
    except (TypeError, ValueError, OverflowError):
        raise FileError(f"{config.path}/value: expected an array of numbers.") from None
