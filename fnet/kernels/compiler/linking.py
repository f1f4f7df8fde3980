"""Kernels that other kernels call: their LLVM code becomes part of the caller.

Numba optimises a copy of the callee at every level of calls. It also makes machine code and a wrapper for Python of
every kernel on the way, which nobody calls. Both take half of the time of a first step. So a kernel that compiled code
calls is compiled to LLVM code only:

- A kernel that calls no other kernel is optimised at once. So its loops become the same vector code in every caller,
  and its results have the same bits.
- Any other kernel is optimised once, as part of the function that Python calls.
- A kernel that Python has called before is linked as it is.

A *shared* kernel has one machine code in a process, and all callers call that. Large kernels with many callers are
shared, since each caller would make machine code of its own copy. A caller loads a shared kernel before its own machine
code. Functions that users compile with Numba do not know how to do that. What they call is *whole*: it holds copies of
the shared kernels, too.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba
from numba import types
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.compiler import compile_result

from fnet.kernels.compiler.claims import dropped_after_failure
from fnet.kernels.compiler.frontend.compiler import translated
from fnet.kernels.compiler.full_width import FullWidthLibrary
from fnet.kernels.compiler.pipeline import KernelCompiler
from fnet.kernels.compiler.sources import source_hash


def link_without_machine_code(
    dispatcher: Any, options: dict[str, Any], cache: type[FunctionCache] | None, shared: bool, whole: bool
) -> None:
    """Let compiled callers of a kernel link its LLVM code; `options` are those that it is compiled with.

    cache: what stores LLVM code, if anything does; shared: callers call the one machine code instead; whole: copies of
    shared kernels are part of it.
    """
    compiler = _SharedCompiler if shared else _WholeLinkedCompiler if whole else _LinkedCompiler
    dispatcher.linked = _Linked(dispatcher, options, cache, compiler)
    dispatcher.get_call_template = dispatcher.linked.call_template
    dispatcher.get_overload = dispatcher.linked.entry_point


def linkable(dispatcher: Any, kinds: Sequence[types.Type]) -> Any:
    """Return the version of a kernel for arguments of these types, for a caller that links it by itself."""
    dispatcher.get_call_template(kinds, {})
    return dispatcher.linked.overload(tuple(kinds))


class _Linked:
    """The versions of a kernel that other compiled code calls."""

    def __init__(
        self, kernel: Any, options: dict[str, Any], cache: type[FunctionCache] | None, compiler: type[KernelCompiler]
    ) -> None:
        self._kernel, self._options, self._cache, self._compiler = kernel, options, cache, compiler
        self._template_of_kernel = kernel.get_call_template
        self.is_shared = compiler is _SharedCompiler
        self._made: Any = None

    @property
    def _dispatcher(self) -> Any:
        """Numba's dispatcher, which is made at the first call: most kernels are imported and never compiled."""
        if self._made is None:
            bare = {"pipeline_class": self._compiler, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
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
        is_called = kinds in self._kernel.overloads and not self.is_shared
        return (self._template_of_kernel if is_called else self._dispatcher.get_call_template)(kinds, kws)

    def overload(self, kinds: tuple[types.Type, ...]) -> Any:
        """Return the compiled version that belongs to the signature of `call_template`."""
        called = None if self.is_shared else self._kernel.overloads.get(kinds)
        compiled = called or self._dispatcher.overloads[kinds]
        compiled.library.inlined = self._options.get("forceinline", False)
        return compiled

    def entry_point(self, kinds: tuple[types.Type, ...]) -> Any:
        """The key under which Numba finds the code of a callee."""
        return self.overload(tuple(kinds)).entry_point


class _LinkedLibrary(FullWidthLibrary):
    """LLVM code that is never made machine code where it stands; `inlined` into its callers if it is of a scalar."""

    def __init__(self, codegen: Any, name: str, inlined: bool) -> None:
        super().__init__(codegen, name)
        self.inlined = inlined

    def _optimize_final_module(self) -> None:
        self._link_whole()
        # Libraries without the mark are Numba's.
        calls = any(not getattr(library, "inlined", True) for library in self._linking_libraries)
        if not (self.inlined or calls):
            super()._optimize_final_module()

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


class _SharedLibrary(FullWidthLibrary):
    """Machine code that callers find by its name: they link nothing of it."""

    inlined = False

    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(codegen, name)
        self.enable_object_caching()

    def _get_module_for_linking(self) -> llvm.ModuleRef:
        self._ensure_finalized()
        return llvm.parse_assembly("")

    def copy(self) -> llvm.ModuleRef:
        """Return a copy of the LLVM code, for callers that link a shared kernel."""
        return super()._get_module_for_linking()

    def load_before_callers(self, fndesc: Any) -> None:
        """Make every caller load this library before its own machine code."""
        self._reload_init.add(_Shared(fndesc.modname, fndesc.qualname, fndesc.argtypes, fndesc.llvm_func_name))


class _Shared(NamedTuple):
    """A version of a shared kernel; called, it is where machine code looks for `symbol`."""

    module: str
    kernel: str
    kinds: tuple[types.Type, ...]
    symbol: str

    def __call__(self) -> None:
        self.library()

    def library(self) -> _SharedLibrary:
        """Where it is."""
        compiled = linkable(getattr(importlib.import_module(self.module), self.kernel), self.kinds)
        if compiled.fndesc.llvm_func_name != self.symbol:  # LLVM ends the process where it finds no symbol
            raise LookupError(f"{self.module}.{self.kernel} is not what it was")
        return compiled.library


class _LinkedCompiler(KernelCompiler):
    """Compiles to a `_LinkedLibrary`."""

    def compile_extra(self, function: Callable) -> Any:
        state = self.state
        state.flags.no_compile = True
        state.library = self.library(function)
        compiled = translated(state, function) or super().compile_extra(function)
        compiled = compiled._replace(entry_point=object())
        state.library._ensure_finalized()
        compiled.reload_init.extend(state.library._reload_init)
        compiled.target_context.insert_user_function(compiled.entry_point, compiled.fndesc, [state.library])
        return compiled

    def library(self, function: Callable) -> FullWidthLibrary:
        """Where the code goes."""
        return _LinkedLibrary(self.state.targetctx.codegen(), function.__qualname__, self.state.flags.forceinline)


class _WholeLinkedCompiler(_LinkedCompiler):
    """Compiles to a `_LinkedLibrary` that needs no other one."""

    def library(self, function: Callable) -> FullWidthLibrary:
        library = super().library(function)
        library.is_whole = True
        return library


class _SharedCompiler(_LinkedCompiler):
    """Compiles to a `_SharedLibrary`, whose name is the same in all processes: stored machine code looks for it."""

    def compile_extra(self, function: Callable) -> Any:
        compiled = super().compile_extra(function)
        compiled.library.load_before_callers(compiled.fndesc)
        return compiled

    def library(self, function: Callable) -> FullWidthLibrary:
        library = _SharedLibrary(self.state.targetctx.codegen(), function.__qualname__)
        library.version = source_hash(function.__code__.co_filename)[:16]
        return library

    def _compile_bytecode(self) -> Any:
        self.state.func_id.unique_id = self.state.library.version
        return super()._compile_bytecode()


class LinkedCacheImpl(CompileResultCacheImpl):
    """Stores LLVM code, or machine code that callers share, beside the files of machine code."""

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        return "linked-" + super().get_filename_base(fullname, abiflags)

    def reduce(self, compiled: Any) -> tuple:
        compiled.fndesc.typemap = compiled.fndesc.calltypes = None
        library = compiled.library
        is_shared = isinstance(library, _SharedLibrary)
        machine_code = library._get_compiled_object() if is_shared else None
        code = (library.copy() if is_shared else library._final_module).as_bitcode()
        codes = code, machine_code, library.inlined
        return library.name, codes, compiled.fndesc, compiled.signature, compiled.reload_init

    def rebuild(self, target_context: Any, stored: tuple) -> Any:
        name, (code, machine_code, inlined), fndesc, signature, reload_init = stored
        for reload in reload_init:
            reload()
        library: Any
        if machine_code is None:
            library = _LinkedLibrary(target_context.codegen(), name, inlined)
            library._final_module = llvm.parse_bitcode(code)
        else:
            library = _SharedLibrary(target_context.codegen(), name)
            library._shared_module = llvm.parse_bitcode(code)
            library._set_compiled_object(machine_code)
        library._finalize_final_module()
        library._reload_init.update(reload_init)
        if machine_code is not None:
            library._codegen._engine._load_defined_symbols(library._shared_module)  # so that its address can be asked
            library.load_before_callers(fndesc)
        return compile_result(
            typing_context=target_context.typing_context, target_context=target_context, library=library,
            entry_point=object(), fndesc=fndesc, signature=signature, objectmode=False, reload_init=reload_init,
        )  # fmt: skip
