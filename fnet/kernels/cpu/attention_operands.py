"""What the kernels of attention are given: sizes, strides, scratch memory; and keys and values rounded to bfloat16.

At precision "medium" all keys and values are rounded ahead (`fnet.kernels.cpu.operands`), as every panel of queries
reads them, and once for each axis that products sum over: keys by columns (``K Q'``) and rows (``dS K``), values by
rows (``W V``) or by columns (``V G'``). Behind these words lie those of the tasks, for the operands that they make.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fnet.kernels.cpu.operands import PAIRS, by_columns, by_rows, chosen, length, rounded_size, words_row
from fnet.kernels.cpu.product import VECTORS, packed_size
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at
from fnet.kernels.policy import kernel, scalar
from fnet.kernels.sizes import Sizes

KEY_BLOCK = 128
QUERY_BLOCK = 64  # of the backward pass: a few panels
MAX_TASKS = 64

# What `layout` holds: sizes, flags, the elements of scratch memory for one task, strides in elements, and the words for
# all tasks together and for each.
(
    BATCH, HEADS, QUERIES, KEYS, DEPTH, VALUE_DEPTH, CAUSAL, MASKED, DROPPED, TASKS, SLOT,
    Q_BATCH, Q_TIME, Q_HEAD, K_BATCH, K_TIME, K_HEAD, V_BATCH, V_TIME, V_HEAD,
    MASK_BATCH, MASK_HEAD, MASK_QUERY, MASK_KEY, SHARED_WORDS, OWN_WORDS,
) = LAYOUT = Sizes(
    """
    batch heads queries keys depth value_depth causal masked dropped tasks slot
    q_batch q_time q_head k_batch k_time k_head v_batch v_time v_head
    mask_batch mask_head mask_query mask_key shared_words own_words
    """
)  # fmt: skip
# What `numbers` holds.
SCORE_SCALE, SCALE, RATE, LOG2E = range(4)
RIGHT_WORDS = KEY_BLOCK * QUERY_BLOCK // 2  # where a task's words for right operands begin, behind those for left ones


def panel_width(dtype: npt.DTypeLike) -> int:
    """The queries of one panel."""
    return VECTORS * VECTOR_BYTES // np.dtype(dtype).itemsize


def forward_slot(queries: int, keys: int, depth: int, dtype: npt.DTypeLike) -> int:
    """The elements of scratch memory that one task of `attention` needs."""
    if queries == 1:
        return depth + 1 + (keys + 3) // 4 * 4
    width = panel_width(dtype)
    return packed_size(width, depth, dtype) + KEY_BLOCK * width + 3 * width


def backward_slot(depth: int, value_depth: int, dtype: npt.DTypeLike) -> int:
    """The elements of scratch memory that one task of `attention_vjp` needs."""
    packed = sum(packed_size(QUERY_BLOCK, d, dtype) for d in (depth, value_depth))
    return packed + 2 * (KEY_BLOCK + 1) * QUERY_BLOCK


def shared_words(
    heads: int, keys: int, depth: int, value_depth: int, operands: npt.DTypeLike, *, backward: bool
) -> int:
    """The elements for keys and values of all heads of all samples that are rounded ahead."""
    if np.dtype(operands) != PAIRS:
        return 0
    by_rows = -(-keys // 2) * (depth if backward else value_depth)
    by_columns = [depth, value_depth] if backward else [depth]
    return heads * (by_rows + sum(rounded_size(keys, columns, operands) for columns in by_columns))


def own_words(depth: int, value_depth: int, operands: npt.DTypeLike) -> int:
    """The elements for the rounded operands of one task."""
    right = (max(depth, value_depth) + 1) * QUERY_BLOCK // 2
    return RIGHT_WORDS + right if np.dtype(operands) == PAIRS else 0


# --------------------------------------------------------------------------------------------- keys and values


@scalar
def key_address(k, pair, s, layout):
    """Key s of a head."""
    b, h = pair // layout[HEADS], pair % layout[HEADS]
    return at(k, b * layout[K_BATCH] + s * layout[K_TIME] + h * layout[K_HEAD])


@scalar
def value_address(v, pair, s, layout):
    """Value s of a head."""
    b, h = pair // layout[HEADS], pair % layout[HEADS]
    return at(v, b * layout[V_BATCH] + s * layout[V_TIME] + h * layout[V_HEAD])


@scalar
def _column_words(words, columns, pair, s, layout):
    return at(words, (pair * layout[KEYS] + s) * words_row(words, columns))


@scalar
def _row_words(words, columns, pair, s, layout):
    return at(words, (pair * length(words, layout[KEYS]) + length(words, s)) * columns)


@scalar
def _behind(words, columns, layout):
    """The words behind those of rows rounded by columns."""
    return at(words, layout[BATCH] * layout[HEADS] * layout[KEYS] * words_row(words, columns))


@scalar
def key_columns(k, words, pair, s, layout):
    """The keys of a head from s on, for products that sum over their features, and the distance of rows."""
    depth = layout[DEPTH]
    rounded = _column_words(words, depth, pair, s, layout)
    return chosen(key_address(k, pair, s, layout), layout[K_TIME], rounded, words_row(words, depth))


@scalar
def value_rows(v, words, pair, s, layout):
    """The values of a head from s on (a multiple of 2), for products that sum over them; forward pass."""
    columns = layout[VALUE_DEPTH]
    rounded = _row_words(_behind(words, layout[DEPTH], layout), columns, pair, s, layout)
    return chosen(value_address(v, pair, s, layout), layout[V_TIME], rounded, columns)


@scalar
def value_columns(v, words, pair, s, layout):
    """The values of a head from s on, for products that sum over their features; backward pass."""
    columns = layout[VALUE_DEPTH]
    rounded = _column_words(_behind(words, layout[DEPTH], layout), columns, pair, s, layout)
    return chosen(value_address(v, pair, s, layout), layout[V_TIME], rounded, words_row(words, columns))


@scalar
def key_rows(k, words, pair, s, layout):
    """The keys of a head from s on (a multiple of 2), for products that sum over them; backward pass."""
    columns = layout[DEPTH]
    left = _behind(_behind(words, columns, layout), layout[VALUE_DEPTH], layout)
    return chosen(key_address(k, pair, s, layout), layout[K_TIME], _row_words(left, columns, pair, s, layout), columns)


@kernel
def round_forward(pair, k, v, words, layout):
    """The keys and values of a head, for the forward pass."""
    x, y = key_address(k, pair, 0, layout), value_address(v, pair, 0, layout)
    keys, depth, value_depth = layout[KEYS], layout[DEPTH], layout[VALUE_DEPTH]
    left = _behind(words, depth, layout)
    by_columns(x, layout[K_TIME], _column_words(words, depth, pair, 0, layout), keys, depth)
    by_rows(y, layout[V_TIME], _row_words(left, value_depth, pair, 0, layout), keys, value_depth)


@kernel
def round_backward(pair, k, v, words, layout):
    """The keys and values of a head, for the backward pass."""
    x, y = key_address(k, pair, 0, layout), value_address(v, pair, 0, layout)
    keys, depth, value_depth = layout[KEYS], layout[DEPTH], layout[VALUE_DEPTH]
    values = _behind(words, depth, layout)
    rows = _behind(values, value_depth, layout)
    by_columns(x, layout[K_TIME], _column_words(words, depth, pair, 0, layout), keys, depth)
    by_columns(y, layout[V_TIME], _column_words(values, value_depth, pair, 0, layout), keys, value_depth)
    by_rows(x, layout[K_TIME], _row_words(rows, depth, pair, 0, layout), keys, depth)
