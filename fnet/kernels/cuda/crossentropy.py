"""Cross-entropy of logits with integer labels or with target distributions, fused with the softmax.

Rows stay in registers (`fnet.kernels.cuda.runtime.held`). Labels out of range, `LEFT_OUT` and rows of -inf count as on
the CPU. Matrices are flat and row-major. A gradient has its losses, too, where they are asked for: ``gives_loss = 1``.
step_of_g: 0 where g is one number for all rows, else 1.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned
from fnet.kernels.cuda.runtime.held import (
    COLUMNS,
    HELD,
    QUADS,
    STEP,
    THREADS,
    hold,
    is_held,
    load_quad,
    next_quad,
    quad,
    quad_of,
    row_of,
    store_quad,
)
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_of_thread, row_sum
from fnet.kernels.cuda.scalars import log
from fnet.kernels.cuda.softmax import exps, four_sum, held_total, share

LEFT_OUT = -(2**63) + 1  # as in fnet.ops.nn
_0, _NAN = np.float32(0), np.float32(np.nan)


@kernel(threads=THREADS)
def sparse_crossentropy(logits, labels, loss, rows, cols):
    """loss[i] = log(sum(exp(row i))) - logits[i, labels[i]]."""
    shared, held = cuda.shared.array(WARPS, logits.dtype), cuda.local.array(HELD, logits.dtype)
    shift, total = held_total(logits, held, row_of(rows, cols, is_aligned(logits)), False, shared)
    i = row_of_thread()
    if cuda.threadIdx.x == 0 and i < rows:
        loss[i] = _label_loss(logits, i, np.int64(labels[i]), shift, total, cols)


@device_function
def _label_loss(logits, i, label, shift, total, cols):
    if label < 0 or label >= cols:
        return logits.dtype.type(_0 if label == LEFT_OUT else _NAN)
    return _log_or_zero(total) + (shift - logits[i * cols + label])


@device_function
def _label_slope(weight, is_label, scale, by, known, otherwise):
    slope = weight * scale - by if is_label else weight * scale
    return slope if known else otherwise


@device_function
def _label_slopes(weights, c, step, label, scale, by, known, otherwise):
    """weights * scale, less `by` at the label; `otherwise` where no label is known."""
    return (
        _label_slope(weights[0], c == label, scale, by, known, otherwise),
        _label_slope(weights[1], c + step == label, scale, by, known, otherwise),
        _label_slope(weights[2], c + 2 * step == label, scale, by, known, otherwise),
        _label_slope(weights[3], c + 3 * step == label, scale, by, known, otherwise),
    )


@kernel(threads=THREADS)
def sparse_crossentropy_vjp(logits, labels, g, dlogits, loss, rows, cols, step_of_g, gives_loss):
    """dlogits[i] = g[i] (softmax(row i) - onehot(labels[i]))."""
    shared, held = cuda.shared.array(WARPS, logits.dtype), cuda.local.array(HELD, logits.dtype)
    row, i = row_of(rows, cols, is_aligned(logits) and is_aligned(dlogits)), row_of_thread()
    shift, total = held_total(logits, held, row, True, shared)
    label, by = (np.int64(labels[i]), g[i * step_of_g]) if i < rows else (np.int64(0), total)
    if gives_loss and cuda.threadIdx.x == 0 and i < rows:
        loss[i] = _label_loss(logits, i, label, shift, total, cols)
    known, otherwise = label >= 0 and label < cols, logits.dtype.type(_0 if label == LEFT_OUT else _NAN)
    scale, step, c = share(by, total), row[STEP], quad(row, QUADS)
    by = total if total == _0 else by
    for q in range(QUADS):
        if is_held(row, q):
            weights, at = quad_of(held, q), quad(row, q)
            store_quad(dlogits, row, at, _label_slopes(weights, at, step, label, scale, by, known, otherwise))
    while c < row[COLUMNS]:
        weights = exps(load_quad(logits, row, c, logits.dtype.type(_0)), shift)
        store_quad(dlogits, row, c, _label_slopes(weights, c, step, label, scale, by, known, otherwise))
        c = next_quad(c)


@device_function
def _share_of_target(target, gap):
    """target * gap: nothing where the target is zero, whatever the gap is."""
    return target * gap if target != _0 else target


@device_function
def _target_products(targets, x, shift):
    return (
        _share_of_target(targets[0], x[0] - shift),
        _share_of_target(targets[1], x[1] - shift),
        _share_of_target(targets[2], x[2] - shift),
        _share_of_target(targets[3], x[3] - shift),
    )


@kernel(threads=THREADS)
def categorical_crossentropy(logits, targets, loss, rows, cols):
    """loss[i] = sum_j targets[i, j] (log(sum(exp(row i))) - logits[i, j]); a zero target contributes nothing."""
    shared, zero = cuda.shared.array(WARPS, logits.dtype), logits.dtype.type(_0)
    held, held_targets = cuda.local.array(HELD, logits.dtype), cuda.local.array(HELD, logits.dtype)
    row = row_of(rows, cols, is_aligned(logits) and is_aligned(targets))
    hold(targets, held_targets, row, zero)
    shift, total = held_total(logits, held, row, False, shared)
    weight, dot, c = zero, zero, quad(row, QUADS)
    for q in range(QUADS):
        if is_held(row, q):
            weight += four_sum(quad_of(held_targets, q))
            dot += four_sum(_target_products(quad_of(held_targets, q), quad_of(held, q), shift))
    while c < row[COLUMNS]:
        four = load_quad(targets, row, c, zero)
        weight += four_sum(four)
        dot += four_sum(_target_products(four, load_quad(logits, row, c, zero), shift))
        c = next_quad(c)
    weight, dot = row_sum(weight, shared), row_sum(dot, shared)
    if cuda.threadIdx.x == 0 and row_of_thread() < rows:
        loss[row_of_thread()] = weight * _log_or_zero(total) - dot


@device_function
def _dot_of_targets(logits, targets, row, shift, shared):
    """The sum of targets times logits of a row, read once more: exponentials have the place of logits by now."""
    dot, zero, c = logits.dtype.type(_0), logits.dtype.type(_0), quad(row, 0)
    while c < row[COLUMNS]:
        dot += four_sum(_target_products(load_quad(targets, row, c, zero), load_quad(logits, row, c, zero), shift))
        c = next_quad(c)
    return row_sum(dot, shared)


@device_function
def _target_slopes(weights, targets, scale, by):
    return (
        weights[0] * scale - targets[0] * by,
        weights[1] * scale - targets[1] * by,
        weights[2] * scale - targets[2] * by,
        weights[3] * scale - targets[3] * by,
    )


@kernel(threads=THREADS)
def categorical_crossentropy_vjp(logits, targets, g, dlogits, loss, rows, cols, step_of_g, gives_loss):
    """dlogits[i] = g[i] (softmax(row i) sum(targets[i]) - targets[i])."""
    shared, zero = cuda.shared.array(WARPS, logits.dtype), logits.dtype.type(_0)
    held, held_targets = cuda.local.array(HELD, logits.dtype), cuda.local.array(HELD, logits.dtype)
    row = row_of(rows, cols, is_aligned(logits) and is_aligned(targets) and is_aligned(dlogits))
    hold(targets, held_targets, row, zero)
    shift, total = held_total(logits, held, row, True, shared)
    weight, c, i = zero, quad(row, QUADS), row_of_thread()
    for q in range(QUADS):
        weight += four_sum(quad_of(held_targets, q))
    while c < row[COLUMNS]:
        weight += four_sum(load_quad(targets, row, c, zero))
        c = next_quad(c)
    weight, by, c = row_sum(weight, shared), g[i * step_of_g] if i < rows else zero, quad(row, QUADS)
    if gives_loss:
        dot = _dot_of_targets(logits, targets, row, shift, shared)
        if cuda.threadIdx.x == 0 and i < rows:
            loss[i] = weight * _log_or_zero(total) - dot
    scale = share(by * weight, total)
    by = total if total == _0 else by
    for q in range(QUADS):
        if is_held(row, q):
            slopes = _target_slopes(quad_of(held, q), quad_of(held_targets, q), scale, by)
            store_quad(dlogits, row, quad(row, q), slopes)
    while c < row[COLUMNS]:
        weights = exps(load_quad(logits, row, c, zero), shift)
        store_quad(dlogits, row, c, _target_slopes(weights, load_quad(targets, row, c, zero), scale, by))
        c = next_quad(c)


@device_function
def _log_or_zero(total):
    """The logarithm of a sum, 0 where that is of nothing."""
    return log(total) if total != _0 else total
