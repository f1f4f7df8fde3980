"""Calls of compiled kernels past Numba's dispatch, which looks up the types of all arguments anew (50 ns for each)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


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
    from numba import typeof

    return kernel.overloads.get(tuple(typeof(arg) for arg in args))  # type: ignore[attr-defined]
