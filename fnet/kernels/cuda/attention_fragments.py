"""Parts of attention by tensor cores: rows as words of two bfloat16 numbers, scores and results in fragments of warps.

A warp has 16 rows; a lane, 4 group + q, has of each 8 others, or columns, the numbers of the fragment c of
`fnet.kernels.cuda.runtime.tensor_cores`: rows group and group + 8, columns 2 q and 2 q + 1. So weights, which are such
fragments, are the left operand of the next product as they are, and go through no memory.

In shared memory lie rows, whose neighbours along a row are a word, for scores; and pairs of rows, whose neighbours down
a column are one, for sums over rows. The lanes of a warp read either from all banks. Split numbers have two planes, as
`fnet.kernels.cuda.tensor_tiles` says.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.attention_operands import (
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
from fnet.kernels.cuda.runtime.tensor_cores import bits_of, multiply_add_matrices, number_of, pair, power_of_two
from fnet.kernels.cuda.tensor_tiles import low_pair

ROWS = 16  # of a warp
SPACE_OF_ROWS, SPACE_OF_PAIRS = 4, 8  # words between rows, so that the lanes of a warp read from all banks

_0, _INF, _LOG2_E = np.float32(0), np.float32(np.inf), np.float32(np.log2(np.e))
_ALL_SEEN = np.uint32(0xFFFFFFFF)


# ------------------------------------------------------------------------------------------------- shared memory


@device_function
def _keep_row(words, at, plane, four, products):
    first, second = pair(four[0], four[1]), pair(four[2], four[3])
    words[np.uint64(at)] = first
    words[np.uint64(at + 1)] = second
    if products > 1:
        words[np.uint64(at + plane)] = low_pair(four[0], four[1], first)
        words[np.uint64(at + plane + 1)] = low_pair(four[2], four[3], second)


@device_function
def _keep_pairs(words, at, plane, first, second, products):
    a, b = pair(first[0], second[0]), pair(first[1], second[1])
    c, d = pair(first[2], second[2]), pair(first[3], second[3])
    store4(words, at, (a, b, c, d))
    if products > 1:
        lows = (
            low_pair(first[0], second[0], a),
            low_pair(first[1], second[1], b),
            low_pair(first[2], second[2], c),
            low_pair(first[3], second[3], d),
        )
        store4(words, np.int32(at + plane), lows)


@device_function
def load_words(words, to_rows, to_pairs, operand, size, wide, products):
    """Put rows into shared memory, as many as `size`, zeros where there are none.

    to_rows, to_pairs: where they begin as rows and as pairs of rows, -1 where they are not wanted so.
    """
    fours, threads = 16 * wide, np.int32(32 * cuda.blockDim.y)
    of_row, of_pair = 32 * wide + SPACE_OF_ROWS, 64 * wide + SPACE_OF_PAIRS
    at = np.int32(32 * cuda.threadIdx.y + cuda.threadIdx.x)
    while at < size // 2 * fours:
        row, column = np.int32(2 * (at // fours)), np.int32(4 * (at % fours))
        first, second = four_of(operand, row, column), four_of(operand, np.int32(row + 1), column)
        if to_rows >= 0:
            place = np.int32(to_rows + row * of_row + column // 2)
            _keep_row(words, place, size * of_row, first, products)
            _keep_row(words, np.int32(place + of_row), size * of_row, second, products)
        if to_pairs >= 0:
            place = np.int32(to_pairs + row // 2 * of_pair + column)
            _keep_pairs(words, place, size // 2 * of_pair, first, second, products)
        at = np.int32(at + threads)


# ------------------------------------------------------------------------------------------------------ products


@device_function
def _add(sums, at, a, b0, b1):
    found = multiply_add_matrices(a, (b0, b1), (sums[at], sums[at + 1], sums[at + 2], sums[at + 3]))
    sums[at], sums[at + 1], sums[at + 2], sums[at + 3] = found


@device_function
def _multiply(words, place, step, second, plane, high, low, sums, first, held, many, products):
    """Add the products of 16 x 16 numbers and as many matrices of 16 x 8 as `many`.

    place, step, second: where the first matrix has the first word of a lane, the way to the next matrix, and to the
    other word; held: room for the words.
    """
    for j in range(many):
        held[2 * j] = words[np.uint64(place + j * step)]
        held[2 * j + 1] = words[np.uint64(place + j * step + second)]
    if products > 1:
        for j in range(many):
            _add(sums, first + 4 * j, low, held[2 * j], held[2 * j + 1])
        for j in range(many):
            b0 = words[np.uint64(place + plane + j * step)]
            b1 = words[np.uint64(place + plane + j * step + second)]
            _add(sums, first + 4 * j, high, b0, b1)
    for j in range(many):
        _add(sums, first + 4 * j, high, held[2 * j], held[2 * j + 1])


@device_function
def _words_of_a(words, place, pitch):
    return (
        words[np.uint64(place)],
        words[np.uint64(place + 8 * pitch)],
        words[np.uint64(place + 4)],
        words[np.uint64(place + 8 * pitch + 4)],
    )


@device_function
def dots(words, own, own_plane, others, size, wide, depth, scores, held, products):
    """The inner products of the rows of a warp and `size` others; own, others: where the first of each begins."""
    pitch, many = 32 * wide + SPACE_OF_ROWS, min(size // 8, 4)
    lane = np.int32(cuda.threadIdx.x)
    of_lane = np.int32(lane // 4 * pitch + lane % 4)
    for i in range(size // 2):
        scores[i] = _0
    p = np.int32(0)
    while p < (depth + 1) // 2:
        high = _words_of_a(words, own + of_lane + p, pitch)
        low = high
        if products > 1:
            low = _words_of_a(words, own + of_lane + p + own_plane, pitch)
        for h in range(size // 8 // many):
            place = others + of_lane + p + 8 * many * h * pitch
            _multiply(words, place, 8 * pitch, 4, size * pitch, high, low, scores, 4 * many * h, held, many, products)
        p = np.int32(p + 8)


@device_function
def add_products(words, others, size, wide, columns, weights, sums, held, products):
    """Add `size` others, each by its weight, to the columns of the rows of a warp; others: where their pairs begin."""
    pitch = 64 * wide + SPACE_OF_PAIRS
    lane = np.int32(cuda.threadIdx.x)
    of_lane = np.int32(lane % 4 * pitch + lane // 4)
    for k in range(size // 16):
        n = 8 * k
        high = (
            pair(weights[n], weights[n + 1]),
            pair(weights[n + 2], weights[n + 3]),
            pair(weights[n + 4], weights[n + 5]),
            pair(weights[n + 6], weights[n + 7]),
        )
        low = high
        if products > 1:
            low = (
                low_pair(weights[n], weights[n + 1], high[0]),
                low_pair(weights[n + 2], weights[n + 3], high[1]),
                low_pair(weights[n + 4], weights[n + 5], high[2]),
                low_pair(weights[n + 6], weights[n + 7], high[3]),
            )
        for h in range(2 * wide):
            if 32 * h < columns:
                place = others + of_lane + 8 * k * pitch + 32 * h
                plane = size // 2 * pitch
                _multiply(words, place, 8, 4 * pitch, plane, high, low, sums, 16 * h, held, 4, products)


# -------------------------------------------------------------------------------------------- masks and dropout
# A bit for each score of a lane; bit 4 j + v is that of number v with the others 8 j to 8 j + 7.


@device_function
def bits_of_seen(pair_of, t, s, mask, layout, count, of_keys):
    """Which scores of a lane are of queries that see keys.

    t, s: the query and the key of its first score; count: the others there are; of_keys: whether the rows are keys.
    """
    bits, n = np.uint32(0), np.int32(0)
    while n < (count + 7) // 8 * 4:
        keep_rolled()
        row, column = 8 * (n % 4 // 2), 8 * (n // 4) + n % 2
        query, key = (t + column, s + row) if of_keys else (t + row, s + column)
        if is_seen(pair_of, query, key, mask, layout):
            bits = np.uint32(bits | np.uint32(1) << np.uint32(n))
        n = np.int32(n + 1)
    return bits


@device_function
def _four_bits(pair_of, t, s, key, layout, limit):
    """Which of the weights of query t and keys s to s + 3 dropout keeps."""
    w0, w1, w2, w3 = words_of(pair_of, t, s, key, layout)
    bits = np.int32(1) if is_kept(w0, limit) else np.int32(0)
    bits |= np.int32(2) if is_kept(w1, limit) else np.int32(0)
    bits |= np.int32(4) if is_kept(w2, limit) else np.int32(0)
    bits |= np.int32(8) if is_kept(w3, limit) else np.int32(0)
    return np.int32(bits)


@device_function
def bits_of_kept_of_queries(pair_of, t, s, key, rate, layout, count):
    """Which weights of a lane dropout keeps, whose rows are queries from t on and whose others are keys from s on.

    Two lanes share four keys of two queries: each draws the numbers of one query.
    """
    limit, lane = limit_of(rate), np.int32(cuda.threadIdx.x)
    odd = lane % 2
    bits, j = np.uint32(0), np.int32(0)
    while 8 * j < count:
        keep_rolled()
        mine = _four_bits(pair_of, t + lane // 4 + 8 * odd, s + 8 * j + lane % 4 // 2 * 4, key, layout, limit)
        other = cuda.shfl_xor_sync(ALL, mine, 1)
        upper, lower = (other, mine) if odd == 1 else (mine, other)
        found = upper >> 2 * odd & 3 | (lower >> 2 * odd & 3) << 2
        bits = np.uint32(bits | np.uint32(found) << np.uint32(4 * j))
        j = np.int32(j + 1)
    return bits


@device_function
def bits_of_kept_of_keys(pair_of, t, s, key, rate, layout, count):
    """The same where the rows are keys from s on, and the others queries from t on.

    Four lanes share four keys of four columns of numbers: each draws those of one.
    """
    limit, lane = limit_of(rate), np.int32(cuda.threadIdx.x)
    group, which = lane // 4, lane // 4 % 4
    bits, j = np.uint32(0), np.int32(0)
    while 8 * j < count:
        keep_rolled()
        query, first = t + 8 * j + 2 * (lane % 4) + which % 2, s + group // 4 * 4 + which // 2 * 8
        mine = _four_bits(pair_of, query, first, key, layout, limit)
        for v in range(4):
            of_lane = cuda.shfl_sync(ALL, mine, lane // 16 * 16 + 4 * v + lane % 4)
            bits = np.uint32(bits | np.uint32(of_lane >> which & 1) << np.uint32(4 * j + v))
        j = np.int32(j + 1)
    return bits


@device_function
def has_bit(bits, n):
    """Whether bit n is set."""
    return bits >> np.uint32(n) & np.uint32(1) != np.uint32(0)


# ----------------------------------------------------------------------------------------------------- weights


@device_function
def shift_of_two(logsum):
    """What to subtract from scores in units of log 2, from the log-sum-exp of a row."""
    return shift_of(logsum) * _LOG2_E


@device_function
def _highest(value):
    """The largest over the four lanes that share rows; a NaN counts only where all are NaN."""
    for step in (1, 2):
        other = cuda.shfl_xor_sync(ALL, value, step)
        value = other if other > value or value != value else value
    return value


@device_function
def sum_of_row(value):
    """The sum over the four lanes that share rows."""
    value += cuda.shfl_xor_sync(ALL, value, 1)
    return value + cuda.shfl_xor_sync(ALL, value, 2)


@device_function
def soften(scores, sums, state, numbers, seen, size, wide):
    """Make weights of scores, and rescale what was summed before; state: largest scores and sums of two rows."""
    top_0, top_1, total_0, total_1 = state
    scale = numbers[SCALE] * _LOG2_E
    new_0, new_1 = np.float32(-_INF), np.float32(-_INF)
    for n in range(size // 2):
        score = scores[n] * scale if has_bit(seen, n) else np.float32(-_INF)
        scores[n] = score
        if n % 4 < 2:
            new_0 = score if score > new_0 else new_0
        else:
            new_1 = score if score > new_1 else new_1
    new_0, new_1 = _highest(new_0), _highest(new_1)
    new_0, new_1 = new_0 if new_0 > top_0 else top_0, new_1 if new_1 > top_1 else top_1
    shift_0, shift_1 = shift_of(new_0), shift_of(new_1)
    factor_0, factor_1 = power_of_two(top_0 - shift_0), power_of_two(top_1 - shift_1)
    total_0, total_1 = total_0 * factor_0, total_1 * factor_1
    for n in range(size // 2):
        weight = power_of_two(scores[n] - (shift_0 if n % 4 < 2 else shift_1))
        scores[n] = weight
        if n % 4 < 2:
            total_0 += weight
        else:
            total_1 += weight
    for n in range(32 * wide):
        sums[n] *= factor_0 if n % 4 < 2 else factor_1
    return new_0, new_1, total_0, total_1


# ------------------------------------------------------------------------------------------------------- results


@device_function
def write_rows(words, sums, factor_0, factor_1, y, part, pair_of, t, times, columns, layout, wide):
    """Write the rows of a warp into y, those of times from t on, the two of a lane times its factors.

    They go through shared memory, where a loop finds four neighbours of a row. All threads must come.
    """
    lane, aligned = np.int32(cuda.threadIdx.x), columns & 3 == 0 and is_aligned(y)
    pitch = 64 * wide + SPACE_OF_PAIRS
    begin = np.int32(ROWS * cuda.threadIdx.y * pitch)
    at = np.int32(begin + lane // 4 * pitch + 2 * (lane % 4))
    cuda.syncthreads()
    for j in range(8 * wide):
        words[np.uint64(at + 8 * j)] = bits_of(sums[4 * j] * factor_0)
        words[np.uint64(at + 8 * j + 1)] = bits_of(sums[4 * j + 1] * factor_0)
        words[np.uint64(at + 8 * j + 8 * pitch)] = bits_of(sums[4 * j + 2] * factor_1)
        words[np.uint64(at + 8 * j + 8 * pitch + 1)] = bits_of(sums[4 * j + 3] * factor_1)
    cuda.syncwarp()
    n = np.int32(lane)
    while n < ROWS * 16 * wide:
        keep_rolled()
        row, column = np.int32(n // (16 * wide)), np.int32(4 * (n % (16 * wide)))
        if t + row < times:
            a, b, c, d = load4(words, np.int32(begin + row * pitch + column))
            four = number_of(a), number_of(b), number_of(c), number_of(d)
            place = (part + row_of(pair_of, t + row, times, layout)) * columns + column
            write4(y, place, columns - column, aligned, four)
        n = np.int32(n + 32)
