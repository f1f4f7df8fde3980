"""Kernels as parts of other kernels.

A compiled function that calls a kernel links in a copy of its LLVM code. Numba would optimise that copy anew at every
level of calls, and make machine code and wrappers for Python of every kernel on the way, which nobody calls: half of
the time of a first step. So what compiled code calls is compiled to LLVM code only:

- A kernel that calls no other one is optimised at once. Its loops become the same vector code whoever calls it, and so
  do the bits of its results.
- Everything else is optimised once, in the function that Python calls.

A kernel that Python has called already is linked as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import types
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.compiler import compile_result

from fnet.kernels.claims import dropped_after_failure
from fnet.kernels.frontend.compiler import translated
from fnet.kernels.full_width import FullWidthLibrary
from fnet.kernels.pipeline import KernelCompiler


def link_without_machine_code(dispatcher: Any, options: dict[str, Any], cache: type[FunctionCache] | None) -> None:
    """Let compiled callers of a kernel link its LLVM code; `options` are those that it is compiled with.

    cache: what stores LLVM code, if anything does.
    """
    dispatcher.linked = _Linked(dispatcher, options, cache)
    dispatcher.get_call_template = dispatcher.linked.call_template
    dispatcher.get_overload = dispatcher.linked.entry_point


def linkable(dispatcher: Any, kinds: Sequence[types.Type]) -> Any:
    """The compiled version of a kernel for arguments of these types, for a caller that links it by itself."""
    dispatcher.get_call_template(kinds, {})
    return dispatcher.linked.overload(tuple(kinds))


class _Linked:
    """The versions of a kernel that other compiled code calls."""

    def __init__(self, kernel: Any, options: dict[str, Any], cache: type[FunctionCache] | None) -> None:
        self._kernel, self._options, self._cache = kernel, options, cache
        self._template_of_kernel = kernel.get_call_template
        self._made: Any = None

    @property
    def _dispatcher(self) -> Any:
        """Made at the first call: most kernels are imported without being compiled."""
        if self._made is None:
            bare = {"pipeline_class": _LinkedCompiler, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
            self._made = numba.njit(**self._options, **bare)(self._kernel.py_func)
            # Nothing of it is ever called from Python.
            self._made.add_overload = lambda made: self._made.overloads.__setitem__(tuple(made.signature.args), made)
            if self._cache is not None:
                self._made.compile = dropped_after_failure(self._made.compile)
                self._made._cache = self._cache(self._kernel)
        return self._made

    def call_template(self, args: Sequence[types.Type], kws: dict[str, types.Type]) -> Any:
        """What Numba types a call with: one version for all values of an integer, which it would compile anew."""
        kinds = tuple(types.unliteral(kind) for kind in args)
        template = self._template_of_kernel if kinds in self._kernel.overloads else self._dispatcher.get_call_template
        return template(kinds, kws)

    def overload(self, kinds: tuple[types.Type, ...]) -> Any:
        """The compiled version that `call_template` spoke of."""
        compiled = self._kernel.overloads.get(kinds) or self._dispatcher.overloads[kinds]
        compiled.library.inlined = self._options.get("forceinline", False)
        return compiled

    def entry_point(self, kinds: tuple[types.Type, ...]) -> Any:
        """What Numba finds the code of a callee with."""
        return self.overload(tuple(kinds)).entry_point


class _LinkedLibrary(FullWidthLibrary):
    """LLVM code that is never made machine code where it stands; `inlined` into its callers if it is of a scalar."""

    def __init__(self, codegen: Any, name: str, inlined: bool) -> None:
        super().__init__(codegen, name)
        self.inlined = inlined

    def _optimize_final_module(self) -> None:
        # Libraries without the mark are Numba's.
        calls = any(not getattr(library, "inlined", True) for library in self._linking_libraries)
        if not (self.inlined or calls):
            super()._optimize_final_module()

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


class _LinkedCompiler(KernelCompiler):
    """Compiles to a `_LinkedLibrary`."""

    def compile_extra(self, function: Callable) -> Any:
        state = self.state
        state.flags.no_compile = True
        state.library = _LinkedLibrary(state.targetctx.codegen(), function.__qualname__, state.flags.forceinline)
        compiled = translated(state, function) or super().compile_extra(function)
        compiled = compiled._replace(entry_point=object())
        state.library._ensure_finalized()
        compiled.reload_init.extend(state.library._reload_init)
        compiled.target_context.insert_user_function(compiled.entry_point, compiled.fndesc, [state.library])
        return compiled


class LinkedCacheImpl(CompileResultCacheImpl):
    """Stores LLVM code, beside the files of machine code."""

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        return "linked-" + super().get_filename_base(fullname, abiflags)

    def reduce(self, compiled: Any) -> tuple:
        compiled.fndesc.typemap = compiled.fndesc.calltypes = None
        library = compiled.library
        code = library._final_module.as_bitcode()
        return library.name, library.inlined, code, compiled.fndesc, compiled.signature, compiled.reload_init

    def rebuild(self, target_context: Any, stored: tuple) -> Any:
        name, inlined, code, fndesc, signature, reload_init = stored
        for reload in reload_init:
            reload()
        library = _LinkedLibrary(target_context.codegen(), name, inlined)
        library._final_module = llvm.parse_bitcode(code)
        library._finalize_final_module()
        return compile_result(
            typing_context=target_context.typing_context, target_context=target_context, library=library,
            entry_point=object(), fndesc=fndesc, signature=signature, objectmode=False, reload_init=reload_init,
        )  # fmt: skip
