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
from fnet.kernels.cpu.scalars import block
from fnet.kernels.cpu.vector.cipher import BLOCKS, WORDS, words_in_python, write_words
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, at, vector_code
from fnet.kernels.policy import kernel
from fnet.kernels.scalar.philox import STREAM_BITS

_CHUNK = 32768  # elements of a task, a multiple of `WORDS` for every width of vectors

_2, _3, _8 = np.uint64(2), np.uint64(3), np.uint32(8)
_ZERO, _ONE, _LEVELS = np.float32(0), np.float32(1), np.float32(2.0**24)


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
    offset = builder.mul(loop.index, INT(WORDS))
    for half, words in enumerate(write_words(builder, counter, key0, key1)):
        kept = builder.icmp_signed(">=", builder.lshr(words, narrow([8] * 2 * BLOCKS)), level)
        for part in range(2 * BLOCKS // simd.lanes):
            lanes = range(part * simd.lanes, (part + 1) * simd.lanes)
            mask = builder.shuffle_vector(kept, kept, ir.VectorType(ir.IntType(32), simd.lanes)(list(lanes)))
            place = builder.add(offset, INT(half * 2 * BLOCKS + part * simd.lanes))
            value = builder.fmul(simd.load(simd.at(x, place)), scale)
            simd.store(builder.select(mask, value, simd.constant(0.0)), simd.at(y, place))
    loop.close([])


def _dropout_in_python(x, y, rate, first, steps, key0, key1, limit):
    words = words_in_python(first, steps * BLOCKS, key0, key1)
    n = words.size
    y[:n] = np.where(words >> _8 < limit, 0, x[:n] * (_ONE / (_ONE - rate[0])))


# `steps` times WORDS elements, the first of which has word 0 of block `first`; those whose leading 24 bits are below
# `limit` are dropped.
_dropout_steps = vector_code(_write_dropout, _dropout_in_python)


@kernel
def _dropout_chunk(task, x, key, rate, y, limit, n):
    first = task * _CHUNK
    last = min(first + _CHUNK, n)
    steps = (last - first) // WORDS
    _dropout_steps(at(x, first), at(y, first), at(rate, 0), first // 4, steps, int(key[0]), int(key[1]), limit)
    scale = _ONE / (_ONE - rate[0])
    for i in range(first + steps * WORDS, last):
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
