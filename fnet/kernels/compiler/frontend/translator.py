"""LLVM code of a function, written in one pass over its syntax.

What it may say: loops over `range` and `while`, conditions, assignments, loads and stores of elements of flat arrays,
returns, and `expressions`. A name that is assigned once is an LLVM value, any other a cell of memory.
"""

from __future__ import annotations

import ast
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils

from fnet.kernels.compiler.frontend.expressions import Expressions
from fnet.kernels.compiler.frontend.operations import RefusalError, Typed

_INPLACE: dict[type, Callable] = {
    ast.Add: operator.iadd, ast.Sub: operator.isub, ast.Mult: operator.imul, ast.Div: operator.itruediv,
    ast.FloorDiv: operator.ifloordiv, ast.Mod: operator.imod, ast.LShift: operator.ilshift,
    ast.RShift: operator.irshift, ast.BitAnd: operator.iand, ast.BitOr: operator.ior, ast.BitXor: operator.ixor,
}  # fmt: skip


_MOST = 1 << 32  # elements are what is counted


class _Exits(NamedTuple):
    """Where `continue` and `break` of a loop go on."""

    following: ir.Block | None
    after: ir.Block


class Translator(Expressions):
    """Writes the body of one function."""

    def __init__(self, context: Any, builder: ir.IRBuilder, names: dict[str, Any]) -> None:
        super().__init__(context, builder, names)
        self._result: types.Type | None = None
        self._counters: set[str] = set()  # names that are nothing but numbers of loops
        self._loops: list[_Exits] = []
        self._depth = 0  # of the statement in loops and conditions

    def write(self, function: ast.FunctionDef, arguments: Sequence[Typed]) -> types.Type:
        """The whole body; the type of what it returns."""
        parameters = function.args
        if len(parameters.args) != len(arguments) or parameters.vararg or parameters.kwonlyargs or parameters.kwarg:
            raise RefusalError("parameters other than names")
        counted = Counter(_name(node.target) for node in ast.walk(function) if isinstance(node, ast.For))
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.assigned[node.id] += 1
        self._counters = {name for name, count in counted.items() if count == self.assigned[name]} - _nested(function)
        for parameter, argument in zip(parameters.args, arguments, strict=True):
            if self.assigned[parameter.arg]:
                self.assigned[parameter.arg] += 1
            self._bind(parameter.arg, argument)
        self._block(function.body)
        if not self.builder.block.is_terminated:
            self._return(Typed(types.none, self.context.get_dummy_value()))
        return self._result

    # ------------------------------------------------------------------------------------------ statements

    def _block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if self.builder.block.is_terminated:
                raise RefusalError("statements that are never reached")
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[target], value=value):
                self._assign(target, value)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=sign, value=value):
                held = self.value(ast.Name(name))
                self._bind(name, self.do.call(_INPLACE[type(sign)], [held, self.value(value)]))
            case ast.AugAssign(target=ast.Subscript(value=array, slice=index), op=sign, value=value):
                place = self.element(array, index)
                held = self.load(*place)
                self.store(*place, self.do.call(_INPLACE[type(sign)], [held, self.value(value)]))
            case ast.For(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range")) as bounds, orelse=[]):
                self._count(name, [self.value(bound) for bound in bounds.args], statement.body)
            case ast.While(test=test, body=body, orelse=[]):
                self._while(test, body)
            case ast.If(test=test, body=body, orelse=other):
                self._if(test, body, other)
            case ast.Continue():
                self.builder.branch(self._loops[-1].following)
            case ast.Break():
                self.builder.branch(self._loops[-1].after)
            case ast.Return(value=value):
                nothing = Typed(types.none, self.context.get_dummy_value())
                self._return(nothing if value is None else self.value(value))
            case ast.Expr(value=ast.Call() as call):
                self.value(call)
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                pass
            case _:
                raise RefusalError(ast.unparse(statement))

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        match target, value:
            case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
                results = [self.value(element) for element in values]
            case ast.Tuple(elts=targets), _:
                group = self.value(value)
                if not isinstance(group.kind, types.BaseTuple) or len(group.kind) != len(targets):
                    raise RefusalError("names for what is not so many values")
                members = (self.builder.extract_value(group.value, i) for i in range(len(targets)))
                results = [Typed(kind, member) for kind, member in zip(group.kind, members, strict=True)]
            case _:
                targets, results = [target], [self.value(value)]
        for each, result in zip(targets, results, strict=True):
            match each:
                case ast.Name(id=name):
                    self._bind(name, result)
                case ast.Subscript(value=array, slice=index):
                    self.store(*self.element(array, index), result)
                case _:
                    raise RefusalError(ast.unparse(each))

    def _bind(self, name: str, result: Typed) -> None:
        if self.assigned[name] <= 1:
            self._hold(name, result)
            return
        kind = types.unliteral(result.kind)
        cell = self.cells.get(name)
        if cell is None or (cell.kind != kind and not self._depth):
            self.do.check_plain(kind)
            cell = Typed(kind, cgutils.alloca_once(self.builder, self.context.get_value_type(kind)))
            self.cells[name] = cell
        if cell.kind != kind:
            raise RefusalError(f"one name for {cell.kind} and {kind}")
        self.builder.store(self.do.cast(result, kind), cell.value)

    def _hold(self, name: str, result: Typed) -> None:
        """From here on `name` is this value."""
        self.values[name] = result
        if isinstance(result.kind, types.Array) and result.kind.ndim == 1:
            self.arrays[name] = self.parts(result)

    def _return(self, result: Typed) -> None:
        """LLVM's pointers do not say what they point to: the type of the result need not be known before."""
        kind = types.unliteral(result.kind)
        if self._result not in (None, kind):
            raise RefusalError(f"results of types {self._result} and {kind}")
        if isinstance(kind, types.Array):
            raise RefusalError("an array as a result")
        self._result, builder = kind, self.builder
        value = self.context.get_return_value(builder, kind, self.do.cast(result, kind))
        builder.store(value, builder.bitcast(builder.function.args[0], value.type.as_pointer()))
        builder.ret(ir.IntType(32)(0))

    # --------------------------------------------------------------------------------------- control flow

    def _if(self, test: ast.expr, body: Sequence[ast.stmt], other: Sequence[ast.stmt]) -> None:
        builder = self.builder
        yes, no = builder.append_basic_block("if"), builder.append_basic_block("else")
        builder.cbranch(self.truth(self.value(test)), yes, no)
        ends = []
        for block, statements in ((yes, body), (no, other)):
            builder.position_at_end(block)
            self._scope(statements)
            if not builder.block.is_terminated:
                ends.append(builder.block)
        if not ends:
            return
        after = ends[0] if len(ends) == 1 else builder.append_basic_block("endif")
        for end in ends:
            if end is not after:
                builder.position_at_end(end)
                builder.branch(after)
        builder.position_at_end(after)

    def _scope(self, statements: Sequence[ast.stmt], **more: Typed) -> None:
        """Statements whose names have values only there, but for those in cells; `more` are values of such names."""
        outer, self.values = self.values, dict(self.values)
        self._depth += 1
        for name, value in more.items():
            if name in self._counters:
                self.values[name] = value
            else:
                self._bind(name, value)
        self._block(statements)
        self._depth -= 1
        self.values = outer

    def _while(self, test: ast.expr, body: Sequence[ast.stmt]) -> None:
        builder = self.builder
        head, inside, after = (builder.append_basic_block(label) for label in ("while", "do", "end"))
        builder.branch(head)
        builder.position_at_end(head)
        builder.cbranch(self.truth(self.value(test)), inside, after)
        builder.position_at_end(inside)
        self._loops.append(_Exits(head, after))
        self._scope(body)
        self._loops.pop()
        if not builder.block.is_terminated:
            builder.branch(head)
        builder.position_at_end(after)

    def _count(self, name: str, bounds: Sequence[Typed], body: Sequence[ast.stmt]) -> None:
        """A loop over ``range(*bounds)``, whose numbers never overflow, for they count elements."""
        builder = self.builder
        start, stop, step, kind = self._range(bounds)
        before = builder.block
        head, inside, after = (builder.append_basic_block(label) for label in ("head", "loop", "end"))
        builder.branch(head)
        builder.position_at_end(head)
        number = builder.phi(start.type, name)
        number.add_incoming(start, before)
        sign = "!=" if not isinstance(step, ir.Constant) else "<" if step.constant > 0 else ">"
        builder.cbranch(builder.icmp_signed(sign, number, stop), inside, after)
        builder.position_at_end(inside)
        following = builder.append_basic_block("next") if _continues(body) else None
        self._loops.append(_Exits(following, after))
        self._scope(body, **{name: Typed(kind, number)})
        self._loops.pop()
        if following is not None:
            if not builder.block.is_terminated:
                builder.branch(following)
            builder.position_at_end(following)
        if not builder.block.is_terminated:
            flags = ["nsw"] if kind.signed else ["nuw", "nsw"]
            number.add_incoming(builder.add(number, step, flags=flags), builder.block)
            builder.branch(head)
        builder.position_at_end(after)

    def _range(self, bounds: Sequence[Typed]) -> tuple[Any, Any, Any, types.Integer]:
        state = self.do.signature(range, bounds)
        kind = state.return_type.dtype
        values = [self.do.cast(bound, kind) for bound in bounds]
        zero, one = (self.context.get_constant(kind, i) for i in (0, 1))
        start, stop, step = [zero, *values, one] if len(values) == 1 else [*values, one][:3]
        if not isinstance(step, ir.Constant):
            stop = self._reached(start, stop, step)
        elif not 0 < abs(step.constant) < _MOST:
            raise RefusalError("a step that never ends")
        return start, stop, step, kind

    def _reached(self, start: ir.Value, stop: ir.Value, step: ir.Value) -> ir.Value:
        """Where a range whose step may be above or below 0 ends exactly: the first number that is not in it.

        Numba raises an error at a step of 0, which kernels never do: that range is empty.
        """
        builder, zero = self.builder, stop.type(0)
        way, stays = builder.sub(stop, start), builder.icmp_signed("==", step, zero)
        is_empty = builder.xor(builder.icmp_signed(">", way, zero), builder.icmp_signed(">", step, zero))
        is_empty, step = builder.or_(is_empty, stays), builder.select(stays, stop.type(1), step)
        rest = builder.icmp_signed("!=", builder.srem(way, step), zero)
        count = builder.add(builder.sdiv(way, step), builder.zext(rest, stop.type))
        return builder.select(is_empty, start, builder.add(start, builder.mul(count, step)))


def _continues(body: Sequence[ast.stmt]) -> bool:
    """Whether a loop's body goes on with the next number anywhere, other than inside of another loop."""
    for statement in body:
        if isinstance(statement, ast.Continue):
            return True
        if isinstance(statement, ast.If) and (_continues(statement.body) or _continues(statement.orelse)):
            return True
    return False


def _nested(function: ast.FunctionDef) -> set[str]:
    """The names that a loop shares with a loop inside of it: behind that one they are its last number."""
    loops = [node for node in ast.walk(function) if isinstance(node, ast.For)]
    inner = ((loop, node) for loop in loops for node in ast.walk(loop) if isinstance(node, ast.For))
    return {_name(loop.target) for loop, node in inner if node is not loop and _name(node.target) == _name(loop.target)}


def _name(expression: ast.expr) -> str:
    if not isinstance(expression, ast.Name):
        raise RefusalError(ast.unparse(expression))
    return expression.id
