"""Layer and root-mean-square normalisation of the rows of a matrix, and the gradient in them.

Rows stay in registers (`fnet.kernels.cuda.runtime.held`); what they have beyond is read twice. Sums are made in
float64, of differences from the first element of a row: that is at most sqrt(columns) deviations away from the mean.
The gradients of scale and offset are sums over columns (`fnet.kernels.cuda.normalize_columns`).

Source: J. Ba, J. Kiros and G. Hinton 2016; B. Zhang and R. Sennrich 2019.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned
from fnet.kernels.cuda.runtime.arithmetic import sqrt
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
from fnet.kernels.cuda.runtime.rows import WARPS, row_of_thread, row_sum
from fnet.kernels.cuda.softmax import finite_or_zero

_0, _1 = np.float64(0), np.float64(1)


@device_function
def of_pivot(total, squares, size, pivot, centered):
    """Mean and variance of `size` numbers, whose differences from a pivot have these sums; float64."""
    if centered:
        gap = total / size
        variance = squares / size - gap * gap
        return np.float64(pivot) + gap, _0 if variance < _0 else variance
    return _0, squares / size


@device_function
def _of_vector(v, row, c):
    """The elements of a row vector beside a quad of a row, 0 where the row has ended."""
    return load_quad(v, (row[0] - row[0], row[1], row[2], row[3]), c, v.dtype.type(0))


@device_function
def _scaled(x, gamma, beta, center, scale):
    return (
        (x[0] - center) * scale * gamma[0] + beta[0],
        (x[1] - center) * scale * gamma[1] + beta[1],
        (x[2] - center) * scale * gamma[2] + beta[2],
        (x[3] - center) * scale * gamma[3] + beta[3],
    )


@kernel(threads=THREADS)
def row_norm(x, gamma, beta, epsilon, y, mean, inverse, rows, cols, centered):
    """``y = (x - mean) inverse gamma + beta`` and ``inverse = 1 / sqrt(variance + epsilon)`` of each row.

    Where `centered` is 0 the mean is taken as 0, which is root-mean-square normalisation.
    """
    shared, held = cuda.shared.array(WARPS, np.float64), cuda.local.array(HELD, x.dtype)
    aligned = is_aligned(x) and is_aligned(gamma) and is_aligned(beta) and is_aligned(y)
    row = row_of(rows, cols, aligned)
    pivot = finite_or_zero(x[row[0]]) if centered and row[COLUMNS] > 0 else x.dtype.type(0)
    total, squares, c = _0, _0, quad(row, QUADS)
    hold(x, held, row, pivot)
    for q in range(QUADS):
        total, squares = _moments(total, squares, quad_of(held, q), pivot)
    while c < row[COLUMNS]:
        total, squares = _moments(total, squares, load_quad(x, row, c, pivot), pivot)
        c = next_quad(c)
    total, squares, c = row_sum(total, shared), row_sum(squares, shared), quad(row, QUADS)
    exact_center, variance = of_pivot(total, squares, np.float64(cols), pivot, centered)
    center, scale = x.dtype.type(exact_center), x.dtype.type(_1 / sqrt(variance + np.float64(epsilon[0])))
    if cuda.threadIdx.x == 0 and row_of_thread() < rows:
        mean[row_of_thread()], inverse[row_of_thread()] = center, scale
    for q in range(QUADS):
        if is_held(row, q):
            at = quad(row, q)
            values = _scaled(quad_of(held, q), _of_vector(gamma, row, at), _of_vector(beta, row, at), center, scale)
            store_quad(y, row, at, values)
    while c < row[COLUMNS]:
        values = load_quad(x, row, c, pivot)
        values = _scaled(values, _of_vector(gamma, row, c), _of_vector(beta, row, c), center, scale)
        store_quad(y, row, c, values)
        c = next_quad(c)


@device_function
def _moments(total, squares, values, pivot):
    """Add the differences of four values from a pivot, and their squares."""
    for i in range(4):
        gap = np.float64(values[i]) - np.float64(pivot)
        total += gap
        squares += gap * gap
    return total, squares


@device_function
def _gaps(x, center, row, c):
    """Four x - center, 0 where the row has ended: its elements there are `center`."""
    four = load_quad(x, row, c, center)
    return four[0] - center, four[1] - center, four[2] - center, four[3] - center


@device_function
def _weighted(gamma, g, row, c):
    """Four gamma * g."""
    four, by = load_quad(g, row, c, g.dtype.type(0)), _of_vector(gamma, row, c)
    return by[0] * four[0], by[1] * four[1], by[2] * four[2], by[3] * four[3]


@device_function
def _products(total, moment, h, gaps):
    """Add four h, and four h * gap."""
    for i in range(4):
        total += np.float64(h[i])
        moment += np.float64(h[i]) * np.float64(gaps[i])
    return total, moment


@device_function
def _slopes(h, gaps, scale, offset, slope):
    return (
        scale * ((h[0] - offset) - slope * gaps[0]),
        scale * ((h[1] - offset) - slope * gaps[1]),
        scale * ((h[2] - offset) - slope * gaps[2]),
        scale * ((h[3] - offset) - slope * gaps[3]),
    )


@kernel(threads=THREADS)
def row_norm_vjp(x, gamma, mean, inverse, g, dx, rows, cols, centered):
    """The gradient of `row_norm` in x, for the gradient g of its y."""
    shared = cuda.shared.array(WARPS, np.float64)
    held_h, held_gaps = cuda.local.array(HELD, x.dtype), cuda.local.array(HELD, x.dtype)
    row, i = (
        row_of(rows, cols, is_aligned(x) and is_aligned(gamma) and is_aligned(g) and is_aligned(dx)),
        row_of_thread(),
    )
    i = i if row[COLUMNS] > 0 else i - i
    center, scale, c = mean[i], inverse[i], quad(row, QUADS)
    total, moment = _0, _0
    for q in range(QUADS):
        put_quad(held_h, q, _weighted(gamma, g, row, quad(row, q)))
        put_quad(held_gaps, q, _gaps(x, center, row, quad(row, q)))
        total, moment = _products(total, moment, quad_of(held_h, q), quad_of(held_gaps, q))
    while c < row[COLUMNS]:
        total, moment = _products(total, moment, _weighted(gamma, g, row, c), _gaps(x, center, row, c))
        c = next_quad(c)
    total, moment, c = row_sum(total, shared), row_sum(moment, shared), quad(row, QUADS)
    size = np.float64(cols)
    offset = x.dtype.type(total / size) if centered else x.dtype.type(0)
    slope = x.dtype.type(moment * np.float64(scale) * np.float64(scale) / size)
    for q in range(QUADS):
        if is_held(row, q):
            store_quad(dx, row, quad(row, q), _slopes(quad_of(held_h, q), quad_of(held_gaps, q), scale, offset, slope))
    while c < row[COLUMNS]:
        slopes = _slopes(_weighted(gamma, g, row, c), _gaps(x, center, row, c), scale, offset, slope)
        store_quad(dx, row, c, slopes)
        c = next_quad(c)
