"""Compiling a generated function without Numba's front end: its syntax becomes LLVM code in one pass.

Numba reads bytecode, and finds names, types and lifetimes in a dozen passes over a representation of its own. Generated
source needs none of them: each name has one type, nothing is allocated, and what is written is what is meant.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import config, errors, typing
from numba.core.bytecode import FunctionIdentity
from numba.core.compiler import compile_result
from numba.core.environment import Environment
from numba.core.funcdesc import PythonFunctionDescriptor

from fnet.kernels.compiler.frontend.operations import RefusalError, Typed
from fnet.kernels.compiler.frontend.translator import Translator
from fnet.kernels.compiler.sources import GENERATED

REFUSED: dict[str, str] = {}
"""Generated functions that were left to Numba's own front end, and why."""


def translated(state: Any, function: Callable) -> Any:
    """What Numba's pipeline in `state` would return for a generated function; None: it has to do it."""
    file = function.__code__.co_filename
    if file not in GENERATED or config.BOUNDSCHECK or state.flags.boundscheck or state.flags.debuginfo:
        return None
    try:
        return _compiled(state, function, _functions(GENERATED[file])[function.__name__])
    except (RefusalError, errors.NumbaError, NotImplementedError) as reason:
        REFUSED[function.__name__] = str(reason)
        return None


@functools.lru_cache(maxsize=4)
def _functions(text: str) -> dict[str, ast.FunctionDef]:
    """The functions that a module defines."""
    return {each.name: each for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)}


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
        Translator(context, builder, function.__globals__).write(source, typed)
        context.call_conv.return_value(builder, context.get_dummy_value())
        builder.position_at_end(code.entry_basic_block)
        builder.branch(body)
        context.post_lowering(module, library)
        library.is_plain = True
        library.add_ir_module(module)
        if not flags.no_cpython_wrapper:
            context.create_cpython_wrapper(library, described, environment, None, release_gil=flags.release_gil)
    entry_point = None
    if not flags.no_compile:
        entry_point = context.get_executable(library, described, environment)
        context.insert_user_function(entry_point, described, [library])
        state.reload_init.extend(library._reload_init)
    return compile_result(
        typing_context=state.typingctx, target_context=state.targetctx, entry_point=entry_point, typing_error=None,
        type_annotation="", library=library, call_helper=None, signature=typing.signature(types.none, *state.args),
        objectmode=False, lifted=(), fndesc=described, environment=environment, metadata=state.metadata,
        reload_init=state.reload_init,
    )  # fmt: skip


def _described(state: Any, function: Callable) -> PythonFunctionDescriptor:
    """How Numba names the function, and what it takes."""
    named, flags = FunctionIdentity.from_function(function), state.flags
    return PythonFunctionDescriptor(
        True, function.__module__, named.func_qualname, named.unique_name, "", None, types.none, None,
        tuple(named.arg_names), (), mangler=state.targetctx.mangler, argtypes=tuple(state.args),
        inline=flags.forceinline, noalias=flags.noalias, abi_tags=[flags.get_mangle_string()], uid=named.unique_id,
    )  # fmt: skip
