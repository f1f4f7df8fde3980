"""Loops vectorise to the processor's widest vectors.

LLVM takes half of them on processors with AVX-512 that once ran slower for a while after a wide instruction. Matrix
products use the wide ones anyway, and with half of them a loop of arithmetic does half as much at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core.codegen import JITCodeLibrary

from fnet.kernels.compiler.frontend.compiler import translated
from fnet.kernels.compiler.native_entry import add_entry, entered
from fnet.kernels.compiler.optimization import of_function, of_module, of_small_function
from fnet.kernels.compiler.pipeline import KernelCompiler

# LLVM takes no more than the processor has.
_ATTRIBUTE = '"prefer-vector-width"="512"'


class FullWidthLibrary(JITCodeLibrary):
    """A library whose functions ask for the widest vectors.

    state: of the compilation of a kernel that Python calls.
    """

    state: Any = None
    is_plain = False
    """Whether its own code is as small as can be already, but for what it calls."""
    is_whole = False
    """Whether it links what it calls of other libraries, too: those that Numba loads by itself have to."""
    version: str | None = None
    """What tells the symbol of its function from those of others of the same name, in all processes; Numba counts."""

    def add_ir_module(self, ir_module: ir.Module) -> None:
        state, self.state = self.state, None
        blocks = () if state is None or state.func_ir is None else state.func_ir.blocks.values()
        if state is not None and add_entry(ir_module, state.args, blocks):
            state.flags.no_cpython_wrapper = True
        for function in ir_module.functions:
            if not function.is_declaration:
                set.add(function.attributes, _ATTRIBUTE)  # llvmlite's own `add` knows no attributes of targets
        super().add_ir_module(ir_module)

    def _optimize_functions(self, module: llvm.ModuleRef) -> None:
        """Some loops that call functions, which are inlined then, are slower by a third if not optimised first."""
        module.data_layout = self._codegen._data_layout
        if self.is_plain and not self._linking_libraries:
            return
        try:
            passes, builder = (of_function if self.is_plain else of_small_function)(self._codegen)
        except AttributeError:
            super()._optimize_functions(module)
            return
        for function in module.functions:
            if not function.is_declaration:
                passes.run(function, builder)

    def _optimize_final_module(self) -> None:
        self._link_whole()
        counts_references = any(function.name.startswith("NRT_") for function in self._final_module.functions)
        try:
            passes, builder = of_module(self._codegen, counts_references)
        except AttributeError:
            super()._optimize_final_module()
            return
        passes.run(self._final_module, builder)

    def _link_whole(self) -> None:
        """Link copies of what callers of this library would have to load, if it is to be whole."""
        if self.is_whole:
            shared = [needed for needed in self._reload_init if hasattr(needed, "library")]  # not Numba's own
            # LLVM leaves out what nobody has called yet. Who calls others needs more libraries than they do.
            for library in sorted((needed.library() for needed in shared), key=lambda each: -len(each._reload_init)):
                self._final_module.link_in(library.copy(), preserve=True)
            self._reload_init.difference_update(shared)


class FullWidthCompiler(KernelCompiler):
    """Compiles to a `FullWidthLibrary`, which Python calls through an entry if it can."""

    is_whole = False

    def compile_extra(self, function: Callable) -> Any:
        library = FullWidthLibrary(self.state.targetctx.codegen(), function.__qualname__)
        library.is_whole = self.is_whole
        library.enable_object_caching()
        library.state, self.state.library = self.state, library
        compiled = entered(translated(self.state, function) or super().compile_extra(function))
        compiled.target_context.insert_user_function(compiled.entry_point, compiled.fndesc, [compiled.library])
        return compiled


class WholeCompiler(FullWidthCompiler):
    """Compiles to a library that needs no other one."""

    is_whole = True
