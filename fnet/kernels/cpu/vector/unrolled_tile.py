"""The full tile for operands that lie in the order in which it reads them.

It computes what the others do (`fnet.kernels.cpu.vector.tiles`), with the same bits. Where B is a packed panel, and the
rows or columns of A are contiguous, few addresses serve several p in turn: so the loop is unrolled, and there is time
left to fetch what the next tiles will read: A, rows of C, and a share of another panel of B, which may lie in the
third-level cache.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from fnet.kernels.cpu.vector.simd import INT, VECTOR_BYTES, Loop, Vectors, vector_code
from fnet.kernels.cpu.vector.tiles import COLUMNS_AHEAD, first_sums, fma_tile_in_python

UNROLLED = 4  # how many p the body of the loop does: as many as the strides that an address of A serves
FETCHES = 2  # how many lines of the other panel it fetches, and as many of C


def unrolled_tile(rows: int, vectors: int, *, by_columns: bool) -> Any:
    """Make the micro-kernel of `rows` full rows and `vectors` vectors of columns.

    ``tile(ahead, step, a, stride, b, c, c_row, bias, start, relu, k)`` computes ``C[i, j] = S[i, j] + sum over p of
    A[i, p] B[p, j]`` with ``A[i, p] = a[i*stride + p]``, or ``a[i + p*stride]`` if `by_columns`, and
    ``B[p, j] = b[p*vectors*lanes + j]``; the rest as of `fma_tile`.
    It fetches the lines at ``ahead[i*step]`` for ``i < k // 2``, which may lie outside of all memory.
    """
    write = functools.partial(_write_unrolled_tile, rows, vectors, by_columns)
    return vector_code(write, functools.partial(_unrolled_tile_in_python, rows, vectors, by_columns))


def _write_unrolled_tile(rows: int, vectors: int, by_columns: bool, simd: Vectors, values: Sequence[ir.Value]) -> None:
    ahead, step, a, stride, b, c, c_row, bias, start, relu, k = values
    builder, width = simd.builder, vectors * simd.lanes
    add, multiply, both = builder.add, builder.mul, builder.and_
    firsts = [v * simd.lanes for v in range(vectors)]
    numbers = [INT(r) for r in range(rows)]
    multiply_add = simd.multiply_add_pairs if isinstance(a.type.pointee, ir.IntType) else simd.multiply_add
    starts = first_sums(simd, c, c_row, bias, start, numbers, [(first, None) for first in firsts])

    # The processor adds 0, 1, 2 or 3 strides to an address as it loads: those of four columns, or of four rows.
    one, three = simd.opaque(stride), simd.opaque(multiply(stride, INT(3)))
    strides = [INT(0), one, multiply(one, INT(2)), three]
    addresses = [a] if by_columns else [simd.at(a, multiply(stride, INT(r))) for r in range(0, rows, 4)]
    below_a, below_c = (multiply(x, INT(rows)) for x in (stride, c_row))
    soon = multiply(stride, INT(COLUMNS_AHEAD))

    def broadcast(addresses: list[ir.Value], r: int, q: int) -> ir.Value:
        address = simd.at(addresses[0], strides[q]) if by_columns else simd.at(addresses[r // 4], strides[r % 4])
        address = simd.at(address, r if by_columns else q)
        return simd.broadcast(builder.load(address, align=simd.bytes, typ=simd.element))

    def after(b: ir.Value, addresses: list[ir.Value], q: int, sums: list[ir.Value]) -> list[ir.Value]:
        panel = [simd.load(simd.at(b, q * width + first)) for first in firsts]
        elements = [broadcast(addresses, r, q) for r in range(rows)]
        return [multiply_add(elements[i // vectors], panel[i % vectors], total) for i, total in enumerate(sums)]

    def advanced(b: ir.Value, addresses: list[ir.Value], count: int) -> list[ir.Value]:
        distance = multiply(stride, INT(count)) if by_columns else count
        return [simd.at(b, count * width), *(simd.at(address, distance) for address in addresses)]

    def fetch(addresses: list[ir.Value], body: ir.Value, q: int) -> None:
        """Lines of A: of a later p and of the next tile, or in 4 bodies one of each of 16 rows below."""
        if by_columns:
            simd.prefetch(addresses[0], add(soon, strides[q]))
            simd.prefetch(addresses[0], add(INT(2 * rows), strides[q]))
        else:
            row = add(multiply(both(body, INT(3)), INT(4)), INT(q))
            simd.prefetch(addresses[0], add(below_a, multiply(row, stride)))

    def fetch_results(body: ir.Value, q: int) -> None:
        """In 16 bodies, both halves of 16 rows of C below."""
        row = add(multiply(both(body, INT(7)), INT(FETCHES)), INT(q))
        half = multiply(both(builder.lshr(body, INT(3)), INT(1)), INT(width // 2))
        simd.prefetch(c, add(add(below_c, half), multiply(row, c_row)), write=True)

    count = len(addresses)
    loop = Loop(builder, builder.sdiv(k, INT(UNROLLED)), [b, *addresses, ahead, *starts])
    b, *addresses, ahead = loop.values[: 2 + count]
    sums = loop.values[2 + count :]
    addresses = [simd.opaque(address) for address in addresses]
    for q in range(UNROLLED):
        fetch(addresses, loop.index, q)
        if q < FETCHES:
            fetch_results(loop.index, q)
            simd.prefetch(ahead, INT(0), level=2)
            ahead = simd.at(ahead, step)
        sums = after(b, addresses, q, sums)
    loop.close([*advanced(b, addresses, UNROLLED), ahead, *sums])

    rest = Loop(builder, builder.srem(k, INT(UNROLLED)), loop.values[: 1 + count] + loop.values[2 + count :])
    b, *addresses = rest.values[: 1 + count]
    rest.close([*advanced(b, addresses, 1), *after(b, addresses, 0, rest.values[1 + count :])])
    for i, total in enumerate(rest.values[1 + count :]):
        row = simd.at(c, multiply(numbers[i // vectors], c_row))
        simd.store(simd.relu_if(relu, total), simd.at(row, firsts[i % vectors]))


def _unrolled_tile_in_python(rows, vectors, by_columns, ahead, step, a, stride, b, c, c_row, bias, start, relu, k):
    a_row, a_col = (1, stride) if by_columns else (stride, 1)
    width = vectors * VECTOR_BYTES // c.itemsize
    fma_tile_in_python(rows, vectors, a, a_row, a_col, b, width, c, c_row, bias, start, relu, k, rows, width)
