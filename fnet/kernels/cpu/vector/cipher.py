"""The cipher of `fnet.kernels.scalar.philox` on vectors: several of its blocks at a time, of the stream of bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.simd import INT, VECTOR_BYTES, Loop, Vectors, vector_code
from fnet.kernels.scalar.philox import MULTIPLIER_0, MULTIPLIER_1, ROUNDS, STREAM_BITS, WEYL_0, WEYL_1, philox4x32

BLOCKS = VECTOR_BYTES // 8  # blocks of the cipher that are computed together
WORDS = 4 * BLOCKS  # the words of these blocks

_NARROW = ir.VectorType(ir.IntType(32), 2 * BLOCKS)


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


def write_words(builder: ir.IRBuilder, counter: ir.Value, key0: ir.Value, key1: ir.Value) -> list[ir.Value]:
    """The words of `BLOCKS` blocks from `counter` on, in their order, as two vectors of 32-bit integers."""
    wide = ir.VectorType(INT, BLOCKS)
    low, shift = wide([0xFFFFFFFF] * BLOCKS), wide([32] * BLOCKS)
    blocks = builder.add(all_blocks(builder, counter), wide(list(range(BLOCKS))))
    c0, c1, c2, c3 = write_cipher(builder, blocks, key0, key1)
    pairs = [builder.or_(builder.and_(a, low), builder.shl(b, shift)) for a, b in ((c0, c1), (c2, c3))]
    halves = []
    for start in (0, BLOCKS // 2):
        order = [lane + side * BLOCKS for lane in range(start, start + BLOCKS // 2) for side in (0, 1)]
        mixed = builder.shuffle_vector(*pairs, ir.VectorType(ir.IntType(32), BLOCKS)(order))
        halves.append(builder.bitcast(mixed, _NARROW))
    return halves


def words_in_python(first: int, count: int, key0: int, key1: int) -> np.ndarray:
    """The words of `count` blocks from number `first` on: (4 count,) uint32."""
    blocks = np.arange(first, first + count, dtype=np.uint64)
    zeros, low = np.zeros_like(blocks), np.uint64(0xFFFFFFFF)
    key = np.uint64(key0), np.uint64(key1)
    c0, c1, c2, c3 = blocks & low, blocks >> np.uint64(32), zeros, zeros + STREAM_BITS
    return np.stack(philox4x32(c0, c1, c2, c3, *key), -1).ravel()


def _write_store(simd: Vectors, values: Sequence[ir.Value]) -> None:
    out, first, count, key0, key1 = values
    builder, lanes = simd.builder, 2 * BLOCKS
    numbers = ir.VectorType(INT, lanes)(list(range(lanes)))
    loop = Loop(builder, builder.sdiv(builder.add(count, INT(WORDS - 1)), INT(WORDS)), [])
    counter = builder.add(first, builder.mul(loop.index, INT(BLOCKS)))
    for half, words in enumerate(write_words(builder, counter, key0, key1)):
        place = builder.add(builder.mul(loop.index, INT(WORDS)), INT(half * lanes))
        left = builder.insert_element(numbers.type(ir.Undefined), builder.sub(count, place), ir.IntType(32)(0))
        left = builder.shuffle_vector(left, numbers.type(ir.Undefined), _NARROW([0] * lanes))
        address = builder.gep(out, [place], source_etype=ir.IntType(32))
        arguments = [words, builder.bitcast(address, _NARROW.as_pointer()), ir.IntType(32)(4)]
        mask = builder.icmp_signed("<", numbers, left)
        simd.call(f"llvm.masked.store.v{lanes}i32.p0", ir.VoidType(), [*arguments, mask])
    loop.close([])


def _store_in_python(out, first, count, key0, key1):
    out.view(np.uint32)[:count] = words_in_python(first, (count + 3) // 4, key0, key1)[:count]


# `count` words to an address, whatever it is of, from word 0 of block `first` on.
store_words = vector_code(_write_store, _store_in_python)
