"""Operations on shared 64-bit words, for code that several threads run; addresses are ints.

All are sequentially consistent but `release`: what is written before it is seen by who reads the word, and it waits for
no other core.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_INT = ir.IntType(64)
_ORDER = "seq_cst"


def _word_operation(count: int, write: Callable[[ir.IRBuilder, ir.Value, list[ir.Value]], ir.Value]) -> Any:
    """An intrinsic of the address of a word and `count` numbers that returns a number."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        result = write(builder, builder.inttoptr(values[0], _INT.as_pointer()), list(values[1:]))
        return _INT(0) if isinstance(result.type, ir.VoidType) else result

    def one(typing, address):
        return types.int64(types.int64), generate

    def two(typing, address, a):
        return types.int64(types.int64, types.int64), generate

    def three(typing, address, a, b):
        return types.int64(types.int64, types.int64, types.int64), generate

    return intrinsic((one, two, three)[count])


def _compare_and_swap(builder: ir.IRBuilder, word: ir.Value, values: list[ir.Value]) -> ir.Value:
    done = builder.extract_value(builder.cmpxchg(word, *values, _ORDER, _ORDER), 1)
    return builder.zext(done, _INT)


load = _word_operation(0, lambda builder, word, _: builder.load_atomic(word, _ORDER, 8, typ=_INT))
release = _word_operation(1, lambda builder, word, values: builder.store_atomic(values[0], word, "release", 8))
store = _word_operation(1, lambda builder, word, values: builder.store_atomic(values[0], word, _ORDER, 8))
add = _word_operation(1, lambda builder, word, values: builder.atomic_rmw("add", word, values[0], _ORDER))
exchange = _word_operation(1, lambda builder, word, values: builder.atomic_rmw("xchg", word, values[0], _ORDER))
swap_if = _word_operation(2, _compare_and_swap)  # swap_if(address, expected, new) is 1 if it was as expected, else 0


@intrinsic
def pause(typing):
    """Tell the processor that this is a waiting loop."""
    name, arguments = {
        "x86_64": ("llvm.x86.sse2.pause", []),
        "AMD64": ("llvm.x86.sse2.pause", []),
        "aarch64": ("llvm.aarch64.hint", [ir.IntType(32)(1)]),
        "arm64": ("llvm.aarch64.hint", [ir.IntType(32)(1)]),
    }.get(platform.machine(), ("", []))

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        if name:
            kind = ir.FunctionType(ir.VoidType(), [a.type for a in arguments])
            function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            builder.call(function, arguments)
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def call_address(typing, function, argument, number):
    """Call the machine code at an address, a void function of an address and a number."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [_INT, _INT])
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate
