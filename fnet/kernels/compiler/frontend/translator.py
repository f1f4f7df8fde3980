"""LLVM code of a generated function, written in one pass over its syntax.

What it may say: loops over `range`, assignments, loads and stores of elements of flat arrays, arithmetic, comparisons,
conditional expressions, calls. A name that is assigned once is an LLVM value, any other a cell of memory.
"""

from __future__ import annotations

import ast
import builtins
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np.arrayobj import fix_integer_index, load_item, store_item

from fnet.kernels.compiler.frontend.operations import Operations, RefusalError, Typed

_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
    ast.Invert: operator.invert,
}  # fmt: skip


class Translator:
    """Writes the body of one function."""

    def __init__(self, context: Any, builder: ir.IRBuilder, names: dict[str, Any]) -> None:
        self.builder, self.context, self.globals = builder, context, names
        self.do = Operations(context, builder)
        self.values: dict[str, Typed] = {}
        self.cells: dict[str, Typed] = {}
        self.arrays: dict[str, tuple[Any, Any]] = {}
        self.assigned: Counter[str] = Counter()
        self.counters: set[str] = set()

    def write(self, function: ast.FunctionDef, arguments: Sequence[Typed]) -> None:
        """The whole body; what comes after it is not written."""
        parameters = function.args
        if len(parameters.args) != len(arguments) or parameters.vararg or parameters.kwonlyargs or parameters.kwarg:
            raise RefusalError("parameters other than names")
        for node in ast.walk(function):
            if isinstance(node, ast.For):
                self.counters.add(_name(node.target))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.assigned[node.id] += 1
        for parameter, argument in zip(parameters.args, arguments, strict=True):
            if self.assigned[parameter.arg]:
                raise RefusalError("a parameter that is assigned")
            self._hold(parameter.arg, argument)
        self._block(function.body)

    # ------------------------------------------------------------------------------------------ statements

    def _block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            match statement:
                case ast.Assign(targets=[target], value=value):
                    self._assign(target, value)
                case ast.For(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range")) as bounds, orelse=[]):
                    self._loop(name, [self._value(bound) for bound in bounds.args], statement.body)
                case ast.Expr(value=ast.Call() as call):
                    self._value(call)
                case ast.Pass() | ast.Expr(value=ast.Constant()):
                    pass
                case _:
                    raise RefusalError(ast.unparse(statement))

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        match target, value:
            case ast.Name(id=name), _:
                self._bind(name, self._value(value))
            case ast.Subscript(value=array, slice=index), _:
                result = self._value(value)
                kind, pointer = self._element(array, index)
                if not kind.mutable:
                    raise RefusalError("a store into an array that cannot be written")
                store_item(self.context, self.builder, kind, self.do.cast(result, kind.dtype), pointer)
            case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
                results = [self._value(element) for element in values]
                for each, result in zip(targets, results, strict=True):
                    self._bind(_name(each), result)
            case ast.Tuple(elts=targets), ast.Name():
                group = self._value(value)
                if not isinstance(group.kind, types.BaseTuple) or len(group.kind) != len(targets):
                    raise RefusalError("names for what is not so many values")
                for i, (each, kind) in enumerate(zip(targets, group.kind, strict=True)):
                    self._bind(_name(each), Typed(kind, self.builder.extract_value(group.value, i)))
            case _:
                raise RefusalError(ast.unparse(target))

    def _bind(self, name: str, result: Typed) -> None:
        if name in self.counters:
            raise RefusalError("a number of a loop that is assigned")
        if self.assigned[name] == 1:
            self._hold(name, result)
            return
        kind = types.unliteral(result.kind)
        if name not in self.cells:
            if not isinstance(kind, (types.Number, types.Boolean)):
                raise RefusalError(f"a name with several values of type {kind}")
            self.cells[name] = Typed(kind, cgutils.alloca_once(self.builder, self.context.get_value_type(kind)))
        cell = self.cells[name]
        if cell.kind != kind:
            raise RefusalError(f"one name for {cell.kind} and {kind}")
        self.builder.store(self.do.cast(result, kind), cell.value)

    def _hold(self, name: str, result: Typed) -> None:
        """From here on `name` is this value."""
        self.values[name] = result
        if isinstance(result.kind, types.Array):
            model = self.context.data_model_manager[result.kind]
            data, shape = (model.get(self.builder, result.value, member) for member in ("data", "shape"))
            self.arrays[name] = data, self.builder.extract_value(shape, 0)

    def _loop(self, name: str, bounds: Sequence[Typed], body: Sequence[ast.stmt]) -> None:
        """A loop over ``range(*bounds)``, whose numbers never overflow, for they count elements."""
        builder = self.builder
        start, stop, step, kind = self._range(bounds)
        before = builder.block
        head, inside, after = (builder.append_basic_block(label) for label in ("head", "loop", "end"))
        builder.branch(head)
        builder.position_at_end(head)
        number = builder.phi(start.type, name)
        number.add_incoming(start, before)
        builder.cbranch(builder.icmp_signed("<", number, stop), inside, after)
        builder.position_at_end(inside)
        outer, self.values = self.values, {**self.values, name: Typed(kind, number)}
        self._block(body)
        self.values = outer
        following = builder.add(number, step, flags=["nsw"] if kind.signed else ["nuw", "nsw"])
        number.add_incoming(following, builder.block)
        builder.branch(head)
        builder.position_at_end(after)

    def _range(self, bounds: Sequence[Typed]) -> tuple[Any, Any, Any, types.Integer]:
        state = self.do.signature(range, bounds)
        kind = state.return_type.dtype
        values = [self.do.cast(bound, kind) for bound in bounds]
        zero, one = (self.context.get_constant(kind, i) for i in (0, 1))
        start, stop, step = [zero, *values, one] if len(values) == 1 else [*values, one][:3]
        if not (isinstance(step, ir.Constant) and 0 < step.constant < 1 << 32):
            raise RefusalError("a step that is not a constant above 0")
        return start, stop, step, kind

    # ----------------------------------------------------------------------------------------- expressions

    def _value(self, expression: ast.expr) -> Typed:
        match expression:
            case ast.Name(id=name):
                return self._named(name)
            case ast.Constant(value=bool() | int() | float() as number):
                return self.do.constant(number)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return self.do.constant(-number)
            case ast.UnaryOp(op=sign, operand=operand):
                return self.do.call(_OPERATORS[type(sign)], [self._value(operand)])
            case ast.BinOp(left=left, op=sign, right=right) | ast.Compare(left=left, ops=[sign], comparators=[right]):
                if type(sign) not in _OPERATORS:
                    raise RefusalError(ast.unparse(expression))
                return self.do.call(_OPERATORS[type(sign)], [self._value(left), self._value(right)])
            case ast.IfExp(test=test, body=ast.Name(id=then), orelse=ast.Name(id=other)):
                return self._selected(self._value(test), self._named(then), self._named(other))
            case ast.BoolOp(op=sign, values=[left, right]):
                first = self._value(left)
                return self._choice(first, isinstance(sign, ast.Or), lambda: first, lambda: self._value(right))
            case ast.IfExp(test=test, body=then, orelse=other):
                return self._choice(self._value(test), True, lambda: self._value(then), lambda: self._value(other))
            case ast.Subscript(value=array, slice=index):
                kind, pointer = self._element(array, index)
                return Typed(kind.dtype, load_item(self.context, self.builder, kind, pointer))
            case ast.Call(func=function, args=arguments, keywords=[]):
                return self.do.call(self._global(function), [self._value(argument) for argument in arguments])
            case ast.Tuple(elts=elements):
                values = [self._value(element) for element in elements]
                kind = types.BaseTuple.from_types([types.unliteral(x.kind) for x in values])
                members = [self.do.cast(x, kind[i]) for i, x in enumerate(values)]
                return Typed(kind, self.context.make_tuple(self.builder, kind, members))
            case ast.Attribute():
                return self.do.constant(self._global(expression))
            case _:
                raise RefusalError(ast.unparse(expression))

    def _named(self, name: str) -> Typed:
        if name in self.values:
            return self.values[name]
        if name in self.cells:
            cell = self.cells[name]
            return Typed(cell.kind, self.builder.load(cell.value))
        if name in self.assigned:
            raise RefusalError(f"{name} where it may have no value")
        return self.do.constant(self._global(ast.Name(name)))

    def _selected(self, test: Typed, then: Typed, other: Typed) -> Typed:
        """One of two values that are there already."""
        kind = self.do.unified(then.kind, other.kind)
        values = [self.do.cast(result, kind) for result in (then, other)]
        return Typed(kind, self.builder.select(self.do.call(bool, [test]).value, *values))

    def _choice(self, test: Typed, where: bool, then: Callable[[], Typed], other: Callable[[], Typed]) -> Typed:
        """`then` where the truth of `test` is `where`, else `other`; only what is chosen is computed."""
        builder = self.builder
        truth = self.do.call(bool, [test]).value
        yes, no, end = (builder.append_basic_block(name) for name in ("then", "else", "chosen"))
        builder.cbranch(truth, *((yes, no) if where else (no, yes)))
        found = []
        for block, write in ((yes, then), (no, other)):
            builder.position_at_end(block)
            found.append((write(), builder.block))
        kind = self.do.unified(*(result.kind for result, _ in found))
        incoming = []
        for result, block in found:
            builder.position_at_end(block)
            incoming.append((self.do.cast(result, kind), builder.block))
            builder.branch(end)
        builder.position_at_end(end)
        value = builder.phi(incoming[0][0].type)
        for each in incoming:
            value.add_incoming(*each)
        return Typed(kind, value)

    def _element(self, array: ast.expr, index: ast.expr) -> tuple[types.Array, ir.Value]:
        """The type of an array and the address of its element."""
        name = _name(array)
        held = self._named(name)
        if not (isinstance(held.kind, types.Array) and held.kind.ndim == 1 and held.kind.layout == "C"):
            raise RefusalError(f"an element of {held.kind}")
        data, size = self.arrays[name]
        place = self._value(index)
        kind = types.unliteral(place.kind)
        if not isinstance(kind, types.Integer):
            raise RefusalError(f"an index of type {kind}")
        number = fix_integer_index(self.context, self.builder, kind, self.do.cast(place, kind), size)
        return held.kind, self.builder.gep(data, [number])

    def _global(self, expression: ast.expr) -> Any:
        """A value of the module, or of a module that it has imported."""
        match expression:
            case ast.Name(id=name) if name not in self.assigned and name not in self.values:
                found = self.globals.get(name, getattr(builtins, name, None))
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                found = getattr(self.globals.get(module), name, None)
            case _:
                found = None
        if found is None:
            raise RefusalError(ast.unparse(expression))
        return found


def _name(expression: ast.expr) -> str:
    if not isinstance(expression, ast.Name):
        raise RefusalError(ast.unparse(expression))
    return expression.id
