"""The additions and zeros that transforms themselves need, over the primitives that `fnet.ops` defines.

`fnet.ops.arithmetic` fills this table when it is imported: transforms stay below operations, as imports must.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.transforms.primitive import Primitive, spec_of

_primitives: dict[str, Primitive] = {}


def provide(primitive: Primitive) -> Primitive:
    """Register the primitive that transforms use under this name."""
    _primitives[primitive.name] = primitive
    return primitive


def add(a: Any, b: Any) -> Any:
    """Sum of two cotangents of the same spec."""
    return _primitives["add"](a, b)


def zeros_like(x: Any) -> np.ndarray:
    spec = spec_of(x)
    return np.zeros(spec.shape, spec.dtype)


def ones_like(x: Any) -> np.ndarray:
    spec = spec_of(x)
    return np.ones(spec.shape, spec.dtype)
