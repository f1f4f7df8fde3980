"""Compiling a function without Numba's front end: its syntax becomes LLVM code in one pass.

Numba reads bytecode, and finds names, types and lifetimes in a dozen passes over a representation of its own. Kernels
need none of them: each name has one type, nothing is allocated, and what is written is what is meant.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import config, typing
from numba.core.bytecode import FunctionIdentity
from numba.core.compiler import compile_result
from numba.core.environment import Environment
from numba.core.funcdesc import PythonFunctionDescriptor

from fnet.kernels.compiler.frontend.operations import RefusalError, Typed
from fnet.kernels.compiler.frontend.syntax import syntax
from fnet.kernels.compiler.frontend.translator import Translator
from fnet.kernels.compiler.sources import GENERATED

REFUSED: dict[str, str] = {}
"""Functions that were left to Numba's own front end, by module and name, and why."""


def translated(state: Any, function: Callable) -> Any:
    """What Numba's pipeline in `state` would return for a function; None: it has to do it."""
    if config.BOUNDSCHECK or state.flags.boundscheck or state.flags.debuginfo:
        return None
    try:
        return _compiled(state, function, syntax(function))
    except Exception as reason:  # Numba compiles it, or says what is wrong with it
        REFUSED[f"{function.__module__}.{function.__name__}"] = str(reason)
        return None


def _compiled(state: Any, function: Callable, source: ast.FunctionDef) -> Any:
    library, flags = state.library, state.flags
    described = _described(state, function)
    environment = Environment.from_fndesc(described)
    context = state.targetctx.subtarget(environment=environment, fndesc=described)
    with context.push_code_library(library):
        module = library.create_ir_module(described.unique_name)
        context.declare_env_global(module, context.get_env_name(described))
        code = context.declare_function(module, described)
        builder = ir.IRBuilder(code.append_basic_block("entry"))
        arguments = context.call_conv.decode_arguments(builder, described.argtypes, code)
        body = builder.append_basic_block("body")
        builder.position_at_end(body)
        typed = [Typed(*pair) for pair in zip(described.argtypes, arguments, strict=True)]
        context.call_conv.init_call_helper(builder)
        described.restype = Translator(context, builder, function.__globals__).write(source, typed)
        if any(map(_fails, code.blocks)):
            raise RefusalError("an operation that may raise an error")
        code.ftype = context.call_conv.get_function_type(described.restype, described.argtypes)
        code.type = code.ftype.as_pointer()
        builder.position_at_end(code.entry_basic_block)
        builder.branch(body)
        context.post_lowering(module, library)
        library.is_plain = function.__code__.co_filename in GENERATED
        library.add_ir_module(module)
        if not flags.no_cpython_wrapper:
            context.create_cpython_wrapper(library, described, environment, None, release_gil=flags.release_gil)
    signature, entry_point = typing.signature(described.restype, *state.args), None
    if not flags.no_compile:
        entry_point = context.get_executable(library, described, environment)
        context.insert_user_function(entry_point, described, [library])
        state.reload_init.extend(library._reload_init)
    return compile_result(
        typing_context=state.typingctx, target_context=state.targetctx, entry_point=entry_point, typing_error=None,
        type_annotation="", library=library, call_helper=None, signature=signature,
        objectmode=False, lifted=(), fndesc=described, environment=environment, metadata=state.metadata,
        reload_init=state.reload_init,
    )  # fmt: skip


def _fails(block: ir.Block) -> bool:
    """Whether a function ends here with the status of an error of its own."""
    end = block.terminator
    return isinstance(end, ir.Ret) and isinstance(end.return_value, ir.Constant) and end.return_value.constant != 0


def _described(state: Any, function: Callable) -> PythonFunctionDescriptor:
    """How Numba names the function, and what it takes."""
    named, flags = FunctionIdentity.from_function(function), state.flags
    return PythonFunctionDescriptor(
        True, function.__module__, named.func_qualname, named.unique_name, "", None, types.none, None,
        tuple(named.arg_names), (), mangler=state.targetctx.mangler, argtypes=tuple(state.args),
        inline=flags.forceinline, noalias=flags.noalias, abi_tags=[flags.get_mangle_string()],
        uid=state.library.version or named.unique_id,
    )  # fmt: skip
