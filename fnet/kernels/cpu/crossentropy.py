"""Cross-entropy of logits with integer labels or with target distributions, fused with the softmax.

A label outside 0..cols-1 gives NaN and reads nothing. Where every logit of a row is -inf the loss is +inf and the
gradient zero. Matrices are flat and row-major; `dlogits` may be `logits` itself.
Source: Keras ``SparseCategoricalCrossentropy`` and ``CategoricalCrossentropy`` with ``from_logits=True``.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.softmax import block_rows, exp_rows, row_exp_sum, row_shift, row_sum
from fnet.kernels.policy import kernel
from fnet.kernels.scalar import exp, log

_0, _NAN = np.float32(0), np.float32(np.nan)


@kernel
def sparse_crossentropy(logits, labels, loss, rows, cols):
    """loss[i] = log(sum(exp(row i))) - logits[i, labels[i]]."""
    n = np.uintp(cols)
    for i in range(np.uintp(rows)):
        label = labels[i]
        if label < 0 or label >= cols:
            loss[i] = _NAN
        else:
            shift = row_shift(logits, i * n, i * n + n)
            total = row_exp_sum(logits, shift, i * n, i * n + n)
            size = _0 if total == _0 else log(total)
            loss[i] = size + (shift - logits[i * n + np.uintp(label)])


@kernel
def sparse_crossentropy_vjp(logits, labels, g, dlogits, rows, cols):
    """dlogits[i] = g[i] (softmax(row i) - onehot(labels[i]))."""
    m, n, step = np.uintp(rows), np.uintp(cols), block_rows(cols)
    for first in range(np.uintp(0), m, step):
        last = min(first + step, m)
        exp_rows(logits, dlogits, first, last, n)
        for i in range(first, last):
            total = row_sum(dlogits, i * n, i * n + n)
            label = labels[i]
            known = label >= 0 and label < cols
            scale = (_0 if total == _0 else g[i] / total) if known else _NAN
            for j in range(i * n, i * n + n):
                dlogits[j] *= scale
            if known and total != _0:
                dlogits[i * n + np.uintp(label)] -= g[i]


@kernel(reassoc=True)
def _target_sums(logits, targets, shift, start, stop):
    """The sums of exp(v), t and t v with v = logits - shift, over start:stop."""
    total, weight, dot = _0, _0, _0
    for j in range(start, stop):
        t, v = targets[j], logits[j] - shift
        total += exp(v)
        weight += t
        dot += _0 if t == _0 else t * v
    return total, weight, dot


@kernel
def categorical_crossentropy(logits, targets, loss, rows, cols):
    """loss[i] = sum_j targets[i, j] (log(sum(exp(row i))) - logits[i, j]); a zero target contributes nothing."""
    n = np.uintp(cols)
    for i in range(np.uintp(rows)):
        shift = row_shift(logits, i * n, i * n + n)
        total, weight, dot = _target_sums(logits, targets, shift, i * n, i * n + n)
        size = _0 if total == _0 else log(total)
        loss[i] = weight * size - dot


@kernel
def categorical_crossentropy_vjp(logits, targets, g, dlogits, rows, cols):
    """dlogits[i] = g[i] (softmax(row i) sum(targets[i]) - targets[i])."""
    m, n, step = np.uintp(rows), np.uintp(cols), block_rows(cols)
    for first in range(np.uintp(0), m, step):
        last = min(first + step, m)
        exp_rows(logits, dlogits, first, last, n)
        for i in range(first, last):
            total, weight = row_sum(dlogits, i * n, i * n + n), row_sum(targets, i * n, i * n + n)
            scale, factor = (_0, _0) if total == _0 else (g[i] * weight / total, g[i])
            for j in range(i * n, i * n + n):
                dlogits[j] = dlogits[j] * scale - factor * targets[j]
