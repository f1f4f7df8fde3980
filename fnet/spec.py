"""What is known of an array before it exists: its shape and its element type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.errors import DtypeError

SUPPORTED = frozenset(np.dtype(t) for t in ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"))


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Shape and dtype of an array; `weak` marks a Python number, whose type yields to that of any array."""

    shape: tuple[int, ...]
    dtype: np.dtype
    weak: bool = False

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def differentiable(self) -> bool:
        return self.dtype.kind == "f"

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


def check_array(array: Any) -> None:
    """Refuse arrays whose elements mean something else than they hold, which kernels would not see."""
    if isinstance(array, np.ma.MaskedArray):
        raise DtypeError(
            "a masked array is not supported: what its mask leaves out would count. "
            "Fill it first (x.filled(0)) and give the mask to the loss, the layer or np.where."
        )
    if isinstance(array, np.matrix):
        raise DtypeError("np.matrix is not supported: '*' and shapes mean something else there. Use np.asarray(x).")


def check_dtype(dtype: Any) -> np.dtype:
    """The supported NumPy dtype meant by `dtype`, or a `DtypeError` that says what to use instead."""
    try:
        resolved = np.dtype(dtype)
    except TypeError:
        raise DtypeError(f"unknown element type {dtype!r:.40}; expected e.g. 'float32'.") from None
    if resolved not in SUPPORTED:
        raise DtypeError(
            f"element type {resolved} is not supported; expected one of float32, float64, bool or an integer type. "
            f"Convert first, e.g. x.astype('float32')."
        )
    return resolved
