"""The syntax of functions, read from the text that they were made of."""

from __future__ import annotations

import ast
import functools
import tokenize
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any

from fnet.kernels.compiler.frontend.operations import RefusalError
from fnet.kernels.compiler.sources import GENERATED


def syntax(function: Callable) -> ast.FunctionDef:
    """The definition of a function; refused where its file says something else, as when it was edited."""
    code = function.__code__
    file = code.co_filename
    if file in GENERATED:
        return _functions(GENERATED[file])[function.__name__]
    ends = (end for _, end, _, _ in code.co_positions() if end is not None)
    text = "".join(_lines(file)[code.co_firstlineno - 1 : max(ends, default=0)])
    try:
        (definition,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        definition = ast.Pass()
    if not (isinstance(definition, ast.FunctionDef) and _makes(definition, function)):
        raise RefusalError("a function that is not what its file says")
    return definition


@functools.lru_cache(maxsize=4)
def _functions(text: str) -> dict[str, ast.FunctionDef]:
    """The functions that a module defines."""
    return {each.name: each for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)}


@functools.lru_cache(maxsize=16)
def _lines(file: str) -> list[str]:
    try:
        with tokenize.open(file) as opened:
            return opened.readlines()
    except (OSError, SyntaxError, UnicodeError):
        return []


def _makes(definition: ast.FunctionDef, function: Callable) -> bool:
    """Whether Python makes the function's code of the definition; it writes other code for names that are imported."""
    definition.decorator_list = []
    code, names = function.__code__, function.__globals__
    place: dict[str, Any] = {"lineno": 1, "col_offset": 0}
    modules = [ast.alias(name, **place) for name in code.co_names if isinstance(names.get(name), ModuleType)]
    imports: list[ast.stmt] = [ast.Import(modules, **place)] if modules else []
    module = compile(ast.Module([*imports, definition], []), code.co_filename, "exec", dont_inherit=True)
    return any(isinstance(made, CodeType) and _words(made) == _words(code) for made in module.co_consts)


def _words(code: CodeType) -> tuple:
    constants = [(type(value), repr(value)) for value in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants
