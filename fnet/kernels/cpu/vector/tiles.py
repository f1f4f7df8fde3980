"""Register-blocked micro-kernels, of which all products of matrices are built.

How a tile of ``rows x vectors`` accumulators computes ``C = A B`` for a few rows and ``vectors * lanes`` columns
(`_write_fma_tile`):

1. load the starting value of every accumulator: zeros, the bias, or C itself when an earlier block of k began the sum;
2. for each p in ``range(k)``: load ``vectors`` vectors of row p of B; for every row, broadcast ``A[row, p]`` to all
   lanes and add ``broadcast * B[p]`` to the row's accumulators, one fused multiply-add for each; a full tile also
   fetches a cache line of the rows of A and of C behind it, which the next tile will read;
3. apply the optional relu and store the accumulators to C.

The accumulators are phis (loop-carried values) and stay in registers, so the loop is nothing but loads and arithmetic.
An element's sum is one chain of multiply-adds in the order of p: its bits do not depend on the tile, on the vector
width or on the other rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.packing import transposed
from fnet.kernels.cpu.vector.simd import INT, VECTOR_BYTES, Loop, Vectors, lanes, vector_code

FROM_ZERO, FROM_BIAS, FROM_C = 0, 1, 2  # what the sums of a tile start from
COLUMNS_AHEAD = 8  # how many columns of A lie between the one that is read and the one that is fetched
ROWS_AHEAD = 8  # how many rows of B lie between the one that is read and the one that is fetched, if it is read once


def fma_tile(rows: int, vectors: int, *, partial: bool, masked: bool | None = None, fetching: bool = True) -> Any:
    """Make the micro-kernel of `rows` rows and `vectors` vectors of columns.

    ``tile(a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, m, n)`` computes
    ``C[i, j] = S[i, j] + sum over p of A[i, p] B[p, j]`` with ``A[i, p] = a[i*a_row + p*a_col]``,
    ``B[p, j] = b[p*b_row + j]`` and ``C[i, j] = c[i*c_row + j]``; a, b, c and bias are addresses.
    `start` is `FROM_ZERO`, `FROM_BIAS` (``S[i, j] = bias[j]``) or `FROM_C`;
    ``relu != 0`` ends with ``max(C, 0)``.

    A and B of 32-bit integers hold pairs of bfloat16 (`fnet.kernels.cpu.vector.bfloat16`), C being of float32: then a
    product ``A[i, p] B[p, j]`` is the sum of the products of both halves.

    A full tile (``partial=False``) takes m = rows. A partial one takes any m >= 1: its rows beyond m repeat row m-1
    and store the same values again. A masked tile takes any n >= 1, no memory of columns beyond n being touched, the
    others n = vectors * lanes; by default the partial tiles of one vector are masked. A full tile is `fetching` what
    the next one will read, unless it is told not to: where it is often the last one.
    """
    masked = partial and vectors == 1 if masked is None else masked
    write = functools.partial(_write_fma_tile, rows, vectors, partial, masked, fetching and not partial)
    return vector_code(write, functools.partial(fma_tile_in_python, rows, vectors))


def packing_tile(rows: int, vectors: int) -> Any:
    """Make the full tile that also copies its columns of B, for the tiles of other rows.

    ``tile(packed, a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k)`` is a full `fma_tile` that writes row p
    of B to ``packed[p*vectors*lanes]``. Its loads and stores go on beside the multiply-adds, so copying costs little.
    """
    write = functools.partial(_write_packing_tile, rows, vectors)
    return vector_code(write, functools.partial(_packing_tile_in_python, rows, vectors))


def fetching_tile(rows: int, vectors: int) -> Any:
    """Make the full tile that also fetches what is read after the product, to the second-level cache.

    ``tile(ahead, step, a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k)`` is a full `fma_tile` that fetches
    the lines at ``ahead[p*step]`` for p < k, which may lie outside of all memory.
    """
    write = functools.partial(_write_fetching_tile, rows, vectors)
    return vector_code(write, functools.partial(_fetching_tile_in_python, rows, vectors))


def _write_packing_tile(rows: int, vectors: int, simd: Vectors, values: Sequence[ir.Value]) -> None:
    packed, *others = values
    _write_fma_tile(rows, vectors, False, False, True, simd, [*others, INT(rows), INT(vectors * simd.lanes)], packed)


def _write_fetching_tile(rows: int, vectors: int, simd: Vectors, values: Sequence[ir.Value]) -> None:
    ahead, step, *others = values

    def fetch(p: ir.Value) -> None:
        simd.prefetch(ahead, simd.builder.mul(p, step), level=2)

    others += [INT(rows), INT(vectors * simd.lanes)]
    _write_fma_tile(rows, vectors, False, False, False, simd, others, beside=fetch)


def _write_fma_tile(
    rows: int,
    vectors: int,
    partial: bool,
    masked: bool,
    fetching: bool,
    simd: Vectors,
    values: Sequence[ir.Value],
    packed: ir.Value | None = None,
    beside: Callable[[ir.Value], None] | None = None,
) -> None:
    a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, m, n = values
    builder = simd.builder
    firsts = [v * simd.lanes for v in range(vectors)]
    masks = [simd.lanes_below(builder.sub(n, INT(v))) if masked else None for v in firsts]
    columns = list(zip(firsts, masks, strict=True))
    numbers = simd.rows_below(m, rows) if partial else [INT(r) for r in range(rows)]
    multiply_add = simd.multiply_add_pairs if isinstance(a.type.pointee, ir.IntType) else simd.multiply_add

    # Step 1.
    starts = first_sums(simd, c, c_row, bias, start, numbers, columns)

    # Step 2. The addresses in A and B are carried from one p to the next, like the sums. Contiguous rows of A are
    # fetched in turn, a line of each in 16 p; of contiguous columns every p fetches the line behind, and that of a
    # later p from the second-level cache: broadcasts that wait for a line take more than their turn. Of C, both lines
    # of 16 rows below are fetched in 32 p. B is fetched where this tile is the only one to read it in its place.
    soon = builder.mul(a_col, INT(COLUMNS_AHEAD))
    in_rows = builder.icmp_signed("==", a_col, INT(1))
    next_row = builder.select(in_rows, a_row, INT(0))
    behind = builder.mul(a_row, builder.select(in_rows, INT(rows), INT(2 * rows)))
    below = simd.at(c, builder.mul(c_row, INT(rows)))
    addresses, locate = row_addresses(simd, a, a_row, numbers, partial)
    loop = Loop(builder, k, [b, *addresses, *starts])
    b, addresses, sums = loop.values[0], loop.values[1 : 1 + len(addresses)], loop.values[1 + len(addresses) :]
    if not partial:  # else the optimiser makes a chain of them that is slower than the multiply-adds
        addresses = [simd.opaque(address) for address in addresses]
    b_vectors = [simd.load(simd.at(b, first), mask) for first, mask in columns]
    if beside is not None:
        beside(loop.index)
    if packed is not None:
        target = simd.at(packed, builder.mul(loop.index, INT(vectors * simd.lanes)))
        for first, vector in zip(firsts, b_vectors, strict=True):
            simd.store(vector, simd.at(target, first))
    if fetching and (packed is not None or rows == 1):
        for first in firsts:
            simd.prefetch(b, builder.add(builder.mul(b_row, INT(ROWS_AHEAD)), INT(first)))
    elif fetching:
        simd.prefetch(addresses[0], soon)
        simd.prefetch(addresses[0], builder.add(behind, builder.mul(builder.and_(loop.index, INT(15)), next_row)))
    if fetching and rows > 1:
        line = builder.lshr(builder.and_(loop.index, INT(16)), INT(simd.bytes // 8))
        place = builder.add(builder.mul(builder.and_(loop.index, INT(15)), c_row), line)
        simd.prefetch(below, place, write=True)
    sums_after = []
    for r in range(rows):
        element = simd.broadcast(builder.load(locate(r, addresses), align=simd.bytes, typ=simd.element))
        sums_after += [multiply_add(element, b_vectors[v], sums[r * vectors + v]) for v in range(vectors)]
    loop.close([simd.at(b, b_row), *(simd.at(address, a_col) for address in addresses), *sums_after])

    # Step 3.
    for r, number in enumerate(numbers):
        row = simd.at(c, builder.mul(number, c_row))
        for v, (first, mask) in enumerate(columns):
            simd.store(simd.relu_if(relu, sums[r * vectors + v]), simd.at(row, first), mask)


def first_sums(
    simd: Vectors,
    c: ir.Value,
    c_row: ir.Value,
    bias: ir.Value,
    start: ir.Value,
    numbers: Iterable[ir.Value],
    columns: Sequence[tuple[int, ir.Value | None]],
) -> list[ir.Value]:
    """What the sums of these rows start from, in vectors at these columns, each with its mask.

    The three kinds of start differ in nothing but an address and the distance of its rows.
    """
    builder = simd.builder
    zeros = builder.bitcast(_zeros(builder.module, len(columns)), c.type)
    from_c, from_bias = (builder.icmp_signed("==", start, INT(code)) for code in (FROM_C, FROM_BIAS))
    source = builder.select(from_c, c, builder.select(from_bias, bias, zeros))
    source_row = builder.select(from_c, c_row, INT(0))
    source_rows = [simd.at(source, builder.mul(number, source_row)) for number in numbers]
    return [simd.load(simd.at(row, first), mask) for row in source_rows for first, mask in columns]


def row_addresses(
    simd: Vectors, a: ir.Value, a_row: ir.Value, numbers: list[ir.Value], partial: bool
) -> tuple[list[ir.Value], Callable[[int, list[ir.Value]], ir.Value]]:
    """The addresses in A that the loop carries, and how to find row r from them.

    Repeated rows need one address each. Regular ones need one for every four rows: the processor adds 0, 1, 2 or 3
    times the row stride while it loads, so that 14 rows fit into the general registers.
    """
    multiply = simd.builder.mul
    if partial:
        return [simd.at(a, multiply(number, a_row)) for number in numbers], lambda r, addresses: addresses[r]
    one, three = simd.opaque(a_row), simd.opaque(multiply(a_row, INT(3)))
    offsets = [INT(0), one, multiply(one, INT(2)), three]
    groups = [simd.at(a, multiply(a_row, INT(r))) for r in range(0, len(numbers), 4)]
    return groups, lambda r, addresses: simd.at(addresses[r // 4], offsets[r % 4])


def _zeros(module: ir.Module, vectors: int) -> ir.Value:
    """The address of constant zeros."""
    name = f"fnet.zeros.{vectors}x{VECTOR_BYTES}"
    if name not in module.globals:
        data = ir.GlobalVariable(module, ir.ArrayType(ir.IntType(8), vectors * VECTOR_BYTES), name)
        data.linkage, data.global_constant, data.initializer = "internal", True, data.value_type(None)
    return module.globals[name]


def fma_tile_in_python(rows, vectors, a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, m, n):
    """What the tiles of `fma_tile` do, without the JIT."""
    columns = min(n, vectors * lanes(c))
    for i in range(min(m, rows)):
        row = c[i * c_row :][:columns]
        if start != FROM_C:
            row[:] = bias[:columns] if start == FROM_BIAS else 0
        for p in range(k):
            row += a[i * a_row + p * a_col] * b[p * b_row :][:columns]
        if relu:
            np.maximum(row, 0, out=row)


def _packing_tile_in_python(rows, vectors, packed, a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k):
    width = vectors * lanes(c)
    fma_tile_in_python(rows, vectors, a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, rows, width)
    for p in range(k):
        packed[p * width :][:width] = b[p * b_row :][:width]


def _fetching_tile_in_python(rows, vectors, ahead, step, a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k):
    width = vectors * lanes(c)
    fma_tile_in_python(rows, vectors, a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k, rows, width)


def dot_tile(rows: int) -> Any:
    """Make the micro-kernel of a matrix with contiguous rows times a contiguous vector.

    ``tile(a, a_row, b, c, start, relu, k, m)`` computes ``c[i] = s + sum over p of a[i*a_row + p] b[p]`` for i < min(m,
    rows), with s = 0 or c[i] (`start` is `FROM_ZERO` or `FROM_C`). Each lane sums every lanes-th product, then the
    lanes are added by halves: the order depends on the vector width, but not on the other rows.
    """
    return vector_code(functools.partial(_write_dot_tile, rows), functools.partial(_dot_tile_in_python, rows))


def _write_dot_tile(rows: int, simd: Vectors, values: Sequence[ir.Value]) -> None:
    a, a_row, b, c, start, relu, k, m = values
    builder, width = simd.builder, INT(simd.lanes)
    numbers = simd.rows_below(m, rows)
    addresses = [simd.at(a, builder.mul(number, a_row)) for number in numbers]

    def add_products(p: ir.Value, sums: list[ir.Value], mask: ir.Value | None) -> list[ir.Value]:
        factor = simd.load(simd.at(b, p), mask)
        vectors = [simd.load(simd.at(address, p), mask) for address in addresses]
        return [simd.multiply_add(vector, factor, total) for vector, total in zip(vectors, sums, strict=True)]

    blocks = builder.sdiv(k, width)
    loop = Loop(builder, blocks, [simd.constant(0.0)] * rows)
    loop.close(add_products(builder.mul(loop.index, width), loop.values, None))
    done = builder.mul(blocks, width)
    sums = add_products(done, loop.values, simd.lanes_below(builder.sub(k, done)))

    from_c = builder.icmp_signed("==", start, INT(FROM_C))
    targets = [simd.at(c, number) for number in numbers]
    starts = [builder.select(from_c, builder.load(target, typ=simd.element), simd.element(0.0)) for target in targets]
    for target, first, total in zip(targets, starts, sums, strict=True):
        builder.store(simd.relu_if(relu, builder.fadd(first, simd.sum(total))), target)


def _dot_tile_in_python(rows, a, a_row, b, c, start, relu, k, m):
    for i in range(min(rows, m)):
        total = (c[i] if start == FROM_C else 0) + (a[i * a_row :][:k] * b[:k]).sum()
        c[i] = np.maximum(total, 0) if relu else total


def transposed_row_tile() -> Any:
    """Make the micro-kernel of one row times a matrix with contiguous columns, which it transposes in registers.

    ``tile(a, a_col, b, b_col, c, bias, start, relu, k, n)`` computes ``c[j] = S[j] + sum over p of a[p*a_col]
    b[j*b_col + p]`` for j < min(n, lanes), n >= 1; S and `relu` as of `fma_tile`, with the same bits.
    """
    return vector_code(_write_transposed_row_tile, _transposed_row_tile_in_python)


def _write_transposed_row_tile(simd: Vectors, values: Sequence[ir.Value]) -> None:
    a, a_col, b, b_col, c, bias, start, relu, k, n = values
    builder, width, columns = simd.builder, INT(simd.lanes), simd.lanes_below(n)
    addresses = [simd.at(b, builder.mul(number, b_col)) for number in simd.rows_below(n, simd.lanes)]

    def add_products(p: ir.Value, total: ir.Value, left: ir.Value | None) -> ir.Value:
        """One square of B, of which `left` rows exist (all if None)."""
        mask = None if left is None else simd.lanes_below(left)
        numbers = [INT(i) for i in range(simd.lanes)] if left is None else simd.rows_below(left, simd.lanes)
        square = [simd.load(simd.at(address, p), mask) for address in addresses]
        for i, (number, vector) in enumerate(zip(numbers, transposed(simd, square), strict=True)):
            factor = builder.load(simd.at(a, builder.mul(builder.add(p, number), a_col)), typ=simd.element)
            after = simd.multiply_add(simd.broadcast(factor), vector, total)
            exists = None if left is None else builder.icmp_signed("<", INT(i), left)
            total = after if exists is None else builder.select(exists, after, total)
        return total

    zeros = builder.bitcast(_zeros(builder.module, 1), c.type)
    from_c, from_bias = (builder.icmp_signed("==", start, INT(code)) for code in (FROM_C, FROM_BIAS))
    source = builder.select(from_c, c, builder.select(from_bias, bias, zeros))
    squares = builder.sdiv(k, width)
    loop = Loop(builder, squares, [simd.load(source, columns)])
    loop.close([add_products(builder.mul(loop.index, width), loop.values[0], None)])
    done = builder.mul(squares, width)
    left = builder.sub(k, done)
    end = Loop(builder, builder.zext(builder.icmp_signed(">", left, INT(0)), INT), loop.values)
    end.close([add_products(done, end.values[0], left)])
    simd.store(simd.relu_if(relu, end.values[0]), c, columns)


def _transposed_row_tile_in_python(a, a_col, b, b_col, c, bias, start, relu, k, n):
    for j in range(min(n, lanes(c))):
        total = c.dtype.type(0) if start == FROM_ZERO else (bias if start == FROM_BIAS else c)[j]
        for p in range(k):
            total += a[p * a_col] * b[j * b_col + p]
        c[j] = np.maximum(total, 0) if relu else total
