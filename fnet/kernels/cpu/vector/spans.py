"""Runs of neighbouring elements, given by addresses: cleared, copied, added and fetched ahead of their use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors

_BYTE, _FLAG, _INT32 = ir.IntType(8), ir.IntType(1), ir.IntType(32)
_BLOCK = 4  # vectors that are added, or lines that are copied, together
_LINE = 64  # bytes of a cache line
BLOCK_BYTES = _BLOCK * _LINE


def _call(builder: ir.IRBuilder, name: str, arguments: Sequence[ir.Value]) -> None:
    """A call of a void LLVM function."""
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
        function = ir.Function(builder.module, kind, name)
    builder.call(function, arguments)


def _bytes(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    return builder.bitcast(address, _BYTE.as_pointer())


def _length(context: Any, builder: ir.IRBuilder, kind: Any, count: ir.Value) -> ir.Value:
    """The number of bytes of `count` elements behind an address of this type."""
    return builder.mul(count, INT(context.get_abi_sizeof(context.get_data_type(kind.dtype))))


@intrinsic
def _clear(typing, target, count):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        address, length = _bytes(builder, values[0]), _length(context, builder, target, values[1])
        _call(builder, "llvm.memset.p0.i64", [address, _BYTE(0), length, _FLAG(0)])
        return context.get_dummy_value()

    return types.void(target, types.int64), generate


@intrinsic
def _copy(typing, target, source, count):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        """Whole lines, then the last line once more from its end on; what is shorter, as two pieces that overlap."""
        to, start = (_bytes(builder, a) for a in values[:2])
        length = _length(context, builder, target, values[2])

        def move(offset: ir.Value, size: int) -> None:
            piece = ir.VectorType(_BYTE, size)
            read, written = (
                builder.bitcast(builder.gep(address, [offset], source_etype=_BYTE), piece.as_pointer())
                for address in (start, to)
            )
            builder.store(builder.load(read, align=1, typ=piece), written, align=1)

        def move_pieces(sizes: Sequence[int]) -> None:
            if not sizes:
                loop = Loop(builder, length, [])
                move(loop.index, 1)
                loop.close([])
                return
            size, *smaller = sizes
            with builder.if_else(builder.icmp_signed(">=", length, INT(size))) as (fits, shorter):
                with fits:
                    move(INT(0), size)
                    move(builder.sub(length, INT(size)), size)
                with shorter:
                    move_pieces(smaller)

        with builder.if_else(builder.icmp_signed(">=", length, INT(_LINE))) as (long, short):
            with long:
                lines = Loop(builder, builder.sdiv(length, INT(_LINE)), [])
                move(builder.mul(lines.index, INT(_LINE)), _LINE)
                lines.close([])
                with builder.if_then(builder.icmp_signed(">", builder.srem(length, INT(_LINE)), INT(0))):
                    move(builder.sub(length, INT(_LINE)), _LINE)
            with short:
                move_pieces((32, 16, 8, 4))
        return context.get_dummy_value()

    return types.void(target, source, types.int64), generate


@intrinsic
def _fetch(typing, source, count):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        """All lines that hold some of it: one more than its size says if it does not begin with one."""
        address, length = _bytes(builder, values[0]), _length(context, builder, source, values[1])
        begun = builder.and_(builder.ptrtoint(address, INT), INT(_LINE - 1))
        lines = Loop(builder, builder.sdiv(builder.add(builder.add(length, begun), INT(_LINE - 1)), INT(_LINE)), [])
        line = builder.gep(address, [builder.mul(lines.index, INT(_LINE))], source_etype=_BYTE)
        _call(builder, "llvm.prefetch.p0", [line, _INT32(0), _INT32(3), _INT32(1)])
        lines.close([])
        return context.get_dummy_value()

    return types.void(source, types.int64), generate


@intrinsic
def _copy_fetching(typing, target, source, later_target, later_source, count):
    line = ir.VectorType(_BYTE, _LINE)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        """Blocks of lines without a loop in them, which would take longer than they do."""
        blocks = builder.lshr(_length(context, builder, target, values[4]), INT((_BLOCK * _LINE).bit_length() - 1))
        loop = Loop(builder, blocks, [_bytes(builder, address) for address in values[:4]])
        to, start, later_to, later_start = loop.values

        def at(address: ir.Value, number: int) -> ir.Value:
            return builder.gep(address, [INT(number * _LINE)], source_etype=_BYTE)

        for i in range(_BLOCK + 1):
            _call(builder, "llvm.prefetch.p0", [at(later_start, i), _INT32(0), _INT32(3), _INT32(1)])
        for i in range(_BLOCK):
            _call(builder, "llvm.prefetch.p0", [at(later_to, i), _INT32(1), _INT32(3), _INT32(1)])
        read = [
            builder.load(builder.bitcast(at(start, i), line.as_pointer()), align=1, typ=line) for i in range(_BLOCK)
        ]
        for i, value in enumerate(read):
            builder.store(value, builder.bitcast(at(to, i), line.as_pointer()), align=1)
        loop.close([at(address, _BLOCK) for address in loop.values])
        return context.get_dummy_value()

    return types.void(target, source, later_target, later_source, types.int64), generate


@intrinsic
def _add(typing, target, source, count):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        element = context.get_data_type(target.dtype)
        if isinstance(target.dtype, types.Float):
            _add_vectors(Vectors(builder, element), values)
        else:
            _add_elements(builder, element, builder.or_ if target.dtype == types.boolean else builder.add, values)
        return context.get_dummy_value()

    return types.void(target, source, types.int64), generate


def _add_elements(builder: ir.IRBuilder, element: ir.Type, add: Callable, values: Sequence[ir.Value]) -> None:
    """Integers one by one: the compiler makes vectors of them."""
    target, source, count = values
    loop = Loop(builder, count, [])
    place, other = (builder.gep(a, [loop.index], source_etype=element) for a in (target, source))
    builder.store(add(builder.load(place, typ=element), builder.load(other, typ=element)), place)
    loop.close([])


def _add_vectors(simd: Vectors, values: Sequence[ir.Value]) -> None:
    target, source, count = values
    builder, done = simd.builder, INT(0)

    def add(offset: ir.Value, mask: ir.Value | None) -> None:
        place = simd.at(target, offset)
        total = builder.fadd(simd.load(place, mask), simd.load(simd.at(source, offset), mask))
        simd.store(total, place, mask)

    for vectors in (_BLOCK, 1):
        width = INT(vectors * simd.lanes)
        blocks = builder.sdiv(builder.sub(count, done), width)
        loop = Loop(builder, blocks, [])
        for v in range(vectors):
            start = builder.add(done, builder.mul(loop.index, width))
            add(builder.add(start, INT(v * simd.lanes)), None)
        loop.close([])
        done = builder.add(done, builder.mul(blocks, width))
    rest = builder.sub(count, done)
    with builder.if_then(builder.icmp_signed(">", rest, INT(0))):
        add(done, simd.lanes_below(rest))


def _clear_in_python(target, count):
    target[:count] = 0


def _copy_in_python(target, source, count):
    target[:count] = source[:count]


def _add_in_python(target, source, count):
    target[:count] += source[:count]


def _copy_fetching_in_python(target, source, later_target, later_source, count):
    target[:count] = source[:count]


def _fetch_in_python(source, count):
    np.asarray(source)


clear: Any = _clear_in_python if config.DISABLE_JIT else _clear
copy: Any = _copy_in_python if config.DISABLE_JIT else _copy
# The same for whole blocks of `BLOCK_BYTES`; it fetches the source of a later run, and the lines that one will write.
copy_fetching: Any = _copy_fetching_in_python if config.DISABLE_JIT else _copy_fetching
fetch: Any = _fetch_in_python if config.DISABLE_JIT else _fetch
add: Any = _add_in_python if config.DISABLE_JIT else _add
