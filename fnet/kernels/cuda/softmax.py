"""Softmax, log-softmax and log-sum-exp over the rows of a matrix, with their vector-Jacobian products.

Rows stay in registers (`fnet.kernels.cuda.runtime.held`); what they have beyond is read twice. Rules for NaN and
infinities are those of the CPU: a row of only -inf has softmax zero, log-softmax and log-sum-exp -inf, and gradient
zero. Matrices are flat and row-major; the output may be an input itself.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned
from fnet.kernels.cuda.runtime.held import (
    COLUMNS,
    HELD,
    QUADS,
    THREADS,
    hold,
    is_held,
    load_quad,
    next_quad,
    put_quad,
    quad,
    quad_of,
    row_of,
    store_quad,
)
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_max, row_of_thread, row_sum
from fnet.kernels.cuda.scalars import exp, log

_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)


# ------------------------------------------------------------------------------------------ parts of kernels


@device_function
def finite_or_zero(top):
    """What to subtract from a row before `exp`: its maximum, or 0 where that is not finite."""
    return top if abs(top) < _INF else type(top)(_0)


@device_function
def _larger(top, values):
    """The largest of five, but for NaN."""
    for i in range(4):
        top = values[i] if values[i] > top else top
    return top


@device_function
def exps(values, shift):
    """Four exp(value - shift)."""
    return exp(values[0] - shift), exp(values[1] - shift), exp(values[2] - shift), exp(values[3] - shift)


@device_function
def four_sum(values):
    """The sum of four."""
    return (values[0] + values[1]) + (values[2] + values[3])


@device_function
def _online(x, row, q):
    """From the quad q of this thread on: its maximum, and the sum of exp(value - `finite_or_zero` of it), in one pass.

    Source: M. Milakov and N. Gimelshein, Online normalizer calculation for softmax, 2018.
    """
    never = x.dtype.type(-_INF)
    top, total = never, x.dtype.type(_0)
    c = quad(row, q)
    while c < row[COLUMNS]:
        values = load_quad(x, row, c, never)
        larger = _larger(top, values)
        if larger > top:
            total *= exp(top - larger)
            top = larger
        total += four_sum(exps(values, finite_or_zero(top)))
        c = next_quad(c)
    return top, total


@device_function
def row_total(x, row, shared):
    """The `finite_or_zero` of the maximum of a row, and sum(exp(x - that)), for what needs no element afterwards."""
    top, total = _online(x, row, 0)
    shift = finite_or_zero(row_max(top, shared))
    total = total * exp(top - shift) if total != _0 else total
    return shift, row_sum(total, shared)


@device_function
def held_total(x, held, row, keeping, shared):
    """The same of a row that is held; keeping: whether exp(x - shift) takes the place of what is held."""
    hold(x, held, row, x.dtype.type(-_INF))
    beyond, rest = _online(x, row, QUADS)
    top = beyond
    for q in range(QUADS):
        top = _larger(top, quad_of(held, q))
    shift = finite_or_zero(row_max(top, shared))
    total = rest * exp(beyond - shift) if rest != _0 else rest
    for q in range(QUADS):
        if is_held(row, q):
            weights = exps(quad_of(held, q), shift)
            total += four_sum(weights)
            if keeping:
                put_quad(held, q, weights)
    return shift, row_sum(total, shared)


@device_function
def share(weight, total):
    """weight / total: 0 where the total is of nothing, NaN where it is infinite."""
    if total == _0:
        return total
    return weight / total if total < _INF else total - total


# -------------------------------------------------------------------------------------------------- softmax


@device_function
def _times(values, scale):
    return values[0] * scale, values[1] * scale, values[2] * scale, values[3] * scale


@kernel(threads=THREADS)
def softmax(x, y, rows, cols):
    """y = exp(x) / sum(exp(x)) in each row."""
    shared, held = cuda.shared.array(WARPS, x.dtype), cuda.local.array(HELD, x.dtype)
    row = row_of(rows, cols, is_aligned(x) and is_aligned(y))
    shift, total = held_total(x, held, row, True, shared)
    scale = share(_1, total)
    for q in range(QUADS):
        if is_held(row, q):
            store_quad(y, row, quad(row, q), _times(quad_of(held, q), scale))
    c = quad(row, QUADS)
    while c < row[COLUMNS]:
        store_quad(y, row, c, _times(exps(load_quad(x, row, c, x.dtype.type(_0)), shift), scale))
        c = next_quad(c)


@device_function
def _products(y, g):
    return y[0] * g[0], y[1] * g[1], y[2] * g[2], y[3] * g[3]


@device_function
def _softmax_slopes(y, g, dot):
    return y[0] * (g[0] - dot), y[1] * (g[1] - dot), y[2] * (g[2] - dot), y[3] * (g[3] - dot)


@kernel(threads=THREADS)
def softmax_vjp(y, g, dx, rows, cols):
    """dx = y (g - sum(g y)) in each row, from the softmax y."""
    shared = cuda.shared.array(WARPS, y.dtype)
    held_y, held_g = cuda.local.array(HELD, y.dtype), cuda.local.array(HELD, y.dtype)
    row, zero = row_of(rows, cols, is_aligned(y) and is_aligned(g) and is_aligned(dx)), y.dtype.type(_0)
    hold(y, held_y, row, zero)
    hold(g, held_g, row, zero)
    dot, c = zero, quad(row, QUADS)
    for q in range(QUADS):
        dot += four_sum(_products(quad_of(held_y, q), quad_of(held_g, q)))
    while c < row[COLUMNS]:
        dot += four_sum(_products(load_quad(y, row, c, zero), load_quad(g, row, c, zero)))
        c = next_quad(c)
    dot, c = row_sum(dot, shared), quad(row, QUADS)
    for q in range(QUADS):
        if is_held(row, q):
            store_quad(dx, row, quad(row, q), _softmax_slopes(quad_of(held_y, q), quad_of(held_g, q), dot))
    while c < row[COLUMNS]:
        store_quad(dx, row, c, _softmax_slopes(load_quad(y, row, c, zero), load_quad(g, row, c, zero), dot))
        c = next_quad(c)


# ---------------------------------------------------------------------------------- log-softmax, log-sum-exp


@device_function
def _lowered(values, shift, size):
    return (
        (values[0] - shift) - size,
        (values[1] - shift) - size,
        (values[2] - shift) - size,
        (values[3] - shift) - size,
    )


@kernel(threads=THREADS)
def log_softmax(x, y, rows, cols):
    """y = x - log(sum(exp(x))) in each row."""
    shared, held = cuda.shared.array(WARPS, x.dtype), cuda.local.array(HELD, x.dtype)
    row = row_of(rows, cols, is_aligned(x) and is_aligned(y))
    shift, total = held_total(x, held, row, False, shared)
    size = log(total) if total != _0 else total
    for q in range(QUADS):
        if is_held(row, q):
            store_quad(y, row, quad(row, q), _lowered(quad_of(held, q), shift, size))
    c = quad(row, QUADS)
    while c < row[COLUMNS]:
        store_quad(y, row, c, _lowered(load_quad(x, row, c, x.dtype.type(_0)), shift, size))
        c = next_quad(c)


@device_function
def _log_softmax_slopes(y, g, keep, total):
    return (
        g[0] * keep - exp(y[0]) * total,
        g[1] * keep - exp(y[1]) * total,
        g[2] * keep - exp(y[2]) * total,
        g[3] * keep - exp(y[3]) * total,
    )


@kernel(threads=THREADS)
def log_softmax_vjp(y, g, dx, rows, cols):
    """dx = g - exp(y) sum(g) in each row, from the log-softmax y; 0 where all of y is -inf."""
    shared = cuda.shared.array(WARPS, y.dtype)
    held_y, held_g = cuda.local.array(HELD, y.dtype), cuda.local.array(HELD, y.dtype)
    row, zero = row_of(rows, cols, is_aligned(y) and is_aligned(g) and is_aligned(dx)), y.dtype.type(_0)
    never = y.dtype.type(-_INF)
    hold(y, held_y, row, never)
    hold(g, held_g, row, zero)
    total, keep, c = zero, zero, quad(row, QUADS)
    for q in range(QUADS):
        total += four_sum(quad_of(held_g, q))
        keep = _one_if_any(keep, quad_of(held_y, q))
    while c < row[COLUMNS]:
        total += four_sum(load_quad(g, row, c, zero))
        keep = _one_if_any(keep, load_quad(y, row, c, never))
        c = next_quad(c)
    total, keep, c = row_sum(total, shared), row_max(keep, shared), quad(row, QUADS)
    for q in range(QUADS):
        if is_held(row, q):
            store_quad(dx, row, quad(row, q), _log_softmax_slopes(quad_of(held_y, q), quad_of(held_g, q), keep, total))
    while c < row[COLUMNS]:
        slopes = _log_softmax_slopes(load_quad(y, row, c, zero), load_quad(g, row, c, zero), keep, total)
        store_quad(dx, row, c, slopes)
        c = next_quad(c)


@device_function
def _one_if_any(one, values):
    """1 where any of four is not -inf, else `one`."""
    for i in range(4):
        one = one if values[i] == -_INF else type(one)(_1)
    return one


@kernel(threads=THREADS)
def logsumexp(x, y, rows, cols):
    """y[i] = log(sum(exp(x))) of row i."""
    shared = cuda.shared.array(WARPS, x.dtype)
    shift, total = row_total(x, row_of(rows, cols, is_aligned(x)), shared)
    if cuda.threadIdx.x == 0 and row_of_thread() < rows:
        y[row_of_thread()] = log(total) + shift
