"""The passes over a block of attention scores between two matrix products, as explicit vector code.

A block holds ``scores[s, t]`` for some keys s (rows) and a panel of queries t (columns, two vectors): queries lie in
lanes, so that the softmax over keys is arithmetic on whole vectors and no vector is ever summed across its lanes.
Scores are logarithms to base 2 (the queries were multiplied by ``scale * log2(e)``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.attention_operands import (
    CAUSAL,
    HEADS,
    KEYS,
    MASK_BATCH,
    MASK_HEAD,
    MASK_KEY,
    MASK_QUERY,
    QUERIES,
)
from fnet.kernels.cpu.product import VECTORS  # of queries in a panel
from fnet.kernels.cpu.scalars import philox4x32
from fnet.kernels.cpu.vector.cipher import BLOCKS, all_blocks, write_cipher
from fnet.kernels.cpu.vector.exponential import exp2
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, lanes, vector_code
from fnet.kernels.policy import kernel
from fnet.kernels.scalar.philox import STREAM_BITS

_NO_SCORE = float("-inf")
_1, _INF, _LEVELS = np.float32(1), np.float32(np.inf), np.float32(2.0**24)


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


def _write_row_softmax(simd: Vectors, values: Sequence[ir.Value]) -> None:
    scores, top, total, count = values
    builder, lowest = simd.builder, simd.constant(_NO_SCORE)

    def load(place: ir.Value, mask: Any) -> ir.Value:
        vector = simd.load(place, mask)
        return vector if mask is None else builder.select(mask, vector, lowest)

    def raise_top(offset: ir.Value, mask: Any, carried: list) -> list:
        vector = load(simd.at(scores, offset), mask)
        return [builder.select(builder.fcmp_ordered(">", vector, carried[0]), vector, carried[0])]

    (highest,) = _each_vector(simd, count, [lowest], raise_top)
    highest = simd.broadcast(simd.highest(highest))
    shift = _shift(simd, highest)

    def weigh(offset: ir.Value, mask: Any, carried: list) -> list:
        place = simd.at(scores, offset)
        weight = exp2(simd, builder.fsub(load(place, mask), shift))
        simd.store(weight, place, mask)
        return [builder.fadd(carried[0], weight)]

    (added,) = _each_vector(simd, count, [simd.constant(0.0)], weigh)
    builder.store(builder.extract_element(highest, ir.IntType(32)(0)), top)
    builder.store(simd.sum(added), total)


def _row_softmax_in_python(scores, top, total, count):
    x = scores[:count]
    top[0] = np.fmax.reduce(x, initial=_NO_SCORE)
    x[:] = np.exp2(x - _shift_in_python(top[:1]))
    total[0] = x.sum()


# `row_softmax(scores, top, total, count)`: scores of one query become weights 2^(score - top); their maximum and sum.
row_softmax: Any = vector_code(_write_row_softmax, _row_softmax_in_python)


# --------------------------------------------------------------------------------- what a query does not see


@kernel
def visible_keys(end, layout):
    """How many keys the queries before `end` see."""
    return min(layout[KEYS], end) if layout[CAUSAL] else layout[KEYS]


@kernel
def hide_masked(scores, row, rows, t, s, queries, pair, mask, layout):
    """-inf where the mask is false, for queries from t on and keys from s on."""
    b, h = pair // layout[HEADS], pair % layout[HEADS]
    query_step, key_step = layout[MASK_QUERY], layout[MASK_KEY]
    first = b * layout[MASK_BATCH] + h * layout[MASK_HEAD] + t * query_step + s * key_step
    for i in range(rows):
        start = first + i * key_step
        if query_step == 0 and mask[start]:
            continue
        for j in range(queries):
            scores[i * row + j] = scores[i * row + j] if mask[start + j * query_step] else -_INF


def _write_drop_groups(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, row, groups, queries, first, step, key0, key1, limit, kept = values
    builder, lanes = simd.builder, simd.lanes
    words = ir.VectorType(ir.IntType(32), lanes)
    level, factor = simd.broadcast(builder.trunc(limit, ir.IntType(32))), simd.broadcast(kept)
    steps = builder.mul(all_blocks(builder, step), ir.VectorType(INT, BLOCKS)(list(range(BLOCKS))))

    def ciphers(query: ir.Value, group: ir.Value) -> list[ir.Value]:
        """The four words of the queries in lanes."""
        parts = []
        for part in range(0, lanes, BLOCKS):
            moved = builder.mul(builder.add(query, INT(part)), step)
            counter = builder.add(builder.add(first, group), moved)
            wide = write_cipher(builder, builder.add(all_blocks(builder, counter), steps), key0, key1)
            parts.append([builder.trunc(word, ir.VectorType(ir.IntType(32), BLOCKS)) for word in wide])
        order = words(list(range(lanes)))
        return [builder.shuffle_vector(each[0], each[-1], order) for each in zip(*parts, strict=True)]

    outer = Loop(builder, groups, [x])
    inner = Loop(builder, builder.sdiv(builder.add(queries, INT(lanes - 1)), INT(lanes)), [])
    query = builder.mul(inner.index, INT(lanes))
    mask = simd.lanes_below(builder.sub(queries, query))
    for number, word in enumerate(ciphers(query, outer.index)):
        place = simd.at(outer.values[0], builder.add(query, builder.mul(row, INT(number))))
        seen = builder.icmp_signed(">=", builder.lshr(word, words([8] * lanes)), level)
        simd.store(builder.fmul(simd.load(place, mask), builder.select(seen, factor, simd.constant(0.0))), place, mask)
    inner.close([])
    outer.close([simd.at(outer.values[0], builder.mul(row, INT(4)))])


def _drop_groups_in_python(x, row, groups, queries, first, step, key0, key1, limit, kept):
    for group in range(groups):
        numbers = np.uint64(first + group) + np.arange(queries, dtype=np.uint64) * np.uint64(step)
        zeros, low = np.zeros_like(numbers), np.uint64(0xFFFFFFFF)
        key = np.uint64(key0), np.uint64(key1)
        for i, word in enumerate(philox4x32(numbers & low, numbers >> np.uint64(32), zeros, zeros + STREAM_BITS, *key)):
            x[(4 * group + i) * row :][:queries] *= np.where(word >> np.uint32(8) < limit, 0, kept).astype(x.dtype)


_drop_groups: Any = vector_code(_write_drop_groups, _drop_groups_in_python)


@kernel
def drop(x, row, rows, t, s, queries, pair, key, rate, layout):
    """Multiply by what dropout keeps of the weight of query t and key s: 0 or 1 / (1 - rate).

    The number drawn for it is word ``(pair * queries + t) * keys + s`` of the key's stream, keys being rounded up to a
    multiple of 4, so that four neighbours share a block of the cipher.
    """
    limit, kept = math.ceil(np.float32(rate) * _LEVELS), _1 / (_1 - rate)
    groups = (layout[KEYS] + 3) // 4
    first = (pair * layout[QUERIES] + t) * groups + s // 4
    _drop_groups(x, row, (rows + 3) // 4, queries, first, groups, int(key[0]), int(key[1]), limit, kept)
