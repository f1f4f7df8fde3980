"""The passes over a block of attention scores between two matrix products, as explicit vector code.

A block holds ``scores[s, t]`` for some keys s (rows) and a panel of queries t (columns, two vectors): queries lie in
lanes, so that the softmax over keys is arithmetic on whole vectors and no vector is ever summed across its lanes.
Scores are logarithms to base 2 (the queries were multiplied by ``scale * log2(e)``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.simd import INT, Loop, Vectors, lanes, vector_code
from fnet.kernels.transcendental import EXP_TERMS, EXP_TERMS_64

VECTORS = 2  # of queries in a panel: that of a tile of the matrix product

_NO_SCORE = float("-inf")


def exp2(simd: Vectors, x: ir.Value) -> ir.Value:
    """``2^x`` for x below the largest exponent: 0 below the smallest normal one, NaN for NaN."""
    builder, double = simd.builder, simd.bytes == 8
    mantissa, bias = (52, 1023) if double else (23, 127)
    terms = EXP_TERMS_64 if double else EXP_TERMS
    integers = ir.VectorType(ir.IntType(8 * simd.bytes), simd.lanes)
    # Adding this rounds to an integer n and leaves n + bias in the low bits, which only need to be moved up.
    magic = simd.constant(1.5 * 2.0**mantissa + bias)
    shifted = builder.fadd(x, magic)
    rest = builder.fsub(x, builder.fsub(shifted, magic))
    power = builder.shl(builder.bitcast(shifted, integers), integers([mantissa] * simd.lanes))
    # exp(r log 2) by the polynomial of exp.
    result = simd.constant(0.0)
    for order in reversed(range(len(terms) + 2)):
        factor = 1.0 if order < 2 else float(terms[order - 2])
        term = simd.constant(factor * float(np.log(2)) ** order)
        result = simd.multiply_add(result, rest, term) if order < len(terms) + 1 else term
    result = builder.fmul(result, builder.bitcast(power, simd.type))
    tiny = builder.fcmp_ordered("<", x, simd.constant(1.0 - bias))
    return builder.select(tiny, simd.constant(0.0), result)


def _vector_addresses(simd: Vectors, *addresses: ir.Value) -> list[list[ir.Value]]:
    return [[simd.at(address, v * simd.lanes) for v in range(VECTORS)] for address in addresses]


def _shift(simd: Vectors, top: ir.Value) -> ir.Value:
    """What to subtract from scores: `top`, but 0 where that is -inf (no key is visible)."""
    hidden = simd.builder.fcmp_ordered("==", top, simd.constant(_NO_SCORE))
    return simd.builder.select(hidden, simd.constant(0.0), top)


def _shift_in_python(top: Any) -> Any:
    return np.where(top == _NO_SCORE, 0, top).astype(top.dtype)


# -------------------------------------------------------------------------------------------------- softmax


def _write_softmax(simd: Vectors, values: Sequence[ir.Value]) -> None:
    scores, row, rows, top, total, factor = values
    builder = simd.builder
    tops, totals, factors = _vector_addresses(simd, top, total, factor)

    before = [simd.load(address) for address in tops]
    loop = Loop(builder, rows, [scores, *before])
    address, *highest = loop.values
    now = [simd.load(a) for a in _vector_addresses(simd, address)[0]]
    higher = [builder.select(builder.fcmp_ordered(">", x, h), x, h) for x, h in zip(now, highest, strict=True)]
    loop.close([simd.at(address, row), *higher])
    highest = loop.values[1:]
    shifts = [_shift(simd, h) for h in highest]

    loop = Loop(builder, rows, [scores, *[simd.constant(0.0)] * VECTORS])
    address, *sums = loop.values
    for v, place in enumerate(_vector_addresses(simd, address)[0]):
        weight = exp2(simd, builder.fsub(simd.load(place), shifts[v]))
        simd.store(weight, place)
        sums[v] = builder.fadd(sums[v], weight)
    loop.close([simd.at(address, row), *sums])

    for v, added in enumerate(loop.values[1:]):
        scaling = exp2(simd, builder.fsub(before[v], shifts[v]))
        simd.store(scaling, factors[v])
        simd.store(highest[v], tops[v])
        simd.store(simd.multiply_add(simd.load(totals[v]), scaling, added), totals[v])


def _softmax_in_python(scores, row, rows, top, total, factor):
    width = VECTORS * lanes(scores)
    before, highest = top[:width].copy(), top[:width]
    for s in range(rows):
        x = scores[s * row :][:width]
        highest[:] = np.where(x > highest, x, highest)
    shift = _shift_in_python(highest)
    factor[:width] = np.exp2(before - shift)
    total[:width] *= factor[:width]
    for s in range(rows):
        x = scores[s * row :][:width]
        x[:] = np.exp2(x - shift)
        total[:width] += x


# `softmax(scores, row, rows, top, total, factor)`: scores become weights 2^(score - top) with the running maximum `top`
# and sum `total` of every query; what was summed with the maximum before is worth `factor` of itself now.
softmax: Any = vector_code(_write_softmax, _softmax_in_python)


def _write_slopes(simd: Vectors, values: Sequence[ir.Value]) -> None:
    scores, slopes, row, rows, logsum, delta = values
    builder = simd.builder
    shifts = [_shift(simd, simd.load(address)) for address in _vector_addresses(simd, logsum)[0]]
    deltas = [simd.load(address) for address in _vector_addresses(simd, delta)[0]]
    loop = Loop(builder, rows, [scores, slopes])
    for v, (score, slope) in enumerate(zip(*_vector_addresses(simd, *loop.values), strict=True)):
        weight = exp2(simd, builder.fsub(simd.load(score), shifts[v]))
        simd.store(weight, score)
        simd.store(builder.fmul(weight, builder.fsub(simd.load(slope), deltas[v])), slope)
    loop.close([simd.at(address, row) for address in loop.values])


def _slopes_in_python(scores, slopes, row, rows, logsum, delta):
    width = VECTORS * lanes(scores)
    shift = _shift_in_python(logsum[:width])
    for s in range(rows):
        score, slope = scores[s * row :][:width], slopes[s * row :][:width]
        score[:] = np.exp2(score - shift)
        slope[:] = score * (slope - delta[:width])


# `softmax_slopes(scores, slopes, row, rows, logsum, delta)`: scores become weights w = 2^(score - logsum), and the
# slopes g of the loss in w become those in the scores, w (g - delta).
softmax_slopes: Any = vector_code(_write_slopes, _slopes_in_python)


# ------------------------------------------------------------------------------------------- smaller passes


def _write_hide_future(simd: Vectors, values: Sequence[ir.Value]) -> None:
    scores, row, rows, first = values
    builder = simd.builder
    loop = Loop(builder, rows, [scores])
    for v, place in enumerate(_vector_addresses(simd, loop.values[0])[0]):
        earlier = builder.sub(builder.add(first, loop.index), INT(v * simd.lanes))
        hidden = simd.lanes_below(earlier)
        simd.store(builder.select(hidden, simd.constant(_NO_SCORE), simd.load(place)), place)
    loop.close([simd.at(loop.values[0], row)])


def _hide_future_in_python(scores, row, rows, first):
    for s in range(rows):
        scores[s * row :][: min(max(first + s, 0), VECTORS * lanes(scores))] = _NO_SCORE


# `hide_future(scores, row, rows, first)`: no query before key s sees it; `first` is the first key's position less the
# first query's.
hide_future: Any = vector_code(_write_hide_future, _hide_future_in_python)


def _each_vector(simd: Vectors, columns: ir.Value, starts: list, visit: Callable[..., list]) -> list[ir.Value]:
    """``carried = visit(offset, mask, carried)`` for the whole vectors of a row, then for the masked rest of it."""
    builder, width = simd.builder, INT(simd.lanes)
    whole = builder.sdiv(columns, width)
    loop = Loop(builder, whole, starts)
    loop.close(visit(builder.mul(loop.index, width), None, loop.values))
    done = builder.mul(whole, width)
    return visit(done, simd.lanes_below(builder.sub(columns, done)), loop.values)


def _write_scale_rows(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, row, factors, rows, columns = values
    builder = simd.builder
    loop = Loop(builder, rows, [x, factors])
    address, factor = loop.values
    scaling = simd.broadcast(builder.load(factor, typ=simd.element))

    def visit(offset: ir.Value, mask: Any, carried: list) -> list:
        place = simd.at(address, offset)
        simd.store(builder.fmul(simd.load(place, mask), scaling), place, mask)
        return []

    _each_vector(simd, columns, [], visit)
    loop.close([simd.at(address, row), simd.at(factor, 1)])


def _scale_rows_in_python(x, row, factors, rows, columns):
    for i in range(rows):
        x[i * row :][:columns] *= factors[i]


# `scale_rows(x, row, factors, rows, columns)`: each row times its factor.
scale_rows: Any = vector_code(_write_scale_rows, _scale_rows_in_python)


def _write_row_dots(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, y, row, dots, rows, columns = values
    builder = simd.builder
    loop = Loop(builder, rows, [x, y, dots])
    first, second, dot = loop.values

    def visit(offset: ir.Value, mask: Any, carried: list) -> list:
        a, b = simd.load(simd.at(first, offset), mask), simd.load(simd.at(second, offset), mask)
        return [simd.multiply_add(a, b, carried[0])]

    (total,) = _each_vector(simd, columns, [simd.constant(0.0)], visit)
    builder.store(simd.sum(total), dot)
    loop.close([simd.at(first, row), simd.at(second, row), simd.at(dot, 1)])


def _row_dots_in_python(x, y, row, dots, rows, columns):
    for i in range(rows):
        dots[i] = (x[i * row :][:columns] * y[i * row :][:columns]).sum()


# `row_dots(x, y, row, dots, rows, columns)`: the inner product of each row of x with that of y.
row_dots: Any = vector_code(_write_row_dots, _row_dots_in_python)
