"""Memory in the frame of a compiled function."""

from __future__ import annotations

from llvmlite import ir


def reserve(builder: ir.IRBuilder, kind: ir.Type, alignment: int | None = None) -> ir.Value:
    """Memory for a value of type `kind` that lasts until the function returns; it holds anything at first.

    alignment: of its address, in bytes; None for that of the type.

    Numba clears such memory at every call, which takes longer than the launch of a parallel loop.
    """
    with builder.goto_entry_block():
        memory = builder.alloca(kind)
    memory.align = alignment
    return memory
