"""Scaled dot-product attention and its gradient without the matrix of scores.

``O[t] = sum over s of w[t, s] V[s]`` with ``w[t] = softmax over s of scale Q[t] K[s]``, for every sequence and head.

A row, a query or in the gradients of keys and values a key, is the work of a warp, whose lanes take `LANES` of the
others at once: each the inner products of its own. Rows of a block belong to one head, and read the others through
shared memory. What the products with weights give, `WIDTH` columns, stays in registers; further columns are y of the
grid, which compute the weights again. The softmax runs along with the keys; the gradients compute the weights again
from the log-sum-exp. Sums go in the order of the keys, or of the queries. A query that sees no key gives zeros.

Source: T. Dao et al., FlashAttention, 2022; M. Milakov and N. Gimelshein, Online normalizer calculation for softmax,
2018.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.attention_operands import (
    BATCH,
    CAUSAL,
    DEPTH,
    DROPPED,
    HEADS,
    K_BATCH,
    K_HEAD,
    K_TIME,
    KEYS,
    Q_BATCH,
    Q_HEAD,
    Q_TIME,
    QUERIES,
    RATE,
    SCALE,
    V_BATCH,
    V_HEAD,
    V_TIME,
    VALUE_DEPTH,
    is_kept,
    is_seen,
    limit_of,
    place_of,
    row_of,
    shift_of,
    words_of,
)
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import ALL, warp_max, warp_sum
from fnet.kernels.cuda.scalars import exp, log

LANES = 32
ROWS = 8  # of a block, at most
WIDTH = 4 * LANES
_THREADS = LANES * ROWS
_PITCH = LANES + 1  # a column more, so that the elements of a column lie in different banks
_OTHERS = LANES * (LANES + 1)

_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)


# --------------------------------------------------------------------------------------------- parts of kernels


@device_function
def _dots(own, others, x, x_first, x_row, x_count, y, y_first, y_row, y_count, size):
    """The inner product of row x of a warp and row y of a lane, which have so many elements side by side.

    own, others: shared memory. All threads of a block must come.
    """
    lane, warp, warps = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.y
    zero = x.dtype.type(0)
    total = zero
    p = 0
    while p < size:
        column = p + lane
        own[warp * LANES + lane] = x[x_first + warp * x_row + column] if warp < x_count and column < size else zero
        for row in range(warp, LANES, warps):
            others[row * _PITCH + lane] = y[y_first + row * y_row + column] if row < y_count and column < size else zero
        cuda.syncthreads()
        for j in range(min(LANES, size - p)):
            total += own[warp * LANES + j] * others[lane * _PITCH + j]
        cuda.syncthreads()
        p += LANES
    return total


@device_function
def _add_rows(a0, a1, a2, a3, weight, count, x, first, row, column, columns):
    """What a lane has of its columns, and those of `count` rows of x, each by the weight of its lane."""
    zero = x.dtype.type(0)
    for j in range(count):
        w = cuda.shfl_sync(ALL, weight, j)
        place = first + j * row + column
        a0 += w * x[place] if column < columns else zero
        a1 += w * x[place + LANES] if column + LANES < columns else zero
        a2 += w * x[place + 2 * LANES] if column + 2 * LANES < columns else zero
        a3 += w * x[place + 3 * LANES] if column + 3 * LANES < columns else zero
    return a0, a1, a2, a3


@device_function
def _write(a0, a1, a2, a3, factor, y, first, column, columns):
    """The columns of a lane, times a factor, into a row of y."""
    if column < columns:
        y[first + column] = a0 * factor
    if column + LANES < columns:
        y[first + column + LANES] = a1 * factor
    if column + 2 * LANES < columns:
        y[first + column + 2 * LANES] = a2 * factor
    if column + 3 * LANES < columns:
        y[first + column + 3 * LANES] = a3 * factor


@device_function
def _kept(weight, pair, t, s, key, rate, layout):
    """What dropout makes of the weight of query t and key s."""
    if layout[DROPPED] == 0:
        return weight
    w0, w1, w2, w3 = words_of(pair, t, s, key, layout)
    low, high = w1 if s % 2 == 1 else w0, w3 if s % 2 == 1 else w2
    word = low if s % 4 < 2 else high
    return weight * (_1 / (_1 - rate)) if is_kept(word, limit_of(rate)) else type(weight)(_0)


# ------------------------------------------------------------------------------------------------------ kernels


@kernel(threads=_THREADS)
def attention(q, k, v, mask, key, numbers, o, logsum, layout):
    """``O = W V``, and the log-sum-exp of every query's scores; a warp a query.

    q: (B, T, H, D), k: (B, S, H, D), v: (B, S, H, E), strided but for the last axis; mask: (B, H, T, S) booleans with
    any strides, key: (2,), each read if `layout` says so; numbers: the scale, the rate of dropout -> o: (B, T, H, E),
    logsum: (B, H, T).
    """
    own, others = cuda.shared.array(_THREADS, q.dtype), cuda.shared.array(_OTHERS, q.dtype)
    lane, rows = cuda.threadIdx.x, cuda.blockDim.y
    queries, keys, depth, columns = layout[QUERIES], layout[KEYS], layout[DEPTH], layout[VALUE_DEPTH]
    panels = (queries + rows - 1) // rows
    pair, first = cuda.blockIdx.x // panels, cuda.blockIdx.x % panels * rows
    t, column = first + cuda.threadIdx.y, cuda.blockIdx.y * WIDTH + lane
    end = min(keys, first + rows) if layout[CAUSAL] != 0 else keys
    x = place_of(pair, first, layout, Q_BATCH, Q_TIME, Q_HEAD)
    zero = q.dtype.type(0)
    top, total = q.dtype.type(-_INF), zero
    a0, a1, a2, a3 = zero, zero, zero, zero
    s = 0
    while s < end:
        count = min(LANES, end - s)
        y = place_of(pair, s, layout, K_BATCH, K_TIME, K_HEAD)
        score = _dots(own, others, q, x, layout[Q_TIME], queries - first, k, y, layout[K_TIME], count, depth)
        score *= numbers[SCALE]
        score = score if is_seen(pair, t, s + lane, mask, layout) else q.dtype.type(-_INF)
        highest = warp_max(score)
        before, top = top, highest if highest > top else top
        shift = shift_of(top)
        weight, factor = exp(score - shift), exp(before - shift)
        total = total * factor + warp_sum(weight)
        weight = _kept(weight, pair, t, s + lane, key, numbers[RATE], layout)
        y = place_of(pair, s, layout, V_BATCH, V_TIME, V_HEAD)
        a0, a1, a2, a3 = _add_rows(
            a0 * factor, a1 * factor, a2 * factor, a3 * factor, weight, count, v, y, layout[V_TIME], column, columns
        )
        s += LANES
    if t < queries:
        share = zero if total == zero else _1 / total
        _write(a0, a1, a2, a3, share, o, row_of(pair, t, queries, layout) * columns, column, columns)
        if lane == 0 and cuda.blockIdx.y == 0:
            logsum[pair * queries + t] = shift_of(top) + log(total)


@kernel(threads=_THREADS)
def row_dots(g, o, delta, layout):
    """The inner products of rows, delta: (B, H, T); g, o: (B, T, H, E). A warp a row."""
    row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    queries, columns = layout[QUERIES], layout[VALUE_DEPTH]
    if row < layout[BATCH] * layout[HEADS] * queries:
        first = row_of(row // queries, row % queries, queries, layout) * columns
        total = g.dtype.type(0)
        column = cuda.threadIdx.x
        while column < columns:
            total += g[first + column] * o[first + column]
            column += LANES
        total = warp_sum(total)
        if cuda.threadIdx.x == 0:
            delta[row] = total


@kernel(threads=_THREADS)
def attention_of_queries(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout):
    """``dQ = dS K`` with ``dS = W (dW - delta) scale`` and ``dW = G V'`` where dropout kept it; a warp a query.

    g: (B, T, H, E), logsum, delta: (B, H, T), the rest as in `attention` -> dq: (B, T, H, D).
    """
    own, others = cuda.shared.array(_THREADS, q.dtype), cuda.shared.array(_OTHERS, q.dtype)
    lane, rows = cuda.threadIdx.x, cuda.blockDim.y
    queries, keys, depth, value_depth = layout[QUERIES], layout[KEYS], layout[DEPTH], layout[VALUE_DEPTH]
    panels = (queries + rows - 1) // rows
    pair, first = cuda.blockIdx.x // panels, cuda.blockIdx.x % panels * rows
    t, column = first + cuda.threadIdx.y, cuda.blockIdx.y * WIDTH + lane
    end = min(keys, first + rows) if layout[CAUSAL] != 0 else keys
    x, g_row = place_of(pair, first, layout, Q_BATCH, Q_TIME, Q_HEAD), layout[HEADS] * value_depth
    of_g = row_of(pair, first, queries, layout) * value_depth
    zero = q.dtype.type(0)
    size, dot = zero, zero
    if t < queries:
        size, dot = shift_of(logsum[pair * queries + t]), delta[pair * queries + t]
    a0, a1, a2, a3 = zero, zero, zero, zero
    s = 0
    while s < end:
        count = min(LANES, end - s)
        y, z = place_of(pair, s, layout, K_BATCH, K_TIME, K_HEAD), place_of(pair, s, layout, V_BATCH, V_TIME, V_HEAD)
        score = _dots(own, others, q, x, layout[Q_TIME], queries - first, k, y, layout[K_TIME], count, depth)
        score *= numbers[SCALE]
        slope = _dots(own, others, g, of_g, g_row, queries - first, v, z, layout[V_TIME], count, value_depth)
        slope = _kept(slope, pair, t, s + lane, key, numbers[RATE], layout)
        weight = exp(score - size) if is_seen(pair, t, s + lane, mask, layout) else zero
        a0, a1, a2, a3 = _add_rows(a0, a1, a2, a3, weight * (slope - dot), count, k, y, layout[K_TIME], column, depth)
        s += LANES
    if t < queries:
        _write(a0, a1, a2, a3, numbers[SCALE], dq, row_of(pair, t, queries, layout) * depth, column, depth)


@kernel(threads=_THREADS)
def attention_of_keys(q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout):
    """``dK = dS' Q`` and ``dV = P' G`` with ``P = W`` after dropout, and dS as in `attention_of_queries`; a warp a key.

    dk: (B, S, H, D), dv: (B, S, H, E), the rest as in `attention_of_queries`.
    """
    own, others = cuda.shared.array(_THREADS, q.dtype), cuda.shared.array(_OTHERS, q.dtype)
    lane, rows = cuda.threadIdx.x, cuda.blockDim.y
    queries, keys, depth, value_depth = layout[QUERIES], layout[KEYS], layout[DEPTH], layout[VALUE_DEPTH]
    panels = (keys + rows - 1) // rows
    pair, first = cuda.blockIdx.x // panels, cuda.blockIdx.x % panels * rows
    s, column = first + cuda.threadIdx.y, cuda.blockIdx.y * WIDTH + lane
    x, g_row = place_of(pair, first, layout, K_BATCH, K_TIME, K_HEAD), layout[HEADS] * value_depth
    z = place_of(pair, first, layout, V_BATCH, V_TIME, V_HEAD)
    zero = q.dtype.type(0)
    a0, a1, a2, a3 = zero, zero, zero, zero
    b0, b1, b2, b3 = zero, zero, zero, zero
    begin = first if layout[CAUSAL] != 0 else 0
    while begin < queries:
        count, t = min(LANES, queries - begin), begin + lane
        y = place_of(pair, begin, layout, Q_BATCH, Q_TIME, Q_HEAD)
        of_g = row_of(pair, begin, queries, layout) * value_depth
        score = _dots(own, others, k, x, layout[K_TIME], keys - first, q, y, layout[Q_TIME], count, depth)
        score *= numbers[SCALE]
        slope = _dots(own, others, v, z, layout[V_TIME], keys - first, g, of_g, g_row, count, value_depth)
        weight, dot = zero, zero
        if is_seen(pair, t, s, mask, layout):
            weight, dot = exp(score - shift_of(logsum[pair * queries + t])), delta[pair * queries + t]
        slope = _kept(slope, pair, t, s, key, numbers[RATE], layout)
        a0, a1, a2, a3 = _add_rows(a0, a1, a2, a3, weight * (slope - dot), count, q, y, layout[Q_TIME], column, depth)
        weight = _kept(weight, pair, t, s, key, numbers[RATE], layout)
        b0, b1, b2, b3 = _add_rows(b0, b1, b2, b3, weight, count, g, of_g, g_row, column, value_depth)
        begin += LANES
    if s < keys:
        row = row_of(pair, s, keys, layout)
        _write(a0, a1, a2, a3, numbers[SCALE], dk, row * depth, column, depth)
        _write(b0, b1, b2, b3, q.dtype.type(_1), dv, row * value_depth, column, value_depth)
