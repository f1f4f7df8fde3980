"""What is known of an array before it exists: its shape and its element type."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.errors import DtypeError

SUPPORTED = frozenset(np.dtype(t) for t in ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"))


class Unknown(int):
    """A size that stands for one that is not known, and says so in texts; so do its sums and products.

    >>> n = Unknown(240)
    >>> n == 240, (n // 2 + 1, 3), Unknown(3, "batch")
    (True, (None, 3), batch)
    """

    text: str

    def __new__(cls, value: int, text: str = "None") -> Unknown:
        number = super().__new__(cls, value)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text

    def __str__(self) -> str:
        return self.text

    def __format__(self, form: str) -> str:
        return format(self.text, form)


def _of_unknown(name: str) -> Callable[[Unknown, Any], Any]:
    operate = getattr(int, name)

    def operation(self: Unknown, other: Any) -> Any:
        made = operate(self, other)
        return Unknown(made) if type(made) is int else made

    return operation


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "floordiv", "rfloordiv", "mod", "rmod"):
    setattr(Unknown, f"__{_name}__", _of_unknown(f"__{_name}__"))
Unknown.__neg__ = lambda self: Unknown(-int(self))  # type: ignore[method-assign]


class Varying(Unknown):
    """A size that depends on the values of an input, as the longest of some texts: no number stands for it."""


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


def is_array(x: Any) -> bool:
    """Whether `x` is an array: what says so for all of fnet."""
    return isinstance(x, np.ndarray)


def check_array(array: Any) -> None:
    """Refuse arrays whose elements mean something else than they hold, which kernels would not see."""
    if isinstance(array, np.ma.MaskedArray):
        raise DtypeError(
            "a masked array is not supported: what its mask leaves out would count. "
            "Fill it first (x.filled(0)) and give the mask to the loss, the layer or np.where."
        )
    if isinstance(array, np.matrix):
        raise DtypeError("np.matrix is not supported: '*' and shapes mean something else there. Use np.asarray(x).")


def as_array(value: Any) -> np.ndarray:
    """`value` as an array, or a `DtypeError` that says how an object of a class of one's own becomes a tree."""
    array = np.asarray(value)
    if array.dtype == object and not isinstance(value, np.ndarray | list | tuple):
        kind = type(value).__name__
        if value is None:
            raise DtypeError("expected an array, a number or a tree of them, received None.")
        raise DtypeError(
            f"expected an array, a number or a tree of them, received a {kind}. A class of your own is a tree when it "
            f"is registered: fnet.tree.register({kind}, flatten, unflatten)."
        )
    return array


def check_dtype(dtype: Any) -> np.dtype:
    """The supported NumPy dtype meant by `dtype`, or a `DtypeError` that says what to use instead."""
    if isinstance(dtype, np.dtype) and dtype in SUPPORTED:
        return dtype
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
