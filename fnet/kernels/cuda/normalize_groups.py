"""Group normalisation: a group of channels of one sample by itself, and the gradient in it.

A group is the work of a warp or a block, which goes over it twice; sums are those of `normalize_rows`. The gradients of
scale and offset are sums over columns (`fnet.kernels.cuda.normalize_columns`).

Source: Y. Wu and K. He 2018.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.normalize_rows import of_pivot
from fnet.kernels.cuda.runtime.arithmetic import sqrt
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_of_thread, row_sum
from fnet.kernels.cuda.softmax import finite_or_zero

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


@kernel(threads=THREADS)
def group_norm(x, gamma, beta, epsilon, y, mean, inverse, count, rows, width, groups):
    """``y = (x - mean) inverse gamma + beta``, ``inverse = 1 / sqrt(variance + epsilon)`` of each of `count` groups."""
    shared = cuda.shared.array(WARPS, np.float64)
    task = row_of_thread()
    if task < count:
        sample, columns = task // groups, width * groups
        first = (task - sample * groups) * width
        start = sample * rows * columns + first
        pivot = finite_or_zero(x[start]) if rows > 0 else x.dtype.type(0)
        total, squares = np.float64(0), np.float64(0)
        row, column = _first(width)
        while row < rows:
            gap = np.float64(x[start + row * columns + column]) - np.float64(pivot)
            total += gap
            squares += gap * gap
            row, column = _next(row, column, width)
        total, squares = row_sum(total, shared), row_sum(squares, shared)
        exact_center, variance = of_pivot(total, squares, np.float64(rows * width), pivot, True)
        center = x.dtype.type(exact_center)
        scale = x.dtype.type(np.float64(1) / sqrt(variance + np.float64(epsilon[0])))
        if cuda.threadIdx.x == 0:
            mean[task], inverse[task] = center, scale
        row, column = _first(width)
        while row < rows:
            i, c = start + row * columns + column, first + column
            y[i] = (x[i] - center) * scale * gamma[c] + beta[c]
            row, column = _next(row, column, width)


@kernel(threads=THREADS)
def group_norm_vjp(x, gamma, mean, inverse, g, dx, count, rows, width, groups):
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
        offset = x.dtype.type(total / size)
        slope = x.dtype.type(moment * np.float64(scale) * np.float64(scale) / size)
        row, column = _first(width)
        while row < rows:
            i = start + row * columns + column
            dx[i] = scale * ((gamma[first + column] * g[i] - offset) - slope * (x[i] - center))
            row, column = _next(row, column, width)
