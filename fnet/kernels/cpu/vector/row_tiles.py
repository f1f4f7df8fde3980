"""Tiles of a matrix with few columns, transposed: a vector holds a part of a column, a lane is a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from fnet.kernels.compiler.stack import reserve
from fnet.kernels.cpu.vector.packing import transposed, transposing_copier
from fnet.kernels.cpu.vector.simd import INT, VECTOR_BYTES, Loop, Vectors, lanes

COLUMNS = 32  # of a tile at most; a whole number of vectors


@intrinsic
def _stack_tile(typing, address, vectors):
    if not isinstance(vectors, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        element = context.get_value_type(address.dtype)
        count = COLUMNS * vectors.literal_value * VECTOR_BYTES * 8 // address.dtype.bitwidth
        memory = reserve(builder, ir.ArrayType(element, count))
        memory.align = VECTOR_BYTES
        return builder.bitcast(memory, element.as_pointer())

    return types.CPointer(address.dtype)(address, vectors), generate


def _tile_in_python(x, vectors):
    return np.empty(COLUMNS * vectors * lanes(x), x.dtype)


# `tile_like(address, vectors)` is memory on the stack for a tile of such elements with so many vectors of rows.
tile_like: Any = _tile_in_python if config.DISABLE_JIT else _stack_tile
# `copy_transposed(source, source_row, tile, tile_row, rows, columns)` fills one vector of every column; missing rows
# repeat the last one, of which there must be one.
copy_transposed = transposing_copier()


def store_rows(
    simd: Vectors,
    column: Callable[[ir.Value], ir.Value],
    y: ir.Value,
    y_row: ir.Value,
    n: ir.Value,
    rows: ir.Value,
) -> None:
    """Write the rows of a tile to a matrix: ``column(offset)`` is the vector so many elements, j vectors, behind 0."""
    builder = simd.builder
    loop = Loop(builder, builder.sdiv(builder.add(n, INT(simd.lanes - 1)), INT(simd.lanes)), [])
    first = builder.mul(loop.index, INT(simd.lanes))
    mask, nothing = simd.lanes_below(builder.sub(n, first)), simd.lanes_below(INT(0))
    columns = [column(builder.mul(builder.add(first, INT(j)), INT(simd.lanes))) for j in range(simd.lanes)]
    for i, row in enumerate(transposed(simd, columns)):
        place = simd.at(y, builder.add(builder.mul(INT(i), y_row), first))
        simd.store(row, place, builder.select(builder.icmp_signed("<", INT(i), rows), mask, nothing))
    loop.close([])
