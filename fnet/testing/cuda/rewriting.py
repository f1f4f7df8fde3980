"""Kernels as Python generators: from one meeting of threads to the next.

The source of a kernel is rewritten. The module ``cuda`` becomes the running thread, a first argument, also of device
functions that name it. What waits for other threads (barriers, exchanges within a warp) becomes a ``yield`` of the
request, and so does a call of a device function that waits, so that one thread of the operating system runs all threads
of a block.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from fnet.errors import StructureError

BARRIERS = {"syncthreads", "syncthreads_count", "syncthreads_and", "syncthreads_or"}
EXCHANGES = {
    "syncwarp", "shfl_sync", "shfl_up_sync", "shfl_down_sync", "shfl_xor_sync", "ballot_sync", "any_sync", "all_sync",
    "eq_sync", "match_any_sync", "mma_sync",
}  # fmt: skip
GRID = "cg.this_grid().sync"
WAITS = {"wait_for", GRID}
"""For other blocks."""
_MEETINGS = BARRIERS | EXCHANGES | WAITS
_NAMES = _MEETINGS | {"this_grid"}

_THREAD = "_thread"


def python_function(kernel: Any) -> FunctionType:
    """The Python function behind a compiled kernel or device function."""
    function = getattr(kernel, "py_func", kernel)
    if not isinstance(function, FunctionType):
        raise StructureError(f"expected a kernel, a function marked @cuda.jit, received a {type(kernel).__name__}.")
    return function


@functools.cache
def rewritten(function: FunctionType, waiting: bool) -> Callable[..., Any]:
    """The function with the thread as its first argument; a generator function if it is one that waits."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except OSError:
        raise StructureError(f"{function.__name__}: there is no source of it for the checker to rewrite.") from None
    scope = _scope(function)
    modules = {name for name, value in scope.items() if _is_cuda(value)}
    callees = _callees(function)
    placed = {name: waits(callee) for name, callee in callees.items() if _needs_thread(callee)}
    module = ast.parse(source)
    rewriter = _Rewriter(modules, placed, waiting, function.__name__, function.__code__.co_firstlineno - 1)
    rewriter.has_grid = "this_grid" in function.__code__.co_names
    tree = ast.fix_missing_locations(rewriter.visit(module))
    scope |= callees
    scope |= {name: rewritten(callees[name], wait) for name, wait in placed.items() if callees[name] is not function}
    exec(compile(tree, inspect.getsourcefile(function) or "<kernel>", "exec"), scope)
    return scope[function.__code__.co_name]


class _Rewriter(ast.NodeTransformer):
    """See `rewritten`. placed: the functions that take the thread, too, and whether they wait.

    has_grid: whether the function asks for its grid, for which it may then wait.
    """

    has_grid = False

    def __init__(self, modules: set[str], placed: dict[str, bool], waiting: bool, kernel: str, above: int) -> None:
        self._modules, self._placed, self._waiting, self._kernel, self._above = modules, placed, waiting, kernel, above

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.decorator_list, node.returns = [], None
        for argument in node.args.args:
            argument.annotation = None
        node.args.args.insert(0, ast.arg(_THREAD))
        if self._waiting:
            node.body.append(ast.parse("if False:\n    yield").body[0])  # a generator, also where nothing waits
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        head, _, name = ast.unparse(node.func).partition(".")
        if self.has_grid and name.rpartition(".")[2] == "sync":  # also of a variable for the grid
            head, name = _THREAD, GRID
        if head in self._placed and not name:
            node.args.insert(0, ast.Name(_THREAD, ast.Load()))
            return ast.YieldFrom(node) if self._placed[head] else node
        if head != _THREAD:
            return node
        place = f"{self._kernel}, line {node.lineno + self._above}"
        if name in _MEETINGS:
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            return ast.Yield(ast.Tuple([ast.Constant(name), ast.Constant(place), *values], ast.Load()))
        if name in ("shared.array", "local.array"):
            node.func = ast.Attribute(ast.Name(_THREAD, ast.Load()), name.replace(".", "_"), ast.Load())
            column = f", column {node.col_offset + 1}"  # two arrays on one line are two
            node.args.insert(0, ast.Constant(place + column))
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(_THREAD, node.ctx) if node.id in self._modules else node


def _scope(function: FunctionType) -> dict[str, Any]:
    """The names that a function can read: those of its module, and of the functions around it."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {**function.__globals__, **{name: cell.cell_contents for name, cell in cells}}


def _callees(function: FunctionType) -> dict[str, FunctionType]:
    """The functions that a function calls, by their names, as plain Python."""
    scope = _scope(function)
    named = {name: scope.get(name) for name in (*function.__code__.co_names, *function.__code__.co_freevars)}
    return {
        name: python_function(value)
        for name, value in named.items()
        if isinstance(value, FunctionType) or isinstance(getattr(value, "py_func", None), FunctionType)
    }


def _needs_thread(function: FunctionType) -> bool:
    """Whether a function asks where it runs, or waits: itself, or in what it calls."""
    return any(_names_cuda(one) for one in _with_callees(function))


def waits(function: FunctionType) -> bool:
    """Whether the text of a function, or of what it calls, names what waits for other threads."""
    return any(not _NAMES.isdisjoint(one.__code__.co_names) for one in _with_callees(function))


def _with_callees(function: FunctionType) -> set[FunctionType]:
    """A function and all that it calls, but for what Numba has written."""
    seen, left = set[FunctionType](), [function]
    while left:
        one = left.pop()
        if one not in seen and not one.__module__.startswith("numba"):
            seen.add(one)
            left += _callees(one).values()
    return seen


def _names_cuda(function: FunctionType) -> bool:
    scope = _scope(function)
    return any(_is_cuda(scope.get(name)) for name in (*function.__code__.co_names, *function.__code__.co_freevars))


def _is_cuda(value: Any) -> bool:
    return isinstance(value, ModuleType) and value.__name__.startswith("numba") and "cuda" in value.__name__
