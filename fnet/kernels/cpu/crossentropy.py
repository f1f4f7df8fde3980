"""Cross-entropy of logits with integer labels or with target distributions, fused with the softmax.

A label outside 0..cols-1 gives NaN and reads nothing, but `LEFT_OUT` gives 0, for a row that does not count, whatever
its logits hold. Where every logit of a row is -inf the loss is +inf and the
gradient zero. Matrices are flat and row-major; `dlogits` may be `logits` itself.
Source: Keras ``SparseCategoricalCrossentropy`` and ``CategoricalCrossentropy`` with ``from_logits=True``.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.narrow_rows import (
    NARROW,
    narrow_scaled_softmax,
    narrow_target_gradient,
    narrow_target_loss,
)
from fnet.kernels.cpu.runtime.threads import parallel_for
from fnet.kernels.cpu.softmax import exp_rows, log_totals, row_threads, rows_of_block, rows_of_task
from fnet.kernels.cpu.vector.row_passes import combine_row, row_total, scale_row, target_dot
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar

_0, _INF, _NAN = np.float32(0), np.float32(np.inf), np.float32(np.nan)


LEFT_OUT = -(2**63) + 1  # as in fnet.ops.nn

# ------------------------------------------------------------------------------------------ integer labels


@kernel
def _sparse_task(task, logits, labels, loss, shifts, rows, n):
    first, last = task * rows_of_task(n), min((task + 1) * rows_of_task(n), rows)
    log_totals(logits, loss, shifts, first, last, n)
    for i in range(first, last):
        label, size = labels[i], loss[i]
        if label < 0 or label >= n:
            loss[i] = _0 if label == LEFT_OUT else _NAN
        else:
            loss[i] = (_0 if size == -_INF else size) + (shifts[i] - logits[i * n + label])


@kernel
def sparse_crossentropy(logits, labels, loss, work, rows, cols):
    """loss[i] = log(sum(exp(row i))) - logits[i, labels[i]]; `work` has as many elements as the loss."""
    tasks, threads = -(-rows // rows_of_task(cols)), row_threads(rows, cols, 0.4)
    parallel_for(_sparse_task, tasks, threads, at(logits, 0), at(labels, 0), at(loss, 0), at(work, 0), rows, cols)


@scalar
def _subtract_at_labels(labels, g, dlogits, totals, first, last, n):
    """Take g[i] from the element of row i that its label says; a row without one becomes NaN."""
    for i in range(first, last):
        d, label = at(dlogits, i * n), labels[i]
        if label >= 0 and label < n:
            d[label] -= _0 if totals[i] == _0 else g[i]
        else:
            fill = _0 if label == LEFT_OUT else _NAN
            for j in range(n):
                d[j] = fill


@kernel
def _sparse_vjp_task(task, logits, labels, g, dlogits, totals, rows, n):
    first, last, step = task * rows_of_task(n), min((task + 1) * rows_of_task(n), rows), rows_of_block(n)
    if n <= NARROW:
        narrow_scaled_softmax(logits, g, dlogits, totals, first, last, n)
        _subtract_at_labels(labels, g, dlogits, totals, first, last, n)
        return
    for start in range(first, last, step):
        stop = min(start + step, last)
        exp_rows(logits, dlogits, totals, start, stop, n)
        for i in range(start, stop):
            d, label, total = at(dlogits, i * n), labels[i], totals[i]
            known = label >= 0 and label < n
            if label == LEFT_OUT:
                for j in range(n):
                    d[j] = _0
                continue
            scale_row(d, d, (_0 if total == _0 else g[i] / total) if known else _NAN, n)
            if known and total != _0:
                d[label] -= g[i]


@kernel
def sparse_crossentropy_vjp(logits, labels, g, dlogits, work, rows, cols):
    """dlogits[i] = g[i] (softmax(row i) - onehot(labels[i])); `work` has an element for each row."""
    tasks, threads = -(-rows // rows_of_task(cols)), row_threads(rows, cols, 0.4)
    parallel_for(
        _sparse_vjp_task, tasks, threads, at(logits, 0), at(labels, 0), at(g, 0), at(dlogits, 0), at(work, 0),
        rows, cols,
    )  # fmt: skip


# ------------------------------------------------------------------------------------ target distributions


@kernel
def _categorical_task(task, logits, targets, loss, shifts, rows, n):
    first, last = task * rows_of_task(n), min((task + 1) * rows_of_task(n), rows)
    log_totals(logits, loss, shifts, first, last, n)
    if n <= NARROW:
        narrow_target_loss(logits, targets, loss, shifts, first, last, n)
        return
    for i in range(first, last):
        t, size = at(targets, i * n), _0 if loss[i] == -_INF else loss[i]
        loss[i] = row_total(t, n) * size - target_dot(t, at(logits, i * n), shifts[i], n)


@kernel
def categorical_crossentropy(logits, targets, loss, work, rows, cols):
    """loss[i] = sum_j targets[i, j] (log(sum(exp(row i))) - logits[i, j]); a zero target contributes nothing.

    `work` has as many elements as the loss.
    """
    tasks, threads = -(-rows // rows_of_task(cols)), row_threads(rows, cols, 0.5)
    parallel_for(_categorical_task, tasks, threads, at(logits, 0), at(targets, 0), at(loss, 0), at(work, 0), rows, cols)


@kernel
def _categorical_vjp_task(task, logits, targets, g, dlogits, totals, rows, n):
    first, last, step = task * rows_of_task(n), min((task + 1) * rows_of_task(n), rows), rows_of_block(n)
    if n <= NARROW:
        narrow_target_gradient(logits, targets, g, dlogits, totals, first, last, n)
        return
    for start in range(first, last, step):
        stop = min(start + step, last)
        exp_rows(logits, dlogits, totals, start, stop, n)
        for i in range(start, stop):
            t, d, empty = at(targets, i * n), at(dlogits, i * n), totals[i] == _0
            scale = _0 if empty else g[i] * row_total(t, n) / totals[i]
            combine_row(d, t, d, scale, _0 if empty else g[i], n)


@kernel
def categorical_crossentropy_vjp(logits, targets, g, dlogits, work, rows, cols):
    """dlogits[i] = g[i] (softmax(row i) sum(targets[i]) - targets[i]); `work` has an element for each row."""
    tasks, threads = -(-rows // rows_of_task(cols)), row_threads(rows, cols, 0.5)
    parallel_for(
        _categorical_vjp_task, tasks, threads, at(logits, 0), at(targets, 0), at(g, 0), at(dlogits, 0), at(work, 0),
        rows, cols,
    )  # fmt: skip
