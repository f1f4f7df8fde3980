"""Softmax and cross-entropies of matrices with few columns, as many rows at a time as a vector has lanes.

Folding the lanes of one vector costs more than a row of ten elements is worth. Here a tile of rows is transposed, so
that a vector holds one column of it and a row is a lane: maxima and sums need no folding, and what is computed once a
row costs no more than an element. Missing rows of the last tile repeat its last one and are not stored, so the bits of
a row do not depend on where it lies. Rules for NaN and Inf are those of `fnet.kernels.cpu.softmax`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.exponential import exp
from fnet.kernels.cpu.vector.row_tiles import COLUMNS, copy_transposed, store_rows, tile_like
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, at, lanes, vector_code
from fnet.kernels.policy import scalar

NARROW = COLUMNS  # rows of up to so many elements are narrow


def _over_columns(
    simd: Vectors, n: ir.Value, starts: list[ir.Value], body: Callable[..., list[ir.Value]]
) -> list[ir.Value]:
    """``values = body(offset, values)`` for the offset of every column in a tile; returns the last values."""
    loop = Loop(simd.builder, n, starts)
    loop.close(body(simd.builder.mul(loop.index, INT(simd.lanes)), loop.values))
    return loop.values


def _tops(simd: Vectors, tile: ir.Value, n: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The maxima of the rows, NaN passed over, and what to subtract before `exp`: 0 where that is not finite."""
    builder, lowest, highest = simd.builder, simd.constant(float("-inf")), simd.constant(float("inf"))

    def larger(offset: ir.Value, values: list[ir.Value]) -> list[ir.Value]:
        x = simd.load(simd.at(tile, offset))
        return [builder.select(builder.fcmp_ordered(">", x, values[0]), x, values[0])]

    (top,) = _over_columns(simd, n, [lowest], larger)
    finite = builder.and_(builder.fcmp_ordered("<", top, highest), builder.fcmp_ordered(">", top, lowest))
    return top, builder.select(finite, top, simd.constant(0.0))


# --------------------------------------------------------------------------------------- passes over a tile


def _write_totals(
    simd: Vectors, tile: ir.Value, shifts: ir.Value, totals: ir.Value, n: ir.Value, rows: ir.Value
) -> None:
    builder, zero, mask = simd.builder, simd.constant(0.0), simd.lanes_below(rows)
    top, shift = _tops(simd, tile, n)

    def add(offset: ir.Value, values: list[ir.Value]) -> list[ir.Value]:
        x = simd.load(simd.at(tile, offset))
        unknown = builder.select(builder.fcmp_unordered("uno", x, x), x, values[1])
        return [builder.fadd(values[0], exp(simd, builder.fsub(x, shift))), unknown]

    total, unknown = _over_columns(simd, n, [zero, zero], add)
    infinite = builder.fcmp_ordered("==", top, simd.constant(float("inf")))
    simd.store(shift, shifts, mask)
    simd.store(builder.select(infinite, builder.fadd(unknown, top), total), totals, mask)


def _write_exp(simd: Vectors, tile: ir.Value, totals: ir.Value, n: ir.Value, rows: ir.Value) -> None:
    _, shift = _tops(simd, tile, n)

    def add(offset: ir.Value, values: list[ir.Value]) -> list[ir.Value]:
        e = exp(simd, simd.builder.fsub(simd.load(simd.at(tile, offset)), shift))
        simd.store(e, simd.at(tile, offset))
        return [simd.builder.fadd(values[0], e)]

    (total,) = _over_columns(simd, n, [simd.constant(0.0)], add)
    simd.store(total, totals, simd.lanes_below(rows))


def _write_target_loss(
    simd: Vectors, x: ir.Value, t: ir.Value, shifts: ir.Value, loss: ir.Value, n: ir.Value, rows: ir.Value
) -> None:
    builder, zero, mask = simd.builder, simd.constant(0.0), simd.lanes_below(rows)
    shift, size = simd.load(shifts, mask), simd.load(loss, mask)
    size = builder.select(builder.fcmp_ordered("==", size, simd.constant(float("-inf"))), zero, size)

    def add(offset: ir.Value, values: list[ir.Value]) -> list[ir.Value]:
        weight, gap = simd.load(simd.at(t, offset)), builder.fsub(simd.load(simd.at(x, offset)), shift)
        gap = builder.select(builder.fcmp_ordered("==", weight, zero), zero, gap)
        return [builder.fadd(values[0], weight), simd.multiply_add(weight, gap, values[1])]

    total, dot = _over_columns(simd, n, [zero, zero], add)
    simd.store(builder.fsub(builder.fmul(total, size), dot), loss, mask)


def _write_scaled(
    simd: Vectors, tile: ir.Value, totals: ir.Value, g: ir.Value | None, y: ir.Value, n: ir.Value, rows: ir.Value
) -> None:
    builder, zero, mask = simd.builder, simd.constant(0.0), simd.lanes_below(rows)
    total, numerator = simd.load(totals, mask), simd.constant(1.0) if g is None else simd.load(g, mask)
    empty = builder.fcmp_ordered("==", total, zero)
    scale = builder.select(empty, zero, builder.fdiv(numerator, total))
    store_rows(simd, lambda offset: builder.fmul(simd.load(simd.at(tile, offset)), scale), y, n, n, rows)


def _write_target_gradient(
    simd: Vectors, e: ir.Value, t: ir.Value, totals: ir.Value, g: ir.Value, y: ir.Value, n: ir.Value, rows: ir.Value
) -> None:
    builder, zero, mask = simd.builder, simd.constant(0.0), simd.lanes_below(rows)
    (weight,) = _over_columns(
        simd, n, [zero], lambda offset, values: [builder.fadd(values[0], simd.load(simd.at(t, offset)))]
    )
    total, g = simd.load(totals, mask), simd.load(g, mask)
    empty = builder.fcmp_ordered("==", total, zero)
    scale = builder.select(empty, zero, builder.fdiv(builder.fmul(g, weight), total))
    g = builder.select(empty, zero, g)

    def column(offset: ir.Value) -> ir.Value:
        p, target = (builder.fmul(simd.load(simd.at(x, offset)), by) for x, by in ((e, scale), (t, g)))
        return builder.fsub(p, target)

    store_rows(simd, column, y, n, n, rows)


# ------------------------------------------------------------------- without the JIT compiler, and both in one


def _rows(tile, n, rows):
    """The rows of a tile as a matrix of its own, whose sums do not depend on how many there are."""
    return np.ascontiguousarray(tile.reshape(-1, lanes(tile))[:n, :rows].T)


def _shifts(x):
    top = np.fmax.reduce(x, axis=1, initial=-np.inf)
    return top, np.where(np.isfinite(top), top, 0)


def _totals_in_python(tile, shifts, totals, n, rows):
    x = _rows(tile, n, rows)
    top, shifts[:rows] = _shifts(x)
    sums = np.exp(x - shifts[:rows, None]).sum(axis=1)
    totals[:rows] = np.where((top == np.inf) & ~np.isnan(x).any(axis=1), np.inf, sums)


def _exp_in_python(tile, totals, n, rows):
    x = _rows(tile, n, rows)
    e = np.exp(x - _shifts(x)[1][:, None])
    e = np.where(np.isinf(e), np.nan, e)
    tile.reshape(-1, lanes(tile))[:n, :rows] = e.T
    totals[:rows] = e.sum(axis=1)


def _target_loss_in_python(x, t, shifts, loss, n, rows):
    weight, size = _rows(t, n, rows), np.where(loss[:rows] == -np.inf, 0, loss[:rows])
    gap = np.where(weight == 0, 0, _rows(x, n, rows) - shifts[:rows, None])
    loss[:rows] = weight.sum(axis=1) * size - (weight * gap).sum(axis=1)


def _scaled_in_python(tile, totals, g, y, n, rows):
    scale = np.where(totals[:rows] == 0, 0, g[:rows] / totals[:rows])
    y[: rows * n] = (_rows(tile, n, rows) * scale[:, None]).reshape(-1)


def _target_gradient_in_python(e, t, totals, g, y, n, rows):
    weight, empty = _rows(t, n, rows), totals[:rows] == 0
    scale = np.where(empty, 0, g[:rows] * weight.sum(axis=1) / totals[:rows])
    d = _rows(e, n, rows) * scale[:, None] - weight * np.where(empty, 0, g[:rows])[:, None]
    y[: rows * n] = d.reshape(-1)


_tile_totals = vector_code(lambda simd, values: _write_totals(simd, *values), _totals_in_python)
_tile_exp = vector_code(lambda simd, values: _write_exp(simd, *values), _exp_in_python)
_tile_target_loss = vector_code(lambda simd, values: _write_target_loss(simd, *values), _target_loss_in_python)
_tile_scaled = vector_code(lambda simd, values: _write_scaled(simd, *values), _scaled_in_python)
_tile_softmax = vector_code(
    lambda simd, values: _write_scaled(simd, values[0], values[1], None, *values[2:]),
    lambda tile, totals, y, n, rows: _scaled_in_python(tile, totals, np.ones(rows, y.dtype), y, n, rows),
)
_tile_target_gradient = vector_code(
    lambda simd, values: _write_target_gradient(simd, *values), _target_gradient_in_python
)


# ------------------------------------------------------------------------------------------ parts of kernels


@scalar
def narrow_totals(x, totals, shifts, first, last, n):
    """totals[i] = sum(exp(row i - shifts[i])), +inf where the row has that and no NaN."""
    tile, step = tile_like(x, 1), lanes(x)
    for i in range(first, last, step):
        rows = min(step, last - i)
        copy_transposed(at(x, i * n), n, tile, step, rows, n)
        _tile_totals(tile, at(shifts, i), at(totals, i), n, rows)


@scalar
def narrow_softmax(x, y, totals, first, last, n):
    """y = softmax(x); totals[i] is the sum of the exponentials of row i."""
    tile, step = tile_like(x, 1), lanes(x)
    for i in range(first, last, step):
        rows = min(step, last - i)
        copy_transposed(at(x, i * n), n, tile, step, rows, n)
        _tile_exp(tile, at(totals, i), n, rows)
        _tile_softmax(tile, at(totals, i), at(y, i * n), n, rows)


@scalar
def narrow_scaled_softmax(x, g, y, totals, first, last, n):
    """y[i] = g[i] softmax(row i); totals[i] is the sum of its exponentials."""
    tile, step = tile_like(x, 1), lanes(x)
    for i in range(first, last, step):
        rows = min(step, last - i)
        copy_transposed(at(x, i * n), n, tile, step, rows, n)
        _tile_exp(tile, at(totals, i), n, rows)
        _tile_scaled(tile, at(totals, i), at(g, i), at(y, i * n), n, rows)


@scalar
def narrow_target_loss(x, t, loss, shifts, first, last, n):
    """loss[i] = sum(t) size - sum(t (x - shifts[i])) in row i; loss[i] was its size, of which -inf counts as 0."""
    tile, targets, step = tile_like(x, 1), tile_like(x, 1), lanes(x)
    for i in range(first, last, step):
        rows = min(step, last - i)
        copy_transposed(at(x, i * n), n, tile, step, rows, n)
        copy_transposed(at(t, i * n), n, targets, step, rows, n)
        _tile_target_loss(tile, targets, at(shifts, i), at(loss, i), n, rows)


@scalar
def narrow_target_gradient(x, t, g, y, totals, first, last, n):
    """y[i] = g[i] (softmax(row i) sum(t[i]) - t[i]), 0 for a row of -inf; totals[i] is the sum of its exponentials."""
    tile, targets, step = tile_like(x, 1), tile_like(x, 1), lanes(x)
    for i in range(first, last, step):
        rows = min(step, last - i)
        copy_transposed(at(x, i * n), n, tile, step, rows, n)
        copy_transposed(at(t, i * n), n, targets, step, rows, n)
        _tile_exp(tile, at(totals, i), n, rows)
        _tile_target_gradient(tile, targets, at(totals, i), at(g, i), at(y, i * n), n, rows)
