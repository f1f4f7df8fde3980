"""Normalisation of groups of columns, each sample by itself: group normalisation, forwards and backwards.

A sample is a matrix (rows, cols) and one task. Its columns get moments as in batch normalisation, those of a group of
neighbouring columns are combined, and every column is scaled with the statistics of its group.

Source: Y. Wu and K. He 2018.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.normalize_columns import column_moments, column_products, gradient_lines, scale_lines
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel

_CHUNK = 4096  # elements that are read twice while they are in the first-level cache


def work_sizes(samples: int, cols: int) -> tuple[int, int]:
    """Elements of scratch memory that the kernels need: of the dtype of the data, and of float64."""
    return 7 * samples * cols, 2 * samples * cols


@kernel
def _normalize_task(task, x, gamma, beta, epsilon, y, mean, inverse, part, record, rows, cols, groups):
    x, y, part = at(x, task * rows * cols), at(y, task * rows * cols), at(part, 7 * task * cols)
    record = at(record, 2 * task * cols)
    column_moments(x, part, record, 0, rows, rows, cols, 0, cols, max(1, _CHUNK // cols))
    width, squares, coefficients = cols // groups, at(record, cols), at(part, 2 * cols)
    for group in range(groups):
        first, last = group * width, (group + 1) * width
        total, spread = 0.0, 0.0
        for c in range(first, last):
            total += record[c]
        center = total / width
        for c in range(first, last):
            gap = record[c] - center
            spread += squares[c] + rows * gap * gap
        mean[task * groups + group] = center
        inverse[task * groups + group] = 1 / np.sqrt(spread / (rows * width) + epsilon)
        for c in range(first, last):
            coefficients[c] = mean[task * groups + group]
            coefficients[cols + c] = inverse[task * groups + group] * gamma[c]
            coefficients[2 * cols + c] = beta[c]
    scale_lines(x, y, coefficients, 0, rows, rows, cols, 0, 0)


@kernel
def group_norm(x, gamma, beta, epsilon, y, mean, inverse, part, record, samples, rows, cols, groups):
    """y = (x - mean) inverse gamma + beta with the mean and the inverse deviation of each sample and group."""
    parallel_for(
        _normalize_task, samples, threads_for(samples * rows * cols * 0.3), at(x, 0), at(gamma, 0), at(beta, 0),
        np.float64(epsilon[0]), at(y, 0), at(mean, 0), at(inverse, 0), at(part, 0), at(record, 0), rows, cols, groups,
    )  # fmt: skip


@kernel
def _gradient_task(task, x, gamma, mean, inverse, g, dx, part, record, rows, cols, groups):
    x, g, dx = at(x, task * rows * cols), at(g, task * rows * cols), at(dx, task * rows * cols)
    part, record = at(part, 7 * task * cols), at(record, 2 * task * cols)
    width, moments, coefficients = cols // groups, at(record, cols), at(part, 2 * cols)
    for c in range(cols):
        coefficients[c] = mean[task * groups + c // width]
    column_products(x, g, coefficients, part, record, 0, rows, rows, cols, 0, cols, max(1, _CHUNK // cols), 0)
    for group in range(groups):
        first, last = group * width, (group + 1) * width
        scale = np.float64(inverse[task * groups + group])
        total, moment = 0.0, 0.0
        for c in range(first, last):
            total += gamma[c] * record[c]
            moment += gamma[c] * moments[c]
        for c in range(first, last):
            moments[c] *= scale
            coefficients[cols + c] = scale * gamma[c]
            coefficients[3 * cols + c] = scale * scale * scale * moment / (rows * width)
            coefficients[4 * cols + c] = scale * total / (rows * width)
    gradient_lines(x, g, dx, coefficients, 0, rows, rows, cols, 0, 0)


@kernel
def group_norm_vjp(x, gamma, mean, inverse, g, dx, dgamma, dbeta, part, record, samples, rows, cols, groups):
    """The gradient of `group_norm` in x, gamma and beta, for the gradient g of its y."""
    parallel_for(
        _gradient_task, samples, threads_for(samples * rows * cols * 0.4), at(x, 0), at(gamma, 0), at(mean, 0),
        at(inverse, 0), at(g, 0), at(dx, 0), at(part, 0), at(record, 0), rows, cols, groups,
    )  # fmt: skip
    _add_records(at(record, 0), at(dgamma, 0), at(dbeta, 0), samples, cols)


@kernel
def _add_records(record, dgamma, dbeta, samples, cols):
    """Add up what the samples contribute, in order."""
    for c in range(cols):
        total, moment = 0.0, 0.0
        for i in range(samples):
            total += record[2 * i * cols + c]
            moment += record[(2 * i + 1) * cols + c]
        dgamma[c], dbeta[c] = moment, total
