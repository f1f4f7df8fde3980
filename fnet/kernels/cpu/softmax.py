"""Softmax, log-softmax and log-sum-exp over the rows of a matrix, with their vector-Jacobian products.

Every row is shifted by its maximum, so finite logits of any size give finite results. A row of only -inf (fully
masked) has softmax zero, log-softmax and log-sum-exp -inf, and gradient zero; NaN anywhere makes its row NaN.
Matrices are flat and row-major; the output may be the first input itself.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from fnet.kernels.policy import FASTMATH, kernel, scalar
from fnet.kernels.scalar import exp, log

_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)

# Bits of a float as an integer of the same order: what lies below the sign is flipped for negative numbers.
_LOWEST, _REST, _SIGN = np.int32(-(2**31)), np.int32(2**31 - 1), np.int32(31)
_LOWEST_64, _REST_64, _SIGN_64 = np.int64(-(2**63)), np.int64(2**63 - 1), np.int64(63)

# Narrow rows are taken in blocks of about this many elements, so that the loop over `exp` fills vectors.
_BLOCK = 512


# ------------------------------------------------------------------------------------------ parts of kernels


@scalar
def _row_max_f32(x, start, stop):
    top = _LOWEST
    for j in range(start, stop):
        bits = np.float32(x[j]).view(np.int32)
        key = np.int32(bits ^ ((bits >> _SIGN) & _REST))
        top = max(top, key)
    return np.int32(top ^ ((top >> _SIGN) & _REST)).view(np.float32)


@scalar
def _row_max_f64(x, start, stop):
    top = _LOWEST_64
    for j in range(start, stop):
        bits = np.float64(x[j]).view(np.int64)
        key = bits ^ ((bits >> _SIGN_64) & _REST_64)
        top = max(top, key)
    return np.int64(top ^ ((top >> _SIGN_64) & _REST_64)).view(np.float64)


def row_max(x, start, stop):
    """Maximum of x[start:stop] by integer comparisons, which vectorise; a NaN may win or be passed over."""
    return _row_max_f32(x, start, stop) if x.dtype == np.float32 else _row_max_f64(x, start, stop)


@overload(row_max, jit_options={"fastmath": FASTMATH, "error_model": "numpy", "nogil": True, "forceinline": True})
def _row_max(x, start, stop):
    if x.dtype.bitwidth == 32:
        return lambda x, start, stop: _row_max_f32(x, start, stop)
    return lambda x, start, stop: _row_max_f64(x, start, stop)


@scalar
def row_shift(x, start, stop):
    """What to subtract from x[start:stop] before `exp`: the maximum, or 0 where that is not finite."""
    top = row_max(x, start, stop)
    return top if abs(top) < _INF else _0


@scalar
def block_rows(cols):
    """The number of rows that one block takes."""
    return np.uintp(max(1, _BLOCK // max(1, cols)))


@kernel(reassoc=True)
def row_sum(x, start, stop):
    """Sum of x[start:stop]; only sums are reordered, since `reassoc` would undo the shift in x - shift - log(total)."""
    total = _0
    for j in range(start, stop):
        total += x[j]
    return total


@kernel(reassoc=True)
def row_dot(x, y, start, stop):
    """Sum of x y over start:stop."""
    total = _0
    for j in range(start, stop):
        total += x[j] * y[j]
    return total


@kernel(reassoc=True)
def row_exp_sum(x, shift, start, stop):
    """Sum of exp(x - shift) over start:stop."""
    total = _0
    for j in range(start, stop):
        total += exp(x[j] - shift)
    return total


@kernel
def exp_rows(x, y, first, last, n):
    """y = exp(x - row shift) for the rows first to last of width n."""
    for i in range(first, last):
        shift = row_shift(x, i * n, i * n + n)
        for j in range(i * n, i * n + n):
            y[j] = x[j] - shift
    for j in range(first * n, last * n):
        y[j] = exp(y[j])


# -------------------------------------------------------------------------------------------------- softmax


@kernel
def softmax(x, y, rows, cols):
    """y = exp(x) / sum(exp(x)) in each row."""
    m, n, step = np.uintp(rows), np.uintp(cols), block_rows(cols)
    for first in range(np.uintp(0), m, step):
        last = min(first + step, m)
        exp_rows(x, y, first, last, n)
        for i in range(first, last):
            total = row_sum(y, i * n, i * n + n)
            scale = _0 if total == _0 else _1 / total
            for j in range(i * n, i * n + n):
                y[j] *= scale


@kernel
def softmax_vjp(y, g, dx, rows, cols):
    """dx = y (g - sum(g y)) in each row, from the softmax y."""
    n = np.uintp(cols)
    for i in range(np.uintp(rows)):
        dot = row_dot(g, y, i * n, i * n + n)
        for j in range(i * n, i * n + n):
            dx[j] = y[j] * (g[j] - dot)


# ---------------------------------------------------------------------------------- log-softmax, log-sum-exp


@kernel
def log_softmax(x, y, rows, cols):
    """y = x - log(sum(exp(x))) in each row."""
    n = np.uintp(cols)
    for i in range(np.uintp(rows)):
        shift = row_shift(x, i * n, i * n + n)
        total = row_exp_sum(x, shift, i * n, i * n + n)
        size = _0 if total == _0 else log(total)
        for j in range(i * n, i * n + n):
            y[j] = (x[j] - shift) - size


@kernel
def log_softmax_vjp(y, g, dx, rows, cols):
    """dx = g - exp(y) sum(g) in each row, from the log-softmax y."""
    n = np.uintp(cols)
    for i in range(np.uintp(rows)):
        keep = _0 if row_max(y, i * n, i * n + n) == -_INF else _1
        total = row_sum(g, i * n, i * n + n)
        for j in range(i * n, i * n + n):
            dx[j] = keep * g[j] - exp(y[j]) * total


@kernel
def logsumexp(x, y, rows, cols):
    """y[i] = log(sum(exp(x))) of row i."""
    n = np.uintp(cols)
    for i in range(np.uintp(rows)):
        shift = row_shift(x, i * n, i * n + n)
        y[i] = shift + log(row_exp_sum(x, shift, i * n, i * n + n))
