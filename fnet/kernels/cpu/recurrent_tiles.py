"""Tiles of recurrent layers whose units fit into one vector: what a step computes stays in registers.

A lane is a unit, and an accumulator belongs to a sample. Quotients of a tile are computed beside the products of the
next one, which needs nothing of it. The states lie in rows of whole vectors between the steps: what was stored with a
mask, or across the border of a line, must reach the cache before it can be read. The bits are those of
`fnet.kernels.cpu.product` and of the loops over a sample's units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.lanewise import TANH, Lanes, VectorMath
from fnet.kernels.cpu.product import NARROW_ROWS, VECTORS
from fnet.kernels.cpu.simd import INSTRUCTION_SET, INT, Loop, Vectors, lanes, vector_code
from fnet.kernels.cpu.tiles import row_addresses

OUTER_ROWS = 28 if INSTRUCTION_SET == "avx512" else 12
_NUMBERS = range(NARROW_ROWS)


def _add_products(
    simd: Vectors, a: ir.Value, a_row: ir.Value, b: ir.Value, k: ir.Value, sums: Sequence[ir.Value]
) -> tuple[ir.Value, list[ir.Value]]:
    """``sums[r] + sum over p < k of a[r*a_row + p] B[p]`` with B in a packed panel; also where row k of B is."""
    starts, locate = row_addresses(simd, a, a_row, [INT(r) for r in _NUMBERS], False)
    loop = Loop(simd.builder, k, [b, *starts, *sums])
    b, addresses, sums = loop.values[0], loop.values[1 : 1 + len(starts)], loop.values[1 + len(starts) :]
    addresses = [simd.opaque(address) for address in addresses]
    row, after = simd.load(b), []
    for r, total in enumerate(sums):
        element = simd.builder.load(locate(r, addresses), align=simd.bytes, typ=simd.element)
        after.append(simd.multiply_add(simd.broadcast(element), row, total))
    loop.close([simd.at(b, VECTORS * simd.lanes), *(simd.at(address, 1) for address in addresses), *after])
    return loop.values[0], loop.values[1 + len(starts) :]


def _write_step(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, x_row, packed, h, to, to_row, y, y_row, features, depth, units = values
    builder, math, mask = simd.builder, VectorMath(simd), simd.lanes_below(units)
    bias, sums = _add_products(simd, x, x_row, packed, features, [simd.constant(0.0)] * NARROW_ROWS)
    sums = [simd.multiply_add(simd.constant(1.0), simd.load(bias), total) for total in sums]
    _, sums = _add_products(simd, h, INT(simd.lanes), simd.at(bias, VECTORS * simd.lanes), depth, sums)
    for r, total in enumerate(sums):
        new = math.activate(TANH, Lanes(simd, [total])).values[0]
        simd.store(new, simd.at(h, r * simd.lanes))
        simd.store(new, simd.at(to, builder.mul(to_row, INT(r))), mask)
        simd.store(new, simd.at(y, builder.mul(y_row, INT(r))), mask)


def _step_in_python(x, x_row, packed, h, to, to_row, y, y_row, features, depth, units):
    one = lanes(h)
    width = VECTORS * one
    for r in _NUMBERS:
        total = np.zeros(units, h.dtype)
        for p in range(features):
            total += x[r * x_row + p] * packed[p * width :][:units]
        total += packed[features * width :][:units]
        for p in range(depth):
            total += h[r * one + p] * packed[(features + 1 + p) * width :][:units]
        h[r * one :][:units] = to[r * to_row :][:units] = y[r * y_row :][:units] = np.tanh(total)


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
    _, sums = _add_products(simd, z, INT(simd.lanes), packed, units, [simd.constant(0.0)] * NARROW_ROWS)
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


# `simple_step(x, x_row, packed, h, to, to_row, y, y_row, features, depth, units)`: h, `NARROW_ROWS` rows of a vector,
# becomes ``tanh([x, 1, h] [W; b; U])``, with the first `depth` of h, and is copied to `to` and `y`.
simple_step: Any = vector_code(_write_step, _step_in_python)
# `simple_back(y, y_row, dy, dy_row, dh, z, packed, slopes, slopes_row, units)`: slopes and z become dz =
# ``(dh + dy) (1 - y^2)``, and dh becomes ``dz U'``; dh and z are rows of a vector.
simple_back: Any = vector_code(_write_back, _back_in_python)
# `outer_tile(a, a_row, b, b_row, c, c_row, k, m, n)`: ``C[i, j] += sum over p of a[p*a_row + i] b[p*b_row + j]`` for
# i < min(m, `OUTER_ROWS`) and n columns of one vector at most. It reads `OUTER_ROWS` elements from ``a[p*a_row]`` on.
outer_tile: Any = vector_code(_write_outer, _outer_in_python)
