"""Softmax, log-softmax and log-sum-exp over the rows of a matrix, with their vector-Jacobian products.

Every row is shifted by its maximum, so finite logits of any size give finite results. A row of only -inf (fully
masked) has softmax zero, log-softmax and log-sum-exp -inf, and gradient zero; NaN or +inf anywhere makes its row NaN,
but for log-sum-exp, which is +inf then. Matrices are flat and row-major; the output may be an input itself.

A row is the work of one task, whatever the number of threads.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.narrow_rows import NARROW, narrow_softmax, narrow_totals
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.scalars import log
from fnet.kernels.cpu.vector.row_passes import (
    center_row,
    exp_row,
    exp_total,
    less_exp_row,
    lower_row,
    row_dot,
    row_max,
    row_total,
    scale_row,
)
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar

_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)

_TASK = 8192  # elements that a task takes, about
# A pass runs over some narrow rows before the next one begins: their chains of dependent instructions overlap.
_BLOCK_ROWS, _BLOCK = 8, 2048


# ------------------------------------------------------------------------------------------ parts of kernels


@scalar
def rows_of_task(cols):
    """The number of rows that one task takes."""
    return max(_BLOCK_ROWS, _TASK // max(1, cols))


@scalar
def rows_of_block(cols):
    """The number of rows that every pass goes over before the next."""
    return max(1, min(_BLOCK_ROWS, _BLOCK // max(1, cols)))


@scalar
def row_threads(rows, cols, nanoseconds):
    """How many threads are worth it when an element takes this long, and a row eight of that besides."""
    return threads_for(rows * (cols + 8) * nanoseconds)


@scalar
def finite_or_zero(top):
    """What to subtract from a row before `exp`: its maximum, or 0 where that is not finite."""
    return top if abs(top) < _INF else _0


@scalar
def row_shift(x, start, stop):
    """What to subtract from x[start:stop] before `exp`."""
    return finite_or_zero(row_max(at(x, start), stop - start))


@scalar
def row_sum(x, start, stop):
    """Sum of x[start:stop]."""
    return row_total(at(x, start), stop - start)


@scalar
def safe_total(x, shift, top, n):
    """sum(exp(x - shift)) for a row with the maximum `top`: +inf, not NaN, where that is and no element is NaN."""
    if top == _INF:
        for j in range(n):
            top = x[j] if x[j] != x[j] else top
        return top
    return exp_total(x, shift, n)


@scalar
def exp_rows(x, y, totals, first, last, n):
    """y = exp(x - row shift) for the rows first to last, and their sums."""
    for i in range(first, last):
        totals[i] = finite_or_zero(row_max(at(x, i * n), n))
    for i in range(first, last):
        totals[i] = exp_row(at(x, i * n), at(y, i * n), totals[i], n)


@scalar
def _wide_totals(x, totals, shifts, first, last, n):
    step = rows_of_block(n)
    for start in range(first, last, step):
        stop = min(start + step, last)
        for i in range(start, stop):
            totals[i] = row_max(at(x, i * n), n)
        for i in range(start, stop):
            shifts[i] = finite_or_zero(totals[i])
            totals[i] = safe_total(at(x, i * n), shifts[i], totals[i], n)


@scalar
def log_totals(x, sizes, shifts, first, last, n):
    """sizes[i] = log(sum(exp(row i - shifts[i]))) with all logarithms at once, since one alone is slow."""
    if n <= NARROW:
        narrow_totals(x, sizes, shifts, first, last, n)
    else:
        _wide_totals(x, sizes, shifts, first, last, n)
    for i in range(first, last):
        sizes[i] = log(sizes[i])


# -------------------------------------------------------------------------------------------------- softmax


@kernel
def _softmax_task(task, x, y, totals, rows, n):
    first, last, step = task * rows_of_task(n), min((task + 1) * rows_of_task(n), rows), rows_of_block(n)
    if n <= NARROW:
        narrow_softmax(x, y, totals, first, last, n)
        return
    for start in range(first, last, step):
        stop = min(start + step, last)
        exp_rows(x, y, totals, start, stop, n)
        for i in range(start, stop):
            scale_row(at(y, i * n), at(y, i * n), _0 if totals[i] == _0 else _1 / totals[i], n)


@kernel
def softmax(x, y, work, rows, cols):
    """y = exp(x) / sum(exp(x)) in each row; `work` has an element for each row."""
    tasks, threads = -(-rows // rows_of_task(cols)), row_threads(rows, cols, 0.4)
    parallel_for(_softmax_task, tasks, threads, at(x, 0), at(y, 0), at(work, 0), rows, cols)


@kernel
def _softmax_vjp_task(task, y, g, dx, rows, n):
    step = rows_of_task(n)
    for i in range(task * step, min((task + 1) * step, rows)):
        p, h = at(y, i * n), at(g, i * n)
        center_row(p, h, at(dx, i * n), row_dot(p, h, n), n)


@kernel
def softmax_vjp(y, g, dx, rows, cols):
    """dx = y (g - sum(g y)) in each row, from the softmax y."""
    tasks = -(-rows // rows_of_task(cols))
    parallel_for(_softmax_vjp_task, tasks, row_threads(rows, cols, 0.2), at(y, 0), at(g, 0), at(dx, 0), rows, cols)


# ---------------------------------------------------------------------------------- log-softmax, log-sum-exp


@kernel
def _log_softmax_task(task, x, y, sizes, shifts, rows, n):
    first, last = task * rows_of_task(n), min((task + 1) * rows_of_task(n), rows)
    log_totals(x, sizes, shifts, first, last, n)
    for i in range(first, last):
        lower_row(at(x, i * n), at(y, i * n), shifts[i], _0 if sizes[i] == -_INF else sizes[i], n)


@kernel
def log_softmax(x, y, work, rows, cols):
    """y = x - log(sum(exp(x))) in each row; `work` has 2 rows elements."""
    tasks, threads = -(-rows // rows_of_task(cols)), row_threads(rows, cols, 0.4)
    parallel_for(_log_softmax_task, tasks, threads, at(x, 0), at(y, 0), at(work, 0), at(work, rows), rows, cols)


@kernel
def _log_softmax_vjp_task(task, y, g, dx, rows, n):
    step = rows_of_task(n)
    for i in range(task * step, min((task + 1) * step, rows)):
        p, h = at(y, i * n), at(g, i * n)
        keep = _0 if row_max(p, n) == -_INF and row_total(p, n) == -_INF else _1
        less_exp_row(p, h, at(dx, i * n), keep, row_total(h, n), n)


@kernel
def log_softmax_vjp(y, g, dx, rows, cols):
    """dx = g - exp(y) sum(g) in each row, from the log-softmax y."""
    tasks = -(-rows // rows_of_task(cols))
    parallel_for(_log_softmax_vjp_task, tasks, row_threads(rows, cols, 0.4), at(y, 0), at(g, 0), at(dx, 0), rows, cols)


@kernel
def _logsumexp_task(task, x, y, shifts, rows, n):
    first, last = task * rows_of_task(n), min((task + 1) * rows_of_task(n), rows)
    log_totals(x, y, shifts, first, last, n)
    for i in range(first, last):
        y[i] += shifts[i]


@kernel
def logsumexp(x, y, work, rows, cols):
    """y[i] = log(sum(exp(x))) of row i; `work` has as many elements as y."""
    tasks, threads = -(-rows // rows_of_task(cols)), row_threads(rows, cols, 0.4)
    parallel_for(_logsumexp_task, tasks, threads, at(x, 0), at(y, 0), at(work, 0), rows, cols)
