"""Pairs of bfloat16: float32 matrices rounded to the upper halves of their words, two neighbours in one 32-bit word.

A word holds the even-numbered neighbour in its low half; where the number of elements is odd, the last word's high half
is zero. Instructions for bfloat16 multiply such words: ``c + a_low b_low + a_high b_high``, c in float32. A matrix of
words is strided and packed like one of float32 with half as many elements along the paired axis, so products of it go
the ways of `fnet.kernels.cpu.product`.

The processor's own instructions take numbers below the smallest normal one for zero, when they round and when they
multiply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.simd import HAS_BFLOAT16, INT, Loop, Vectors, vector_code


def _rounded(simd: Vectors, x: ir.Value) -> ir.Value:
    """The bits, in the low halves, of the bfloat16 numbers nearest to x, ties to even; NaN stays NaN."""
    builder, kind = simd.builder, simd.integers

    def constant(value: int) -> ir.Constant:
        return kind([value] * simd.lanes)

    bits = builder.bitcast(x, kind)
    upper = builder.lshr(bits, constant(16))
    odd = builder.and_(upper, constant(1))
    rounded = builder.lshr(builder.add(builder.add(bits, constant(0x7FFF)), odd), constant(16))
    quiet = builder.or_(upper, constant(0x40))
    return builder.select(builder.fcmp_unordered("uno", x, x), quiet, rounded)


def _paired(simd: Vectors, low: ir.Value, high: ir.Value) -> ir.Value:
    """Words of two vectors, lane by lane."""
    if HAS_BFLOAT16:
        both = simd.builder.bitcast(simd.round_to_bfloat16(low, high), ir.VectorType(ir.IntType(16), 2 * simd.lanes))
        order = [half * simd.lanes + lane for lane in range(simd.lanes) for half in (0, 1)]
        return simd.builder.shuffle_vector(both, both, ir.VectorType(ir.IntType(32), 2 * simd.lanes)(order))
    shift = simd.integers([16] * simd.lanes)
    return simd.builder.or_(_rounded(simd, low), simd.builder.shl(_rounded(simd, high), shift))


def _neighbours(simd: Vectors, first: ir.Value, second: ir.Value) -> ir.Value:
    """Words of the neighbours in two vectors that follow each other."""
    if HAS_BFLOAT16:
        return simd.round_to_bfloat16(first, second)
    low, high = (simd.shuffle(first, second, [2 * lane + part for lane in range(simd.lanes)]) for part in (0, 1))
    return _paired(simd, low, high)


def _write_neighbours(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, y, count = values
    builder, lanes = simd.builder, simd.lanes

    def write(block: ir.Value, masks: Sequence[Any]) -> None:
        done = builder.mul(block, INT(2 * lanes))
        vectors = [simd.load(simd.at(x, builder.add(done, INT(v * lanes))), masks[v]) for v in range(2)]
        words = builder.bitcast(_neighbours(simd, *vectors), simd.type)
        simd.store(words, simd.at(y, builder.mul(block, INT(lanes))), masks[2])

    blocks = builder.sdiv(count, INT(2 * lanes))
    loop = Loop(builder, blocks, [])
    write(loop.index, [None, None, None])
    loop.close([])
    left = builder.sub(count, builder.mul(blocks, INT(2 * lanes)))
    with builder.if_then(builder.icmp_signed(">", left, INT(0))):
        pairs = builder.sdiv(builder.add(left, INT(1)), INT(2))
        write(blocks, [simd.lanes_below(each) for each in (left, builder.sub(left, INT(lanes)), pairs)])


def _write_vectors(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, x_row, y, columns, rows = values
    builder, lanes = simd.builder, simd.lanes
    both = builder.icmp_signed(">", rows, INT(1))
    below = simd.at(x, builder.select(both, x_row, INT(0)))

    def write(block: ir.Value, mask: Any) -> None:
        done = builder.mul(block, INT(lanes))
        low = simd.load(simd.at(x, done), mask)
        high = builder.select(both, simd.load(simd.at(below, done), mask), simd.constant(0.0))
        simd.store(builder.bitcast(_paired(simd, low, high), simd.type), simd.at(y, done), mask)

    blocks = builder.sdiv(columns, INT(lanes))
    loop = Loop(builder, blocks, [])
    write(loop.index, None)
    loop.close([])
    left = builder.sub(columns, builder.mul(blocks, INT(lanes)))
    with builder.if_then(builder.icmp_signed(">", left, INT(0))):
        write(blocks, simd.lanes_below(left))


def _split(simd: Vectors, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """``x = high + low`` with both representable in bfloat16, but for the last bits of low; low is 0 if x is infinite.

    Numbers too large for bfloat16 are cut instead of rounded.
    """
    builder, kind = simd.builder, simd.integers
    upper = kind([0xFFFF0000] * simd.lanes)
    rounded = builder.shl(_rounded(simd, x), kind([16] * simd.lanes))
    cut = builder.and_(builder.bitcast(x, kind), upper)
    infinite = kind([0x7F800000] * simd.lanes)
    beyond = builder.icmp_signed("==", builder.and_(rounded, infinite), infinite)
    overflows = builder.and_(beyond, builder.fcmp_ordered("ord", x, x))
    high = builder.bitcast(builder.select(overflows, cut, rounded), simd.type)
    low = builder.fsub(x, high)
    is_finite = builder.fcmp_ordered("ord", low, low)
    return high, builder.select(is_finite, low, simd.constant(0.0))


def _write_split_neighbours(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, high, low, count = values
    builder, lanes = simd.builder, simd.lanes
    blocks = builder.sdiv(builder.add(count, INT(2 * lanes - 1)), INT(2 * lanes))
    loop = Loop(builder, blocks, [])
    done = builder.mul(loop.index, INT(2 * lanes))
    left = builder.sub(count, done)
    masks = [simd.lanes_below(builder.sub(left, INT(v * lanes))) for v in range(2)]
    parts = [_split(simd, simd.load(simd.at(x, builder.add(done, INT(v * lanes))), masks[v])) for v in range(2)]
    mask = simd.lanes_below(builder.sdiv(builder.add(left, INT(1)), INT(2)))
    for target, pair in zip((high, low), zip(*parts, strict=True), strict=True):
        words = builder.bitcast(_neighbours(simd, *pair), simd.type)
        simd.store(words, simd.at(target, builder.mul(loop.index, INT(lanes))), mask)
    loop.close([])


def _write_split_vectors(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, x_row, high, low, columns, rows = values
    builder, lanes = simd.builder, simd.lanes
    both = builder.icmp_signed(">", rows, INT(1))
    below = simd.at(x, builder.select(both, x_row, INT(0)))
    blocks = builder.sdiv(builder.add(columns, INT(lanes - 1)), INT(lanes))
    loop = Loop(builder, blocks, [])
    done = builder.mul(loop.index, INT(lanes))
    mask = simd.lanes_below(builder.sub(columns, done))
    second = builder.select(both, simd.load(simd.at(below, done), mask), simd.constant(0.0))
    parts = [_split(simd, vector) for vector in (simd.load(simd.at(x, done), mask), second)]
    for target, pair in zip((high, low), zip(*parts, strict=True), strict=True):
        simd.store(builder.bitcast(_paired(simd, *pair), simd.type), simd.at(target, done), mask)
    loop.close([])


def _bits_in_python(x: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(x).view(np.uint32)
    upper = bits >> 16
    return np.where(np.isnan(x), upper | 0x40, (bits + (0x7FFF + (upper & 1)).astype(np.uint32)) >> 16)


def _words_in_python(low: np.ndarray, high: np.ndarray, y: np.ndarray) -> None:
    y[: low.size] = (_bits_in_python(low) | _bits_in_python(high) << 16).astype(np.uint32).view(y.dtype)


def _neighbours_in_python(x, y, count):
    high = np.zeros((count + 1) // 2, np.float32)
    high[: count // 2] = x[1:count:2]
    _words_in_python(x[:count:2], high, y)


def _vectors_in_python(x, x_row, y, columns, rows):
    high = x[x_row:][:columns] if rows > 1 else np.zeros(columns, np.float32)
    _words_in_python(x[:columns], high, y)


def split_in_python(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `_split` does."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    high = (_bits_in_python(x).astype(np.uint32) << 16).view(np.float32)
    high = np.where(np.isfinite(high) | np.isnan(x), high, (bits & np.uint32(0xFFFF0000)).view(np.float32))
    with np.errstate(invalid="ignore"):
        low = x - high
    return high, np.where(np.isnan(low), np.float32(0), low)


def _split_neighbours_in_python(x, high, low, count):
    for target, part in zip((high, low), split_in_python(x[:count]), strict=True):
        _neighbours_in_python(part, target, count)


def _split_vectors_in_python(x, x_row, high, low, columns, rows):
    second = x[x_row:][:columns] if rows > 1 else np.zeros(columns, np.float32)
    pairs = zip(split_in_python(x[:columns]), split_in_python(second), strict=True)
    for target, (first, other) in zip((high, low), pairs, strict=True):
        _words_in_python(first, other, target)


# `split_neighbours(x, high, low, count)` and `split_vectors(x, x_row, high, low, columns, rows)`: the same of both
# parts of numbers that are split in two bfloat16.
split_neighbours: Any = vector_code(_write_split_neighbours, _split_neighbours_in_python)
split_vectors: Any = vector_code(_write_split_vectors, _split_vectors_in_python)
# `pair_neighbours(x, y, count)`: the words of `count` contiguous elements; `pair_vectors(x, x_row, y, columns, rows)`:
# those of the first two rows of x, lane by lane, or of one row and zeros.
pair_neighbours: Any = vector_code(_write_neighbours, _neighbours_in_python)
pair_vectors: Any = vector_code(_write_vectors, _vectors_in_python)
