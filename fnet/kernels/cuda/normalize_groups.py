"""Normalisation of groups of neighbouring columns of a sample, and of rows, which are groups of all columns of one row.

x: (samples, rows, groups * width) is flat. A group is the work of a warp, or of a block, which goes over it once for
its mean, once for its squared distances from that, and once to write. Sums are in float64. The gradients of scale and
offset are sums over columns (`fnet.kernels.cuda.normalize_columns`).

Source: Y. Wu and K. He 2018; J. Ba, J. Kiros and G. Hinton 2016; B. Zhang and R. Sennrich 2019.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.arithmetic import sqrt
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_of_thread, row_sum

THREADS = 256


@device_function
def _first(width):
    """Row and column of the first element of a thread in its group."""
    row = cuda.threadIdx.x // width
    return row, cuda.threadIdx.x - row * width


@device_function
def _next(row, column, width):
    """Row and column of the next element of a thread."""
    rows = cuda.blockDim.x // width
    row, column = row + rows, column + cuda.blockDim.x - rows * width
    return (row + 1, column - width) if column >= width else (row, column)


@device_function
def _mean(x, start, rows, width, columns, shared):
    total = np.float64(0)
    row, column = _first(width)
    while row < rows:
        total += np.float64(x[start + row * columns + column])
        row, column = _next(row, column, width)
    return row_sum(total, shared) / np.float64(rows * width)


@device_function
def _variance(x, center, start, rows, width, columns, shared):
    total = np.float64(0)
    row, column = _first(width)
    while row < rows:
        gap = np.float64(x[start + row * columns + column]) - np.float64(center)
        total += gap * gap
        row, column = _next(row, column, width)
    return row_sum(total, shared) / np.float64(rows * width)


@kernel(threads=THREADS)
def group_norm(x, gamma, beta, epsilon, y, mean, inverse, count, rows, width, groups, centered):
    """``y = (x - mean) inverse gamma + beta`` and ``inverse = 1 / sqrt(variance + epsilon)`` of each of `count` groups.

    Where `centered` is 0 the mean is taken as 0, which is root-mean-square normalisation.
    """
    shared = cuda.shared.array(WARPS, np.float64)
    task = row_of_thread()
    if task < count:
        sample, columns = task // groups, width * groups
        first = (task - sample * groups) * width
        start = sample * rows * columns + first
        center = x.dtype.type(0)
        if centered:
            center = x.dtype.type(_mean(x, start, rows, width, columns, shared))
        variance = _variance(x, center, start, rows, width, columns, shared)
        scale = x.dtype.type(np.float64(1) / sqrt(variance + np.float64(epsilon[0])))
        if cuda.threadIdx.x == 0:
            mean[task], inverse[task] = center, scale
        row, column = _first(width)
        while row < rows:
            i, c = start + row * columns + column, first + column
            y[i] = (x[i] - center) * scale * gamma[c] + beta[c]
            row, column = _next(row, column, width)


@kernel(threads=THREADS)
def group_norm_vjp(x, gamma, mean, inverse, g, dx, count, rows, width, groups, centered):
    """The gradient of `group_norm` in x, for the gradient g of its y."""
    shared = cuda.shared.array(WARPS, np.float64)
    task = row_of_thread()
    if task < count:
        sample, columns = task // groups, width * groups
        first = (task - sample * groups) * width
        start, center, scale = sample * rows * columns + first, mean[task], inverse[task]
        total, moment = np.float64(0), np.float64(0)
        row, column = _first(width)
        while row < rows:
            i = start + row * columns + column
            h = gamma[first + column] * g[i]
            total += np.float64(h)
            moment += np.float64(h) * np.float64(x[i] - center)
            row, column = _next(row, column, width)
        size = np.float64(rows * width)
        total, moment = row_sum(total, shared), row_sum(moment, shared)
        offset = x.dtype.type(total / size) if centered else x.dtype.type(0)
        slope = x.dtype.type(moment * np.float64(scale) * np.float64(scale) / size)
        row, column = _first(width)
        while row < rows:
            i = start + row * columns + column
            dx[i] = scale * ((gamma[first + column] * g[i] - offset) - slope * (x[i] - center))
            row, column = _next(row, column, width)
