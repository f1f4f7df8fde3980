"""LLVM code of expressions: arithmetic, comparisons, conditions, elements of arrays, tuples, calls."""

from __future__ import annotations

import ast
import builtins
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.np.arrayobj import fix_integer_index, load_item, store_item

from fnet.kernels.compiler.frontend.operations import Operations, RefusalError, Typed
from fnet.kernels.compiler.integer_builtins import own_builtin

_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
    ast.Invert: operator.invert,
}  # fmt: skip


class Expressions:
    """Writes expressions at the position of `builder`; names are values, cells of memory, or the module's."""

    def __init__(self, context: Any, builder: ir.IRBuilder, names: dict[str, Any]) -> None:
        self.builder, self.context, self.globals = builder, context, names
        self.do = Operations(context, builder)
        self.values: dict[str, Typed] = {}
        self.cells: dict[str, Typed] = {}
        self.arrays: dict[str, tuple[Any, Any]] = {}
        self.assigned: Counter[str] = Counter()

    def value(self, expression: ast.expr) -> Typed:
        match expression:
            case ast.Name(id=name):
                return self._named(name)
            case ast.Constant(value=bool() | int() | float() as number):
                return self.do.constant(number)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return self.do.constant(-number)
            case ast.UnaryOp(op=sign, operand=operand):
                return self.do.call(_OPERATORS[type(sign)], [self.value(operand)])
            case ast.BinOp(left=ast.Constant(value=left), op=sign, right=ast.Constant(value=right)):
                return self.do.constant(self.operator(sign)(left, right))  # as Python does, too
            case ast.BinOp(left=left, op=sign, right=right) | ast.Compare(left=left, ops=[sign], comparators=[right]):
                return self.do.call(self.operator(sign), [self.value(left), self.value(right)])
            case ast.Compare(left=left, ops=signs, comparators=others):
                return self._chain(self.value(left), signs, others)
            case ast.IfExp(test=test, body=ast.Name(id=then), orelse=ast.Name(id=other)):
                return self._selected(self.value(test), self._named(then), self._named(other))
            case ast.BoolOp(op=sign, values=[first, *others]):
                return self._junction(isinstance(sign, ast.Or), self.value(first), others)
            case ast.IfExp(test=test, body=then, orelse=other):
                return self._choice(self.value(test), True, lambda: self.value(then), lambda: self.value(other))
            case ast.Subscript(value=array, slice=index):
                return self._item(array, index)
            case ast.Call(func=ast.Attribute(value=owner, attr=method), args=arguments, keywords=[]) if not isinstance(
                owner, ast.Name
            ) or self.is_local(owner.id):
                return self.do.method(self.value(owner), method, [self.value(argument) for argument in arguments])
            case ast.Call(func=function, args=arguments, keywords=[]):
                return self.do.call(self._callee(function), [self.value(argument) for argument in arguments])
            case ast.Tuple(elts=elements):
                return self.do.group([self.value(element) for element in elements])
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if self.is_local(name):
                return self.do.attribute(self._named(name), attribute)
            case ast.Attribute():
                return self.do.constant(self._global(expression))
            case _:
                raise RefusalError(ast.unparse(expression))

    def operator(self, sign: ast.AST) -> Callable:
        if type(sign) not in _OPERATORS:
            raise RefusalError(type(sign).__name__)
        return _OPERATORS[type(sign)]

    def is_local(self, name: str) -> bool:
        """Whether a name is the function's own."""
        return name in self.values or name in self.cells or name in self.assigned

    def _named(self, name: str) -> Typed:
        if name in self.values:
            return self.values[name]
        if name in self.cells:
            cell = self.cells[name]
            return Typed(cell.kind, self.builder.load(cell.value))
        if name in self.assigned:
            raise RefusalError(f"{name} where it may have no value")
        return self.do.constant(self._global(ast.Name(name)))

    def _global(self, expression: ast.expr) -> Any:
        """A value of the module, or of a module that it has imported."""
        match expression:
            case ast.Name(id=name) if not self.is_local(name):
                found = self.globals.get(name, getattr(builtins, name, None))
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                found = getattr(self.globals.get(module), name, None)
            case _:
                found = None
        if found is None:
            raise RefusalError(ast.unparse(expression))
        return found

    def _callee(self, expression: ast.expr) -> Any:
        """What is called: a function of the module, or a kernel that is an argument."""
        if isinstance(expression, ast.Name) and self.is_local(expression.id):
            kind = self._named(expression.id).kind
            if not isinstance(kind, types.Dispatcher):
                raise RefusalError(f"a call of {expression.id}")
            return kind.dispatcher
        return own_builtin(self._global(expression))

    # ----------------------------------------------------------------------------------------- conditions

    def truth(self, test: Typed) -> ir.Value:
        """Whether a value counts as true."""
        return self.do.call(bool, [test]).value

    def _selected(self, test: Typed, then: Typed, other: Typed) -> Typed:
        """One of two values that are there already."""
        kind = self.do.unified(then.kind, other.kind)
        values = [self.do.cast(result, kind) for result in (then, other)]
        return Typed(kind, self.builder.select(self.truth(test), *values))

    def _junction(self, is_or: bool, first: Typed, others: Sequence[ast.expr]) -> Typed:
        """`and` or `or` of `first` and `others`."""
        if not others:
            return first
        return self._choice(
            first, is_or, lambda: first, lambda: self._junction(is_or, self.value(others[0]), others[1:])
        )

    def _chain(self, left: Typed, signs: Sequence[ast.cmpop], others: Sequence[ast.expr]) -> Typed:
        """``a < b < c``: the second comparison where the first one holds."""
        right = self.value(others[0])
        first = self.do.call(self.operator(signs[0]), [left, right])
        if len(others) == 1:
            return first
        return self._choice(first, False, lambda: first, lambda: self._chain(right, signs[1:], others[1:]))

    def _choice(self, test: Typed, where: bool, then: Callable[[], Typed], other: Callable[[], Typed]) -> Typed:
        """`then` where the truth of `test` is `where`, else `other`; only what is chosen is computed."""
        builder = self.builder
        truth = self.truth(test)
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

    # ------------------------------------------------------------------------------------------- elements

    def _item(self, array: ast.expr, index: ast.expr) -> Typed:
        held = self.value(array)
        if not isinstance(held.kind, types.BaseTuple):
            return self.load(*self.element(array, index))
        place, members = self.value(index), [self.builder.extract_value(held.value, i) for i in range(len(held.kind))]
        if isinstance(place.kind, types.IntegerLiteral):
            number = range(len(members))[place.kind.literal_value]
            return Typed(held.kind[number], members[number])
        if not (isinstance(held.kind, types.UniTuple) and isinstance(place.kind, types.Integer)):
            raise RefusalError(f"an element of {held.kind}")
        return Typed(held.kind.dtype, self._picked(members, self.do.cast(place, types.int64)))

    def _picked(self, members: Sequence[ir.Value], number: ir.Value) -> ir.Value:
        """The member with this number, counted from the end if it is below 0; nothing says that there is none."""
        chosen = members[0]
        for i, member in enumerate(members[1:], 1):
            is_it = [self.builder.icmp_signed("==", number, number.type(k)) for k in (i, i - len(members))]
            chosen = self.builder.select(self.builder.or_(*is_it), member, chosen)
        return chosen

    def element(self, array: ast.expr, index: ast.expr) -> tuple[types.Type, ir.Value]:
        """The type of a flat array, or of the address of one, and the address of its element."""
        held, place = self.value(array), self.value(index)
        kind = types.unliteral(place.kind)
        if not isinstance(kind, types.Integer):
            raise RefusalError(f"an index of type {kind}")
        if isinstance(held.kind, types.CPointer) and isinstance(held.kind.dtype, types.Number):
            return held.kind, self.builder.gep(held.value, [self.do.cast(place, types.intp)])
        if not (isinstance(held.kind, types.Array) and held.kind.ndim == 1 and held.kind.layout == "C"):
            raise RefusalError(f"an element of {held.kind}")
        known = self.arrays.get(array.id) if isinstance(array, ast.Name) else None
        data, size = known or self.parts(held)
        number = fix_integer_index(self.context, self.builder, kind, self.do.cast(place, kind), size)
        return held.kind, self.builder.gep(data, [number])

    def load(self, owner: types.Type, address: ir.Value) -> Typed:
        """The element at the address that `element` has found."""
        if isinstance(owner, types.CPointer):
            return Typed(owner.dtype, self.builder.load(address))
        return Typed(owner.dtype, load_item(self.context, self.builder, owner, address))

    def store(self, owner: types.Type, address: ir.Value, result: Typed) -> None:
        """Write to the address that `element` has found."""
        value = self.do.cast(result, owner.dtype)
        if isinstance(owner, types.CPointer):
            self.builder.store(value, address)
        elif owner.mutable:
            store_item(self.context, self.builder, owner, value, address)
        else:
            raise RefusalError("a store into an array that cannot be written")

    def parts(self, array: Typed) -> tuple[ir.Value, ir.Value]:
        """The address and the size of a flat array."""
        model = self.context.data_model_manager[array.kind]
        data, shape = (model.get(self.builder, array.value, member) for member in ("data", "shape"))
        return data, self.builder.extract_value(shape, 0)
