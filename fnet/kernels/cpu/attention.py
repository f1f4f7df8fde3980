"""Scaled dot-product attention and its gradient without the matrix of scores, block by block.

``O[t] = sum over s of w[t, s] V[s]`` with ``w[t] = softmax over s of scale Q[t] K[s]``, for every sequence and head.

For a panel of queries and a block of keys the transposed scores ``K Q'`` are one matrix product: keys are its rows, the
queries, packed once, its columns. So are ``W V``, and backward ``V G'``, ``dS K``, ``W' G`` and ``dS' Q``: each reads
its operands in place, or rounds them to pairs of bfloat16 (`fnet.kernels.cpu.operands`), and nothing else is ever
transposed. The softmax runs along with the blocks of keys (a running maximum and sum for each query); the gradient
computes the scores again, from the log-sum-exp that the forward pass left. Causal attention leaves out what lies wholly
above the diagonal.

Every block of queries (forward), and every head of a sequence (backward), is computed by one task in one order, so the
bits do not depend on the number of threads. Where a query sees no key its output and its gradients are zero.

Source: T. Dao et al., FlashAttention, 2022; M. Milakov and N. Gimelshein, Online normalizer calculation for softmax,
2018.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.attention_operands import (
    BATCH,
    CAUSAL,
    DEPTH,
    DROPPED,
    HEADS,
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
    RIGHT_WORDS,
    SCALE,
    SCORE_SCALE,
    SHARED_WORDS,
    SLOT,
    TASKS,
    VALUE_DEPTH,
    key_columns,
    key_rows,
    round_backward,
    round_forward,
    value_columns,
    value_rows,
)
from fnet.kernels.cpu.attention_passes import (
    drop,
    hide_future,
    hide_masked,
    row_dots,
    scale_rows,
    softmax,
    softmax_slopes,
    visible_keys,
)
from fnet.kernels.cpu.attention_row import forward_row
from fnet.kernels.cpu.operands import by_columns, by_rows, length
from fnet.kernels.cpu.product import ROWS, VECTORS, pack_panels, panel_product
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.scalars import log
from fnet.kernels.cpu.vector.simd import at, lanes
from fnet.kernels.cpu.vector.tiles import FROM_C, FROM_ZERO
from fnet.kernels.policy import kernel

TASKS_PER_THREAD = 4

_0, _1 = np.float32(0), np.float32(1)
_INF = np.float32(np.inf)
_NONE, _32, _LOW_32 = np.uint64(0), np.uint64(32), np.uint64(0xFFFFFFFF)


# ------------------------------------------------------------------------------------------ parts of kernels


@kernel
def _whole_vectors(n, one):
    """`n` rounded up to a multiple of `one`."""
    return (n + one - 1) // one * one


@kernel
def _product(a, a_row, a_col, b, b_row, c, c_row, start, k, m, n):
    """``C = A B``, or ``C + A B`` if `start` says so, of m rows and n columns, B being read in place."""
    width = VECTORS * lanes(c)
    for j in range(0, n, width):
        y, most = at(c, j), min(width, n - j)
        panel_product(a, a_row, a_col, ROWS * a_row, at(b, j), b_row, y, c_row, y, start, 0, k, m, most, b, 0)


@kernel
def _pack_queries(x, x_row, packed, queries, depth, factor):
    """``packed = factor X'``, in panels; queries that the last panel lacks are copies of the last one."""
    pack_panels(x, packed, queries, depth, 1, x_row)
    one, width = lanes(x), VECTORS * lanes(x)
    for i in range(_whole_vectors(queries, width) * _whole_vectors(depth, one)):
        packed[i] *= factor


@kernel
def _panel_scores(k, words, packed, scores, row, rows, t, s, queries, pair, mask, layout):
    """The scores of a panel of queries from t on and of keys from s on, -inf where a key is hidden."""
    one, width = lanes(scores), VECTORS * lanes(scores)
    keys, key_row = key_columns(k, words, pair, s, layout)
    columns, depth = one if queries <= one else width, length(words, layout[DEPTH])
    _product(keys, key_row, 1, packed, width, scores, row, FROM_ZERO, depth, rows, columns)
    if layout[CAUSAL] and s + rows - 1 > t:
        seen = max(t - s, 0)  # by every query
        hide_future(at(scores, seen * row), row, rows - seen, s + seen - t)
    if layout[MASKED]:
        hide_masked(scores, row, rows, t, s, queries, pair, mask, layout)


@kernel
def _zero_rows(x, row, rows, columns):
    for i in range(rows):
        for j in range(columns):
            x[i * row + j] = _0


@kernel
def _task_count(count, products, layout):
    """The number of tasks for `count` pieces of work and so many matrix products of scores, and of threads."""
    size = layout[BATCH] * layout[HEADS] * layout[QUERIES] * layout[KEYS] * max(layout[DEPTH], layout[VALUE_DEPTH])
    threads = threads_for(size * products // 50)
    return min(count, layout[TASKS], TASKS_PER_THREAD * threads if threads > 1 else 1), threads


# -------------------------------------------------------------------------------------------------- forward


@kernel
def attention(q, k, v, mask, key, numbers, o, logsum, scratch, words, layout):
    """``O = W V``, and the log-sum-exp (to base 2) of every query's scores.

    q: (B, T, H, D), k: (B, S, H, D), v: (B, S, H, E), strided but for the last axis; mask: (B, H, T, S) booleans with
    any strides, key: (2,), each read if `layout` says so; numbers: ``scale * log2(e)``, ``scale``, the rate of dropout,
    ``log2(e)``; o: (B, T, H, E), logsum: (B, H, T), both contiguous; for each task scratch: `forward_slot` elements and
    words: `word_slot` elements, of the type of pairs of bfloat16 if operands are to be rounded to them.
    """
    width = VECTORS * lanes(at(q, 0))
    count = layout[BATCH] * layout[HEADS] * ((layout[QUERIES] + width - 1) // width)
    tasks, threads = _task_count(count, 2, layout)
    if layout[SHARED_WORDS]:
        parallel_for(round_forward, layout[BATCH] * layout[HEADS], threads, k, v, at(words, 0), layout)
    parallel_for(_forward, tasks, threads, count, tasks, q, k, v, mask, key, numbers, o, logsum, scratch, words, layout)


@kernel
def _forward(task, count, tasks, q, k, v, mask, key, numbers, o, logsum, scratch, words, layout):
    """Neighbouring panels, which share keys and values; the last ones of a head (which see most if causal) first."""
    width = VECTORS * lanes(at(q, 0))
    panels = (layout[QUERIES] + width - 1) // width
    for unit in range(task * count // tasks, (task + 1) * count // tasks):
        slot, own = at(scratch, task * layout[SLOT]), at(words, layout[SHARED_WORDS] + task * layout[OWN_WORDS])
        if layout[QUERIES] == 1:
            forward_row(unit, q, k, v, mask, key, numbers, o, logsum, slot, layout)
            continue
        panel = panels - 1 - unit % panels + unit // panels * panels
        _forward_panel(panel, q, k, v, mask, key, numbers, o, logsum, slot, at(words, 0), own, layout)


@kernel
def _forward_panel(unit, q, k, v, mask, key, numbers, o, logsum, slot, words, own, layout):
    """The output of one panel of queries."""
    heads, depth, value_depth = layout[HEADS], layout[DEPTH], layout[VALUE_DEPTH]
    one, width = lanes(slot), VECTORS * lanes(slot)
    panels = (layout[QUERIES] + width - 1) // width
    pair, t = unit // panels, unit % panels * width
    b, h, queries = pair // heads, pair % heads, min(width, layout[QUERIES] - t)
    scores = at(slot, width * _whole_vectors(depth, one))
    top = at(scores, KEY_BLOCK * width)
    total, factor = at(top, width), at(top, 2 * width)
    for i in range(width):
        top[i], total[i] = -_INF, _0
    x = at(q, b * layout[Q_BATCH] + t * layout[Q_TIME] + h * layout[Q_HEAD])
    _pack_queries(x, layout[Q_TIME], slot, queries, depth, numbers[SCORE_SCALE])
    packed, _ = by_rows(slot, width, at(own, RIGHT_WORDS), depth, width)
    o_row = heads * value_depth
    y = at(o, ((b * layout[QUERIES] + t) * heads + h) * value_depth)

    visible = visible_keys(t + queries, layout)
    s = 0
    while True:
        rows = min(KEY_BLOCK, visible - s)
        _panel_scores(k, words, packed, scores, width, rows, t, s, queries, pair, mask, layout)
        softmax(scores, width, rows, top, total, factor)
        if s:
            scale_rows(y, o_row, factor, queries, value_depth)
        if layout[DROPPED]:
            drop(scores, width, rows, t, s, queries, pair, key, numbers[RATE], layout)
        weights, row = by_rows(scores, width, own, rows, width)
        values, v_row = value_rows(v, words, pair, s, layout)
        start = FROM_C if s else FROM_ZERO
        _product(weights, 1, row, values, v_row, y, o_row, start, length(words, rows), queries, value_depth)
        s += KEY_BLOCK
        if s >= visible:
            break

    for i in range(queries):
        logsum[pair * layout[QUERIES] + t + i] = (top[i] if top[i] != -_INF else _0) + log(total[i]) * numbers[LOG2E]
        factor[i] = _0 if total[i] == _0 else _1 / total[i]
    scale_rows(y, o_row, factor, queries, value_depth)


# ------------------------------------------------------------------------------------------------- backward


@kernel
def attention_vjp(q, k, v, mask, key, numbers, o, logsum, g, dq, dk, dv, scratch, words, layout):
    """The cotangents of q, k and v for the cotangent g of o; all but q, k, v and the mask are contiguous.

    With ``P = W`` after dropout: ``dV = P' G``; ``dW = G V'`` where dropout kept it;
    ``dS = W (dW - sum over e of G O) scale``; ``dQ = dS K``; ``dK = dS' Q``.
    """
    count = layout[BATCH] * layout[HEADS]
    tasks, threads = _task_count(count, 5, layout)
    if layout[SHARED_WORDS]:
        parallel_for(round_backward, count, threads, k, v, at(words, 0), layout)
    parallel_for(
        _backward, tasks, threads, count, tasks, q, k, v, mask, key, numbers, o, logsum, g, dq, dk, dv, scratch, words,
        layout,
    )  # fmt: skip


@kernel
def _backward(task, count, tasks, q, k, v, mask, key, numbers, o, logsum, g, dq, dk, dv, scratch, words, layout):
    """Neighbouring heads."""
    for pair in range(task * count // tasks, (task + 1) * count // tasks):
        slot, own = at(scratch, task * layout[SLOT]), at(words, layout[SHARED_WORDS] + task * layout[OWN_WORDS])
        b, h = pair // layout[HEADS], pair % layout[HEADS]
        zero = visible_keys(min(layout[QUERIES], QUERY_BLOCK), layout) if layout[QUERIES] else 0
        hidden, s = layout[KEYS] - zero, (b * layout[KEYS] + zero) * layout[HEADS] + h
        _zero_rows(at(dk, s * layout[DEPTH]), layout[HEADS] * layout[DEPTH], hidden, layout[DEPTH])
        _zero_rows(at(dv, s * layout[VALUE_DEPTH]), layout[HEADS] * layout[VALUE_DEPTH], hidden, layout[VALUE_DEPTH])
        for t in range(0, layout[QUERIES], QUERY_BLOCK):
            _backward_queries(
                pair, t, q, k, v, mask, key, numbers, o, logsum, g, dq, dk, dv, slot, at(words, 0), own, layout
            )


@kernel
def _backward_queries(pair, t, q, k, v, mask, key, numbers, o, logsum, g, dq, dk, dv, slot, words, own, layout):
    """What a block of queries gives to dq, dk and dv of its head."""
    heads, depth, value_depth = layout[HEADS], layout[DEPTH], layout[VALUE_DEPTH]
    b, h, queries = pair // heads, pair % heads, min(QUERY_BLOCK, layout[QUERIES] - t)
    one = lanes(slot)
    packed_g = at(slot, QUERY_BLOCK * _whole_vectors(depth, one))
    scores = at(packed_g, QUERY_BLOCK * _whole_vectors(value_depth, one))
    slopes = at(scores, KEY_BLOCK * QUERY_BLOCK)
    total, delta = at(slopes, KEY_BLOCK * QUERY_BLOCK), at(slopes, (KEY_BLOCK + 1) * QUERY_BLOCK)

    scale, o_row = numbers[SCALE], heads * value_depth
    rows_q = at(q, b * layout[Q_BATCH] + t * layout[Q_TIME] + h * layout[Q_HEAD])
    first = (b * layout[QUERIES] + t) * heads + h
    rows_g, rows_dq = at(g, first * value_depth), at(dq, first * depth)
    _pack_queries(rows_q, layout[Q_TIME], slot, queries, depth, numbers[SCORE_SCALE])
    _pack_queries(rows_g, o_row, packed_g, queries, value_depth, scale)
    row_dots(rows_g, at(o, first * value_depth), o_row, delta, queries, value_depth)
    for i in range(queries):
        total[i], delta[i] = logsum[pair * layout[QUERIES] + t + i], scale * delta[i]

    visible = visible_keys(t + queries, layout)
    if visible == 0:
        _zero_rows(rows_dq, heads * depth, queries, depth)
    for s in range(0, visible, KEY_BLOCK):
        rows = min(KEY_BLOCK, visible - s)
        _backward_panels(
            pair, t, s, queries, rows, k, v, mask, key, numbers, slot, packed_g, scores, slopes, words, own, total,
            delta, rows_dq, layout,
        )  # fmt: skip
        first = (b * layout[KEYS] + s) * heads + h
        rows_dk, rows_dv = at(dk, first * depth), at(dv, first * value_depth)
        _backward_keys(slopes, rows_q, layout[Q_TIME], rows_dk, heads * depth, own, t, s, queries, rows, depth, layout)
        _backward_keys(scores, rows_g, o_row, rows_dv, o_row, own, t, s, queries, rows, value_depth, layout)


@kernel
def _backward_panels(
    pair, t, s, queries, rows, k, v, mask, key, numbers, packed_q, packed_g, scores, slopes, words, own, total,
    delta, dq, layout,
):  # fmt: skip
    """Weights and slopes of a block of keys, panel by panel, and what it gives to dq."""
    depth, value_depth = layout[DEPTH], layout[VALUE_DEPTH]
    one, width = lanes(scores), VECTORS * lanes(scores)
    right = at(own, RIGHT_WORDS)
    for j in range(0, queries, width):
        columns = min(width, queries - j)
        seen = max(0, min(rows, visible_keys(t + j + columns, layout) - s))
        panel, slope = at(scores, j), at(slopes, j)
        x, _ = by_rows(at(packed_q, j * _whole_vectors(depth, one)), width, right, depth, width)
        _panel_scores(k, words, x, panel, QUERY_BLOCK, seen, t + j, s, columns, pair, mask, layout)
        values, v_row = value_columns(v, words, pair, s, layout)
        y, _ = by_rows(at(packed_g, j * _whole_vectors(value_depth, one)), width, right, value_depth, width)
        n, d_row = one if columns <= one else width, layout[HEADS] * depth
        _product(values, v_row, 1, y, width, slope, QUERY_BLOCK, FROM_ZERO, length(words, value_depth), seen, n)
        if layout[DROPPED]:
            drop(slope, QUERY_BLOCK, seen, t + j, s, columns, pair, key, numbers[RATE], layout)
        softmax_slopes(panel, slope, QUERY_BLOCK, seen, at(total, j), at(delta, j))
        weights, row = by_rows(slope, QUERY_BLOCK, own, seen, width)
        keys, k_row = key_rows(k, words, pair, s, layout)
        start = FROM_C if s else FROM_ZERO
        _product(weights, 1, row, keys, k_row, at(dq, j * d_row), d_row, start, length(words, seen), columns, depth)
        if layout[DROPPED]:
            drop(panel, QUERY_BLOCK, seen, t + j, s, columns, pair, key, numbers[RATE], layout)


@kernel
def _backward_keys(x, y, y_row, c, c_row, own, t, s, queries, rows, columns, layout):
    """``C += X Y`` for a block of keys and of queries; where it is causal, from the first query on that sees a key."""
    step = VECTORS * lanes(x) if layout[CAUSAL] else max(rows, 1)
    start = FROM_C if t else FROM_ZERO
    for r in range(0, rows, step):
        first, size = max(0, s + r - t) if layout[CAUSAL] else 0, min(step, rows - r)
        a, a_row = by_columns(at(x, r * QUERY_BLOCK + first), QUERY_BLOCK, own, size, queries - first)
        b, b_row = by_rows(at(y, first * y_row), y_row, at(own, RIGHT_WORDS), queries - first, columns)
        _product(a, a_row, 1, b, b_row, at(c, r * c_row), c_row, start, length(own, queries - first), size, columns)
