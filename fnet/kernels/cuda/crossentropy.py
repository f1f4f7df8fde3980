"""Cross-entropy of logits with integer labels or with target distributions, fused with the softmax.

A row is the work of a warp, or of a block. Labels out of range, `LEFT_OUT` and rows of -inf count as on the CPU.
Matrices are flat and row-major; `dlogits` may be `logits` itself.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_of_thread, row_sum
from fnet.kernels.cuda.scalars import exp
from fnet.kernels.cuda.softmax import exp_total, log_total, row_shift, row_total, share

THREADS = 256
LEFT_OUT = -(2**63) + 1  # as in fnet.ops.nn
_0, _INF, _NAN = np.float32(0), np.float32(np.inf), np.float32(np.nan)


@kernel(threads=THREADS)
def sparse_crossentropy(logits, labels, loss, rows, cols):
    """loss[i] = log(sum(exp(row i))) - logits[i, labels[i]]."""
    shared = cuda.shared.array(WARPS, logits.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * cols
        shift = row_shift(logits, first, cols, shared)
        size = log_total(logits, first, cols, shift, shared)
        if cuda.threadIdx.x == 0:
            label = labels[row]
            if label < 0 or label >= cols:
                loss[row] = _0 if label == LEFT_OUT else _NAN
            else:
                loss[row] = _or_zero(size) + (shift - logits[first + label])


@kernel(threads=THREADS)
def sparse_crossentropy_vjp(logits, labels, g, dlogits, rows, cols):
    """dlogits[i] = g[i] (softmax(row i) - onehot(labels[i]))."""
    shared = cuda.shared.array(WARPS, logits.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * cols
        shift = row_shift(logits, first, cols, shared)
        total = exp_total(logits, first, cols, shift, shared)
        label = labels[row]
        known = label >= 0 and label < cols
        scale = share(g[row], total)
        j = cuda.threadIdx.x
        while j < cols:
            value = exp(logits[first + j] - shift) * scale
            if j == label and total != _0:
                value -= g[row]
            if not known:
                value = logits.dtype.type(_0 if label == LEFT_OUT else _NAN)
            dlogits[first + j] = value
            j += cuda.blockDim.x


@kernel(threads=THREADS)
def categorical_crossentropy(logits, targets, loss, rows, cols):
    """loss[i] = sum_j targets[i, j] (log(sum(exp(row i))) - logits[i, j]); a zero target contributes nothing."""
    shared = cuda.shared.array(WARPS, logits.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * cols
        shift = row_shift(logits, first, cols, shared)
        size = log_total(logits, first, cols, shift, shared)
        weight = row_total(targets, first, cols, shared)
        dot = logits.dtype.type(_0)
        j = cuda.threadIdx.x
        while j < cols:
            target = targets[first + j]
            if target != _0:
                dot += target * (logits[first + j] - shift)
            j += cuda.blockDim.x
        dot = row_sum(dot, shared)
        if cuda.threadIdx.x == 0:
            loss[row] = weight * _or_zero(size) - dot


@kernel(threads=THREADS)
def categorical_crossentropy_vjp(logits, targets, g, dlogits, rows, cols):
    """dlogits[i] = g[i] (softmax(row i) sum(targets[i]) - targets[i])."""
    shared = cuda.shared.array(WARPS, logits.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * cols
        shift = row_shift(logits, first, cols, shared)
        total = exp_total(logits, first, cols, shift, shared)
        weight = row_total(targets, first, cols, shared)
        scale = share(g[row] * weight, total)
        by = total if total == _0 else g[row]
        j = cuda.threadIdx.x
        while j < cols:
            dlogits[first + j] = exp(logits[first + j] - shift) * scale - targets[first + j] * by
            j += cuda.blockDim.x


@device_function
def _or_zero(size):
    """The logarithm of a sum, 0 where that is of nothing."""
    return type(size)(_0) if size == -_INF else size
