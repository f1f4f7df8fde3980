"""Dropout by the words of a key's Philox stream (see `philox`), several blocks of the cipher at a time.

Element i is kept where the float32 uniform number of word i is at least the rate, so the mask depends on the key and
on i alone: not on the vector width, nor on the threads, which share the elements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.scalars import block, philox4x32
from fnet.kernels.cpu.vector.simd import INT, VECTOR_BYTES, Loop, Vectors, at, vector_code
from fnet.kernels.policy import kernel
from fnet.kernels.scalar.philox import MULTIPLIER_0, MULTIPLIER_1, ROUNDS, STREAM_BITS, WEYL_0, WEYL_1

BLOCKS = VECTOR_BYTES // 8  # blocks of the cipher that are computed together
_STEP = 4 * BLOCKS  # the words of these blocks
_CHUNK = 32768  # elements of a task, a multiple of every _STEP

_2, _3, _8 = np.uint64(2), np.uint64(3), np.uint32(8)
_ZERO, _ONE, _LEVELS = np.float32(0), np.float32(1), np.float32(2.0**24)


def write_cipher(builder: ir.IRBuilder, blocks: ir.Value, key0: ir.Value, key1: ir.Value) -> list[ir.Value]:
    """The four words of each of `BLOCKS` blocks of the cipher, in 64-bit lanes.

    The numbers of the cipher are the low halves of the lanes; what is above them is left as it comes, since the
    multiplication does not look at it.
    """
    wide = ir.VectorType(INT, BLOCKS)
    low, shift = wide([0xFFFFFFFF] * BLOCKS), wide([32] * BLOCKS)

    def product(factor: np.uint64, value: ir.Value) -> ir.Value:
        return builder.mul(wide([int(factor)] * BLOCKS), builder.and_(value, low))

    c0, c1, c2, c3 = blocks, builder.lshr(blocks, shift), wide([0] * BLOCKS), wide([int(STREAM_BITS)] * BLOCKS)
    for _ in range(ROUNDS):
        p, q = product(MULTIPLIER_0, c0), product(MULTIPLIER_1, c2)
        c0 = builder.xor(builder.xor(builder.lshr(q, shift), c1), all_blocks(builder, key0))
        c2 = builder.xor(builder.xor(builder.lshr(p, shift), c3), all_blocks(builder, key1))
        c1, c3 = q, p
        key0, key1 = builder.add(key0, INT(int(WEYL_0))), builder.add(key1, INT(int(WEYL_1)))
    return [c0, c1, c2, c3]


def all_blocks(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """A number in all 64-bit lanes."""
    wide = ir.VectorType(INT, BLOCKS)
    first = builder.insert_element(wide(ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, wide(ir.Undefined), ir.VectorType(ir.IntType(32), BLOCKS)([0] * BLOCKS))


def _write_words(simd: Vectors, counter: ir.Value, key0: ir.Value, key1: ir.Value) -> list[ir.Value]:
    """The words of `BLOCKS` blocks from `counter` on, in their order, as two vectors of 32-bit integers."""
    builder, wide = simd.builder, ir.VectorType(INT, BLOCKS)
    low, shift = wide([0xFFFFFFFF] * BLOCKS), wide([32] * BLOCKS)
    blocks = builder.add(all_blocks(builder, counter), wide(list(range(BLOCKS))))
    c0, c1, c2, c3 = write_cipher(builder, blocks, key0, key1)
    pairs = [builder.or_(builder.and_(a, low), builder.shl(b, shift)) for a, b in ((c0, c1), (c2, c3))]
    halves = []
    for start in (0, BLOCKS // 2):
        order = [lane + side * BLOCKS for lane in range(start, start + BLOCKS // 2) for side in (0, 1)]
        mixed = builder.shuffle_vector(*pairs, ir.VectorType(ir.IntType(32), BLOCKS)(order))
        halves.append(builder.bitcast(mixed, ir.VectorType(ir.IntType(32), 2 * BLOCKS)))
    return halves


def _write_dropout(simd: Vectors, values: Sequence[ir.Value]) -> None:
    x, y, rate, first, steps, key0, key1, limit = values
    builder = simd.builder
    one = simd.element(1.0)
    scale = simd.broadcast(builder.fdiv(one, builder.fsub(one, builder.load(rate, typ=simd.element))))
    narrow = ir.VectorType(ir.IntType(32), 2 * BLOCKS)
    level = builder.trunc(limit, narrow.element)
    level = builder.insert_element(narrow(ir.Undefined), level, ir.IntType(32)(0))
    level = builder.shuffle_vector(level, narrow(ir.Undefined), narrow([0] * 2 * BLOCKS))

    loop = Loop(builder, steps, [])
    counter = builder.add(first, builder.mul(loop.index, INT(BLOCKS)))
    offset = builder.mul(loop.index, INT(_STEP))
    for half, words in enumerate(_write_words(simd, counter, key0, key1)):
        kept = builder.icmp_signed(">=", builder.lshr(words, narrow([8] * 2 * BLOCKS)), level)
        for part in range(2 * BLOCKS // simd.lanes):
            lanes = range(part * simd.lanes, (part + 1) * simd.lanes)
            mask = builder.shuffle_vector(kept, kept, ir.VectorType(ir.IntType(32), simd.lanes)(list(lanes)))
            place = builder.add(offset, INT(half * 2 * BLOCKS + part * simd.lanes))
            value = builder.fmul(simd.load(simd.at(x, place)), scale)
            simd.store(builder.select(mask, value, simd.constant(0.0)), simd.at(y, place))
    loop.close([])


def _dropout_in_python(x, y, rate, first, steps, key0, key1, limit):
    blocks = np.arange(first, first + steps * BLOCKS, dtype=np.uint64)
    zeros, low = np.zeros_like(blocks), np.uint64(0xFFFFFFFF)
    key = np.uint64(key0), np.uint64(key1)
    words = np.stack(philox4x32(blocks & low, blocks >> np.uint64(32), zeros, zeros + STREAM_BITS, *key), -1).ravel()
    n = words.size
    y[:n] = np.where(words >> _8 < limit, 0, x[:n] * (_ONE / (_ONE - rate[0])))


# `steps` times _STEP elements, the first of which has word 0 of block `first`; those whose leading 24 bits are below
# `limit` are dropped.
_dropout_steps = vector_code(_write_dropout, _dropout_in_python)


@kernel
def _dropout_chunk(task, x, key, rate, y, limit, n):
    first = task * _CHUNK
    last = min(first + _CHUNK, n)
    steps = (last - first) // _STEP
    _dropout_steps(at(x, first), at(y, first), at(rate, 0), first // 4, steps, int(key[0]), int(key[1]), limit)
    scale = _ONE / (_ONE - rate[0])
    for i in range(first + steps * _STEP, last):
        word = block(np.uint64(i) >> _2, STREAM_BITS, key)[np.uint64(i) & _3]
        y[i] = _ZERO if np.int64(word >> _8) < limit else x[i] * scale


@kernel
def dropout(x, key, rate, y, n):
    """``y[i] = x[i] / (1 - rate)`` where the key's float32 uniform i is at least rate, else exactly 0.

    ``x, y: (n,)`` and ``rate: (1,)`` have one dtype, ``key: (2,) uint32``. Applied to a gradient it is its own
    backward pass.
    """
    limit = math.ceil(np.float32(rate[0]) * _LEVELS)
    parallel_for(_dropout_chunk, (n + _CHUNK - 1) // _CHUNK, threads_for(n // 5), x, key, rate, y, limit, n)
