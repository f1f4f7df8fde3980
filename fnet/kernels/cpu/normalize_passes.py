"""Passes over a few neighbouring rows of a matrix that are normalised, as explicit vector code.

Rows go `TOGETHER` at a time, then one by one: sums of several rows do not wait for each other, and what is the same for
all rows is read and written once for them. The last vector of a row is masked. The bits of a row's results do not
depend on which rows go with it. `x` and its like are `count` contiguous rows of `cols` elements; `mean`, `inverse` and
the like have a number for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.row_passes import over_row
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, vector_code

TOGETHER = 4

Rows = list[ir.Value]  # a value for each row


def _over_rows(simd: Vectors, count: ir.Value, cols: ir.Value, write: Callable[[Rows, Rows], None]) -> None:
    """``write(numbers, starts)`` for every group of rows: their numbers, and where they begin."""
    builder, first = simd.builder, INT(0)
    for size in (TOGETHER, 1):
        groups = builder.sdiv(builder.sub(count, first), INT(size))
        loop = Loop(builder, groups, [])
        start = builder.add(first, builder.mul(loop.index, INT(size)))
        numbers = [builder.add(start, INT(row)) for row in range(size)]
        write(numbers, [builder.mul(number, cols) for number in numbers])
        loop.close([])
        first = builder.mul(groups, INT(size))


def _numbers(simd: Vectors, address: ir.Value, rows: Rows) -> Rows:
    """The number of each row, in all lanes."""
    return [simd.broadcast(simd.builder.load(simd.at(address, row), typ=simd.element)) for row in rows]


def _row_sums(
    simd: Vectors, count: ir.Value, cols: ir.Value, targets: Rows, terms: Callable[..., Callable[..., list[Rows]]]
) -> None:
    """Write sums over columns to `targets`; ``terms(rows, starts)(offset, mask, totals)`` adds to the totals."""

    def write(rows: Rows, starts: Rows) -> None:
        size, add = len(rows), terms(rows, starts)

        def visit(offset: ir.Value, mask: ir.Value | None, totals: Rows) -> Rows:
            by_target = [totals[k * size : (k + 1) * size] for k in range(len(targets))]
            return [total for group in add(offset, mask, by_target) for total in group]

        (totals,) = over_row(simd, cols, [simd.constant(0.0)] * (size * len(targets)), visit)
        places = [simd.at(target, row) for target in targets for row in rows]
        for total, place in zip([simd.sum(total) for total in totals], places, strict=True):
            simd.builder.store(total, place)

    _over_rows(simd, count, cols, write)


def _less(simd: Vectors, x: ir.Value, center: ir.Value, mask: ir.Value | None) -> ir.Value:
    """``x - center``, 0 outside of the mask."""
    gap = simd.builder.fsub(x, center)
    return gap if mask is None else simd.builder.select(mask, gap, simd.constant(0.0))


# -------------------------------------------------------------------------------------------------- forwards


def _write_sums(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, total, count, cols = values

    def terms(rows: Rows, starts: Rows) -> Callable[..., list[Rows]]:
        places = [simd.at(x, start) for start in starts]

        def add(offset: ir.Value, mask: ir.Value | None, totals: list[Rows]) -> list[Rows]:
            vectors = [simd.load(simd.at(place, offset), mask) for place in places]
            return [[simd.builder.fadd(t, v) for t, v in zip(totals[0], vectors, strict=True)]]

        return add

    _row_sums(simd, count, cols, [total], terms)


def _write_squares(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, center, total, count, cols = values

    def terms(rows: Rows, starts: Rows) -> Callable[..., list[Rows]]:
        places, centers = [simd.at(x, start) for start in starts], _numbers(simd, center, rows)

        def add(offset: ir.Value, mask: ir.Value | None, totals: list[Rows]) -> list[Rows]:
            vectors = [simd.load(simd.at(place, offset), mask) for place in places]
            gaps = [_less(simd, v, c, mask) for v, c in zip(vectors, centers, strict=True)]
            return [[simd.multiply_add(gap, gap, t) for gap, t in zip(gaps, totals[0], strict=True)]]

        return add

    _row_sums(simd, count, cols, [total], terms)


def _write_normalize(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, gamma, beta, y, mean, inverse, count, cols = values
    builder = simd.builder

    def write(rows: Rows, starts: Rows) -> None:
        centers, scales = _numbers(simd, mean, rows), _numbers(simd, inverse, rows)

        def visit(offset: ir.Value, mask: ir.Value | None, _: Rows) -> Rows:
            factor, shift = simd.load(simd.at(gamma, offset), mask), simd.load(simd.at(beta, offset), mask)
            places = [builder.add(start, offset) for start in starts]
            vectors = [simd.load(simd.at(x, place), mask) for place in places]  # ahead of all stores
            for place, vector, center, scale in zip(places, vectors, centers, scales, strict=True):
                normal = builder.fmul(builder.fsub(vector, center), scale)
                simd.store(simd.multiply_add(normal, factor, shift), simd.at(y, place), mask)
            return []

        over_row(simd, cols, [], visit)

    _over_rows(simd, count, cols, write)


# ------------------------------------------------------------------------------------------------- backwards


def _write_products(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, gamma, g, center, total, moment, count, cols = values
    builder = simd.builder

    def terms(rows: Rows, starts: Rows) -> Callable[..., list[Rows]]:
        centers = _numbers(simd, center, rows)

        def add(offset: ir.Value, mask: ir.Value | None, totals: list[Rows]) -> list[Rows]:
            factor, sums, moments = simd.load(simd.at(gamma, offset), mask), [], []
            for start, middle, s, m in zip(starts, centers, *totals, strict=True):
                place = builder.add(start, offset)
                h = builder.fmul(factor, simd.load(simd.at(g, place), mask))
                sums.append(builder.fadd(s, h))
                moments.append(simd.multiply_add(h, _less(simd, simd.load(simd.at(x, place), mask), middle, mask), m))
            return [sums, moments]

        return add

    _row_sums(simd, count, cols, [total, moment], terms)


def _write_gradient(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, gamma, g, dx, dgamma, dbeta, mean, inverse, offset, slope, count, cols = values
    builder = simd.builder

    def write(rows: Rows, starts: Rows) -> None:
        numbers = [_numbers(simd, address, rows) for address in (mean, inverse, offset, slope)]

        def visit(column: ir.Value, mask: ir.Value | None, _: Rows) -> Rows:
            factor, by_gamma, by_beta = (simd.load(simd.at(a, column), mask) for a in (gamma, dgamma, dbeta))
            places = [builder.add(start, column) for start in starts]
            pairs = [[simd.load(simd.at(a, place), mask) for a in (x, g)] for place in places]  # ahead of all stores
            for place, (a, b), center, scale, off, steep in zip(places, pairs, *numbers, strict=True):
                u = builder.fsub(a, center)
                by_gamma, by_beta = simd.multiply_add(b, builder.fmul(u, scale), by_gamma), builder.fadd(by_beta, b)
                h = simd.multiply_add(factor, b, builder.fneg(off))
                h = simd.multiply_add(builder.fneg(steep), u, h)
                simd.store(builder.fmul(scale, h), simd.at(dx, place), mask)
            simd.store(by_gamma, simd.at(dgamma, column), mask)
            simd.store(by_beta, simd.at(dbeta, column), mask)
            return []

        over_row(simd, cols, [], visit)

    _over_rows(simd, count, cols, write)


# ----------------------------------------------------------------------------------------------- the passes


def _matrix(x: Any, count: int, cols: int) -> np.ndarray:
    return x[: count * cols].reshape(count, cols)


def _sums_in_python(x, total, count, cols):
    total[:count] = _matrix(x, count, cols).sum(1)


def _squares_in_python(x, center, total, count, cols):
    total[:count] = ((_matrix(x, count, cols) - center[:count, None]) ** 2).sum(1)


def _normalize_in_python(x, gamma, beta, y, mean, inverse, count, cols):
    normal = (_matrix(x, count, cols) - mean[:count, None]) * inverse[:count, None]
    _matrix(y, count, cols)[:] = normal * gamma[:cols] + beta[:cols]


def _products_in_python(x, gamma, g, center, total, moment, count, cols):
    h = gamma[:cols] * _matrix(g, count, cols)
    total[:count] = h.sum(1)
    moment[:count] = (h * (_matrix(x, count, cols) - center[:count, None])).sum(1)


def _gradient_in_python(x, gamma, g, dx, dgamma, dbeta, mean, inverse, offset, slope, count, cols):
    u, b = _matrix(x, count, cols) - mean[:count, None], _matrix(g, count, cols)
    dgamma[:cols] += (b * (u * inverse[:count, None])).sum(0)
    dbeta[:cols] += b.sum(0)
    h = gamma[:cols] * b - offset[:count, None] - slope[:count, None] * u
    _matrix(dx, count, cols)[:] = inverse[:count, None] * h


# `row_sums(x, total, count, cols)`, `row_squares(x, center, total, count, cols)`: the sum over the columns of x, of
# (x - center)^2.
row_sums: Any = vector_code(_write_sums, _sums_in_python)
row_squares: Any = vector_code(_write_squares, _squares_in_python)
# `row_products(x, gamma, g, center, total, moment, count, cols)`: the sums of h = gamma g and of h (x - center).
row_products: Any = vector_code(_write_products, _products_in_python)
# `normalize_rows(x, gamma, beta, y, mean, inverse, count, cols)`: y = (x - mean) inverse gamma + beta.
normalize_rows: Any = vector_code(_write_normalize, _normalize_in_python)
# `slope_rows(x, gamma, g, dx, dgamma, dbeta, mean, inverse, offset, slope, count, cols)`:
# dx = inverse (gamma g - offset - slope (x - mean)); dgamma += sum of g (x - mean) inverse, dbeta += sum of g.
slope_rows: Any = vector_code(_write_gradient, _gradient_in_python)
