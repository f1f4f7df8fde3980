"""What the kernels of attention know of their operands: where they lie, which keys a query sees, what dropout keeps."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned, load4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function
from fnet.kernels.cuda.scalars import ceil_f32
from fnet.kernels.scalar.philox import MULTIPLIER_0, MULTIPLIER_1, STREAM_BITS, WEYL_0, WEYL_1
from fnet.kernels.sizes import Sizes

(
    BATCH, HEADS, QUERIES, KEYS, DEPTH, VALUE_DEPTH, CAUSAL, MASKED, DROPPED,
    Q_BATCH, Q_TIME, Q_HEAD, K_BATCH, K_TIME, K_HEAD, V_BATCH, V_TIME, V_HEAD,
    MASK_BATCH, MASK_HEAD, MASK_QUERY, MASK_KEY, PART,
) = LAYOUT = Sizes(
    """
    batch heads queries keys depth value_depth causal masked dropped
    q_batch q_time q_head k_batch k_time k_head v_batch v_time v_head
    mask_batch mask_head mask_query mask_key part
    """
)  # fmt: skip
"""dropped: the rounds of the cipher that draws what dropout keeps, 0 for no dropout.

part: how many keys are the work of a block, or in the gradients of keys and values how many queries.
"""
SCALE, RATE = range(2)  # what `numbers` holds

_0, _INF, _LEVELS, _8 = np.float32(0), np.float32(np.inf), np.float32(2.0**24), np.uint32(8)
_32, _LOW_32 = np.uint64(32), np.uint64(0xFFFFFFFF)


@device_function
def place_of(pair, time, layout, batch_step, time_step, head_step):
    """Where a head has what belongs to a time."""
    heads = layout[HEADS]
    return pair // heads * layout[batch_step] + time * layout[time_step] + pair % heads * layout[head_step]


@device_function
def row_of(pair, time, times, layout):
    """The number of the row of a head in an array (B, times, H, ...)."""
    heads = layout[HEADS]
    return (pair // heads * times + time) * heads + pair % heads


@device_function
def is_seen(pair, t, s, mask, layout):
    """Whether query t, if there is one, sees key s, if there is one."""
    if t >= layout[QUERIES] or s >= layout[KEYS] or (layout[CAUSAL] != 0 and s > t):
        return False
    if layout[MASKED] == 0:
        return True
    return mask[place_of(pair, t, layout, MASK_BATCH, MASK_QUERY, MASK_HEAD) + s * layout[MASK_KEY]] != 0


@device_function
def words_of(pair, t, s, key, layout):
    """The numbers drawn for the weights of query t and the keys s to s + 3, s being a multiple of 4.

    That of key s is word ``(pair * queries + t) * keys + s`` of the key's stream, keys being rounded up to a multiple
    of 4. This is `fnet.kernels.scalar.philox.block` with its rounds in a loop: its keys of all rounds are not kept.
    """
    number = np.uint64((pair * layout[QUERIES] + t) * ((layout[KEYS] + 3) // 4) + s // 4)
    c0, c1, c2, c3 = number & _LOW_32, number >> _32, np.uint64(0), STREAM_BITS
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    rounds = layout[DROPPED]
    while rounds > 0:
        p, q = MULTIPLIER_0 * c0, MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (q >> _32) ^ c1 ^ k0, q & _LOW_32, (p >> _32) ^ c3 ^ k1, p & _LOW_32
        k0, k1 = (k0 + WEYL_0) & _LOW_32, (k1 + WEYL_1) & _LOW_32
        rounds -= 1
    return np.uint32(c0), np.uint32(c1), np.uint32(c2), np.uint32(c3)


@device_function
def limit_of(rate):
    """The least number drawn, of 24 bits, for which a weight is kept."""
    return np.int64(ceil_f32(np.float32(rate) * _LEVELS))


@device_function
def is_kept(word, limit):
    """Whether a weight is kept, by the number drawn for it."""
    return np.int64(np.uint32(word) >> _8) >= limit


@device_function
def shift_of(top):
    """What to subtract from scores: `top`, but 0 where that is -inf (no key is seen)."""
    return type(top)(_0) if top == -_INF else top


@device_function
def fetch4(x, place, count, wide):
    """Four elements, 0 for those from `count` on; wide: whether all four may be read at once."""
    if wide and count >= 4:
        return load4(x, place)
    return (
        x[np.uint64(place)] if count > 0 else _0,
        x[np.uint64(place + 1)] if count > 1 else _0,
        x[np.uint64(place + 2)] if count > 2 else _0,
        x[np.uint64(place + 3)] if count > 3 else _0,
    )


@device_function
def operand_of(x, begin, step, rows, columns, other_steps):
    """Rows of x: where they begin, their step, how many there are, their columns, and whether four are read at once.

    other_steps: all other steps that `begin` is made of, or-ed.
    """
    return x, begin, step, np.int32(rows), np.int32(columns), (step | other_steps) & 3 == 0 and is_aligned(x)


@device_function
def four_of(operand, row, column):
    """Four elements of a row of an operand, 0 outside of it."""
    x, begin, step, rows, columns, wide = operand
    count = np.int32(columns - column) if row < rows else np.int32(0)
    return fetch4(x, begin + row * step + column, count, wide)


@device_function
def queries_operand(q, pair, t, layout):
    """The queries of a head from t on, as `operand_of` says."""
    begin = place_of(pair, t, layout, Q_BATCH, Q_TIME, Q_HEAD)
    return operand_of(q, begin, layout[Q_TIME], layout[QUERIES] - t, layout[DEPTH], layout[Q_BATCH] | layout[Q_HEAD])


@device_function
def keys_operand(k, pair, s, layout):
    """Its keys from s on."""
    begin = place_of(pair, s, layout, K_BATCH, K_TIME, K_HEAD)
    return operand_of(k, begin, layout[K_TIME], layout[KEYS] - s, layout[DEPTH], layout[K_BATCH] | layout[K_HEAD])


@device_function
def values_operand(v, pair, s, layout):
    """Its values from s on."""
    begin = place_of(pair, s, layout, V_BATCH, V_TIME, V_HEAD)
    return operand_of(v, begin, layout[V_TIME], layout[KEYS] - s, layout[VALUE_DEPTH], layout[V_BATCH] | layout[V_HEAD])


@device_function
def slopes_operand(g, pair, t, layout):
    """The slopes of its outputs from t on."""
    columns = layout[VALUE_DEPTH]
    begin, step = row_of(pair, t, layout[QUERIES], layout) * columns, layout[HEADS] * columns
    return operand_of(g, begin, step, layout[QUERIES] - t, columns, columns)


@device_function
def is_whole(t, s, queries, keys, layout):
    """Whether so many queries from t on all exist and see so many keys from s on."""
    return (
        layout[MASKED] == 0
        and t + queries <= layout[QUERIES]
        and s + keys <= layout[KEYS]
        and (layout[CAUSAL] == 0 or s + keys <= t + 1)
    )


@device_function
def block_of(rows, count):
    """The head of a block and the first of its rows; the last ones come first, which have most to do if causal."""
    panels = (count + rows - 1) // rows
    return cuda.blockIdx.x // panels, (panels - 1 - cuda.blockIdx.x % panels) * rows


@device_function
def keys_of_block(first, rows, layout):
    """The keys that a block of queries reads: its part of them, as far as its last query sees."""
    begin = cuda.blockIdx.y * layout[PART]
    end = min(layout[KEYS], begin + layout[PART])
    return begin, min(end, first + rows) if layout[CAUSAL] != 0 else end


@device_function
def queries_of_block(first, size, layout):
    """The queries that a block of keys reads, from a multiple of `size` on: those of its part that see the first."""
    begin = cuda.blockIdx.y * layout[PART]
    end = min(layout[QUERIES], begin + layout[PART])
    return max(begin, first // size * size) if layout[CAUSAL] != 0 else begin, end


@device_function
def four_up(n):
    """The next multiple of 4."""
    return np.int32((n + 3) // 4 * 4)
