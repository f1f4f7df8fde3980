"""Normalisation of the rows of a matrix: layer normalisation and root-mean-square normalisation, with gradients.

A row's variance takes a second pass over the row, which is in the cache by then; several short rows go through each
pass together (`fnet.kernels.cpu.normalize_passes`). Long rows are summed in blocks of the data's precision that are
added up in float64. Sums over rows (the gradients of scale and offset) run within fixed chunks of rows, one for each
task, and the chunks are added up in order.

Source: J. Ba, J. Kiros and G. Hinton 2016; B. Zhang and R. Sennrich 2019.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.normalize_passes import (
    TOGETHER,
    normalize_rows,
    row_products,
    row_squares,
    row_sums,
    slope_rows,
)
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at, lanes
from fnet.kernels.policy import kernel, scalar

_0 = np.float32(0)
# The bytes of rows that go together, more than which the processor reads faster one after the other.
_FORWARD, _BACKWARD = 256 * TOGETHER, 1024 * TOGETHER
_LINES = 32  # elements of at least two lines of the cache, which are fetched together
_MOST_ROWS = 16  # short ones that go through a pass before the next pass begins
_BLOCK = 4096  # elements that are summed in the precision of the data
_TASKS = 64
_ELEMENTS = 4096  # a task has at least about so many


def plan(rows: int, cols: int) -> int:
    """How many tasks share the rows, by the shape alone."""
    return max(1, min(_TASKS, rows, rows * cols // _ELEMENTS))


def record_size(cols: int) -> int:
    """Elements of scratch memory that a task of the gradient needs, so that no two share lines of the cache."""
    return -(-(2 * cols + 2 * _MOST_ROWS) // _LINES) * _LINES


# ------------------------------------------------------------------------------------------------ sums over a row


@scalar(reassoc=True)
def _sum(x, first, last):
    total = _0
    for j in range(first, last):
        total += x[j]
    return total


@scalar(reassoc=True)
def _sum_squares(x, center, first, last):
    total = _0
    for j in range(first, last):
        total += (x[j] - center) * (x[j] - center)
    return total


@scalar(reassoc=True)
def _sum_products(x, gamma, g, center, first, last):
    """The sums of gamma g and of gamma g (x - center)."""
    total, moment = _0, _0
    for j in range(first, last):
        h = gamma[j] * g[j]
        total += h
        moment += h * (x[j] - center)
    return total, moment


@scalar
def _row_mean(x, cols):
    total = 0.0
    for first in range(0, cols, _BLOCK):
        total += _sum(x, first, min(first + _BLOCK, cols))
    return total / cols


@scalar
def _row_variance(x, center, cols):
    total = 0.0
    for first in range(0, cols, _BLOCK):
        total += _sum_squares(x, center, first, min(first + _BLOCK, cols))
    return total / cols


@scalar
def _are_short(x, cols, most):
    """Whether `TOGETHER` rows are at most so many bytes."""
    return 0 < cols * TOGETHER * (VECTOR_BYTES // lanes(x)) <= most


@scalar
def _rows_of(task, tasks, rows):
    return task * rows // tasks, (task + 1) * rows // tasks


# -------------------------------------------------------------------------------------------------- forwards


@kernel
def _normalize_row(x, gamma, beta, epsilon, y, mean, inverse, cols, centered):
    mean[0] = _row_mean(x, cols) if centered else 0.0
    center = mean[0]
    inverse[0] = 1.0 / np.sqrt(_row_variance(x, center, cols) + epsilon)
    scale = inverse[0]
    for j in range(cols):
        y[j] = (x[j] - center) * scale * gamma[j] + beta[j]


@kernel
def _normalize_short_rows(x, gamma, beta, epsilon, y, mean, inverse, count, cols, centered):
    row_sums(x, mean, count, cols)
    for i in range(count):
        mean[i] = np.float64(mean[i]) / cols if centered else 0.0
    row_squares(x, mean, inverse, count, cols)
    for i in range(count):
        inverse[i] = 1.0 / np.sqrt(np.float64(inverse[i]) / cols + epsilon)
    normalize_rows(x, gamma, beta, y, mean, inverse, count, cols)


@kernel
def _normalize_task(task, x, gamma, beta, epsilon, y, mean, inverse, rows, cols, centered, tasks):
    first, last = _rows_of(task, tasks, rows)
    if _are_short(x, cols, _FORWARD):
        for i in range(first, last, _MOST_ROWS):
            a, b, count = at(x, i * cols), at(y, i * cols), min(_MOST_ROWS, last - i)
            _normalize_short_rows(a, gamma, beta, epsilon, b, at(mean, i), at(inverse, i), count, cols, centered)
    else:
        for i in range(first, last):
            a, b = at(x, i * cols), at(y, i * cols)
            _normalize_row(a, gamma, beta, epsilon, b, at(mean, i), at(inverse, i), cols, centered)


@kernel
def layer_norm(x, gamma, beta, epsilon, y, mean, inverse, rows, cols, centered, tasks):
    """y = (x - mean) inverse gamma + beta with inverse = 1 / sqrt(variance + epsilon) for each row.

    Where `centered` is 0 the mean is taken as 0, which is root-mean-square normalisation.
    """
    threads = threads_for(rows * cols * 0.3)
    parallel_for(
        _normalize_task, tasks, threads, at(x, 0), at(gamma, 0), at(beta, 0), np.float64(epsilon[0]), at(y, 0),
        at(mean, 0), at(inverse, 0), rows, cols, centered, tasks,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------- backwards


@kernel
def _row_gradient(x, gamma, mean, inverse, g, dx, dgamma, dbeta, coefficients, cols, centered):
    center, scale = mean[0], inverse[0]
    total, moment = 0.0, 0.0
    for start in range(0, cols, _BLOCK):
        t, m = _sum_products(x, gamma, g, center, start, min(start + _BLOCK, cols))
        total += t
        moment += m
    # Through memory they take the precision of the data.
    coefficients[0] = total / cols if centered else 0.0
    coefficients[1] = moment * np.float64(scale) * scale / cols
    offset, slope = coefficients[0], coefficients[1]
    for j in range(cols):
        u = x[j] - center
        dgamma[j] += g[j] * (u * scale)
        dbeta[j] += g[j]
        dx[j] = scale * ((gamma[j] * g[j] - offset) - slope * u)


@kernel
def _short_rows_gradient(x, gamma, mean, inverse, g, dx, dgamma, dbeta, coefficients, count, cols, centered):
    offset, slope = coefficients, at(coefficients, _MOST_ROWS)
    row_products(x, gamma, g, mean, offset, slope, count, cols)
    for i in range(count):
        offset[i] = np.float64(offset[i]) / cols if centered else 0.0
        slope[i] = np.float64(slope[i]) * np.float64(inverse[i]) * inverse[i] / cols
    slope_rows(x, gamma, g, dx, dgamma, dbeta, mean, inverse, offset, slope, count, cols)


@kernel
def _gradient_task(task, x, gamma, mean, inverse, g, dx, record, size, rows, cols, centered, tasks):
    first, last = _rows_of(task, tasks, rows)
    dgamma = at(record, task * size)
    dbeta, spare = at(dgamma, cols), at(dgamma, 2 * cols)
    for j in range(2 * cols):
        dgamma[j] = 0
    short = _are_short(x, cols, _BACKWARD)
    for i in range(first, last, _MOST_ROWS if short else 1):
        a, b, d, center, scale = at(x, i * cols), at(g, i * cols), at(dx, i * cols), at(mean, i), at(inverse, i)
        if short:
            count = min(_MOST_ROWS, last - i)
            _short_rows_gradient(a, gamma, center, scale, b, d, dgamma, dbeta, spare, count, cols, centered)
        else:
            _row_gradient(a, gamma, center, scale, b, d, dgamma, dbeta, spare, cols, centered)


@kernel
def layer_norm_vjp(x, gamma, mean, inverse, g, dx, dgamma, dbeta, record, size, rows, cols, centered, tasks):
    """The gradient of `layer_norm` in x, gamma and beta, for the gradient g of its y."""
    threads = threads_for(rows * cols * 0.4)
    parallel_for(
        _gradient_task, tasks, threads, at(x, 0), at(gamma, 0), at(mean, 0), at(inverse, 0), at(g, 0), at(dx, 0),
        at(record, 0), size, rows, cols, centered, tasks,
    )  # fmt: skip
    for task in range(1, tasks):
        part = at(record, task * size)
        for j in range(2 * cols):
            record[j] += part[j]
    for j in range(cols):
        dgamma[j], dbeta[j] = record[j], record[cols + j]
