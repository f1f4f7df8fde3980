"""Explicit vector instructions, in which tiles, packing and passes over rows are written.

Numba has no vector type, so every vector operation is an *intrinsic*: a function whose LLVM code is written by hand.
`vector_code` makes one from a writer. The writer gets a `Vectors` (loads, stores, arithmetic, shuffles, masks of one
element type) and uses `Loop` for its loops. `at` gives the addresses that kernels pass around.

The vector width is the host's, or what ``FNET_SIMD`` says at import: ``avx512`` (64 bytes), ``avx2`` (32) or
``generic`` (16). `fnet.kernels.compiler.cache_folder` hashes that variable into its path, and the key of stored code
holds the host's name and features, so machine code of one width is never answered for another.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from fnet.errors import ValueRangeError

_BYTES = {"avx512": 64, "avx2": 32, "generic": 16}
INT = ir.IntType(64)


def _instruction_set() -> str:
    if chosen := os.environ.get("FNET_SIMD", ""):
        if chosen not in _BYTES:
            raise ValueRangeError(f"FNET_SIMD is {chosen!r}, expected one of: {', '.join(_BYTES)}")
        return chosen
    if config.CPU_NAME == "generic":
        return "generic"
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return "avx512"
    return "avx2" if features.get("avx2") and features.get("fma") else "generic"


INSTRUCTION_SET = _instruction_set()
VECTOR_BYTES = _BYTES[INSTRUCTION_SET]
# Whether the host multiplies pairs of bfloat16 (`Vectors.multiply_add_pairs`).
HAS_BFLOAT16 = (
    INSTRUCTION_SET == "avx512"
    and not config.DISABLE_JIT
    and config.CPU_NAME != "generic"
    and bool(llvm.get_host_cpu_features().get("avx512bf16"))
)


# ---------------------------------------------------------------------------------------- writing LLVM code


class _BFloat(ir.types._BaseFloatType):
    """LLVM's bfloat, which llvmlite does not have: a name is enough for vectors of it."""

    def __str__(self) -> str:
        return "bfloat"


_BFloat._create_instance()


class Vectors:
    """Writes instructions on vectors of one element type at the builder's position."""

    def __init__(self, builder: ir.IRBuilder, element: ir.Type) -> None:
        self.builder = builder
        self.element = element
        self.bytes = 4 if isinstance(element, ir.FloatType) else 8
        self.lanes = VECTOR_BYTES // self.bytes
        self.type = ir.VectorType(element, self.lanes)
        self.integers = ir.VectorType(ir.IntType(self.bytes * 8), self.lanes)
        self._suffix = f"v{self.lanes}f{self.bytes * 8}"

    def at(self, address: ir.Value, offset: ir.Value | int) -> ir.Value:
        """The address `offset` elements behind `address`."""
        offset = INT(offset) if isinstance(offset, int) else offset
        return self.builder.gep(address, [offset], inbounds=True, source_etype=self.element)

    def opaque(self, value: ir.Value) -> ir.Value:
        """The same value, of which the optimiser knows nothing: so it stays in a register of its own."""
        return self.builder.asm(ir.FunctionType(value.type, [value.type]), "", "=r,0", [value], False)

    def load(self, address: ir.Value, mask: ir.Value | None = None) -> ir.Value:
        """A vector from memory; lanes outside of the mask are zero and their memory is not touched."""
        address = self.builder.bitcast(address, self.type.as_pointer())
        if mask is None:
            return self.builder.load(address, align=self.bytes, typ=self.type)
        arguments = [address, ir.IntType(32)(self.bytes), mask, self.constant(0.0)]
        return self.call(f"llvm.masked.load.{self._suffix}.p0", self.type, arguments)

    def store(self, vector: ir.Value, address: ir.Value, mask: ir.Value | None = None) -> None:
        """A vector to memory, but for the lanes outside of the mask."""
        address = self.builder.bitcast(address, self.type.as_pointer())
        if mask is None:
            self.builder.store(vector, address, align=self.bytes)
        else:
            arguments = [vector, address, ir.IntType(32)(self.bytes), mask]
            self.call(f"llvm.masked.store.{self._suffix}.p0", ir.VoidType(), arguments)

    def prefetch(self, address: ir.Value, offset: ir.Value, *, write: bool = False, level: int = 1) -> None:
        """Begin to load the cache line `offset` elements behind an address, which may lie outside of all memory.

        It goes to the cache of this level and to those behind it.
        """
        place = self.builder.gep(address, [offset], source_etype=self.element)
        kind = [ir.IntType(32)(number) for number in (int(write), 4 - level, 1)]  # data
        self.call("llvm.prefetch.p0", ir.VoidType(), [self.builder.bitcast(place, ir.IntType(8).as_pointer()), *kind])

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """``a * b + c``, rounded once where the host has that instruction."""
        return self.call(f"llvm.fmuladd.{self._suffix}", self.type, [a, b, c])

    def multiply_add_pairs(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """``a_low b_low + a_high b_high + c`` for words a and b that hold two bfloat16 each; AVX-512 only."""
        halves = ir.VectorType(_BFloat(), 2 * self.lanes)
        arguments = [c, self.builder.bitcast(a, halves), self.builder.bitcast(b, halves)]
        return self.call("llvm.x86.avx512bf16.dpbf16ps.512", self.type, arguments)

    def round_to_bfloat16(self, first: ir.Value, second: ir.Value) -> ir.Value:
        """Both vectors, one behind the other, as bfloat16, twice the lanes of half the size; AVX-512 only."""
        halves = ir.VectorType(_BFloat(), 2 * self.lanes)
        return self.call("llvm.x86.avx512bf16.cvtne2ps2bf16.512", halves, [second, first])

    def relu_if(self, relu: ir.Value, value: ir.Value) -> ir.Value:
        """``max(floor, value)``: relu with the floor 0, the identity with -inf; both keep NaN."""
        is_set = self.builder.icmp_signed("!=", relu, INT(0))
        floor = self.builder.select(is_set, self.element(0.0), self.element(float("-inf")))
        floor = self.broadcast(floor) if value.type == self.type else floor
        return self.builder.select(self.builder.fcmp_ordered(">", floor, value), floor, value)

    def sum(self, vector: ir.Value) -> ir.Value:
        """The sum of the lanes, by halves."""
        return self._folded(vector, self.builder.fadd)

    def highest(self, vector: ir.Value) -> ir.Value:
        """The largest of the lanes, none of which is NaN."""
        select, greater = self.builder.select, functools.partial(self.builder.fcmp_ordered, ">")
        return self._folded(vector, lambda a, b: select(greater(a, b), a, b))

    def _folded(self, vector: ir.Value, combine: Callable[[ir.Value, ir.Value], ir.Value]) -> ir.Value:
        half = self.lanes // 2
        while half:
            folded = self.shuffle(vector, vector, [(lane + half) % self.lanes for lane in range(self.lanes)])
            vector = combine(vector, folded)
            half //= 2
        return self.builder.extract_element(vector, ir.IntType(32)(0))

    def constant(self, value: float) -> ir.Constant:
        return self.type([value] * self.lanes)

    def broadcast(self, scalar: ir.Value) -> ir.Value:
        vector = ir.VectorType(scalar.type, self.lanes)
        first = self.builder.insert_element(vector(ir.Undefined), scalar, ir.IntType(32)(0))
        return self.shuffle(first, vector(ir.Undefined), [0] * self.lanes)

    def shuffle(self, a: ir.Value, b: ir.Value, lanes: list[int]) -> ir.Value:
        """Picks lanes from the concatenation of two vectors."""
        return self.builder.shuffle_vector(a, b, ir.VectorType(ir.IntType(32), self.lanes)(lanes))

    def lanes_below(self, count: ir.Value) -> ir.Value:
        """The mask of the lanes 0 .. count-1."""
        numbers = ir.VectorType(INT, self.lanes)(list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.broadcast(count))

    def rows_below(self, count: ir.Value, rows: int) -> list[ir.Value]:
        """The row numbers 0 .. rows-1, those from `count` on replaced by count-1."""
        last = self.builder.sub(count, INT(1))
        return [self.builder.select(self.builder.icmp_signed("<", INT(r), last), INT(r), last) for r in range(rows)]

    def call(self, name: str, result: ir.Type, arguments: list[ir.Value]) -> ir.Value:
        """A call of an LLVM function by its full name."""
        function = self.builder.module.globals.get(name)
        if function is None:
            function = ir.Function(self.builder.module, ir.FunctionType(result, [a.type for a in arguments]), name)
        return self.builder.call(function, arguments)


class Loop:
    """``for index in range(count)`` with loop-carried values; `index` and `values` are the phis."""

    def __init__(self, builder: ir.IRBuilder, count: ir.Value, starts: list[ir.Value]) -> None:
        self._builder, before = builder, builder.block
        self._head, body, self._done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
        builder.branch(self._head)
        builder.position_at_end(self._head)
        self.index = builder.phi(INT)
        self.index.add_incoming(INT(0), before)
        self.values = [builder.phi(start.type) for start in starts]
        for value, start in zip(self.values, starts, strict=True):
            value.add_incoming(start, before)
        builder.cbranch(builder.icmp_signed("<", self.index, count), body, self._done)
        builder.position_at_end(body)

    def close(self, values: list[ir.Value]) -> None:
        """Ends the body; the builder goes on behind the loop, where the phis hold the last values."""
        self.index.add_incoming(self._builder.add(self.index, INT(1)), self._builder.block)
        for phi, value in zip(self.values, values, strict=True):
            phi.add_incoming(value, self._builder.block)
        self._builder.branch(self._head)
        self._builder.position_at_end(self._done)


def vector_code(
    write: Callable[[Vectors, Sequence[ir.Value]], Any], in_python: Callable[..., Any], *, returns: bool = False
) -> Any:
    """A function of addresses, numbers of their element type and integers for kernels: `write` its code.

    It returns an element if it `returns` at all. Without the JIT `in_python` takes its place.
    """
    if config.DISABLE_JIT:
        return in_python

    def function(typing, *kinds):
        pointed = [kind.dtype for kind in kinds if isinstance(kind, types.CPointer)]
        element = next((kind for kind in pointed if isinstance(kind, types.Float)), types.float32)
        given = [
            kind if isinstance(kind, types.CPointer) else element if isinstance(kind, types.Float) else types.int64
            for kind in kinds
        ]
        signature = (element if returns else types.void)(*given)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
            result = write(Vectors(builder, context.get_value_type(element)), values)
            return result if returns else context.get_dummy_value()

        return signature, generate

    # Numba reads the names of the arguments from the definition, whose first one is the typing context.
    parameters = [inspect.Parameter("typing", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    function.__signature__ = inspect.Signature(parameters + list(inspect.signature(in_python).parameters.values()))  # type: ignore[attr-defined]
    return intrinsic(function)


# ------------------------------------------------------------------------------------------------ addresses


@intrinsic
def _at(typing, x, offset):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        address, offset = values
        if isinstance(x, types.Array):
            address = context.make_array(x)(context, builder, address).data
        return builder.gep(address, [offset], inbounds=True, source_etype=context.get_value_type(x.dtype))

    return types.CPointer(x.dtype)(x, types.int64), generate


@intrinsic
def _lanes(typing, address):
    count = VECTOR_BYTES * 8 // address.dtype.bitwidth
    return types.int64(address), lambda context, builder, signature, values: INT(count)


# `at(x, i)` is the address of element i of an array, or of i elements behind another address; `lanes(address)` is the
# number of its elements in a vector. Inside of kernels addresses replace arrays, which would be counted references
# (5 ns for each copy of one) of seven words each. Without the JIT compiler an address is a view.
at: Any = (lambda x, offset: x[offset:]) if config.DISABLE_JIT else _at
lanes: Any = (lambda address: VECTOR_BYTES // address.itemsize) if config.DISABLE_JIT else _lanes
