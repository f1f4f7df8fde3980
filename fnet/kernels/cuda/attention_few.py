"""Attention of a few queries beside many keys, as when text is generated word by word: keys should be read once.

A block has a query, and a part of the keys. 16 threads, a row of the block, take four neighbouring keys at a time, four
columns each in every 64, and have the softmax of their keys run along. Then the rows of the block are put together in
their order, and the parts by `fnet.kernels.cuda.attention_parts`.

Source: T. Dao et al., Flash-Decoding for long-context inference, 2023.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.attention_operands import (
    BATCH,
    DROPPED,
    HEADS,
    QUERIES,
    RATE,
    SCALE,
    VALUE_DEPTH,
    four_of,
    is_kept,
    is_seen,
    keys_of_block,
    keys_operand,
    limit_of,
    queries_operand,
    row_of,
    shift_of,
    values_operand,
    words_of,
)
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.loops import keep_rolled
from fnet.kernels.cuda.runtime.rows import ALL
from fnet.kernels.cuda.scalars import exp, log

ACROSS, DOWN = 16, 8  # threads of a row, and rows of a block
THREADS = ACROSS * DOWN
_STATES, _COLUMNS_64, _COLUMNS_128, _SUMS_64, _SUMS_128, _HELD = 2 * DOWN, 64 * DOWN, 128 * DOWN, 4, 8, 4

_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)


@device_function
def _sum_of_row(value):
    for step in (8, 4, 2, 1):
        value += cuda.shfl_xor_sync(ALL, value, step)
    return value


@device_function
def _kept(weight, word, limit, scale):
    return weight * scale if is_kept(word, limit) else _0


@device_function
def _few(q, k, v, mask, key, numbers, o, logsum, layout, columns_of_rows, states, query, sums, held, wide):
    """columns_of_rows, states: shared memory; query, sums, held: local memory."""
    x, y = np.int32(cuda.threadIdx.x), np.int32(cuda.threadIdx.y)
    queries = layout[QUERIES]
    pair, t = cuda.blockIdx.x // queries, cuda.blockIdx.x % queries
    begin, end = keys_of_block(t, 1, layout)
    of_query = queries_operand(q, pair, t, layout)
    of_keys, of_values = keys_operand(k, pair, begin, layout), values_operand(v, pair, begin, layout)
    for w in range(wide):
        four = four_of(of_query, np.int32(0), np.int32(4 * x + 64 * w))
        for n in range(4):
            query[4 * w + n] = four[n]
            sums[4 * w + n] = _0
    top, total = np.float32(-_INF), _0
    near = np.int32(0)
    while begin + near < end:  # all rows of the block go on as long as one has keys
        row = np.int32(near + 4 * y)
        for n in range(4):
            score = _0
            for w in range(wide):
                four = four_of(of_keys, np.int32(row + n), np.int32(4 * x + 64 * w))
                score += query[4 * w] * four[0] + query[4 * w + 1] * four[1]
                score += query[4 * w + 2] * four[2] + query[4 * w + 3] * four[3]
            held[n] = score
        highest = top
        for n in range(4):
            score, s = _sum_of_row(held[n]) * numbers[SCALE], begin + row + n
            seen = s < end and is_seen(pair, t, s, mask, layout)
            held[n] = score if seen else np.float32(-_INF)
            highest = held[n] if held[n] > highest else highest
        shift = shift_of(highest)
        factor = exp(top - shift)
        top, total = highest, total * factor
        for n in range(4):
            held[n] = exp(held[n] - shift)
            total += held[n]
        if layout[DROPPED] != 0:
            limit, scale = limit_of(numbers[RATE]), _1 / (_1 - numbers[RATE])
            w0, w1, w2, w3 = words_of(pair, t, begin + row, key, layout)
            held[0], held[1] = _kept(held[0], w0, limit, scale), _kept(held[1], w1, limit, scale)
            held[2], held[3] = _kept(held[2], w2, limit, scale), _kept(held[3], w3, limit, scale)
        for n in range(4 * wide):
            sums[n] *= factor
        for n in range(4):
            for w in range(wide):
                four = four_of(of_values, np.int32(row + n), np.int32(4 * x + 64 * w))
                sums[4 * w] += held[n] * four[0]
                sums[4 * w + 1] += held[n] * four[1]
                sums[4 * w + 2] += held[n] * four[2]
                sums[4 * w + 3] += held[n] * four[3]
        near = np.int32(near + 4 * DOWN)
    for w in range(wide):
        for n in range(4):
            columns_of_rows[64 * wide * y + 64 * w + 4 * x + n] = sums[4 * w + n]
    if x == 0:
        states[y], states[DOWN + y] = top, total
    cuda.syncthreads()
    _merge_rows(o, logsum, pair, t, layout, columns_of_rows, states, wide)


@device_function
def _merge_rows(o, logsum, pair, t, layout, columns_of_rows, states, wide):
    """Write what the rows of a block have found together."""
    columns, queries = layout[VALUE_DEPTH], layout[QUERIES]
    part = cuda.blockIdx.y * layout[BATCH] * layout[HEADS] * queries
    column = np.int64(ACROSS * cuda.threadIdx.y + cuda.threadIdx.x)
    top = states[0]
    for row in range(1, DOWN):
        top = states[row] if states[row] > top else top
    shift, total, value = shift_of(top), _0, _0
    row = np.int64(0)
    while row < DOWN:
        keep_rolled()
        weight = exp(states[row] - shift)
        total += states[DOWN + row] * weight
        if column < columns:
            value += columns_of_rows[64 * wide * row + column] * weight
        row += 1
    if column == 0:
        logsum[part + pair * queries + t] = shift + log(total)
    if column < columns:
        share = _0 if total == _0 else _1 / total
        o[(part + row_of(pair, t, queries, layout)) * columns + column] = value * share


@kernel(threads=THREADS, blocks=3)
def few_queries_64(q, k, v, mask, key, numbers, o, logsum, layout):
    """See `fnet.kernels.cuda.attention_tiled.attention_64`."""
    columns, states = cuda.shared.array(_COLUMNS_64, np.float32), cuda.shared.array(_STATES, np.float32)
    query, sums = cuda.local.array(_SUMS_64, np.float32), cuda.local.array(_SUMS_64, np.float32)
    held = cuda.local.array(_HELD, np.float32)
    _few(q, k, v, mask, key, numbers, o, logsum, layout, columns, states, query, sums, held, 1)


@kernel(threads=THREADS, blocks=2)
def few_queries_128(q, k, v, mask, key, numbers, o, logsum, layout):
    """As `few_queries_64`, for depths up to 128."""
    columns, states = cuda.shared.array(_COLUMNS_128, np.float32), cuda.shared.array(_STATES, np.float32)
    query, sums = cuda.local.array(_SUMS_128, np.float32), cuda.local.array(_SUMS_128, np.float32)
    held = cuda.local.array(_HELD, np.float32)
    _few(q, k, v, mask, key, numbers, o, logsum, layout, columns, states, query, sums, held, 2)
