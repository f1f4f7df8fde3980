"""Python's `min`, `max` and `int` of 64-bit integers as the instructions they are.

To Numba they are functions that are compiled with machine code of their own, in every process anew.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import ir as numba_ir
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.extending import intrinsic


def _of_integers(name: str, write: Callable[[ir.IRBuilder, list[ir.Value]], ir.Value], least: int) -> Any:
    """The builtin `name`, written by `write` where it is called with `least` or more integers, else Numba's."""

    @intrinsic
    def call(typing, *arguments):
        kinds = tuple(types.unliteral(kind) for kind in arguments)
        packed = types.StarArgTuple.from_types(kinds)
        if len(kinds) < least or any(kind != types.int64 for kind in kinds):
            return _numbas(typing, getattr(builtins, name), packed)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            return write(builder, [builder.extract_value(values[0], i) for i in range(len(kinds))])

        return types.int64(packed), generate

    return call


def _numbas(typing: Any, function: Callable, packed: Any) -> tuple[Any, Callable]:
    """The signature of Numba's version of a function for arguments of the types in `packed`, and what calls it."""
    known = typing.resolve_value_type(function)
    numbas = known.get_call_type(typing, packed.types, {})
    is_packed = isinstance(numbas.args[0], types.StarArgTuple | types.StarArgUniTuple)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        call = context.get_function(known, numbas)
        context.add_linking_libs(getattr(call, "libs", ()))
        if is_packed:
            return call(builder, [context.cast(builder, values[0], packed, numbas.args[0])])
        parts = [builder.extract_value(values[0], i) for i in range(len(numbas.args))]
        casts = zip(parts, packed.types, numbas.args, strict=True)
        return call(builder, [context.cast(builder, *each) for each in casts])

    return numbas.return_type(packed), generate


def _extreme(comparison: str) -> Callable[[ir.IRBuilder, list[ir.Value]], ir.Value]:
    def write(builder: ir.IRBuilder, values: list[ir.Value]) -> ir.Value:
        best, *others = values
        for value in others:
            best = builder.select(builder.icmp_signed(comparison, value, best), value, best)
        return best

    return write


_OWN: dict[Any, Any] = {
    min: _of_integers("min", _extreme("<"), 2),
    max: _of_integers("max", _extreme(">"), 2),
    int: _of_integers("int", lambda builder, values: values[0], 1),
}


def own_builtin(value: Any) -> Any:
    """What stands for the builtin `value` in kernels; anything else stands for itself."""
    return next((own for builtin, own in _OWN.items() if value is builtin), value)


@register_pass(mutates_CFG=False, analysis_only=False)
class IntegerBuiltins(FunctionPass):
    """Puts these in place of the builtins that a kernel names."""

    _name = "integer_builtins"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        found = False
        for block in state.func_ir.blocks.values():
            for named in block.find_insts(numba_ir.Assign):
                value = named.value
                if isinstance(value, numba_ir.Global) and any(value.value is each for each in _OWN):
                    value.value, found = own_builtin(value.value), True
        return found
