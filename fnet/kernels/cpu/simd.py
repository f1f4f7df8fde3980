"""Explicit vector instructions: the FMA tile that everything matrix-shaped is built on, the packing of its operands.

Numba has no vector type, so each operation here is an *intrinsic*: a function whose LLVM code is written by hand.
How a tile of ``rows x vectors`` accumulators computes ``C = A B`` for a few rows and ``vectors * lanes`` columns
(`_write_fma_tile`):

1. load the starting value of every accumulator: zeros, the bias, or C itself when an earlier block of k began the sum;
2. for each p in ``range(k)``: load ``vectors`` vectors of row p of B; for every row, broadcast ``A[row, p]`` to all
   lanes and add ``broadcast * B[p]`` to the row's accumulators, one fused multiply-add for each;
3. apply the optional relu and store the accumulators to C.

The accumulators are phis (loop-carried values) and stay in registers, so the loop is nothing but loads and arithmetic.
An element's sum is one chain of multiply-adds in the order of p: its bits do not depend on the tile, on the vector
width or on the other rows.

The vector width is the host's, or what ``FNET_SIMD`` says at import: ``avx512`` (64 bytes), ``avx2`` (32) or
``generic`` (16). `fnet.kernels.policy.cache_directory` hashes that variable into its path, and Numba's cache index
holds the host's name and features, so machine code of one width is never answered for another.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from fnet.errors import ValueRangeError

FROM_ZERO, FROM_BIAS, FROM_C = 0, 1, 2  # what the sums of a tile start from

_BYTES = {"avx512": 64, "avx2": 32, "generic": 16}
_INT = ir.IntType(64)


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


# ---------------------------------------------------------------------------------------- writing LLVM code


class _Vectors:
    """Writes instructions on vectors of one element type at the builder's position."""

    def __init__(self, builder: ir.IRBuilder, element: ir.Type) -> None:
        self.builder = builder
        self.element = element
        self.bytes = 4 if isinstance(element, ir.FloatType) else 8
        self.lanes = VECTOR_BYTES // self.bytes
        self.type = ir.VectorType(element, self.lanes)
        self._suffix = f"v{self.lanes}f{self.bytes * 8}"

    def at(self, address: ir.Value, offset: ir.Value | int) -> ir.Value:
        """The address `offset` elements behind `address`."""
        offset = _INT(offset) if isinstance(offset, int) else offset
        return self.builder.gep(address, [offset], inbounds=True, source_etype=self.element)

    def load(self, address: ir.Value, mask: ir.Value | None = None) -> ir.Value:
        """A vector from memory; lanes outside of the mask are zero and their memory is not touched."""
        address = self.builder.bitcast(address, self.type.as_pointer())
        if mask is None:
            return self.builder.load(address, align=self.bytes, typ=self.type)
        arguments = [address, ir.IntType(32)(self.bytes), mask, self.constant(0.0)]
        return self._call(f"llvm.masked.load.{self._suffix}.p0", self.type, arguments)

    def store(self, vector: ir.Value, address: ir.Value, mask: ir.Value | None = None) -> None:
        """A vector to memory, but for the lanes outside of the mask."""
        address = self.builder.bitcast(address, self.type.as_pointer())
        if mask is None:
            self.builder.store(vector, address, align=self.bytes)
        else:
            arguments = [vector, address, ir.IntType(32)(self.bytes), mask]
            self._call(f"llvm.masked.store.{self._suffix}.p0", ir.VoidType(), arguments)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """``a * b + c``, rounded once where the host has that instruction."""
        return self._call(f"llvm.fmuladd.{self._suffix}", self.type, [a, b, c])

    def relu_if(self, relu: ir.Value, value: ir.Value) -> ir.Value:
        """``max(floor, value)``: relu with the floor 0, the identity with -inf; both keep NaN."""
        is_set = self.builder.icmp_signed("!=", relu, _INT(0))
        floor = self.builder.select(is_set, self.element(0.0), self.element(float("-inf")))
        floor = self.broadcast(floor) if value.type == self.type else floor
        return self.builder.select(self.builder.fcmp_ordered(">", floor, value), floor, value)

    def sum(self, vector: ir.Value) -> ir.Value:
        """The sum of the lanes, by halves."""
        half = self.lanes // 2
        while half:
            folded = self.shuffle(vector, vector, [(lane + half) % self.lanes for lane in range(self.lanes)])
            vector = self.builder.fadd(vector, folded)
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
        numbers = ir.VectorType(_INT, self.lanes)(list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.broadcast(count))

    def rows_below(self, count: ir.Value, rows: int) -> list[ir.Value]:
        """The row numbers 0 .. rows-1, those from `count` on replaced by count-1."""
        last = self.builder.sub(count, _INT(1))
        return [self.builder.select(self.builder.icmp_signed("<", _INT(r), last), _INT(r), last) for r in range(rows)]

    def _call(self, name: str, result: ir.Type, arguments: list[ir.Value]) -> ir.Value:
        function = self.builder.module.globals.get(name)
        if function is None:
            function = ir.Function(self.builder.module, ir.FunctionType(result, [a.type for a in arguments]), name)
        return self.builder.call(function, arguments)


class _Loop:
    """``for index in range(count)`` with loop-carried values; `index` and `values` are the phis."""

    def __init__(self, builder: ir.IRBuilder, count: ir.Value, starts: list[ir.Value]) -> None:
        self._builder, before = builder, builder.block
        self._head, body, self._done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
        builder.branch(self._head)
        builder.position_at_end(self._head)
        self.index = builder.phi(_INT)
        self.index.add_incoming(_INT(0), before)
        self.values = [builder.phi(start.type) for start in starts]
        for value, start in zip(self.values, starts, strict=True):
            value.add_incoming(start, before)
        builder.cbranch(builder.icmp_signed("<", self.index, count), body, self._done)
        builder.position_at_end(body)

    def close(self, values: list[ir.Value]) -> None:
        """Ends the body; the builder goes on behind the loop, where the phis hold the last values."""
        self.index.add_incoming(self._builder.add(self.index, _INT(1)), self._builder.block)
        for phi, value in zip(self.values, values, strict=True):
            phi.add_incoming(value, self._builder.block)
        self._builder.branch(self._head)
        self._builder.position_at_end(self._done)


def _intrinsic(write: Callable[[_Vectors, Sequence[ir.Value]], None], in_python: Callable[..., None]) -> Any:
    """A void function of addresses and integers for kernels: `write` its code, or call `in_python` without the JIT."""
    if config.DISABLE_JIT:
        return in_python

    def function(typing, *kinds):
        element = next(kind.dtype for kind in kinds if isinstance(kind, types.CPointer))
        signature = types.void(*(kind if isinstance(kind, types.CPointer) else types.int64 for kind in kinds))

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
            write(_Vectors(builder, context.get_value_type(element)), values)
            return context.get_dummy_value()

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
    return types.int64(address), lambda context, builder, signature, values: _INT(count)


# `at(x, i)` is the address of element i of an array, or of i elements behind another address; `lanes(address)` is the
# number of its elements in a vector. Inside of kernels addresses replace arrays, which would be counted references
# (5 ns for each copy of one) of seven words each. Without the JIT compiler an address is a view.
at: Any = (lambda x, offset: x[offset:]) if config.DISABLE_JIT else _at
lanes: Any = (lambda address: VECTOR_BYTES // address.itemsize) if config.DISABLE_JIT else _lanes


# ------------------------------------------------------------------------------------------------ FMA tiles


def fma_tile(rows: int, vectors: int, *, partial: bool) -> Any:
    """Make the micro-kernel of `rows` rows and `vectors` vectors of columns.

    ``tile(a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, m, n)`` computes
    ``C[i, j] = S[i, j] + sum over p of A[i, p] B[p, j]`` with ``A[i, p] = a[i*a_row + p*a_col]``,
    ``B[p, j] = b[p*b_row + j]`` and ``C[i, j] = c[i*c_row + j]``; a, b, c and bias are addresses.
    `start` is `FROM_ZERO`, `FROM_BIAS` (``S[i, j] = bias[j]``) or `FROM_C`;
    ``relu != 0`` ends with ``max(C, 0)``.

    A full tile (``partial=False``) takes m = rows and n = vectors * lanes. A partial one takes any m >= 1: its rows
    beyond m repeat row m-1 and store the same values again; with one vector it takes any n >= 1, lanes beyond n masked.
    """
    write = functools.partial(_write_fma_tile, rows, vectors, partial)
    return _intrinsic(write, functools.partial(_fma_tile_in_python, rows, vectors))


def _write_fma_tile(rows: int, vectors: int, partial: bool, simd: _Vectors, values: Sequence[ir.Value]) -> None:
    a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, m, n = values
    builder = simd.builder
    mask = simd.lanes_below(n) if partial and vectors == 1 else None
    numbers = simd.rows_below(m, rows) if partial else [_INT(r) for r in range(rows)]

    # Step 1. The three kinds of start differ in nothing but an address and the distance of its rows.
    zeros = builder.bitcast(_zeros(builder.module, vectors), c.type)
    from_c, from_bias = (builder.icmp_signed("==", start, _INT(code)) for code in (FROM_C, FROM_BIAS))
    source = builder.select(from_c, c, builder.select(from_bias, bias, zeros))
    source_row = builder.select(from_c, c_row, _INT(0))
    source_rows = [simd.at(source, builder.mul(number, source_row)) for number in numbers]
    starts = [simd.load(simd.at(row, v * simd.lanes), mask) for row in source_rows for v in range(vectors)]

    # Step 2. The addresses in A and B are carried from one p to the next, like the sums.
    addresses, locate = _row_addresses(simd, a, a_row, numbers, partial)
    loop = _Loop(builder, k, [b, *addresses, *starts])
    b, addresses, sums = loop.values[0], loop.values[1 : 1 + len(addresses)], loop.values[1 + len(addresses) :]
    b_vectors = [simd.load(simd.at(b, v * simd.lanes), mask) for v in range(vectors)]
    sums_after = []
    for r in range(rows):
        element = simd.broadcast(builder.load(locate(r, addresses), align=simd.bytes, typ=simd.element))
        sums_after += [simd.multiply_add(element, b_vectors[v], sums[r * vectors + v]) for v in range(vectors)]
    loop.close([simd.at(b, b_row), *(simd.at(address, a_col) for address in addresses), *sums_after])

    # Step 3.
    for r, number in enumerate(numbers):
        row = simd.at(c, builder.mul(number, c_row))
        for v in range(vectors):
            simd.store(simd.relu_if(relu, sums[r * vectors + v]), simd.at(row, v * simd.lanes), mask)


def _row_addresses(
    simd: _Vectors, a: ir.Value, a_row: ir.Value, numbers: list[ir.Value], partial: bool
) -> tuple[list[ir.Value], Callable[[int, list[ir.Value]], ir.Value]]:
    """The addresses in A that the loop carries, and how to find row r from them.

    Repeated rows need one address each. Regular ones need one for every four rows: the processor adds 0, 1, 2 or 3
    times the row stride while it loads, so that 14 rows fit into the general registers.
    """
    multiply = simd.builder.mul
    if partial:
        return [simd.at(a, multiply(number, a_row)) for number in numbers], lambda r, addresses: addresses[r]
    offsets = [multiply(a_row, _INT(i)) for i in range(4)]
    groups = [simd.at(a, multiply(a_row, _INT(r))) for r in range(0, len(numbers), 4)]
    return groups, lambda r, addresses: simd.at(addresses[r // 4], offsets[r % 4])


def _zeros(module: ir.Module, vectors: int) -> ir.Value:
    """The address of constant zeros."""
    name = f"fnet.zeros.{vectors}x{VECTOR_BYTES}"
    if name not in module.globals:
        data = ir.GlobalVariable(module, ir.ArrayType(ir.IntType(8), vectors * VECTOR_BYTES), name)
        data.linkage, data.global_constant, data.initializer = "internal", True, data.value_type(None)
    return module.globals[name]


def _fma_tile_in_python(rows, vectors, a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, m, n):
    columns = min(n, vectors * lanes(c))
    for i in range(min(m, rows)):
        row = c[i * c_row :][:columns]
        if start != FROM_C:
            row[:] = bias[:columns] if start == FROM_BIAS else 0
        for p in range(k):
            row += a[i * a_row + p * a_col] * b[p * b_row :][:columns]
        if relu:
            np.maximum(row, 0, out=row)


def dot_tile(rows: int) -> Any:
    """Make the micro-kernel of a matrix with contiguous rows times a contiguous vector.

    ``tile(a, a_row, b, c, start, relu, k, m)`` computes ``c[i] = s + sum over p of a[i*a_row + p] b[p]`` for i < min(m,
    rows), with s = 0 or c[i] (`start` is `FROM_ZERO` or `FROM_C`). Each lane sums every lanes-th product, then the
    lanes are added by halves: the order depends on the vector width, but not on the other rows.
    """
    return _intrinsic(functools.partial(_write_dot_tile, rows), functools.partial(_dot_tile_in_python, rows))


def _write_dot_tile(rows: int, simd: _Vectors, values: Sequence[ir.Value]) -> None:
    a, a_row, b, c, start, relu, k, m = values
    builder, width = simd.builder, _INT(simd.lanes)
    numbers = simd.rows_below(m, rows)
    addresses = [simd.at(a, builder.mul(number, a_row)) for number in numbers]

    def add_products(p: ir.Value, sums: list[ir.Value], mask: ir.Value | None) -> list[ir.Value]:
        factor = simd.load(simd.at(b, p), mask)
        vectors = [simd.load(simd.at(address, p), mask) for address in addresses]
        return [simd.multiply_add(vector, factor, total) for vector, total in zip(vectors, sums, strict=True)]

    blocks = builder.sdiv(k, width)
    loop = _Loop(builder, blocks, [simd.constant(0.0)] * rows)
    loop.close(add_products(builder.mul(loop.index, width), loop.values, None))
    done = builder.mul(blocks, width)
    sums = add_products(done, loop.values, simd.lanes_below(builder.sub(k, done)))

    from_c = builder.icmp_signed("==", start, _INT(FROM_C))
    targets = [simd.at(c, number) for number in numbers]
    starts = [builder.select(from_c, builder.load(target, typ=simd.element), simd.element(0.0)) for target in targets]
    for target, first, total in zip(targets, starts, sums, strict=True):
        builder.store(simd.relu_if(relu, builder.fadd(first, simd.sum(total))), target)


def _dot_tile_in_python(rows, a, a_row, b, c, start, relu, k, m):
    for i in range(min(rows, m)):
        total = (c[i] if start == FROM_C else 0) + (a[i * a_row :][:k] * b[:k]).sum()
        c[i] = np.maximum(total, 0) if relu else total


# -------------------------------------------------------------------------------------------------- packing


def row_copier(vectors: int) -> Any:
    """Make ``copy(source, source_row, target, rows)``, which moves rows of `vectors` vectors next to each other."""
    return _intrinsic(functools.partial(_write_copy, vectors), functools.partial(_copy_in_python, vectors))


def _write_copy(vectors: int, simd: _Vectors, values: Sequence[ir.Value]) -> None:
    source, source_row, target, rows = values
    loop = _Loop(simd.builder, rows, [source, target])
    read, write = loop.values
    for v in range(vectors):
        simd.store(simd.load(simd.at(read, v * simd.lanes)), simd.at(write, v * simd.lanes))
    loop.close([simd.at(read, source_row), simd.at(write, vectors * simd.lanes)])


def _copy_in_python(vectors, source, source_row, target, rows):
    width = vectors * lanes(target)
    for r in range(rows):
        target[r * width :][:width] = source[r * source_row :][:width]


def square_transposer() -> Any:
    """Make ``transpose(source, source_row, target, target_row, rows, columns)`` for a square of lanes x lanes elements.

    ``T[j, i] = S[i, j]``. Rows beyond `rows` (at least 1) repeat the last one and columns beyond `columns` are zeros:
    memory outside of S is not touched, the whole square T is written.
    """
    return _intrinsic(_write_transpose, _transpose_in_python)


def _write_transpose(simd: _Vectors, values: Sequence[ir.Value]) -> None:
    source, source_row, target, target_row, rows, columns = values
    multiply, mask = simd.builder.mul, simd.lanes_below(columns)
    numbers = simd.rows_below(rows, simd.lanes)
    square = [simd.load(simd.at(source, multiply(number, source_row)), mask) for number in numbers]
    # Swap the off-diagonal quarters, then do the same inside of each quarter.
    half = simd.lanes // 2
    while half:
        upper = [lane if not lane & half else simd.lanes + lane - half for lane in range(simd.lanes)]
        lower = [lane + half if not lane & half else simd.lanes + lane for lane in range(simd.lanes)]
        for i in (i for i in range(simd.lanes) if not i & half):
            a, b = square[i], square[i + half]
            square[i], square[i + half] = simd.shuffle(a, b, upper), simd.shuffle(a, b, lower)
        half //= 2
    for j, vector in enumerate(square):
        simd.store(vector, simd.at(target, multiply(target_row, _INT(j))))


def _transpose_in_python(source, source_row, target, target_row, rows, columns):
    for i in range(lanes(target)):
        for j in range(lanes(target)):
            target[j * target_row + i] = source[min(i, rows - 1) * source_row + j] if j < columns else 0
