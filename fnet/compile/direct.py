"""Calls of compiled kernels past Numba's dispatch, which looks up the types of all arguments anew (50 ns for each)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def direct(kernel: Callable[..., Any], args: Sequence[Any]) -> Callable[..., Any]:
    """The machine code of `kernel` for arguments of these types, or `kernel` itself where it has none yet.

    What it returns checks nothing: it is only for arguments of the same types, arrays of the same layout included.
    """
    if not getattr(kernel, "overloads", None):
        return kernel
    from numba import typeof

    compiled = kernel.overloads.get(tuple(typeof(arg) for arg in args))  # type: ignore[attr-defined]
    return kernel if compiled is None else compiled.entry_point
