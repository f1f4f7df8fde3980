"""Attention of one query for each head, as in decoding token by token: two passes over memory, keys and values.

All scores are computed at once, each the inner product of the query and a key; then the softmax runs over keys in
lanes, and the weights times the values are one more product.
"""

from __future__ import annotations

import numpy as np

from fnet.activation_codes import LINEAR
from fnet.kernels.cpu.attention_operands import (
    DEPTH,
    DROPPED,
    HEADS,
    K_TIME,
    LOG2E,
    MASKED,
    Q_BATCH,
    Q_HEAD,
    RATE,
    SCORE_SCALE,
    V_TIME,
    VALUE_DEPTH,
    key_address,
    value_address,
)
from fnet.kernels.cpu.attention_passes import drop, hide_masked, row_softmax, visible_keys
from fnet.kernels.cpu.product import product
from fnet.kernels.cpu.scalars import log
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.cpu.vector.tiles import FROM_ZERO
from fnet.kernels.policy import kernel

_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)


@kernel
def forward_row(pair, q, k, v, mask, key, numbers, o, logsum, slot, layout):
    """The output and the log-sum-exp of the only query of a head; arguments as of `attention`."""
    heads, depth, value_depth = layout[HEADS], layout[DEPTH], layout[VALUE_DEPTH]
    sums, scores, y, keys = at(slot, depth), at(slot, depth + 1), at(o, pair * value_depth), visible_keys(1, layout)
    x = at(q, pair // heads * layout[Q_BATCH] + pair % heads * layout[Q_HEAD])
    for i in range(depth):
        slot[i] = x[i] * numbers[SCORE_SCALE]
    rows, row = key_address(k, pair, 0, layout), layout[K_TIME]
    product(rows, slot, scores, scores, scores, keys, 1, depth, row, 1, 1, 1, 1, FROM_ZERO, LINEAR)
    if layout[MASKED]:
        hide_masked(scores, 1, keys, 0, 0, 1, pair, mask, layout)
    top = at(logsum, pair)
    row_softmax(scores, top, sums, keys)
    highest, total = top[0], sums[0]
    if layout[DROPPED]:
        drop(scores, 1, keys, 0, 0, 1, pair, key, numbers[RATE], layout)
    factor = _0 if total == _0 else _1 / total
    rows, row = value_address(v, pair, 0, layout), layout[V_TIME]
    product(scores, rows, y, y, scores, 1, value_depth, keys, keys, 1, row, 1, value_depth, FROM_ZERO, LINEAR)
    for i in range(value_depth):
        y[i] *= factor
    top[0] = (highest if highest != -_INF else _0) + log(total) * numbers[LOG2E]
