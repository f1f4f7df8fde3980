"""Tiles of attention in float32: rows in shared memory, scores and results in the registers of threads.

16 threads share a row. Thread x has the scores of its rows with the others x, x + 16, ... of a tile, and four
neighbouring columns of the results in every 64. The rows of a thread are neighbours. Weights go through shared memory
to the threads of their row, which are in one warp; there they are made of scores, row by row, by a loop that stays one:
so it needs few registers.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.attention_operands import (
    QUERIES,
    SCALE,
    four_of,
    is_kept,
    is_seen,
    limit_of,
    row_of,
    shift_of,
    words_of,
)
from fnet.kernels.cuda.register_tiles import write4
from fnet.kernels.cuda.runtime.access import is_aligned, load4, store4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function
from fnet.kernels.cuda.runtime.loops import keep_rolled
from fnet.kernels.cuda.runtime.rows import ALL
from fnet.kernels.cuda.scalars import exp

ACROSS = 16  # threads that share a row
MOST_DOWN = 8  # y of a block
THREADS = ACROSS * MOST_DOWN
SPACE = 4  # elements between rows, so that rows lie in different banks

_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)


@device_function
def _four(operand, at, fours):
    return four_of(operand, np.int32(at // fours), np.int32(4 * (at % fours)))


@device_function
def _put(tiles, to, at, fours, columns, four):
    """Put four elements into a tile; in 64 columns, those are left out that nobody reads."""
    column = 4 * (at % fours)
    if fours > 16 or column < columns:
        store4(tiles, np.int32(to + at // fours * (4 * fours + SPACE) + column), four)


@device_function
def load_rows(tiles, to, operand, size, fours):
    """Put rows into a tile, as many as `size`, zeros where there are none; four loads of a thread are on their way."""
    threads, columns = np.int32(ACROSS * cuda.blockDim.y), operand[4]
    at = np.int32(ACROSS * cuda.threadIdx.y + cuda.threadIdx.x)
    while at < size * fours:
        keep_rolled()
        first, second = _four(operand, at, fours), _four(operand, np.int32(at + threads), fours)
        third = _four(operand, np.int32(at + 2 * threads), fours)
        fourth = _four(operand, np.int32(at + 3 * threads), fours)
        _put(tiles, to, at, fours, columns, first)
        _put(tiles, to, np.int32(at + threads), fours, columns, second)
        _put(tiles, to, np.int32(at + 2 * threads), fours, columns, third)
        _put(tiles, to, np.int32(at + 3 * threads), fours, columns, fourth)
        at = np.int32(at + 4 * threads)


@device_function
def _hold(held, first, four):
    held[first] = four[0]
    held[first + 1] = four[1]
    held[first + 2] = four[2]
    held[first + 3] = four[3]


@device_function
def dots(tiles, own, others, pitch, depth, scores, held, rows, others_each):
    """The inner products of the rows of a thread and its others; own, others: where the first of each begins."""
    for n in range(rows * others_each):
        scores[n] = _0
    p = np.int32(0)
    while p < depth:
        keep_rolled()
        for j in range(others_each):
            _hold(held, 4 * j, load4(tiles, np.int32(others + p + ACROSS * j * pitch)))
        for i in range(rows):
            x = load4(tiles, np.int32(own + p + i * pitch))
            for j in range(others_each):
                scores[i * others_each + j] += x[0] * held[4 * j]
                scores[i * others_each + j] += x[1] * held[4 * j + 1]
                scores[i * others_each + j] += x[2] * held[4 * j + 2]
                scores[i * others_each + j] += x[3] * held[4 * j + 3]
        p = np.int32(p + 4)


@device_function
def _add_row(sums, first, x, held, at, wide):
    for n in range(4 * wide):
        sums[first + n] += x * held[at + n]


@device_function
def add_products(tiles, weights, weight_pitch, others, pitch, count, columns, sums, held, rows, wide):
    """Add the others, each by its weight, to the columns of a thread; weights: where those of its first row begin."""
    p = np.int32(0 if wide > 1 or 4 * cuda.threadIdx.x < columns else count)
    while p < count:
        keep_rolled()
        for n in range(4):
            for w in range(wide):
                _hold(held, 4 * (n * wide + w), load4(tiles, np.int32(others + (p + n) * pitch + 64 * w)))
        for i in range(rows):
            x = load4(tiles, np.int32(weights + p + i * weight_pitch))
            _add_row(sums, 4 * wide * i, x[0], held, 0, wide)
            _add_row(sums, 4 * wide * i, x[1], held, 4 * wide, wide)
            _add_row(sums, 4 * wide * i, x[2], held, 8 * wide, wide)
            _add_row(sums, 4 * wide * i, x[3], held, 12 * wide, wide)
        p = np.int32(p + 4)


@device_function
def keep_scores(tiles, to, pitch, scores, rows, others):
    """Put the scores of a thread where its weights will be; to: the place of its first."""
    for i in range(rows):
        for j in range(others):
            tiles[np.int64(to + i * pitch + ACROSS * j)] = scores[i * others + j]


@device_function
def _row_max(value):
    """The largest over the threads that share a row; a NaN counts only where all are NaN."""
    for step in (8, 4, 2, 1):
        other = cuda.shfl_xor_sync(ALL, value, step)
        value = other if other > value or value != value else value
    return value


@device_function
def _row_sum(value):
    for step in (8, 4, 2, 1):
        value += cuda.shfl_xor_sync(ALL, value, step)
    return value


@device_function
def of_row(value, i):
    """The value that thread i of the row has."""
    return cuda.shfl_sync(ALL, value, cuda.threadIdx.y % 2 * ACROSS + i)


@device_function
def soften(tiles, at, pitch, state, numbers, mask, layout, place, whole, held, rows, others):
    """Make weights of the scores of queries; gives the state anew and the factor of what was summed before.

    at: of the first score of a thread; state: the largest score and the sum of weights of a row, and place: its head,
    query and first key; thread x has those of row x. whole: whether all queries see all keys.
    """
    top, total = state
    pair, t, s = place
    factor = _1
    i = np.int32(0)
    while i < rows:
        keep_rolled()
        highest = np.float32(-_INF)
        for j in range(others):
            seen = whole or is_seen(pair, t + i, s + ACROSS * j, mask, layout)
            score = tiles[np.int64(at + i * pitch + ACROSS * j)] * numbers[SCALE] if seen else np.float32(-_INF)
            held[j] = score
            highest = score if score > highest else highest
        highest, before = _row_max(highest), of_row(top, i)
        now = highest if highest > before else before
        shift, added = shift_of(now), _0
        for j in range(others):
            weight = exp(held[j] - shift)
            tiles[np.int64(at + i * pitch + ACROSS * j)] = weight
            added += weight
        added = _row_sum(added)
        if cuda.threadIdx.x == i:
            factor = exp(before - shift)
            top, total = now, total * factor + added
        i = np.int32(i + 1)
    return (top, total), factor


@device_function
def rescale(sums, factor, rows, wide):
    """Multiply the sums of each row by its factor."""
    for i in range(rows):
        by = of_row(factor, i)
        for n in range(4 * wide):
            sums[4 * wide * i + n] *= by


@device_function
def weigh_queries(tiles, at, pitch, numbers, logsum, mask, layout, place, whole, rows, others):
    """Make weights of the scores of queries, from the log-sum-exp; see `soften`."""
    pair, t, s = place
    i = np.int32(0)
    while i < rows:
        keep_rolled()
        shift = shift_of(logsum[pair * layout[QUERIES] + min(t + i, layout[QUERIES] - 1)])
        for j in range(others):
            to, seen = (
                np.int64(at + i * pitch + ACROSS * j),
                whole or is_seen(pair, t + i, s + ACROSS * j, mask, layout),
            )
            tiles[to] = exp(tiles[to] * numbers[SCALE] - shift) if seen else _0
        i = np.int32(i + 1)


@device_function
def weigh_keys(tiles, at, pitch, numbers, logsum, mask, layout, place, whole, held, rows, others):
    """The same where the rows are keys, from s on, and the others are queries."""
    pair, t, s = place
    for j in range(others):
        held[j] = shift_of(logsum[pair * layout[QUERIES] + min(t + ACROSS * j, layout[QUERIES] - 1)])
    i = np.int32(0)
    while i < rows:
        keep_rolled()
        for j in range(others):
            to, seen = (
                np.int64(at + i * pitch + ACROSS * j),
                whole or is_seen(pair, t + ACROSS * j, s + i, mask, layout),
            )
            tiles[to] = exp(tiles[to] * numbers[SCALE] - held[j]) if seen else _0
        i = np.int32(i + 1)


@device_function
def drop_of_queries(tiles, at, pitch, pair, t, s, key, rate, layout, rows, size, scale, taken):
    """What dropout makes of the weights in the rows of a thread from t on, and the keys from s on.

    Those that it keeps are multiplied by scale, those that it takes by `taken`, 0 or -1. The threads of a row draw the
    numbers of four of its keys at once. They must see its weights.
    """
    limit = limit_of(rate)
    n = np.int32(cuda.threadIdx.x)
    while n < rows * (size // 4):
        keep_rolled()
        row, column = n // (size // 4), 4 * (n % (size // 4))
        w0, w1, w2, w3 = words_of(pair, t + row, s + column, key, layout)
        a, b, c, d = load4(tiles, np.int32(at + row * pitch + column))
        four = (
            a * (scale if is_kept(w0, limit) else taken),
            b * (scale if is_kept(w1, limit) else taken),
            c * (scale if is_kept(w2, limit) else taken),
            d * (scale if is_kept(w3, limit) else taken),
        )
        store4(tiles, np.int32(at + row * pitch + column), four)
        n = np.int32(n + ACROSS)


@device_function
def _drop_one(tiles, at, word, limit):
    if not is_kept(word, limit):
        tiles[np.int64(at)] = -tiles[np.int64(at)]


@device_function
def drop_of_keys(tiles, at, pitch, pair, t, s, key, rate, layout, rows, size):
    """Give the other sign to weights that dropout takes, where the rows are keys, from s on, the others queries."""
    limit = limit_of(rate)
    n = np.int32(cuda.threadIdx.x)
    while n < rows // 4 * size:
        keep_rolled()
        row, column = 4 * (n // size), n % size
        w0, w1, w2, w3 = words_of(pair, t + column, s + row, key, layout)
        place = at + row * pitch + column
        _drop_one(tiles, place, w0, limit)
        _drop_one(tiles, place + pitch, w1, limit)
        _drop_one(tiles, place + 2 * pitch, w2, limit)
        _drop_one(tiles, place + 3 * pitch, w3, limit)
        n = np.int32(n + ACROSS)


@device_function
def kept_of(weight, scale):
    """What dropout multiplies a weight by: scale, or 0 where it took it."""
    return _0 if weight < _0 else scale


@device_function
def write_rows(tiles, at, pitch, sums, factor, y, part, pair, t, times, columns, layout, rows, wide):
    """Write the rows of a thread into y, those of times from t on, each times a factor, which thread x has for row x.

    at: a place in shared memory where its rows fit, and so those of other threads; there a loop finds the sums, which
    needs few registers. All threads must come.
    """
    aligned = columns & 3 == 0 and is_aligned(y)
    cuda.syncthreads()
    for i in range(rows):
        for w in range(wide):
            n = 4 * (wide * i + w)
            store4(tiles, np.int32(at + i * pitch + 64 * w), (sums[n], sums[n + 1], sums[n + 2], sums[n + 3]))
    i = np.int32(0)
    while i < rows:
        keep_rolled()
        by = of_row(factor, i)
        if t + i < times:
            begin = (part + row_of(pair, t + i, times, layout)) * columns
            for w in range(wide):
                a, b, c, d = load4(tiles, np.int32(at + i * pitch + 64 * w))
                column = np.int64(4 * cuda.threadIdx.x + 64 * w)
                write4(y, begin + column, columns - column, aligned, (a * by, b * by, c * by, d * by))
        i = np.int32(i + 1)
