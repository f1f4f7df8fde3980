"""Memory in the frame of a compiled function."""

from __future__ import annotations

from llvmlite import ir


def reserve(builder: ir.IRBuilder, kind: ir.Type) -> ir.Value:
    """Memory for a value of type `kind` that lasts until the function returns; it holds anything at first.

    Numba clears such memory at every call, which takes longer than the launch of a parallel loop.
    """
    with builder.goto_entry_block():
        return builder.alloca(kind)
