"""Attention of float32 in tiles of registers: a block has some queries, or keys, of a head and streams the others.

``O = W V`` and its gradients as in `fnet.kernels.cuda.attention`, without the matrix of scores. The rows of a block,
some for each of its y, stay in shared memory; tiles of the others pass through it, as
`fnet.kernels.cuda.attention_tiles` says.

Forward, the softmax runs along with the keys. Back, weights are computed again from the log-sum-exp: a block of queries
streams keys for dQ, a block of keys streams queries for dK and dV. So each sum has one order, and needs no atomics.
With `causal`, tiles that no row sees are left out, and a tile that all rows see entirely asks for no mask.

Source: T. Dao et al., FlashAttention, 2022; T. Dao, FlashAttention-2, 2023; M. Milakov and N. Gimelshein, Online
normalizer calculation for softmax, 2018.
"""

from __future__ import annotations

import numpy as np

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
    four_up,
    is_whole,
    keys_of_block,
    keys_operand,
    queries_of_block,
    queries_operand,
    shift_of,
    slopes_operand,
    values_operand,
)
from fnet.kernels.cuda.attention_tiles import (
    ACROSS,
    SPACE,
    THREADS,
    add_products,
    dots,
    drop_of_keys,
    drop_of_queries,
    keep_scores,
    kept_of,
    load_rows,
    of_row,
    rescale,
    soften,
    weigh_keys,
    weigh_queries,
    write_rows,
)
from fnet.kernels.cuda.runtime.access import BYTES
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.scalars import log

# For each kernel: rows of a thread, others of a thread in a tile, and its fours of columns.
FORWARD_64, FORWARD_128, BACK_64, BACK_128 = (8, 4, 1), (8, 4, 2), (8, 2, 1), (4, 2, 2)
_SCORES, _SUMS_64, _SUMS_128, _HELD_64, _HELD_128 = 32, 32, 64, 16, 32
_SCORES_BACK_64, _SCORES_BACK_128, _SUMS_BACK_128 = 16, 8, 32

_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)


def forward_size(shape: tuple[int, int, int], down: int) -> int:
    """How many elements a block has in shared memory: a tile of keys or values, its queries, and their weights."""
    many, size, width = _shape_of_block(shape, down)
    return (size + many) * width + many * (size + SPACE)


def back_size(shape: tuple[int, int, int], down: int) -> int:
    """The same for gradients: two tiles of others, two of its own rows, and weights."""
    many, size, width = _shape_of_block(shape, down)
    return (2 * size + 2 * many) * width + many * (size + SPACE)


def _shape_of_block(shape: tuple[int, int, int], down: int) -> tuple[int, int, int]:
    """Its rows, the others of a tile, and the elements from one row to the next."""
    rows, others, wide = shape
    return rows * down, others * ACROSS, 64 * wide + SPACE


@device_function
def _forward(q, k, v, mask, key, numbers, o, logsum, layout, tiles, scores, sums, held, shape):
    rows, others, wide = shape
    pitch, size, x, y = 64 * wide + SPACE, ACROSS * others, np.int32(cuda.threadIdx.x), np.int32(cuda.threadIdx.y)
    many, weights = np.int64(rows * cuda.blockDim.y), size + SPACE  # others lie first, then queries, then weights
    own = np.int32((size + rows * y) * pitch)
    mine = np.int32((size + many) * pitch + rows * y * weights)
    pair, first = block_of(many, layout[QUERIES])
    t = first + rows * y
    state = np.float32(-_INF), _0
    for n in range(4 * rows * wide):
        sums[n] = _0
    load_rows(tiles, size * pitch, queries_operand(q, pair, first, layout), many, 16 * wide)
    s, end = keys_of_block(first, many, layout)
    while s < end:
        load_rows(tiles, 0, keys_operand(k, pair, s, layout), size, 16 * wide)
        cuda.syncthreads()
        dots(tiles, own, x * pitch, pitch, four_up(layout[DEPTH]), scores, held, rows, others)
        keep_scores(tiles, mine + x, weights, scores, rows, others)
        cuda.syncthreads()
        load_rows(tiles, 0, values_operand(v, pair, s, layout), size, 16 * wide)
        whole, place = is_whole(first, s, many, size, layout), (pair, t, s + x)
        state, factor = soften(tiles, mine + x, weights, state, numbers, mask, layout, place, whole, held, rows, others)
        rescale(sums, factor, rows, wide)
        if layout[DROPPED] != 0:
            cuda.syncwarp()
            scale = _1 / (_1 - numbers[RATE])
            drop_of_queries(tiles, mine, weights, pair, t, s, key, numbers[RATE], layout, rows, size, scale, _0)
        cuda.syncthreads()
        count = four_up(min(size, end - s))
        add_products(tiles, mine, weights, 4 * x, pitch, count, layout[VALUE_DEPTH], sums, held, rows, wide)
        cuda.syncthreads()
        s += size
    top, total = state
    columns, queries = layout[VALUE_DEPTH], layout[QUERIES]
    part, share = cuda.blockIdx.y * layout[BATCH] * layout[HEADS] * queries, _0 if total == _0 else _1 / total
    write_rows(tiles, own + 4 * x, pitch, sums, share, o, part, pair, t, queries, columns, layout, rows, wide)
    if x < rows and t + x < queries:
        logsum[part + pair * queries + t + x] = shift_of(top) + log(total)


@device_function
def _queries_back(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout, tiles, scores, sums, held, shape):
    rows, others, wide = shape
    pitch, size, x, y = 64 * wide + SPACE, ACROSS * others, np.int32(cuda.threadIdx.x), np.int32(cuda.threadIdx.y)
    many, weights = np.int64(rows * cuda.blockDim.y), size + SPACE  # keys, values, queries, slopes, weights
    own = np.int32((2 * size + rows * y) * pitch)
    own_g, mine = np.int32(own + many * pitch), np.int32((2 * size + 2 * many) * pitch + rows * y * weights)
    pair, first = block_of(many, layout[QUERIES])
    t = first + rows * y
    for n in range(4 * rows * wide):
        sums[n] = _0
    load_rows(tiles, 2 * size * pitch, queries_operand(q, pair, first, layout), many, 16 * wide)
    load_rows(tiles, np.int32((2 * size + many) * pitch), slopes_operand(g, pair, first, layout), many, 16 * wide)
    dot = delta[pair * layout[QUERIES] + min(t + x % rows, layout[QUERIES] - 1)]  # that of row x
    s, end = keys_of_block(first, many, layout)
    while s < end:
        load_rows(tiles, 0, keys_operand(k, pair, s, layout), size, 16 * wide)
        load_rows(tiles, size * pitch, values_operand(v, pair, s, layout), size, 16 * wide)
        cuda.syncthreads()
        dots(tiles, own, x * pitch, pitch, four_up(layout[DEPTH]), scores, held, rows, others)
        keep_scores(tiles, mine + x, weights, scores, rows, others)
        whole, place, scale = is_whole(first, s, many, size, layout), (pair, t, s + x), _1
        weigh_queries(tiles, mine + x, weights, numbers, logsum, mask, layout, place, whole, rows, others)
        if layout[DROPPED] != 0:
            scale = _1 / (_1 - numbers[RATE])
            cuda.syncwarp()
            drop_of_queries(tiles, mine, weights, pair, t, s, key, numbers[RATE], layout, rows, size, _1, -_1)
            cuda.syncwarp()
        dots(tiles, own_g, (size + x) * pitch, pitch, four_up(layout[VALUE_DEPTH]), scores, held, rows, others)
        for i in range(rows):
            of_this = of_row(dot, i)
            for j in range(others):
                at = np.int64(mine + x + i * weights + ACROSS * j)
                weight = tiles[at]
                tiles[at] = abs(weight) * (scores[i * others + j] * kept_of(weight, scale) - of_this)
        cuda.syncwarp()
        count = four_up(min(size, end - s))
        add_products(tiles, mine, weights, 4 * x, pitch, count, layout[DEPTH], sums, held, rows, wide)
        cuda.syncthreads()
        s += size
    depth, queries = layout[DEPTH], layout[QUERIES]
    part = cuda.blockIdx.y * layout[BATCH] * layout[HEADS] * queries
    write_rows(tiles, own + 4 * x, pitch, sums, numbers[SCALE], dq, part, pair, t, queries, depth, layout, rows, wide)


@device_function
def _keys_back(
    q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout, tiles, scores, sums_k, sums_v, held, shape
):
    rows, others, wide = shape
    pitch, size, x, y = 64 * wide + SPACE, ACROSS * others, np.int32(cuda.threadIdx.x), np.int32(cuda.threadIdx.y)
    many, weights = np.int64(rows * cuda.blockDim.y), size + SPACE  # queries, slopes, keys, values, weights
    own = np.int32((2 * size + rows * y) * pitch)
    own_v, mine = np.int32(own + many * pitch), np.int32((2 * size + 2 * many) * pitch + rows * y * weights)
    pair, first = block_of(many, layout[KEYS])
    s = first + rows * y
    for n in range(4 * rows * wide):
        sums_k[n] = _0
        sums_v[n] = _0
    load_rows(tiles, 2 * size * pitch, keys_operand(k, pair, first, layout), many, 16 * wide)
    load_rows(tiles, np.int32((2 * size + many) * pitch), values_operand(v, pair, first, layout), many, 16 * wide)
    t, end = queries_of_block(first, size, layout)
    while t < end:
        load_rows(tiles, 0, queries_operand(q, pair, t, layout), size, 16 * wide)
        load_rows(tiles, size * pitch, slopes_operand(g, pair, t, layout), size, 16 * wide)
        cuda.syncthreads()
        dots(tiles, own, x * pitch, pitch, four_up(layout[DEPTH]), scores, held, rows, others)
        keep_scores(tiles, mine + x, weights, scores, rows, others)
        whole, place, scale = is_whole(t, first, size, many, layout), (pair, t + x, s), _1
        weigh_keys(tiles, mine + x, weights, numbers, logsum, mask, layout, place, whole, held, rows, others)
        if layout[DROPPED] != 0:
            scale = _1 / (_1 - numbers[RATE])
            cuda.syncwarp()
            drop_of_keys(tiles, mine, weights, pair, t, s, key, numbers[RATE], layout, rows, size)
            cuda.syncwarp()
        dots(tiles, own_v, (size + x) * pitch, pitch, four_up(layout[VALUE_DEPTH]), scores, held, rows, others)
        for j in range(others):
            held[j] = delta[pair * layout[QUERIES] + min(t + x + ACROSS * j, layout[QUERIES] - 1)]
        for i in range(rows):
            for j in range(others):
                at = np.int64(mine + x + i * weights + ACROSS * j)
                weight = tiles[at]
                kept = kept_of(weight, scale)
                tiles[at] = weight * kept
                scores[i * others + j] = abs(weight) * (scores[i * others + j] * kept - held[j])
        cuda.syncwarp()
        count = four_up(min(size, end - t))
        add_products(
            tiles, mine, weights, size * pitch + 4 * x, pitch, count, layout[VALUE_DEPTH], sums_v, held, rows, wide
        )
        cuda.syncwarp()
        keep_scores(tiles, mine + x, weights, scores, rows, others)
        cuda.syncwarp()
        add_products(tiles, mine, weights, 4 * x, pitch, count, layout[DEPTH], sums_k, held, rows, wide)
        cuda.syncthreads()
        t += size
    depth, columns, keys = layout[DEPTH], layout[VALUE_DEPTH], layout[KEYS]
    part = cuda.blockIdx.y * layout[BATCH] * layout[HEADS] * keys
    write_rows(tiles, own + 4 * x, pitch, sums_k, numbers[SCALE], dk, part, pair, s, keys, depth, layout, rows, wide)
    write_rows(tiles, own + 4 * x, pitch, sums_v, _1, dv, part, pair, s, keys, columns, layout, rows, wide)


@kernel(threads=THREADS, blocks=3)
def attention_64(q, k, v, mask, key, numbers, o, logsum, layout):
    """``O = W V``, and the log-sum-exp of every query's scores, for depths up to 64.

    q: (B, T, H, D), k: (B, S, H, D), v: (B, S, H, E), strided but for the last axis; mask: (B, H, T, S) booleans with
    any strides, key: (2,), each read if `layout` says so; numbers: the scale, the rate of dropout -> o: (B, T, H, E),
    logsum: (B, H, T). Where keys are in parts, y of the grid, there are results of each part, one behind the other.
    """
    tiles = cuda.shared.array(0, np.float32, alignment=BYTES)
    scores, sums, held = (
        cuda.local.array(_SCORES, np.float32),
        cuda.local.array(_SUMS_64, np.float32),
        cuda.local.array(_HELD_64, np.float32),
    )
    _forward(q, k, v, mask, key, numbers, o, logsum, layout, tiles, scores, sums, held, FORWARD_64)


@kernel(threads=THREADS, blocks=2)
def attention_128(q, k, v, mask, key, numbers, o, logsum, layout):
    """As `attention_64`, for depths up to 128."""
    tiles = cuda.shared.array(0, np.float32, alignment=BYTES)
    scores, sums, held = (
        cuda.local.array(_SCORES, np.float32),
        cuda.local.array(_SUMS_128, np.float32),
        cuda.local.array(_HELD_128, np.float32),
    )
    _forward(q, k, v, mask, key, numbers, o, logsum, layout, tiles, scores, sums, held, FORWARD_128)


@kernel(threads=THREADS, blocks=3)
def attention_of_queries_64(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout):
    """``dQ = dS K`` with ``dS = W (dW - delta) scale`` and ``dW = G V'`` where dropout kept it, for depths up to 64.

    g: (B, T, H, E), logsum, delta: (B, H, T), the rest as in `attention_64` -> dq: (B, T, H, D), of each part of keys.
    """
    tiles = cuda.shared.array(0, np.float32, alignment=BYTES)
    scores = cuda.local.array(_SCORES_BACK_64, np.float32)
    sums, held = cuda.local.array(_SUMS_64, np.float32), cuda.local.array(_HELD_64, np.float32)
    _queries_back(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout, tiles, scores, sums, held, BACK_64)


@kernel(threads=THREADS, blocks=3)
def attention_of_queries_128(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout):
    """As `attention_of_queries_64`, for depths up to 128."""
    tiles = cuda.shared.array(0, np.float32, alignment=BYTES)
    scores = cuda.local.array(_SCORES_BACK_128, np.float32)
    sums, held = cuda.local.array(_SUMS_BACK_128, np.float32), cuda.local.array(_HELD_128, np.float32)
    _queries_back(q, k, v, mask, key, numbers, logsum, g, delta, dq, layout, tiles, scores, sums, held, BACK_128)


@kernel(threads=THREADS, blocks=2)
def attention_of_keys_64(q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout):
    """``dK = dS' Q`` and ``dV = P' G`` with ``P = W`` after dropout, and dS as in `attention_of_queries_64`.

    dk: (B, S, H, D), dv: (B, S, H, E), of each part of queries; the rest as in `attention_of_queries_64`.
    """
    tiles = cuda.shared.array(0, np.float32, alignment=BYTES)
    scores = cuda.local.array(_SCORES_BACK_64, np.float32)
    of_k, of_v = cuda.local.array(_SUMS_64, np.float32), cuda.local.array(_SUMS_64, np.float32)
    held = cuda.local.array(_HELD_64, np.float32)
    _keys_back(q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout, tiles, scores, of_k, of_v, held, BACK_64)


@kernel(threads=THREADS, blocks=2)
def attention_of_keys_128(q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout):
    """As `attention_of_keys_64`, for depths up to 128."""
    tiles = cuda.shared.array(0, np.float32, alignment=BYTES)
    scores = cuda.local.array(_SCORES_BACK_128, np.float32)
    of_k, of_v = cuda.local.array(_SUMS_BACK_128, np.float32), cuda.local.array(_SUMS_BACK_128, np.float32)
    held = cuda.local.array(_HELD_128, np.float32)
    _keys_back(q, k, v, mask, key, numbers, logsum, g, delta, dk, dv, layout, tiles, scores, of_k, of_v, held, BACK_128)
