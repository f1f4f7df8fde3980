"""Explicit vector instructions: the FMA tile that everything matrix-shaped is built on, and the packing of its operands.

Numba has no vector type, so each operation here is an *intrinsic*: a function whose LLVM code is written by hand.
How one tile of ``rows x vectors`` accumulators computes ``C = A B`` for a few rows and ``vectors * lanes`` columns:

1. load the starting value of every accumulator (zeros, the bias, or C itself when an earlier block of k began the sum);
2. for each p in ``range(k)``: load ``vectors`` vectors of row p of B; for every row, broadcast ``A[row, p]`` to all
   lanes and add ``broadcast * B`` to the row's accumulators with one fused multiply-add each;
3. apply the optional relu and store the accumulators to C.

The accumulators are phis (loop-carried values) and live in registers, so the loop does nothing but arithmetic and loads.
An element's sum is one chain of multiply-adds in the order of p: its bits do not depend on the tile, on the vector
width or on the other rows.

The vector width is that of the host, or what ``FNET_SIMD`` says: ``avx512`` (64 bytes), ``avx2`` (32), ``generic`` (16).
It is fixed at import. `fnet.kernels.policy.cache_directory` names the same variable in its path and Numba's cache index
holds the host's name and features, so machine code of one width is never answered for another.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from fnet.errors import ValueRangeError

_BYTES = {"avx512": 64, "avx2": 32, "generic": 16}
_INT = ir.IntType(64)

FROM_ZERO, FROM_BIAS, FROM_C = 0, 1, 2
"""What a tile's sums start from."""


def _instruction_set() -> str:
    if chosen := os.environ.get("FNET_SIMD", ""):
        if chosen not in _BYTES:
            raise ValueRangeError(f"FNET_SIMD is {chosen!r}, expected one of {', '.join(_BYTES)}")
        return chosen
    if config.CPU_NAME == "generic":
        return "generic"
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return "avx512"
    return "avx2" if features.get("avx2") and features.get("fma") else "generic"


INSTRUCTION_SET = _instruction_set()
VECTOR_BYTES = _BYTES[INSTRUCTION_SET]


class _Vectors:
    """Writes vector instructions for one element type at the builder's position."""

    def __init__(self, builder: ir.IRBuilder, element: ir.Type) -> None:
        self.builder = builder
        self.element = element
        self.bytes = 4 if isinstance(element, ir.FloatType) else 8
        self.lanes = VECTOR_BYTES // self.bytes
        self.type = ir.VectorType(element, self.lanes)
        self._mask = ir.VectorType(ir.IntType(1), self.lanes)
        self._suffix = f"v{self.lanes}f{self.bytes * 8}"

    def at(self, pointer: ir.Value, offset: ir.Value | int) -> ir.Value:
        """The address `offset` elements after `pointer`."""
        offset = _INT(offset) if isinstance(offset, int) else offset
        return self.builder.gep(pointer, [offset], inbounds=True, source_etype=self.element)

    def load(self, pointer: ir.Value, mask: ir.Value | None = None) -> ir.Value:
        """A vector from memory; lanes outside the mask are zero and their memory is not touched."""
        pointer = self.builder.bitcast(pointer, self.type.as_pointer())
        if mask is None:
            return self.builder.load(pointer, align=self.bytes, typ=self.type)
        arguments = [pointer, ir.IntType(32)(self.bytes), mask, self.constant(0.0)]
        return self._call(f"llvm.masked.load.{self._suffix}.p0", self.type, arguments)

    def store(self, vector: ir.Value, pointer: ir.Value, mask: ir.Value | None = None) -> None:
        pointer = self.builder.bitcast(pointer, self.type.as_pointer())
        if mask is None:
            self.builder.store(vector, pointer, align=self.bytes)
        else:
            arguments = [vector, pointer, ir.IntType(32)(self.bytes), mask]
            self._call(f"llvm.masked.store.{self._suffix}.p0", ir.VoidType(), arguments)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """``a * b + c``, rounded once where the host has the instruction."""
        return self._call(f"llvm.fmuladd.{self._suffix}", self.type, [a, b, c])

    def constant(self, value: float) -> ir.Constant:
        return self.type([value] * self.lanes)

    def broadcast(self, scalar: ir.Value) -> ir.Value:
        vector_type = ir.VectorType(scalar.type, self.lanes)
        first = self.builder.insert_element(vector_type(ir.Undefined), scalar, ir.IntType(32)(0))
        return self.shuffle(first, vector_type(ir.Undefined), [0] * self.lanes)

    def shuffle(self, a: ir.Value, b: ir.Value, lanes: list[int]) -> ir.Value:
        """Picks lanes from the concatenation of two vectors."""
        return self.builder.shuffle_vector(a, b, ir.VectorType(ir.IntType(32), self.lanes)(lanes))

    def sum(self, vector: ir.Value) -> ir.Value:
        """The sum of the lanes, by halves."""
        half = self.lanes // 2
        while half:
            folded = self.shuffle(vector, vector, [(lane + half) % self.lanes for lane in range(self.lanes)])
            vector = self.builder.fadd(vector, folded)
            half //= 2
        return self.builder.extract_element(vector, ir.IntType(32)(0))

    def lanes_below(self, count: ir.Value) -> ir.Value:
        """The mask of the lanes 0 .. count-1."""
        numbers = ir.VectorType(_INT, self.lanes)(list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.broadcast(count))

    def _call(self, name: str, result: ir.Type, arguments: list[ir.Value]) -> ir.Value:
        function = self.builder.module.globals.get(name)
        if function is None:
            signature = ir.FunctionType(result, [a.type for a in arguments])
            function = ir.Function(self.builder.module, signature, name)
        return self.builder.call(function, arguments)


def _minimum(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.icmp_signed("<", a, b), a, b)


class _Loop:
    """``for index in range(count)`` with loop-carried values; `index` and `values` are the phis."""

    def __init__(self, builder: ir.IRBuilder, count: ir.Value, starts: list[ir.Value]) -> None:
        self._builder = builder
        before = builder.block
        self._head = builder.append_basic_block("head")
        body = builder.append_basic_block("body")
        self._done = builder.append_basic_block("done")
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
        """Ends the body with the next values; the builder goes on behind the loop, where the phis hold the last ones."""
        self.index.add_incoming(self._builder.add(self.index, _INT(1)), self._builder.block)
        for phi, value in zip(self.values, values, strict=True):
            phi.add_incoming(value, self._builder.block)
        self._builder.branch(self._head)
        self._builder.position_at_end(self._done)


@intrinsic
def _at(typing, x, offset):  # type: ignore[no-untyped-def]
    if not isinstance(x, types.Array | types.CPointer) or x.dtype not in (types.float32, types.float64):
        return None

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        pointer, offset = values
        if isinstance(x, types.Array):
            pointer = context.make_array(x)(context, builder, pointer).data
        return builder.gep(pointer, [offset], inbounds=True, source_etype=context.get_value_type(x.dtype))

    return types.CPointer(x.dtype)(x, types.int64), generate


@intrinsic
def _lanes(typing, pointer):  # type: ignore[no-untyped-def]
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return _INT(VECTOR_BYTES // (pointer.dtype.bitwidth // 8))

    return types.int64(pointer), generate


def _at_in_python(x: np.ndarray, offset: int) -> np.ndarray:
    return x[offset:]


def _lanes_in_python(pointer: np.ndarray) -> int:
    return VECTOR_BYTES // pointer.itemsize


# ``at(x, i)`` is the address of element i of an array or behind another address; ``lanes(address)`` is the number of its
# elements in a vector. Kernels pass addresses instead of arrays: those would be counted references, at 5 ns a copy.
at: Any = _at_in_python if config.DISABLE_JIT else _at
lanes: Any = _lanes_in_python if config.DISABLE_JIT else _lanes


def fma_tile(rows: int, vectors: int, *, partial: bool) -> Callable[..., None]:
    """Make the micro-kernel of `rows` rows and `vectors` vectors of columns.

    ``tile(a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, m, n)`` computes ``C[i, j] = S[i, j] + sum over p of
    A[i, p] B[p, j]`` with ``A[i, p] = a[i*a_row + p*a_col]``, ``B[p, j] = b[p*b_row + j]``, ``C[i, j] = c[i*c_row + j]``;
    a, b, c and bias are addresses (see `at`). ``start`` is `FROM_ZERO`, `FROM_BIAS` (``S[i, j] = bias[j]``) or
    `FROM_C`; ``relu != 0`` ends with ``max(C, 0)``.

    A full tile (``partial=False``) takes m = rows and n = vectors * lanes. A partial one takes any m >= 1: its rows
    beyond m repeat row m-1 and store the same values again; with one vector it takes any n >= 1, lanes beyond n masked.
    """
    if config.DISABLE_JIT:
        return _tile_in_python(rows, vectors)

    @intrinsic
    def tile(typing, a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, m, n):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            _write_tile(rows, vectors, partial, _Vectors(builder, context.get_value_type(c.dtype)), *values)
            return context.get_dummy_value()

        return _signature(a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, m, n), generate

    return tile


def _write_tile(
    rows: int,
    vectors: int,
    partial: bool,
    simd: _Vectors,
    a: ir.Value,
    a_row: ir.Value,
    a_col: ir.Value,
    b: ir.Value,
    b_row: ir.Value,
    c: ir.Value,
    c_row: ir.Value,
    bias: ir.Value,
    start: ir.Value,
    relu: ir.Value,
    k: ir.Value,
    m: ir.Value,
    n: ir.Value,
) -> None:
    builder = simd.builder
    mask = simd.lanes_below(n) if partial and vectors == 1 else None
    last_row = builder.sub(m, _INT(1))
    row_numbers = [_minimum(builder, _INT(r), last_row) if partial else _INT(r) for r in range(rows)]

    # Step 1. The three kinds of start differ in nothing but an address and the distance of its rows.
    zeros = builder.bitcast(_zeros(builder.module, vectors), c.type)
    from_c, from_bias = (builder.icmp_signed("==", start, _INT(code)) for code in (FROM_C, FROM_BIAS))
    source = builder.select(from_c, c, builder.select(from_bias, bias, zeros))
    source_row = builder.select(from_c, c_row, _INT(0))
    starts = []
    for number in row_numbers:
        row = simd.at(source, builder.mul(number, source_row))
        starts += [simd.load(simd.at(row, v * simd.lanes), mask) for v in range(vectors)]

    # Step 2. The addresses in A and B are carried from one p to the next.
    addresses, offset_of = _row_addresses(simd, a, a_row, row_numbers, partial)
    loop = _Loop(builder, k, [b, *addresses, *starts])
    b, addresses, sums = loop.values[0], loop.values[1 : 1 + len(addresses)], loop.values[1 + len(addresses) :]
    b_vectors = [simd.load(simd.at(b, v * simd.lanes), mask) for v in range(vectors)]
    after = []
    for r in range(rows):
        address, offset = offset_of(r, addresses)
        element = simd.broadcast(builder.load(simd.at(address, offset), align=simd.bytes, typ=simd.element))
        after += [simd.multiply_add(element, b_vectors[v], sums[r * vectors + v]) for v in range(vectors)]
    loop.close([simd.at(b, b_row), *(simd.at(address, a_col) for address in addresses), *after])

    # Step 3. ``max(floor, x)`` with the floor 0 is relu, with -inf it is the identity; both keep NaN.
    has_relu = builder.icmp_signed("!=", relu, _INT(0))
    floor = simd.broadcast(builder.select(has_relu, simd.element(0.0), simd.element(float("-inf"))))
    for r, number in enumerate(row_numbers):
        row = simd.at(c, builder.mul(number, c_row))
        for v in range(vectors):
            value = sums[r * vectors + v]
            value = builder.select(builder.fcmp_ordered(">", floor, value), floor, value)
            simd.store(value, simd.at(row, v * simd.lanes), mask)


def _row_addresses(
    simd: _Vectors, a: ir.Value, a_row: ir.Value, row_numbers: list[ir.Value], partial: bool
) -> tuple[list[ir.Value], Callable[[int, list[ir.Value]], tuple[ir.Value, ir.Value | int]]]:
    """The addresses in A that the loop carries, and how to find row r from them.

    Clamped rows need one address each. Regular ones need one for every four rows: the processor adds 0, 1, 2 or 3
    times the row stride while it loads, so that 14 rows fit into the general registers.
    """
    multiply = simd.builder.mul
    if partial:
        return [simd.at(a, multiply(number, a_row)) for number in row_numbers], lambda r, addresses: (addresses[r], 0)
    offsets = [_INT(0), a_row, multiply(a_row, _INT(2)), multiply(a_row, _INT(3))]
    groups = [simd.at(a, multiply(a_row, _INT(r))) for r in range(0, len(row_numbers), 4)]
    return groups, lambda r, addresses: (addresses[r // 4], offsets[r % 4])


def _zeros(module: ir.Module, vectors: int) -> ir.Value:
    name = f"fnet.zeros.{vectors * VECTOR_BYTES}"
    if name in module.globals:
        return module.globals[name]
    data = ir.GlobalVariable(module, ir.ArrayType(ir.IntType(8), vectors * VECTOR_BYTES), name)
    data.linkage, data.global_constant, data.initializer = "internal", True, data.value_type(None)
    return data


def _tile_in_python(rows: int, vectors: int) -> Callable[..., None]:
    """The same tile for NUMBA_DISABLE_JIT=1."""

    def tile(a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, m, n):  # type: ignore[no-untyped-def]
        columns = min(n, vectors * lanes(c))
        for i in range(min(m, rows)):
            row = c[i * c_row :][:columns]
            if start == FROM_BIAS:
                row[:] = bias[:columns]
            elif start == FROM_ZERO:
                row[:] = 0
            for p in range(k):
                row += a[i * a_row + p * a_col] * b[p * b_row :][:columns]
            if relu:
                np.maximum(row, 0, out=row)

    return tile


def dot_tile(rows: int) -> Callable[..., None]:
    """Make the micro-kernel of a matrix times a vector, for `rows` contiguous rows.

    ``tile(a, a_row, b, c, start, relu, k, m)`` computes ``c[i] = s + sum over p of a[i*a_row + p] b[p]`` for i < min(m,
    rows), with s = 0 or c[i] (`start` is `FROM_ZERO` or `FROM_C`). Each lane sums every lanes-th product, then the
    lanes are added by halves: the order depends on the vector width, not on the other rows.
    """
    if config.DISABLE_JIT:
        return _dot_in_python(rows)

    @intrinsic
    def tile(typing, a, a_row, b, c, start, relu, k, m):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            _write_dot(rows, _Vectors(builder, context.get_value_type(c.dtype)), *values)
            return context.get_dummy_value()

        return _signature(a, a_row, b, c, start, relu, k, m), generate

    return tile


def _write_dot(
    rows: int,
    simd: _Vectors,
    a: ir.Value,
    a_row: ir.Value,
    b: ir.Value,
    c: ir.Value,
    start: ir.Value,
    relu: ir.Value,
    k: ir.Value,
    m: ir.Value,
) -> None:
    builder = simd.builder
    last_row = builder.sub(m, _INT(1))
    numbers = [_minimum(builder, _INT(r), last_row) for r in range(rows)]
    addresses = [simd.at(a, builder.mul(number, a_row)) for number in numbers]

    def add_products(p: ir.Value, sums: list[ir.Value], mask: ir.Value | None) -> list[ir.Value]:
        factor = simd.load(simd.at(b, p), mask)
        return [
            simd.multiply_add(simd.load(simd.at(address, p), mask), factor, total)
            for address, total in zip(addresses, sums, strict=True)
        ]

    blocks = builder.sdiv(k, _INT(simd.lanes))
    loop = _Loop(builder, blocks, [simd.constant(0.0)] * rows)
    loop.close(add_products(builder.mul(loop.index, _INT(simd.lanes)), loop.values, None))
    done = builder.mul(blocks, _INT(simd.lanes))
    sums = add_products(done, loop.values, simd.lanes_below(builder.sub(k, done)))

    from_c = builder.icmp_signed("==", start, _INT(FROM_C))
    floor = builder.select(builder.icmp_signed("!=", relu, _INT(0)), simd.element(0.0), simd.element(float("-inf")))
    targets = [simd.at(c, number) for number in numbers]
    starts = [builder.load(target, typ=simd.element) for target in targets]
    for target, first, total in zip(targets, starts, sums, strict=True):
        value = builder.fadd(builder.select(from_c, first, simd.element(0.0)), simd.sum(total))
        builder.store(builder.select(builder.fcmp_ordered(">", floor, value), floor, value), target)


def _dot_in_python(rows: int) -> Callable[..., None]:
    def tile(a, a_row, b, c, start, relu, k, m):  # type: ignore[no-untyped-def]
        for i in range(min(rows, m)):
            total = (a[i * a_row :][:k] * b[:k]).sum() + (c[i] if start == FROM_C else 0)
            c[i] = np.maximum(total, 0) if relu else total

    return tile


def _signature(*arguments: Any) -> Any:
    """Addresses as they are, every other argument as a 64-bit integer; the result is void."""
    return types.void(*(a if isinstance(a, types.CPointer) else types.int64 for a in arguments))


def row_copier(vectors: int) -> Callable[..., None]:
    """Make ``copy(source, source_row, target, rows)``, which moves rows of `vectors` vectors next to each other."""
    if config.DISABLE_JIT:
        return _copy_in_python(vectors)

    @intrinsic
    def copy(typing, source, source_row, target, rows):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            source, source_row, target_start, rows = values
            simd = _Vectors(builder, context.get_value_type(target.dtype))
            loop = _Loop(builder, rows, [source, target_start])
            read, write = loop.values
            for v in range(vectors):
                simd.store(simd.load(simd.at(read, v * simd.lanes)), simd.at(write, v * simd.lanes))
            loop.close([simd.at(read, source_row), simd.at(write, vectors * simd.lanes)])
            return context.get_dummy_value()

        return _signature(source, source_row, target, rows), generate

    return copy


def _copy_in_python(vectors: int) -> Callable[..., None]:
    def copy(source, source_row, target, rows):  # type: ignore[no-untyped-def]
        width = vectors * lanes(target)
        for r in range(rows):
            target[r * width :][:width] = source[r * source_row :][:width]

    return copy


def square_transposer() -> Callable[..., None]:
    """Make ``transpose(source, source_row, target, target_row, rows, columns)``, for a square of lanes x lanes elements.

    ``T[j, i] = S[i, j]``. Rows beyond `rows` (at least 1) repeat the last one and columns beyond `columns` are zeros:
    memory outside of S is not touched, the whole square T is written.
    """
    if config.DISABLE_JIT:
        return _transpose_in_python

    @intrinsic
    def transpose(typing, source, source_row, target, target_row, rows, columns):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            read, read_row, write, write_row, rows, columns = values
            simd = _Vectors(builder, context.get_value_type(target.dtype))
            mask, last = simd.lanes_below(columns), builder.sub(rows, _INT(1))
            numbers = [_minimum(builder, _INT(i), last) for i in range(simd.lanes)]
            square = [simd.load(simd.at(read, builder.mul(number, read_row)), mask) for number in numbers]
            for j, vector in enumerate(_transpose(simd, square)):
                simd.store(vector, simd.at(write, builder.mul(write_row, _INT(j))))
            return context.get_dummy_value()

        return _signature(source, source_row, target, target_row, rows, columns), generate

    return transpose


def _transpose(simd: _Vectors, square: list[ir.Value]) -> list[ir.Value]:
    """Transpose by halves: swap the off-diagonal quarters, then do the same inside each quarter."""
    half = simd.lanes // 2
    while half:
        upper = [lane if not lane & half else simd.lanes + lane - half for lane in range(simd.lanes)]
        lower = [lane + half if not lane & half else simd.lanes + lane for lane in range(simd.lanes)]
        for i in (i for i in range(simd.lanes) if not i & half):
            a, b = square[i], square[i + half]
            square[i], square[i + half] = simd.shuffle(a, b, upper), simd.shuffle(a, b, lower)
        half //= 2
    return square


def _transpose_in_python(source, source_row, target, target_row, rows, columns):  # type: ignore[no-untyped-def]
    for i in range(lanes(target)):
        for j in range(lanes(target)):
            target[j * target_row + i] = source[min(i, rows - 1) * source_row + j] if j < columns else 0
