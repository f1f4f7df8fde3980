"""Calls of compiled kernels past Numba's dispatch, which looks up the types of all arguments anew (50 ns for each)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def direct(kernel: Callable[..., Any], args: Sequence[Any]) -> Callable[..., Any]:
    """The machine code of `kernel` for arguments of these types, or `kernel` itself where it has none yet.

    What it returns checks nothing: it is only for arguments of the same types, arrays of the same layout included.
    """
    compiled = _compiled(kernel, args)
    return kernel if compiled is None else compiled.entry_point


def address(kernel: Callable[..., Any], args: Sequence[Any]) -> int:
    """Where the machine code of `kernel` for such arguments is, as other machine code calls it; 0 if it has none."""
    compiled = _compiled(kernel, args)
    return 0 if compiled is None else compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def _compiled(kernel: Callable[..., Any], args: Sequence[Any]) -> Any:
    if not getattr(kernel, "overloads", None):
        return None
    return kernel.overloads.get(tuple([_type_of(arg) for arg in args]))  # type: ignore[attr-defined]


_types: dict[Any, Any] = {}
"""The types that Numba gives, by what it looks at: to ask it takes longer than the rest of a call."""


def _type_of(arg: Any) -> Any:
    if type(arg) is np.ndarray:
        flags = arg.flags
        kind: Any = arg.dtype, arg.ndim, flags.c_contiguous, flags.f_contiguous, flags.writeable
    elif type(arg) is int and -(2**63) <= arg < 2**63:
        kind = int
    else:
        kind = None
    found = _types.get(kind)
    if found is None:
        from numba import typeof

        found = typeof(arg)
        if kind is not None:
            _types[kind] = found
    return found
