"""Softmax, log-softmax and log-sum-exp over the rows of a matrix, with their vector-Jacobian products.

A row is the work of a warp, or of a block (`fnet.kernels.cuda.runtime.rows`). Rules for NaN and infinities are those of
the CPU: a row of only -inf has softmax zero, log-softmax and log-sum-exp -inf, and gradient zero. Matrices are flat and
row-major; the output may be an input itself. A row is read once more for each pass over it, which finds it in a cache.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_max, row_of_thread, row_sum
from fnet.kernels.cuda.scalars import exp, log

THREADS = 256
_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)


# ------------------------------------------------------------------------------------------ parts of kernels


@device_function
def row_shift(x, first, cols, shared):
    """What to subtract from a row before `exp`: its maximum, or 0 where that is not finite."""
    top = x.dtype.type(-_INF)
    j = cuda.threadIdx.x
    while j < cols:
        value = x[first + j]
        top = value if value > top else top
        j += cuda.blockDim.x
    top = row_max(top, shared)
    return top if abs(top) < _INF else x.dtype.type(_0)


@device_function
def exp_total(x, first, cols, shift, shared):
    """sum(exp(x - shift)) over a row."""
    total = x.dtype.type(_0)
    j = cuda.threadIdx.x
    while j < cols:
        total += exp(x[first + j] - shift)
        j += cuda.blockDim.x
    return row_sum(total, shared)


@device_function
def share(weight, total):
    """weight / total: 0 where the total is of nothing, NaN where it is infinite."""
    if total == _0:
        return total
    return weight / total if total < _INF else total - total


@device_function
def log_total(x, first, cols, shift, shared):
    """log(sum(exp(x - shift))) over a row."""
    return log(exp_total(x, first, cols, shift, shared))


@device_function
def row_total(x, first, cols, shared):
    """The sum of a row."""
    total = x.dtype.type(_0)
    j = cuda.threadIdx.x
    while j < cols:
        total += x[first + j]
        j += cuda.blockDim.x
    return row_sum(total, shared)


# -------------------------------------------------------------------------------------------------- softmax


@kernel(threads=THREADS)
def softmax(x, y, rows, cols):
    """y = exp(x) / sum(exp(x)) in each row."""
    shared = cuda.shared.array(WARPS, x.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * cols
        shift = row_shift(x, first, cols, shared)
        total = exp_total(x, first, cols, shift, shared)
        scale = share(_1, total)
        j = cuda.threadIdx.x
        while j < cols:
            y[first + j] = exp(x[first + j] - shift) * scale
            j += cuda.blockDim.x


@kernel(threads=THREADS)
def softmax_vjp(y, g, dx, rows, cols):
    """dx = y (g - sum(g y)) in each row, from the softmax y."""
    shared = cuda.shared.array(WARPS, y.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * cols
        dot = y.dtype.type(_0)
        j = cuda.threadIdx.x
        while j < cols:
            dot += y[first + j] * g[first + j]
            j += cuda.blockDim.x
        dot = row_sum(dot, shared)
        j = cuda.threadIdx.x
        while j < cols:
            dx[first + j] = y[first + j] * (g[first + j] - dot)
            j += cuda.blockDim.x


# ---------------------------------------------------------------------------------- log-softmax, log-sum-exp


@kernel(threads=THREADS)
def log_softmax(x, y, rows, cols):
    """y = x - log(sum(exp(x))) in each row."""
    shared = cuda.shared.array(WARPS, x.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * cols
        shift = row_shift(x, first, cols, shared)
        size = log_total(x, first, cols, shift, shared)
        size = x.dtype.type(_0) if size == -_INF else size
        j = cuda.threadIdx.x
        while j < cols:
            y[first + j] = (x[first + j] - shift) - size
            j += cuda.blockDim.x


@kernel(threads=THREADS)
def log_softmax_vjp(y, g, dx, rows, cols):
    """dx = g - exp(y) sum(g) in each row, from the log-softmax y; 0 where all of y is -inf."""
    shared = cuda.shared.array(WARPS, y.dtype)
    row = row_of_thread()
    if row < rows:
        first = row * cols
        total = row_total(g, first, cols, shared)
        keep = _0 if row_total(y, first, cols, shared) == -_INF and _is_empty(y, first, cols, shared) else _1
        j = cuda.threadIdx.x
        while j < cols:
            dx[first + j] = g[first + j] * keep - exp(y[first + j]) * total
            j += cuda.blockDim.x


@device_function
def _is_empty(x, first, cols, shared):
    """Whether no element of a row is larger than -inf."""
    top = x.dtype.type(-_INF)
    j = cuda.threadIdx.x
    while j < cols:
        top = x[first + j] if x[first + j] > top else top
        j += cuda.blockDim.x
    return row_max(top, shared) == -_INF


@kernel(threads=THREADS)
def logsumexp(x, y, rows, cols):
    """y[i] = log(sum(exp(x))) of row i."""
    shared = cuda.shared.array(WARPS, x.dtype)
    row = row_of_thread()
    if row < rows:
        shift = row_shift(x, row * cols, cols, shared)
        size = log_total(x, row * cols, cols, shift, shared)
        if cuda.threadIdx.x == 0:
            y[row] = size + shift
