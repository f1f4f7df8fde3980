"""Attention of float32 by tensor cores: rounded operands ("medium"), or split ones ("high").

What is computed, and what a block has, is that of `fnet.kernels.cuda.attention_tiled`; a warp has 16 rows, and
`fnet.kernels.cuda.attention_fragments` says how. Weights are powers of two by the unit for special functions. Sums, the
softmax and the log-sum-exp are float32.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.attention_fragments import (
    ROWS,
    SPACE_OF_PAIRS,
    SPACE_OF_ROWS,
    add_products,
    bits_of_kept_of_keys,
    bits_of_kept_of_queries,
    bits_of_seen,
    dots,
    has_bit,
    load_words,
    shift_of_two,
    soften,
    sum_of_row,
    write_rows,
)
from fnet.kernels.cuda.attention_operands import (
    BATCH,
    DEPTH,
    DROPPED,
    HEADS,
    KEYS,
    QUERIES,
    RATE,
    SCALE,
    VALUE_DEPTH,
    block_of,
    is_whole,
    keys_of_block,
    keys_operand,
    queries_of_block,
    queries_operand,
    shift_of,
    slopes_operand,
    values_operand,
)
from fnet.kernels.cuda.runtime.access import BYTES
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.tensor_cores import power_of_two
from fnet.kernels.cuda.scalars import log

WARPS = 4  # of a block, at most
THREADS = 32 * WARPS

# For each kernel: others of a tile, columns by 64, and products of bfloat16 for one of float32.
MEDIUM_64, MEDIUM_128, HIGH_64, HIGH_128 = (64, 1, 1), (64, 2, 1), (64, 1, 3), (32, 2, 3)
MEDIUM_OF_QUERIES_64 = MEDIUM_OF_KEYS_64 = (32, 1, 1)
MEDIUM_OF_QUERIES_128 = MEDIUM_OF_KEYS_128 = (32, 2, 1)
HIGH_OF_QUERIES_64 = HIGH_OF_KEYS_64 = (32, 1, 3)
HIGH_OF_QUERIES_128 = HIGH_OF_KEYS_128 = (16, 2, 3)
_HELD, _NUMBERS_8, _NUMBERS_16, _NUMBERS_32, _NUMBERS_64 = 8, 8, 16, 32, 64

_0, _1, _INF, _LN_2, _LOG2_E = (np.float32(x) for x in (0, 1, np.inf, np.log(2), np.log2(np.e)))
_ALL_SEEN = np.uint32(0xFFFFFFFF)


def shared_words(shape: tuple[int, int, int], warps: int, own: int, rows: int, pairs: int) -> int:
    """How many words a block has in shared memory for so many operands: its own rows, others as rows, and as pairs."""
    size, wide, products = shape
    of_rows, of_pairs = 32 * wide + SPACE_OF_ROWS, size // 2 * (64 * wide + SPACE_OF_PAIRS)
    return (1 if products == 1 else 2) * ((own * ROWS * warps + rows * size) * of_rows + pairs * of_pairs)


@device_function
def _planes(products):
    return 2 if products > 1 else 1


@device_function
def _bits_of_queries(pair, first, t, s, count, mask, key, numbers, layout, size):
    """Which scores of a lane are of queries that see keys, and which weights dropout keeps, for keys from s on.

    first, t: the first query of the block and of the warp. They are found before there are scores in registers.
    """
    lane, seen, kept = np.int32(cuda.threadIdx.x), _ALL_SEEN, _ALL_SEEN
    if not is_whole(first, s, ROWS * cuda.blockDim.y, size, layout):
        seen = bits_of_seen(pair, t + lane // 4, s + 2 * (lane % 4), mask, layout, count, False)
    if layout[DROPPED] != 0:
        kept = bits_of_kept_of_queries(pair, t, s, key, numbers[RATE], layout, count)
    return seen, kept


@device_function
def _bits_of_keys(pair, first, t, s, count, mask, key, numbers, layout, size, wide):
    """The same for a block of keys: first, s: its first one, and that of the warp; t: the first query of a tile.

    With more than 64 columns there are too few registers for dropout: such gradients are computed in other kernels.
    """
    lane, seen, kept = np.int32(cuda.threadIdx.x), _ALL_SEEN, _ALL_SEEN
    if not is_whole(t, first, size, ROWS * cuda.blockDim.y, layout):
        seen = bits_of_seen(pair, t + 2 * (lane % 4), s + lane // 4, mask, layout, count, True)
    if wide == 1 and layout[DROPPED] != 0:
        kept = bits_of_kept_of_keys(pair, t, s, key, numbers[RATE], layout, count)
    return seen, kept


@device_function
def _forward(q, k, v, mask, key, numbers, o, logsum, layout, words, scores, sums, held, shape):
    size, wide, products = shape
    lane, warp, many = np.int32(cuda.threadIdx.x), np.int32(cuda.threadIdx.y), np.int64(ROWS * cuda.blockDim.y)
    pitch = 32 * wide + SPACE_OF_ROWS
    to_values = _planes(products) * size * pitch
    to_own = to_values + _planes(products) * size // 2 * (64 * wide + SPACE_OF_PAIRS)
    pair, first = block_of(many, layout[QUERIES])
    t = first + ROWS * warp
    state = np.float32(-_INF), np.float32(-_INF), _0, _0
    for n in range(32 * wide):
        sums[n] = _0
    load_words(words, to_own, -1, queries_operand(q, pair, first, layout), many, wide, products)
    own, own_plane = np.int32(to_own + ROWS * warp * pitch), np.int32(many * pitch)
    s, end = keys_of_block(first, many, layout)
    while s < end:
        seen, kept = _bits_of_queries(pair, first, t, s, min(size, end - s), mask, key, numbers, layout, size)
        load_words(words, 0, -1, keys_operand(k, pair, s, layout), size, wide, products)
        load_words(words, -1, to_values, values_operand(v, pair, s, layout), size, wide, products)
        cuda.syncthreads()
        dots(words, own, own_plane, 0, size, wide, layout[DEPTH], scores, held, products)
        state = soften(scores, sums, state, numbers, seen, size, wide)
        if layout[DROPPED] != 0:
            scale = _1 / (_1 - numbers[RATE])
            for n in range(size // 2):
                scores[n] *= scale if has_bit(kept, n) else _0
        add_products(words, to_values, size, wide, layout[VALUE_DEPTH], scores, sums, held, products)
        cuda.syncthreads()
        s += size
    columns, queries = layout[VALUE_DEPTH], layout[QUERIES]
    top_0, top_1, total_0, total_1 = state
    total_0, total_1 = sum_of_row(total_0), sum_of_row(total_1)
    share_0, share_1 = _0 if total_0 == _0 else _1 / total_0, _0 if total_1 == _0 else _1 / total_1
    part = cuda.blockIdx.y * layout[BATCH] * layout[HEADS] * queries
    write_rows(words, sums, share_0, share_1, o, part, pair, t, queries, columns, layout, wide)
    if lane % 4 < 2:
        query = t + lane // 4 + 8 * (lane % 4)
        if query < queries:
            top, total = (top_0, total_0) if lane % 4 == 0 else (top_1, total_1)
            logsum[part + pair * queries + query] = shift_of(top) * _LN_2 + log(total)


@device_function
def _queries_back(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout, words, scores, slopes, sums, held, shape):
    size, wide, products = shape
    lane, warp, many = np.int32(cuda.threadIdx.x), np.int32(cuda.threadIdx.y), np.int64(ROWS * cuda.blockDim.y)
    pitch = 32 * wide + SPACE_OF_ROWS
    to_values = _planes(products) * size * pitch
    to_pairs = 2 * to_values
    to_own = to_pairs + _planes(products) * size // 2 * (64 * wide + SPACE_OF_PAIRS)
    to_slopes = np.int32(to_own + _planes(products) * many * pitch)
    pair, first = block_of(many, layout[QUERIES])
    t, queries = first + ROWS * warp, layout[QUERIES]
    for n in range(32 * wide):
        sums[n] = _0
    load_words(words, to_own, -1, queries_operand(q, pair, first, layout), many, wide, products)
    load_words(words, to_slopes, -1, slopes_operand(g, pair, first, layout), many, wide, products)
    own, own_plane = np.int32(to_own + ROWS * warp * pitch), np.int32(many * pitch)
    own_g = np.int32(to_slopes + ROWS * warp * pitch)
    number_0 = pair * queries + min(t + lane // 4, queries - 1)
    number_1 = pair * queries + min(t + lane // 4 + 8, queries - 1)
    shift_0, shift_1, dot_0, dot_1 = (
        shift_of_two(logsum[number_0]),
        shift_of_two(logsum[number_1]),
        delta[number_0],
        delta[number_1],
    )
    s, end = keys_of_block(first, many, layout)
    while s < end:
        seen, kept = _bits_of_queries(pair, first, t, s, min(size, end - s), mask, key, numbers, layout, size)
        load_words(words, 0, to_pairs, keys_operand(k, pair, s, layout), size, wide, products)
        load_words(words, to_values, -1, values_operand(v, pair, s, layout), size, wide, products)
        cuda.syncthreads()
        dots(words, own, own_plane, 0, size, wide, layout[DEPTH], scores, held, products)
        dots(words, own_g, own_plane, to_values, size, wide, layout[VALUE_DEPTH], slopes, held, products)
        scale = _1 / (_1 - numbers[RATE])
        for n in range(size // 2):
            shift, dot = (shift_0, dot_0) if n % 4 < 2 else (shift_1, dot_1)
            weight = power_of_two(scores[n] * (numbers[SCALE] * _LOG2_E) - shift) if has_bit(seen, n) else _0
            scores[n] = weight * (slopes[n] * (scale if has_bit(kept, n) else _0) - dot)
        add_products(words, to_pairs, size, wide, layout[DEPTH], scores, sums, held, products)
        cuda.syncthreads()
        s += size
    part, scale = cuda.blockIdx.y * layout[BATCH] * layout[HEADS] * queries, numbers[SCALE]
    write_rows(words, sums, scale, scale, dq, part, pair, t, queries, layout[DEPTH], layout, wide)


@device_function
def _keys_back(
    q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout, words, scores, slopes, sums_k, sums_v, held, shape
):
    size, wide, products = shape
    lane, warp, many = np.int32(cuda.threadIdx.x), np.int32(cuda.threadIdx.y), np.int64(ROWS * cuda.blockDim.y)
    pitch = 32 * wide + SPACE_OF_ROWS
    of_rows, of_pairs = _planes(products) * size * pitch, _planes(products) * size // 2 * (64 * wide + SPACE_OF_PAIRS)
    to_slopes, to_pairs, to_slope_pairs, to_own = of_rows, 2 * of_rows, 2 * of_rows + of_pairs, 2 * (of_rows + of_pairs)
    to_values = np.int32(to_own + _planes(products) * many * pitch)
    pair, first = block_of(many, layout[KEYS])
    s, queries, keys = first + ROWS * warp, layout[QUERIES], layout[KEYS]
    for n in range(32 * wide):
        sums_k[n] = _0
        sums_v[n] = _0
    load_words(words, to_own, -1, keys_operand(k, pair, first, layout), many, wide, products)
    load_words(words, to_values, -1, values_operand(v, pair, first, layout), many, wide, products)
    own, own_plane = np.int32(to_own + ROWS * warp * pitch), np.int32(many * pitch)
    own_v = np.int32(to_values + ROWS * warp * pitch)
    t, end = queries_of_block(first, size, layout)
    while t < end:
        seen, kept = _bits_of_keys(pair, first, t, s, min(size, end - t), mask, key, numbers, layout, size, wide)
        load_words(words, 0, to_pairs, queries_operand(q, pair, t, layout), size, wide, products)
        load_words(words, to_slopes, to_slope_pairs, slopes_operand(g, pair, t, layout), size, wide, products)
        cuda.syncthreads()
        dots(words, own, own_plane, 0, size, wide, layout[DEPTH], scores, held, products)
        dots(words, own_v, own_plane, to_slopes, size, wide, layout[VALUE_DEPTH], slopes, held, products)
        scale = _1 / (_1 - numbers[RATE])
        for n in range(size // 2):
            if n % 4 < 2:  # two numbers of a lane are of one query
                number = pair * queries + min(t + 8 * (n // 4) + 2 * (lane % 4) + n % 2, queries - 1)
                shift, dot = shift_of_two(logsum[number]), delta[number]
                for m in (n, n + 2):
                    weight = power_of_two(scores[m] * (numbers[SCALE] * _LOG2_E) - shift) if has_bit(seen, m) else _0
                    factor = scale if has_bit(kept, m) else _0
                    scores[m] = weight * factor
                    slopes[m] = weight * (slopes[m] * factor - dot)
        add_products(words, to_slope_pairs, size, wide, layout[VALUE_DEPTH], scores, sums_v, held, products)
        add_products(words, to_pairs, size, wide, layout[DEPTH], slopes, sums_k, held, products)
        cuda.syncthreads()
        t += size
    part, scale = cuda.blockIdx.y * layout[BATCH] * layout[HEADS] * keys, numbers[SCALE]
    write_rows(words, sums_k, scale, scale, dk, part, pair, s, keys, layout[DEPTH], layout, wide)
    write_rows(words, sums_v, _1, _1, dv, part, pair, s, keys, layout[VALUE_DEPTH], layout, wide)


@kernel(threads=THREADS, blocks=2)
def medium_64(q, k, v, mask, key, numbers, o, logsum, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_64`; operands are rounded to bfloat16."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, sums = cuda.local.array(_NUMBERS_32, np.float32), cuda.local.array(_NUMBERS_32, np.float32)
    _forward(q, k, v, mask, key, numbers, o, logsum, layout, words, scores, sums, held, MEDIUM_64)


@kernel(threads=THREADS, blocks=2)
def medium_128(q, k, v, mask, key, numbers, o, logsum, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_128`; operands are rounded to bfloat16."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, sums = cuda.local.array(_NUMBERS_32, np.float32), cuda.local.array(_NUMBERS_64, np.float32)
    _forward(q, k, v, mask, key, numbers, o, logsum, layout, words, scores, sums, held, MEDIUM_128)


@kernel(threads=THREADS, blocks=2)
def high_64(q, k, v, mask, key, numbers, o, logsum, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_64`; operands are split in two: three products."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, sums = cuda.local.array(_NUMBERS_32, np.float32), cuda.local.array(_NUMBERS_32, np.float32)
    _forward(q, k, v, mask, key, numbers, o, logsum, layout, words, scores, sums, held, HIGH_64)


@kernel(threads=THREADS, blocks=2)
def high_128(q, k, v, mask, key, numbers, o, logsum, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_128`; operands are split in two: three products."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, sums = cuda.local.array(_NUMBERS_16, np.float32), cuda.local.array(_NUMBERS_64, np.float32)
    _forward(q, k, v, mask, key, numbers, o, logsum, layout, words, scores, sums, held, HIGH_128)


@kernel(threads=THREADS, blocks=2)
def medium_of_queries_64(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_of_queries_64`; operands are rounded to bfloat16."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, slopes, sums = (
        cuda.local.array(_NUMBERS_16, np.float32),
        cuda.local.array(_NUMBERS_16, np.float32),
        cuda.local.array(_NUMBERS_32, np.float32),
    )
    given = q, k, v, mask, key, numbers, logsum, g, delta
    _queries_back(*given, dq, layout, words, scores, slopes, sums, held, MEDIUM_OF_QUERIES_64)


@kernel(threads=THREADS, blocks=2)
def medium_of_queries_128(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_of_queries_128`; operands are rounded to bfloat16."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, slopes, sums = (
        cuda.local.array(_NUMBERS_16, np.float32),
        cuda.local.array(_NUMBERS_16, np.float32),
        cuda.local.array(_NUMBERS_64, np.float32),
    )
    given = q, k, v, mask, key, numbers, logsum, g, delta
    _queries_back(*given, dq, layout, words, scores, slopes, sums, held, MEDIUM_OF_QUERIES_128)


@kernel(threads=THREADS, blocks=2)
def high_of_queries_64(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_of_queries_64`; operands are split in two: three products."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, slopes, sums = (
        cuda.local.array(_NUMBERS_16, np.float32),
        cuda.local.array(_NUMBERS_16, np.float32),
        cuda.local.array(_NUMBERS_32, np.float32),
    )
    given = q, k, v, mask, key, numbers, logsum, g, delta
    _queries_back(*given, dq, layout, words, scores, slopes, sums, held, HIGH_OF_QUERIES_64)


@kernel(threads=THREADS, blocks=2)
def high_of_queries_128(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_of_queries_128`; operands are split in two: three products."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, slopes, sums = (
        cuda.local.array(_NUMBERS_8, np.float32),
        cuda.local.array(_NUMBERS_8, np.float32),
        cuda.local.array(_NUMBERS_64, np.float32),
    )
    given = q, k, v, mask, key, numbers, logsum, g, delta
    _queries_back(*given, dq, layout, words, scores, slopes, sums, held, HIGH_OF_QUERIES_128)


@kernel(threads=THREADS, blocks=2)
def medium_of_keys_64(q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_of_keys_64`; operands are rounded to bfloat16."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, slopes = cuda.local.array(_NUMBERS_16, np.float32), cuda.local.array(_NUMBERS_16, np.float32)
    of_k, of_v = cuda.local.array(_NUMBERS_32, np.float32), cuda.local.array(_NUMBERS_32, np.float32)
    given = q, k, v, mask, key, numbers, logsum, g, delta
    _keys_back(*given, dk, dv, layout, words, scores, slopes, of_k, of_v, held, MEDIUM_OF_KEYS_64)


@kernel(threads=THREADS, blocks=2)
def medium_of_keys_128(q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_of_keys_128`; operands are rounded to bfloat16."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, slopes = cuda.local.array(_NUMBERS_16, np.float32), cuda.local.array(_NUMBERS_16, np.float32)
    of_k, of_v = cuda.local.array(_NUMBERS_64, np.float32), cuda.local.array(_NUMBERS_64, np.float32)
    given = q, k, v, mask, key, numbers, logsum, g, delta
    _keys_back(*given, dk, dv, layout, words, scores, slopes, of_k, of_v, held, MEDIUM_OF_KEYS_128)


@kernel(threads=THREADS, blocks=2)
def high_of_keys_64(q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_of_keys_64`; operands are split in two: three products."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, slopes = cuda.local.array(_NUMBERS_16, np.float32), cuda.local.array(_NUMBERS_16, np.float32)
    of_k, of_v = cuda.local.array(_NUMBERS_32, np.float32), cuda.local.array(_NUMBERS_32, np.float32)
    given = q, k, v, mask, key, numbers, logsum, g, delta
    _keys_back(*given, dk, dv, layout, words, scores, slopes, of_k, of_v, held, HIGH_OF_KEYS_64)


@kernel(threads=THREADS, blocks=2)
def high_of_keys_128(q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_of_keys_128`; operands are split in two: three products."""
    words = cuda.shared.array(0, np.uint32, alignment=BYTES)
    held = cuda.local.array(_HELD, np.uint32)
    scores, slopes = cuda.local.array(_NUMBERS_8, np.float32), cuda.local.array(_NUMBERS_8, np.float32)
    of_k, of_v = cuda.local.array(_NUMBERS_64, np.float32), cuda.local.array(_NUMBERS_64, np.float32)
    given = q, k, v, mask, key, numbers, logsum, g, delta
    _keys_back(*given, dk, dv, layout, words, scores, slopes, of_k, of_v, held, HIGH_OF_KEYS_128)
