"""Traced values: they look like arrays, and hand every operation to the transform that made them.

Operators, methods and NumPy's protocols are attached by `fnet.ops.operators`, which knows the operations, when the
first transform starts.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import math
from typing import Any, Protocol

import numpy as np

from fnet.errors import TracingError
from fnet.spec import ArraySpec

_levels = itertools.count(1)


def next_level() -> int:
    """A level above that of every transform started before, so that nested transforms stay apart."""
    _attach_operators()
    return next(_levels)


@functools.cache
def _attach_operators() -> None:
    importlib.import_module("fnet.ops.operators")  # by name: the operations are above


class Trace(Protocol):
    """One running transform: it interprets primitives applied to its tracers."""

    level: int

    def process(self, primitive: Any, args: tuple[Any, ...], params: dict[str, Any]) -> Any: ...


Origin = tuple[Any, tuple[Any, ...], dict[str, Any]]
"""A call of a primitive: the primitive, its arguments, its parameters."""


class Tracer:
    """A stand-in for an array inside a transform; one for a Python number is `weak`."""

    __slots__ = ("dtype", "shape", "trace", "weak")
    __array_priority__ = 1000

    trace: Trace
    shape: tuple[int, ...]
    dtype: np.dtype
    weak: bool

    def __init__(self, trace: Trace, like: Any, weak: bool = False) -> None:
        self.trace = trace
        self.shape, self.dtype, self.weak = like.shape, like.dtype, weak

    @property
    def spec(self) -> ArraySpec:
        return ArraySpec(self.shape, self.dtype, self.weak)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def concrete(self, use: str) -> Any:
        """The value, where the transform has one; `use` says in the error what needed it."""
        raise TracingError(
            f"{use} needs the value of a traced {self.spec}, which is not known while fnet.jit traces. Use np.where or "
            f"fnet.ops for choices on values, run without jit, or mark the argument as static=."
        )

    def origin(self) -> Origin | None:
        """The call that made this value in its own transform; None for an argument, or where that is not kept."""
        return None

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a traced scalar")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))  # type: ignore[index]

    def __bool__(self) -> bool:
        return bool(self.concrete("bool() (an `if`, `while`, `and`, `or` or `not`)"))

    def __float__(self) -> float:
        raise TracingError(
            f"float() of a traced {self.spec} would drop its derivative; functions of the module math call it. "
            f"Use NumPy's functions or fnet.ops, which keep the derivative; to fill an array, np.stack or np.where."
        )

    def __int__(self) -> int:
        return int(self.concrete("int()"))

    def __index__(self) -> int:
        return int(self.concrete("an index, a size or range()"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TracingError(
            f"a traced {self.spec} cannot become a NumPy array: a function outside fnet and NumPy's protocols received "
            f"it. Use the fnet.ops counterpart, or compute that part outside the transform."
        )

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TracingError(
            f"a traced {self.spec} cannot be written in place. "
            f"Build the new value, e.g. with np.where or np.concatenate."
        )

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.spec}>"


def outlived(name: str) -> TracingError:
    """The error of a traced value that is met by the primitive `name` after its transform has ended."""
    return TracingError(
        f"a traced value outlived the function it was traced in and reached '{name}'. "
        f"Return it from that function instead of storing it on the side."
    )
