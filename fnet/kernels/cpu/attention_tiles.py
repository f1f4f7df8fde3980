"""Attention and its gradient by AMX tiles: the same blocks and passes as in `fnet.kernels.cpu.attention`.

Of each head the keys and values are packed once, in rows of pairs along the axis that a product sums over: forward K
for the scores ``K Q'`` and V' for ``O' = V' W``; backward K, V for ``V G'``, and K' for ``dQ' = K' dS``. What a block
of queries makes, scores, weights and slopes, is packed as it comes: with keys as rows and queries as columns it is the
right operand of these products, and its rows are the left one of ``dK = dS Q`` and ``dV = W G``. Outputs that would
need a transpose are summed transposed. Softmax and sums stay in float32.

Every block of queries (forward), and every head of a sequence (backward), is computed by one task in one order.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.attention_operands import (
    BATCH,
    CAUSAL,
    DEPTH,
    DROPPED,
    HEADS,
    K_TIME,
    KEY_BLOCK,
    KEYS,
    LOG2E,
    MASKED,
    OWN_WORDS,
    Q_BATCH,
    Q_HEAD,
    Q_TIME,
    QUERIES,
    QUERY_BLOCK,
    RATE,
    SCALE,
    SCORE_SCALE,
    SHARED_WORDS,
    SLOT,
    TASKS,
    V_TIME,
    VALUE_DEPTH,
    key_address,
    panel_width,
    value_address,
)
from fnet.kernels.cpu.attention_passes import (
    drop,
    hide_future,
    hide_masked,
    row_dots,
    softmax,
    softmax_slopes,
    visible_keys,
)
from fnet.kernels.cpu.product import VECTORS
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.scalars import log
from fnet.kernels.cpu.vector.amx import WORDS, configure, release, state_size
from fnet.kernels.cpu.vector.simd import at, lanes
from fnet.kernels.cpu.vector.tile_block import BLOCK, PAD, row_of_pairs, whole_blocks, whole_pairs
from fnet.kernels.cpu.vector.tile_operands import multiply, pack_columns, pack_panels, pack_rows, pack_transposed
from fnet.kernels.policy import kernel, scalar

_0, _1 = np.float32(0), np.float32(1)
_INF = np.float32(np.inf)
OWN = 2 * BLOCK * BLOCK  # elements for the blocks of products


def _rows_size(rows: int, k: int) -> int:
    return -(-rows // BLOCK) * BLOCK * (-(-k // BLOCK) * WORDS + PAD)


def _panels_size(columns: int, k: int) -> int:
    return -(-columns // BLOCK) * BLOCK * -(-k // BLOCK) * WORDS


def head_words(keys: int, depth: int, value_depth: int, products: int, *, backward: bool) -> int:
    """The 32-bit words for keys and values of one head."""
    turned = depth if backward else value_depth
    size = _rows_size(keys, depth) + _rows_size(turned, keys) + _panels_size(turned, keys)
    return (2 if products == 3 else 1) * (size + (_rows_size(keys, value_depth) if backward else 0))


def task_words(depth: int, value_depth: int, products: int) -> int:
    """The 32-bit words for what one task packs as it goes."""
    deepest = max(depth, value_depth)
    queries = _panels_size(QUERY_BLOCK, depth) + _panels_size(QUERY_BLOCK, value_depth)
    turned = _panels_size(depth, QUERY_BLOCK) + _panels_size(value_depth, QUERY_BLOCK)
    blocks = _rows_size(QUERY_BLOCK, deepest), _rows_size(KEY_BLOCK, QUERY_BLOCK), _panels_size(QUERY_BLOCK, KEY_BLOCK)
    block = max(blocks)
    return (2 if products == 3 else 1) * (queries + turned + block)


def slot_size(depth: int, value_depth: int) -> int:
    """The elements of scratch memory that one task needs."""
    sums = max(depth, value_depth) * QUERY_BLOCK
    return OWN + 2 * sums + 2 * KEY_BLOCK * QUERY_BLOCK + 3 * max(QUERY_BLOCK, panel_width(np.float32))


@scalar
def _words_of_rows(rows, k, split):
    return (1 + split) * whole_blocks(rows) * row_of_pairs(k)


@scalar
def _words_of_panels(columns, k, split):
    return (1 + split) * whole_blocks(columns) * whole_pairs(k)


@kernel
def _scaled(x, x_row, target, rows, columns, factor):
    for i in range(rows):
        source, to = at(x, i * x_row), at(target, i * columns)
        for j in range(columns):
            to[j] = source[j] * factor


@kernel
def _turned(x, x_row, target, target_row, rows, columns, factors):
    """The transpose, row i of the target times factor i."""
    for i in range(columns):
        to, factor = at(target, i * target_row), factors[i]
        for j in range(rows):
            to[j] = x[j * x_row + i] * factor


@kernel
def _hide(scores, row, rows, t, s, queries, pair, mask, layout):
    """-inf where a panel of queries from t on does not see keys from s on."""
    if layout[CAUSAL] and s + rows - 1 > t:
        hide_future(scores, row, rows, s - t)
    if layout[MASKED]:
        hide_masked(scores, row, rows, t, s, queries, pair, mask, layout)


@scalar
def _threads(products, count, layout):
    """The threads for so many products of scores, each of `count` products of tiles."""
    size = layout[BATCH] * layout[HEADS] * layout[QUERIES] * layout[KEYS] * max(layout[DEPTH], layout[VALUE_DEPTH])
    return threads_for(size * products * count // 256)


# -------------------------------------------------------------------------------------------------- forward


@kernel
def attention_tiles(q, k, v, mask, key, numbers, o, logsum, scratch, words, state, layout, products):
    """``O = W V`` and the log-sum-exp; arguments as of `attention`.

    words: `head_words` for each head, then `task_words` for each task; scratch: `slot_size` for each task; state: of
    tiles, of as many tasks where they are emulated; products: 1 or 3.
    """
    width = VECTORS * lanes(at(scratch, 0))
    pairs = layout[BATCH] * layout[HEADS]
    count = pairs * ((layout[QUERIES] + width - 1) // width)
    threads, tasks = _threads(2, products, layout), min(count, layout[TASKS])
    split = 1 if products == 3 else 0
    parallel_for(_pack_forward, pairs, threads, k, v, at(words, 0), layout, split)
    parallel_for(
        _forward, tasks, threads, tasks, count, q, mask, key, numbers, o, logsum, scratch, at(words, 0), at(state, 0),
        layout, split,
    )  # fmt: skip


@kernel
def _pack_forward(pair, k, v, words, layout, split):
    """The keys of a head, and its values transposed."""
    keys, depth, value_depth = layout[KEYS], layout[DEPTH], layout[VALUE_DEPTH]
    rows = at(words, pair * layout[SHARED_WORDS])
    values = at(rows, _words_of_rows(keys, depth, split))
    spare = at(values, _words_of_rows(value_depth, keys, split))
    pack_rows(key_address(k, pair, 0, layout), layout[K_TIME], rows, keys, depth, split)
    pack_columns(value_address(v, pair, 0, layout), layout[V_TIME], spare, values, keys, value_depth, split)


@kernel
def _forward(task, tasks, count, q, mask, key, numbers, o, logsum, scratch, words, state, layout, split):
    """Neighbouring panels, the last ones (which see most if causal) first."""
    registers, slot = at(state, task * state_size(state)), at(scratch, task * layout[SLOT])
    own = at(words, layout[BATCH] * layout[HEADS] * layout[SHARED_WORDS] + task * layout[OWN_WORDS])
    configure(registers)
    for unit in range(task * count // tasks, (task + 1) * count // tasks):
        _panel(count - 1 - unit, q, mask, key, numbers, o, logsum, slot, words, own, registers, layout, split)
    release(registers)


@kernel
def _panel(unit, q, mask, key, numbers, o, logsum, slot, words, own_words, state, layout, split):
    """The output of one panel of queries."""
    heads, keys, depth, value_depth = layout[HEADS], layout[KEYS], layout[DEPTH], layout[VALUE_DEPTH]
    width = VECTORS * lanes(slot)
    panels = (layout[QUERIES] + width - 1) // width
    pair, t = unit // panels, unit % panels * width
    b, h, queries = pair // heads, pair % heads, min(width, layout[QUERIES] - t)
    rows_k = at(words, pair * layout[SHARED_WORDS])
    rows_v = at(rows_k, _words_of_rows(keys, depth, split))
    sums = at(slot, OWN)
    scores = at(sums, 2 * max(depth, value_depth) * QUERY_BLOCK)
    top = at(scores, KEY_BLOCK * width)
    total, factor = at(top, width), at(top, 2 * width)
    for i in range(width):
        top[i], total[i] = -_INF, _0
    packed_q = at(own_words, 0)
    spare = at(packed_q, _words_of_panels(width, depth, split))
    x = at(q, b * layout[Q_BATCH] + t * layout[Q_TIME] + h * layout[Q_HEAD])
    _scaled(x, layout[Q_TIME], sums, queries, depth, numbers[SCORE_SCALE])
    pack_transposed(sums, depth, spare, packed_q, queries, depth, split)

    visible = visible_keys(t + queries, layout)
    for s in range(0, visible, KEY_BLOCK):
        rows, keys_here = min(KEY_BLOCK, visible - s), at(rows_k, s * (1 + split) * row_of_pairs(depth))
        multiply(state, slot, keys_here, depth, packed_q, scores, width, rows, queries, depth, depth, split, 0)
        _hide(scores, width, rows, t, s, queries, pair, mask, layout)
        softmax(scores, width, rows, top, total, factor)
        for e in range(value_depth if s else 0):
            row = at(sums, e * width)
            for i in range(width):
                row[i] *= factor[i]
        if layout[DROPPED]:
            drop(scores, width, rows, t, s, queries, pair, key, numbers[RATE], layout)
        pack_panels(scores, width, spare, rows, queries, split)
        values = at(rows_v, s // 2)
        multiply(state, slot, values, keys, spare, sums, width, value_depth, queries, rows, rows, split, 1 if s else 0)

    for i in range(queries):
        logsum[pair * layout[QUERIES] + t + i] = (top[i] if top[i] != -_INF else _0) + log(total[i]) * numbers[LOG2E]
        factor[i] = _0 if total[i] == _0 else _1 / total[i]
    y = at(o, ((b * layout[QUERIES] + t) * heads + h) * value_depth)
    _turned(sums, width, y, heads * value_depth, value_depth, queries, factor)


# ------------------------------------------------------------------------------------------------- backward


@kernel
def attention_vjp_tiles(
    q, k, v, mask, key, numbers, o, logsum, g, dq, dk, dv, scratch, words, state, layout, products
):  # fmt: skip
    """The cotangents of q, k and v for the cotangent g of o; arguments as of `attention_vjp` and `attention_tiles`."""
    pairs, split = layout[BATCH] * layout[HEADS], 1 if products == 3 else 0
    threads, tasks = _threads(5, products, layout), min(pairs, layout[TASKS])
    parallel_for(_pack_backward, pairs, threads, k, v, at(words, 0), layout, split)
    parallel_for(
        _backward, tasks, threads, tasks, pairs, q, mask, key, numbers, o, logsum, g, dq, dk, dv, scratch, at(words, 0),
        at(state, 0), layout, split,
    )  # fmt: skip


@kernel
def _pack_backward(pair, k, v, words, layout, split):
    """The keys and values of a head, and its keys transposed."""
    keys, depth, value_depth = layout[KEYS], layout[DEPTH], layout[VALUE_DEPTH]
    rows = at(words, pair * layout[SHARED_WORDS])
    values = at(rows, _words_of_rows(keys, depth, split))
    turned = at(values, _words_of_rows(keys, value_depth, split))
    spare = at(turned, _words_of_rows(depth, keys, split))
    pack_rows(key_address(k, pair, 0, layout), layout[K_TIME], rows, keys, depth, split)
    pack_rows(value_address(v, pair, 0, layout), layout[V_TIME], values, keys, value_depth, split)
    pack_columns(key_address(k, pair, 0, layout), layout[K_TIME], spare, turned, keys, depth, split)


@kernel
def _backward(
    task, tasks, pairs, q, mask, key, numbers, o, logsum, g, dq, dk, dv, scratch, words, state, layout, split
):  # fmt: skip
    """Neighbouring heads."""
    registers, slot = at(state, task * state_size(state)), at(scratch, task * layout[SLOT])
    own = at(words, pairs * layout[SHARED_WORDS] + task * layout[OWN_WORDS])
    heads, depth, value_depth = layout[HEADS], layout[DEPTH], layout[VALUE_DEPTH]
    configure(registers)
    for pair in range(task * pairs // tasks, (task + 1) * pairs // tasks):
        first = visible_keys(min(layout[QUERIES], QUERY_BLOCK), layout)
        for s in range(first, layout[KEYS]):
            place = (pair // heads * layout[KEYS] + s) * heads + pair % heads
            for d in range(depth):
                dk[place * depth + d] = _0
            for e in range(value_depth):
                dv[place * value_depth + e] = _0
        for t in range(0, layout[QUERIES], QUERY_BLOCK):
            _queries(
                pair, t, q, mask, key, numbers, o, logsum, g, dq, dk, dv, slot, words, own, registers, layout, split
            )
    release(registers)


@kernel
def _queries(pair, t, q, mask, key, numbers, o, logsum, g, dq, dk, dv, slot, words, own_words, state, layout, split):
    """What a block of queries gives to dq, dk and dv of its head."""
    heads, keys, depth, value_depth = layout[HEADS], layout[KEYS], layout[DEPTH], layout[VALUE_DEPTH]
    b, h, queries = pair // heads, pair % heads, min(QUERY_BLOCK, layout[QUERIES] - t)
    rows_k = at(words, pair * layout[SHARED_WORDS])
    rows_v = at(rows_k, _words_of_rows(keys, depth, split))
    turned_k = at(rows_v, _words_of_rows(keys, value_depth, split))
    sums = at(slot, OWN)
    staged = at(sums, max(depth, value_depth) * QUERY_BLOCK)
    scores = at(staged, max(depth, value_depth) * QUERY_BLOCK)
    slopes = at(scores, KEY_BLOCK * QUERY_BLOCK)
    total = at(slopes, KEY_BLOCK * QUERY_BLOCK)
    delta, ones = at(total, QUERY_BLOCK), at(total, 2 * QUERY_BLOCK)
    turned_q, packed_q = own_words, at(own_words, _words_of_panels(QUERY_BLOCK, depth, split))
    turned_g = at(packed_q, _words_of_panels(depth, QUERY_BLOCK, split))
    packed_g = at(turned_g, _words_of_panels(QUERY_BLOCK, value_depth, split))
    spare = at(packed_g, _words_of_panels(value_depth, QUERY_BLOCK, split))

    first, scale, o_row = (b * layout[QUERIES] + t) * heads + h, numbers[SCALE], heads * value_depth
    rows_q, rows_g = at(q, b * layout[Q_BATCH] + t * layout[Q_TIME] + h * layout[Q_HEAD]), at(g, first * value_depth)
    _scaled(rows_q, layout[Q_TIME], staged, queries, depth, numbers[SCORE_SCALE])
    pack_transposed(staged, depth, spare, turned_q, queries, depth, split)
    pack_panels(rows_q, layout[Q_TIME], packed_q, queries, depth, split)
    _scaled(rows_g, o_row, staged, queries, value_depth, scale)
    pack_transposed(staged, value_depth, spare, turned_g, queries, value_depth, split)
    pack_panels(rows_g, o_row, packed_g, queries, value_depth, split)
    row_dots(rows_g, at(o, first * value_depth), o_row, delta, queries, value_depth)
    for i in range(queries):
        total[i], delta[i], ones[i] = logsum[pair * layout[QUERIES] + t + i], scale * delta[i], _1

    visible = visible_keys(t + queries, layout)
    for s in range(0, visible, KEY_BLOCK):
        rows, place = min(KEY_BLOCK, visible - s), (b * keys + s) * heads + h
        x = at(rows_k, s * (1 + split) * row_of_pairs(depth))
        y = at(rows_v, s * (1 + split) * row_of_pairs(value_depth))
        multiply(state, slot, x, depth, turned_q, scores, QUERY_BLOCK, rows, queries, depth, depth, split, 0)
        k = value_depth
        multiply(state, slot, y, k, turned_g, slopes, QUERY_BLOCK, rows, queries, k, k, split, 0)
        _slopes(scores, slopes, rows, t, s, queries, pair, mask, key, numbers, total, delta, layout)
        pack_panels(slopes, QUERY_BLOCK, spare, rows, queries, split)
        x, more = at(turned_k, s // 2), 1 if s else 0
        multiply(state, slot, x, keys, spare, sums, QUERY_BLOCK, depth, queries, rows, rows, split, more)
        more = 1 if t else 0
        pack_rows(slopes, QUERY_BLOCK, spare, rows, queries, split)
        x = at(dk, place * depth)
        multiply(state, slot, spare, queries, packed_q, x, heads * depth, rows, depth, queries, queries, split, more)
        pack_rows(scores, QUERY_BLOCK, spare, rows, queries, split)
        x = at(dv, place * value_depth)
        multiply(state, slot, spare, queries, packed_g, x, o_row, rows, value_depth, queries, queries, split, more)
    _turned(sums, QUERY_BLOCK, at(dq, first * depth), heads * depth, depth, queries, ones)


@kernel
def _slopes(scores, slopes, rows, t, s, queries, pair, mask, key, numbers, total, delta, layout):
    """Weights in place of scores, and the slopes of the loss in the scores in place of those in the weights."""
    width = VECTORS * lanes(scores)
    for j in range(0, queries, width):
        columns, panel, slope = min(width, queries - j), at(scores, j), at(slopes, j)
        _hide(panel, QUERY_BLOCK, rows, t + j, s, columns, pair, mask, layout)
        if layout[DROPPED]:
            drop(slope, QUERY_BLOCK, rows, t + j, s, columns, pair, key, numbers[RATE], layout)
        softmax_slopes(panel, slope, QUERY_BLOCK, rows, at(total, j), at(delta, j))
        if layout[DROPPED]:
            drop(panel, QUERY_BLOCK, rows, t + j, s, columns, pair, key, numbers[RATE], layout)
