"""The arithmetic that transforms themselves need, over primitives that `fnet.ops` defines.

The modules of `fnet.ops` fill this table when they are imported: transforms stay below operations, as imports must.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.transforms.primitive import Primitive, spec_of
from fnet.transforms.tracer import Tracer

_primitives: dict[str, Primitive] = {}


def provide(primitive: Primitive) -> Primitive:
    """Register the primitive that transforms use under this name."""
    _primitives[primitive.name] = primitive
    return primitive


def provided(name: str) -> Primitive:
    """The primitive registered as `name`."""
    return _primitives[name]


def add(a: Any, b: Any) -> Any:
    """Sum of two cotangents of the same spec."""
    return _primitives["add"](a, b)


def cast(x: Any, dtype: np.dtype) -> Any:
    """`x` with elements of the floating type `dtype`."""
    if not isinstance(x, Tracer):
        return np.asarray(x, dtype)
    return x if x.dtype == dtype else _primitives["cast"](x, dtype=dtype)


def zeros_like(x: Any) -> np.ndarray:
    """Zeros of the shape and dtype of `x`, which may be traced."""
    spec = spec_of(x)
    return np.zeros(spec.shape, spec.dtype)


def ones_like(x: Any) -> np.ndarray:
    """Ones of the shape and dtype of `x`, which may be traced."""
    spec = spec_of(x)
    return np.ones(spec.shape, spec.dtype)
