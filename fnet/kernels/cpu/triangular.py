"""Rows of ``X L^T = B`` for a small lower triangular L, several vectors of rows at a time."""

from __future__ import annotations

from llvmlite import ir

from fnet.kernels.cpu.vector.row_tiles import copy_transposed, store_rows, tile_like
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, at, lanes, vector_code
from fnet.kernels.policy import scalar

VECTORS = 4  # whose chains of multiply-adds do not wait for each other


def _write_substitution(
    simd: Vectors, tile: ir.Value, factor: ir.Value, factor_row: ir.Value, reciprocals: ir.Value, n: ir.Value
) -> None:
    builder = simd.builder

    def places(column: ir.Value) -> list[ir.Value]:
        start = builder.mul(column, INT(VECTORS * simd.lanes))
        return [simd.at(tile, builder.add(start, INT(v * simd.lanes))) for v in range(VECTORS)]

    outer = Loop(builder, n, [])
    own, row = places(outer.index), simd.at(factor, builder.mul(outer.index, factor_row))
    inner = Loop(builder, outer.index, [simd.load(place) for place in own])
    weight = simd.broadcast(builder.fneg(builder.load(simd.at(row, inner.index), typ=simd.element)))
    known = [simd.load(place) for place in places(inner.index)]
    inner.close([simd.multiply_add(weight, x, left) for x, left in zip(known, inner.values, strict=True)])
    reciprocal = simd.broadcast(builder.load(simd.at(reciprocals, outer.index), typ=simd.element))
    for place, left in zip(own, inner.values, strict=True):
        simd.store(builder.fmul(left, reciprocal), place)
    outer.close([])


def _substitution_in_python(tile, factor, factor_row, reciprocals, n):
    x = tile.reshape(-1, VECTORS * lanes(tile))
    for j in range(n):
        for i in range(j):
            x[j] -= factor[j * factor_row + i] * x[i]
        x[j] *= reciprocals[j]


def _write_rows_of_vector(
    simd: Vectors, tile: ir.Value, y: ir.Value, y_row: ir.Value, n: ir.Value, rows: ir.Value
) -> None:
    wider = INT(VECTORS)
    store_rows(simd, lambda offset: simd.load(simd.at(tile, simd.builder.mul(offset, wider))), y, y_row, n, rows)


def _rows_of_vector_in_python(tile, y, y_row, n, rows):
    x = tile[: n * VECTORS * lanes(tile)]
    for i in range(min(rows, lanes(tile))):
        y[i * y_row :][:n] = x[i :: VECTORS * lanes(tile)][:n]


_substitute = vector_code(lambda simd, values: _write_substitution(simd, *values), _substitution_in_python)
_store_vector = vector_code(lambda simd, values: _write_rows_of_vector(simd, *values), _rows_of_vector_in_python)


@scalar
def solve_rows(x, factor, reciprocals, row, n, rows):
    """``X <- X L^-T`` in place for x: (rows, n), n <= `COLUMNS`, and L at `factor`; both have rows `row` apart.

    reciprocals: one over the diagonal of L.
    """
    tile, one = tile_like(x, VECTORS), lanes(x)
    for i in range(0, rows, VECTORS * one):
        for v in range(VECTORS):
            start = min(i + v * one, rows - 1)
            copy_transposed(at(x, start * row), row, at(tile, v * one), VECTORS * one, rows - start, n)
        _substitute(tile, factor, row, reciprocals, n)
        for v in range(VECTORS):
            start = i + v * one
            if start < rows:
                _store_vector(at(tile, v * one), at(x, start * row), row, n, rows - start)
