"""Typed scalars and what can be done with them, each as Numba types it and writes its LLVM code.

Numba is asked once for the signature of an operation on operands of given types; its rules, and its code for each
operation, are the only ones there are, so results are the same to the bit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils, typing


class RefusalError(Exception):
    """The source says something that is left to Numba's own front end."""


class Typed(NamedTuple):
    """A value: its type as Numba's, and its LLVM value."""

    kind: types.Type
    value: Any


class Operations:
    """Writes operations at the position of `builder`."""

    def __init__(self, context: Any, builder: ir.IRBuilder) -> None:
        self.context, self.builder = context, builder
        self._typing = context.typing_context
        self._results: dict[Any, ir.Value] = {}

    def constant(self, value: Any) -> Typed:
        """A number of the source or of a module; or a kernel or a type, as an argument."""
        if hasattr(value, "linked") or isinstance(value, type):
            return Typed(self._typing.resolve_value_type(value), self.context.get_dummy_value())
        kind = types.literal(value) if isinstance(value, int) else self._typing.resolve_value_type(value)
        if not (_is_plain(kind) or isinstance(kind, (types.IntegerLiteral, types.BooleanLiteral))):
            raise RefusalError(f"a constant of type {kind}")
        return Typed(kind, self.context.get_constant_generic(self.builder, kind, value))

    def cast(self, operand: Typed, kind: types.Type) -> Any:
        """The LLVM value of `operand` converted to `kind`."""
        if operand.kind == kind:
            return operand.value
        return self.context.cast(self.builder, operand.value, operand.kind, kind)

    def unified(self, *kinds: types.Type) -> types.Type:
        """The type that holds values of all `kinds`."""
        kind = types.unliteral(kinds[0] if len(set(kinds)) == 1 else self._typing.unify_types(*kinds))
        if not _is_plain(kind):
            raise RefusalError(f"one name or expression for {' and '.join(map(str, kinds))}")
        return kind

    def call(self, function: Any, operands: Sequence[Typed]) -> Typed:
        """What `function`, an operator, a type, a kernel or an intrinsic, gives for these operands."""
        if hasattr(function, "linked"):
            return self._call_kernel(function, operands)
        callee, signature = self._resolved(function, operands)
        code = self.context.get_function(callee, signature)
        self.context.add_linking_libs(getattr(code, "libs", ()))
        return Typed(signature.return_type, code(self.builder, self._folded(signature, operands)))

    def method(self, owner: Typed, name: str, operands: Sequence[Typed]) -> Typed:
        """What a method of a number gives for these operands."""
        callee = self._typing.resolve_getattr(types.unliteral(owner.kind), name)
        if not (isinstance(owner.kind, types.Number) and isinstance(callee, types.BoundFunction)):
            raise RefusalError(f"{name} of {owner.kind}")
        signature = self._typing.resolve_function_type(callee, tuple(operand.kind for operand in operands), {})
        code = self.context.get_function(callee, signature)
        self.context.add_linking_libs(getattr(code, "libs", ()))
        values = [self.cast(x, kind) for x, kind in zip(operands, signature.args, strict=True)]
        return Typed(signature.return_type, code(self.builder, [owner.value, *values]))

    def attribute(self, owner: Typed, name: str) -> Typed:
        """An attribute that is a number, such as the size of an array."""
        kind = self._typing.resolve_getattr(owner.kind, name)
        if not isinstance(kind, types.Number):
            raise RefusalError(f"{name} of {owner.kind}")
        read = self.context.get_getattr(owner.kind, name)
        return Typed(kind, read(self.context, self.builder, owner.kind, owner.value, name))

    def group(self, members: Sequence[Typed]) -> Typed:
        """A tuple."""
        kind = types.BaseTuple.from_types([types.unliteral(x.kind) for x in members])
        values = [self.cast(x, kind[i]) for i, x in enumerate(members)]
        return Typed(kind, self.context.make_tuple(self.builder, kind, values))

    def check_plain(self, kind: types.Type) -> None:
        """Refuse what would have to be counted, or cannot be kept in memory."""
        if not _is_plain(kind):
            raise RefusalError(f"a value of type {kind} in memory")

    def signature(self, function: Any, operands: Sequence[Typed]) -> Any:
        """The signature with which Numba calls a function for these operands."""
        return self._resolved(function, operands)[1]

    def _resolved(self, function: Any, operands: Sequence[Typed]) -> tuple[Any, Any]:
        kinds = tuple(operand.kind for operand in operands)
        is_fixed = not any(isinstance(kind, types.Dispatcher) for kind in kinds)
        return (_resolved if is_fixed else _resolve)(self._typing, function, kinds)

    def _folded(self, signature: Any, operands: Sequence[Typed]) -> list[Any]:
        """The LLVM values of a call's arguments, those for ``*args`` as one."""
        if signature.pysig is None:
            return [self.cast(x, kind) for x, kind in zip(operands, signature.args, strict=True)]

        def rest(index: int, parameter: Any, values: Sequence[Typed]) -> Any:
            kinds = signature.args[index]
            return cgutils.make_anonymous_struct(self.builder, [self.cast(*x) for x in zip(values, kinds, strict=True)])

        def unspoken(index: int, parameter: Any, default: Any) -> Any:
            raise RefusalError("a call that leaves out an argument")

        folded = typing.fold_arguments(
            signature.pysig, operands, {}, lambda i, parameter, x: self.cast(x, signature.args[i]), unspoken, rest
        )
        return list(folded)

    def _call_kernel(self, kernel: Any, operands: Sequence[Typed]) -> Typed:
        """The result of a compiled function; those never raise, so the status that the call returns says nothing."""
        kinds = tuple(types.unliteral(operand.kind) for operand in operands)
        kernel.get_call_template(kinds, {})
        compiled = kernel.linked.overload(kinds)
        self.context.add_linking_libs((compiled.library,))
        described, convention, builder = compiled.fndesc, self.context.call_conv, self.builder
        function = self.context.declare_function(builder.module, described)
        arguments = self.context.get_arg_packer(described.argtypes).as_arguments(
            builder, [self.cast(*x) for x in zip(operands, described.argtypes, strict=True)]
        )
        result = self._result(convention.get_return_type(described.restype).pointee)
        builder.call(function, [result, builder.function.args[1], *arguments])
        if described.restype == types.none:
            return Typed(types.none, self.context.get_dummy_value())
        value = self.context.get_returned_value(builder, described.restype, builder.load(result))
        return Typed(described.restype, value)

    def _result(self, kind: ir.Type) -> ir.Value:
        """Memory for the result of a call: one for each type, each is read at once."""
        if kind not in self._results:
            self._results[kind] = cgutils.alloca_once(self.builder, kind)
        return self._results[kind]


def _is_plain(kind: types.Type) -> bool:
    """Whether copies of a value need not be counted: of arrays neither, as those of a kernel are its arguments'."""
    if isinstance(kind, types.BaseTuple):
        return all(map(_is_plain, kind))
    return isinstance(kind, (types.Number, types.Boolean, types.CPointer, types.Array))


def _resolve(context: Any, function: Callable, kinds: tuple[types.Type, ...]) -> tuple[Any, Any]:
    """What Numba looks the code of `function` up with: its type, and its signature for arguments of these types."""
    callee = context.resolve_value_type(function)
    signature = context.resolve_function_type(callee, kinds, {})
    if signature is None or signature.recvr:
        raise RefusalError(f"{function} of {', '.join(map(str, kinds))}")
    return callee, signature


_resolved = functools.cache(_resolve)
