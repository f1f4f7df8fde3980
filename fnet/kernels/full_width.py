"""Loops vectorise to the processor's widest vectors.

LLVM takes half of them on processors with AVX-512 that once ran slower for a while after a wide instruction. Matrix
products use the wide ones anyway, and with half of them a loop of arithmetic does half as much at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

# LLVM takes no more than the processor has.
_ATTRIBUTE = '"prefer-vector-width"="512"'


class FullWidthLibrary(JITCodeLibrary):
    """A library whose functions ask for the widest vectors."""

    def add_ir_module(self, ir_module: ir.Module) -> None:
        for function in ir_module.functions:
            if not function.is_declaration:
                set.add(function.attributes, _ATTRIBUTE)  # llvmlite's own `add` knows no attributes of targets
        super().add_ir_module(ir_module)


class FullWidthCompiler(Compiler):
    """Compiles to a `FullWidthLibrary`."""

    def compile_extra(self, function: Callable) -> Any:
        library = FullWidthLibrary(self.state.targetctx.codegen(), function.__qualname__)
        library.enable_object_caching()
        self.state.library = library
        return super().compile_extra(function)
