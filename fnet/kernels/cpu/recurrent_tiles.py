"""Tiles of recurrent layers whose units fit into one vector: what a step computes stays in registers.

A lane is a unit, and an accumulator belongs to a sample. The tanh of a tile is computed in the loop over the products
of the next one, which needs nothing of it. The states lie in rows of whole vectors between the steps: what was stored
with a mask, or across the border of a line, must reach the cache before it can be read. The bits are those of
`fnet.kernels.cpu.product` and of the loops over a sample's units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.activation_codes import TANH
from fnet.kernels.cpu.product import NARROW_ROWS, VECTORS
from fnet.kernels.cpu.vector.lanewise import Lanes, VectorMath
from fnet.kernels.cpu.vector.simd import INSTRUCTION_SET, INT, Loop, Vectors, lanes, vector_code
from fnet.kernels.cpu.vector.tiles import row_addresses

OUTER_ROWS = 28 if INSTRUCTION_SET == "avx512" else 12
AT_ONCE = 4  # rows whose tanh share the loads of their constants
_NUMBERS = range(NARROW_ROWS)


def _add_products(
    simd: Vectors, a: ir.Value, a_row: ir.Value | None, b: ir.Value, k: ir.Value, sums: Sequence[ir.Value],
    at_once: int = 1, beside: Callable[[ir.Value], None] | None = None,
) -> tuple[ir.Value, list[ir.Value], ir.Value]:  # fmt: skip
    """``sums[r] + sum over p < k of a[r*a_row + p] B[p]`` with B in a packed panel; and rows k of B and columns k of A.

    Without `a_row` the rows of A are a vector apart. An iteration takes so many p `at_once`, of which k is a multiple,
    and does with the first of them what is to be done `beside`.
    """
    if a_row is None:
        starts, locate = [a], lambda r, addresses: simd.at(addresses[0], r * simd.lanes)
    else:
        starts, locate = row_addresses(simd, a, a_row, [INT(r) for r in _NUMBERS], False)
    loop = Loop(simd.builder, simd.builder.sdiv(k, INT(at_once)), [b, *starts, *sums])
    b, addresses, sums = loop.values[0], loop.values[1 : 1 + len(starts)], loop.values[1 + len(starts) :]
    addresses = [simd.opaque(address) for address in addresses]
    for p in range(at_once):
        row, after = simd.load(simd.at(b, p * VECTORS * simd.lanes)), []
        for r, total in enumerate(sums):
            element = simd.builder.load(simd.at(locate(r, addresses), p), align=simd.bytes, typ=simd.element)
            after.append(simd.multiply_add(simd.broadcast(element), row, total))
        sums = after
    if beside:
        beside(simd.builder.mul(loop.index, INT(at_once)))
    loop.close(
        [simd.at(b, at_once * VECTORS * simd.lanes), *(simd.at(address, at_once) for address in addresses), *sums]
    )
    return loop.values[0], loop.values[1 + len(starts) :], loop.values[1]


def _activate_rows(
    simd: Vectors, h: ir.Value, to: ir.Value, to_row: ir.Value, y: ir.Value, y_row: ir.Value, units: ir.Value
) -> Callable[[ir.Value], None]:
    """What makes tanh of `AT_ONCE` rows of h from this one on, and copies them."""
    builder, math, mask = simd.builder, VectorMath(simd), simd.lanes_below(units)

    def activate(first: ir.Value) -> None:
        rows = [builder.add(first, INT(r)) for r in range(AT_ONCE)]
        places = [simd.at(h, builder.mul(row, INT(simd.lanes))) for row in rows]
        after = math.activate(TANH, Lanes(simd, [simd.load(place) for place in places])).values
        for row, place, new in zip(rows, places, after, strict=True):
            simd.store(new, place)
            simd.store(new, simd.at(to, builder.mul(to_row, row)), mask)
            simd.store(new, simd.at(y, builder.mul(y_row, row)), mask)

    return activate


def _write_products(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, x_row, packed, h, features, depth, other, to, to_row, y, y_row, units, rows = values
    builder = simd.builder
    activate = _activate_rows(simd, other, to, to_row, y, y_row, units)
    bias, sums, _ = _add_products(simd, x, x_row, packed, features, [simd.constant(0.0)] * NARROW_ROWS)
    sums = [simd.multiply_add(simd.constant(1.0), simd.load(bias), total) for total in sums]
    # Where there are only 16 registers, the sums would leave them.
    least = builder.select(builder.icmp_signed("<", rows, depth), rows, depth)
    both = builder.and_(least, INT(-AT_ONCE)) if INSTRUCTION_SET == "avx512" else INT(0)
    b = simd.at(bias, VECTORS * simd.lanes)
    b, sums, column = _add_products(simd, h, None, b, both, sums, AT_ONCE, activate)
    _, sums, _ = _add_products(simd, column, None, b, builder.sub(depth, both), sums)
    for r, total in enumerate(sums):
        simd.store(total, simd.at(h, r * simd.lanes))
    rest = Loop(builder, builder.sdiv(builder.sub(rows, both), INT(AT_ONCE)), [])
    activate(builder.add(both, builder.mul(rest.index, INT(AT_ONCE))))
    rest.close([])


def _products_in_python(x, x_row, packed, h, features, depth, other, to, to_row, y, y_row, units, rows):
    one = lanes(h)
    width = VECTORS * one
    for r in _NUMBERS:
        total = np.zeros(units, h.dtype)
        for p in range(features):
            total += x[r * x_row + p] * packed[p * width :][:units]
        total += packed[features * width :][:units]
        for p in range(depth):
            total += h[r * one + p] * packed[(features + 1 + p) * width :][:units]
        h[r * one :][:units] = total
    _activate_in_python(other, to, to_row, y, y_row, units, rows)


def _write_activate(simd: Vectors, values: Sequence[ir.Value]) -> None:
    *operands, rows = values
    loop = Loop(simd.builder, simd.builder.sdiv(rows, INT(AT_ONCE)), [])
    _activate_rows(simd, *operands)(simd.builder.mul(loop.index, INT(AT_ONCE)))
    loop.close([])


def _activate_in_python(h, to, to_row, y, y_row, units, rows):
    for r in range(rows):
        row = h[r * lanes(h) :][:units]
        row[:] = to[r * to_row :][:units] = y[r * y_row :][:units] = np.tanh(row)


def _write_back(simd: Vectors, values: Sequence[ir.Value]) -> None:
    y, y_row, dy, dy_row, dh, z, packed, slopes, slopes_row, units = values
    builder, math, mask = simd.builder, VectorMath(simd), simd.lanes_below(units)
    for r in _NUMBERS:
        h, more = (
            Lanes(simd, [simd.load(simd.at(address, builder.mul(row, INT(r))), mask)])
            for address, row in ((y, y_row), (dy, dy_row))
        )
        here = Lanes(simd, [simd.load(simd.at(dh, r * simd.lanes))])
        dz = math.times_slope(here + more, TANH, h).values[0]
        simd.store(dz, simd.at(z, r * simd.lanes))
        simd.store(dz, simd.at(slopes, builder.mul(slopes_row, INT(r))), mask)
    _, sums, _ = _add_products(simd, z, None, packed, units, [simd.constant(0.0)] * NARROW_ROWS)
    for r, total in enumerate(sums):
        simd.store(total, simd.at(dh, r * simd.lanes))


def _back_in_python(y, y_row, dy, dy_row, dh, z, packed, slopes, slopes_row, units):
    one = lanes(dh)
    for r in _NUMBERS:
        h, here = y[r * y_row :][:units], dh[r * one :][:units]
        dz = (here + dy[r * dy_row :][:units]) * (1 - h * h)
        z[r * one :][:units] = slopes[r * slopes_row :][:units] = dz
        here[:] = 0
        for p in range(units):
            here += dz[p] * packed[p * VECTORS * one :][:units]


def _write_outer(simd: Vectors, values: Sequence[ir.Value]) -> None:
    a, a_row, b, b_row, c, c_row, k, m, n = values
    builder, mask = simd.builder, simd.lanes_below(n)
    targets = [simd.at(c, builder.mul(number, c_row)) for number in simd.rows_below(m, OUTER_ROWS)]
    loop = Loop(builder, k, [a, b, *(simd.load(target, mask) for target in targets)])
    a, b, *sums = loop.values
    row, after = simd.load(b, mask), []
    for r, total in enumerate(sums):
        element = builder.load(simd.at(a, r), align=simd.bytes, typ=simd.element)
        after.append(simd.multiply_add(simd.broadcast(element), row, total))
    loop.close([simd.at(a, a_row), simd.at(b, b_row), *after])
    for target, total in reversed(list(zip(targets, loop.values[2:], strict=True))):  # rows beyond m come first
        simd.store(total, target, mask)


def _outer_in_python(a, a_row, b, b_row, c, c_row, k, m, n):
    for p in range(k):
        for r in range(min(m, OUTER_ROWS)):
            c[r * c_row :][:n] += a[p * a_row + r] * b[p * b_row :][:n]


def _write_gather(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, x_row, h, h_row, rows, m, features, units = values
    builder = simd.builder
    k = builder.add(builder.add(features, INT(1)), units)

    inputs, with_one = simd.lanes_below(features), simd.lanes_below(builder.add(features, INT(1)))
    loop = Loop(builder, m, [x, rows])
    row = builder.select(inputs, simd.load(loop.values[0], inputs), simd.constant(1.0))
    simd.store(row, loop.values[1], with_one)
    loop.close([simd.at(loop.values[0], x_row), simd.at(loop.values[1], k)])

    mask = simd.lanes_below(units)
    loop = Loop(builder, m, [h, simd.at(rows, builder.add(features, INT(1)))])
    simd.store(simd.load(loop.values[0], mask), loop.values[1], mask)
    loop.close([simd.at(loop.values[0], h_row), simd.at(loop.values[1], k)])


def _gather_in_python(x, x_row, h, h_row, rows, m, features, units):
    k = features + 1 + units
    for i in range(m):
        row = rows[i * k :][:k]
        row[:features], row[features], row[features + 1 :] = x[i * x_row :][:features], 1, h[i * h_row :][:units]


# `simple_products(x, x_row, packed, h, features, depth, other, to, to_row, y, y_row, units, rows)`: h, `NARROW_ROWS`
# rows of a vector, becomes ``[x, 1, h] [W; b; U]``, with the first `depth` of h, while so many rows of another tile go
# through `simple_activate`; both numbers of rows are multiples of `AT_ONCE`.
simple_products: Any = vector_code(_write_products, _products_in_python)
# `simple_activate(h, to, to_row, y, y_row, units, rows)`: so many rows of h become their tanh, copied to `to` and `y`.
simple_activate: Any = vector_code(_write_activate, _activate_in_python)
# `simple_back(y, y_row, dy, dy_row, dh, z, packed, slopes, slopes_row, units)`: slopes and z become dz =
# ``(dh + dy) (1 - y^2)``, and dh becomes ``dz U'``; dh and z are rows of a vector.
simple_back: Any = vector_code(_write_back, _back_in_python)
# `outer_tile(a, a_row, b, b_row, c, c_row, k, m, n)`: ``C[i, j] += sum over p of a[p*a_row + i] b[p*b_row + j]`` for
# i < min(m, `OUTER_ROWS`) and n columns of one vector at most. It reads `OUTER_ROWS` elements from ``a[p*a_row]`` on.
outer_tile: Any = vector_code(_write_outer, _outer_in_python)
# `gather_tile(x, x_row, h, h_row, rows, m, features, units)`: ``[x, 1, h]`` of m samples, one behind the other, with
# fewer features than lanes and no more units.
gather_tile: Any = vector_code(_write_gather, _gather_in_python)
