"""Normalisation of the columns of a matrix, batch normalisation, and sums over columns of what other ones change.

Sums over columns have an order that depends on the shape alone: a block sums a part of the rows for some columns, and
the last one of those with the same columns adds up the parts. They are made in float64, for moments of the differences
from the first row, so that no large mean cancels. work: (2, parts, columns) holds the sums of the parts; counters:
zeros, one for each block of columns, see `is_last_block`.

Source: S. Ioffe and C. Szegedy 2015; T. Chan, G. Golub and R. LeVeque 1983.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned
from fnet.kernels.cuda.runtime.arithmetic import multiply_add, sqrt
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.last_block import is_last_block
from fnet.kernels.cuda.runtime.quads import load, store

THREADS = 256
_TWICE = 2 * THREADS
_0 = np.float32(0)


# --------------------------------------------------------------------------------------------- sums over columns


@device_function
def _column():
    """The column of a thread, which takes every blockDim.y-th row of the part number blockIdx.y."""
    return cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x


@device_function
def _rows_of_part(rows):
    """The first row of a thread, and the last (exclusive) of its part."""
    part, parts = cuda.blockIdx.y, cuda.gridDim.y
    return part * rows // parts + cuda.threadIdx.y, (part + 1) * rows // parts


@device_function
def _add_up(total, moment, shared):
    """Leave the sums over the threads of each column in `shared`, at x and at THREADS + x; all of a block must come."""
    place = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    shared[place], shared[THREADS + place] = total, moment
    cuda.syncthreads()
    count = cuda.blockDim.y
    while count > 1:
        half = (count + 1) // 2
        if cuda.threadIdx.y < count - half:
            shared[place] += shared[place + half * cuda.blockDim.x]
            shared[THREADS + place] += shared[THREADS + place + half * cuda.blockDim.x]
        cuda.syncthreads()
        count = half


@device_function
def _sum_of_parts(work, at, columns, parts):
    """The sum of the parts of a column that are this thread's, two of which are on their way at once."""
    total, part, step, none = np.float64(0), np.int32(cuda.threadIdx.y), np.int32(cuda.blockDim.y), np.float64(0)
    at += part * columns
    while part < parts:
        a, b = work[at], work[at + step * columns] if part + step < parts else none
        total += a
        total += b
        part = np.int32(part + 2 * step)
        at += 2 * step * columns
    return total


@device_function
def _add_parts(total, moment, work, counters, columns, shared):
    """As `_add_up`, over all rows; true for one thread of each column, in the last of the blocks that have it."""
    _add_up(total, moment, shared)
    part, parts, column, has_column = cuda.blockIdx.y, cuda.gridDim.y, _column(), _column() < columns
    if parts > 1:
        if cuda.threadIdx.y == 0 and has_column:
            work[part * columns + column] = shared[cuda.threadIdx.x]
            work[(parts + part) * columns + column] = shared[THREADS + cuda.threadIdx.x]
        if not is_last_block(counters, cuda.blockIdx.x, parts):
            return False
        count = np.int32(parts if has_column else 0)
        total = _sum_of_parts(work, column, columns, count)
        moment = _sum_of_parts(work, parts * columns + column, columns, count)
        _add_up(total, moment, shared)
    return cuda.threadIdx.y == 0 and has_column


# ----------------------------------------------------------------------------------------------------- batches


@kernel(threads=THREADS, blocks=4)
def column_moments(x, mean, variance, work, counters, rows, columns):
    """Mean and variance of each column, by the sums of ``d = x - x[0]`` and of d^2. NaN where there are no rows."""
    shared = cuda.shared.array(_TWICE, np.float64)
    total, moment, column = np.float64(0), np.float64(0), _column()
    row, last = _rows_of_part(rows)
    if column < columns:
        while row < last:
            gap = np.float64(x[row * columns + column]) - np.float64(x[column])
            total += gap
            moment += gap * gap
            row += cuda.blockDim.y
    if _add_parts(total, moment, work, counters, columns, shared):
        count = np.float64(rows)
        gap = shared[cuda.threadIdx.x] / count
        gap += gap - gap  # NaN of an infinity, as on the CPU
        mean[column] = np.float64(x[column] if rows > 0 else _0) + gap
        spread = shared[THREADS + cuda.threadIdx.x] / count - gap * gap
        variance[column] = np.float64(0) if spread < np.float64(0) else spread


@device_function
def _scaled(x, mean, scale, beta, relu):
    value = multiply_add(x - mean, scale, beta)
    return _0 if relu and value <= _0 else value


@device_function
def _scales(gamma, variance, c, epsilon, even):
    """gamma / sqrt(variance + epsilon) of four columns."""
    p, q, r, s = load(variance, c, even)
    a, b, d, e = load(gamma, c, even)
    return a / sqrt(p + epsilon), b / sqrt(q + epsilon), d / sqrt(r + epsilon), e / sqrt(s + epsilon)


@kernel(threads=THREADS)
def scale_columns(x, gamma, beta, mean, variance, epsilon, y, rows, columns, relu):
    """``y = (x - mean) gamma / sqrt(variance + epsilon) + beta``, and relu of it if `relu` is not 0.

    A thread keeps to its columns, four or one, and takes every so many rows.
    """
    even = columns % 4 == 0 and is_aligned(x) and is_aligned(y) and _are_aligned(gamma, beta, mean, variance)
    c = cuda.threadIdx.x * (4 if even else 1)
    while c < columns:
        k0, k1, k2, k3 = _scales(gamma, variance, c, epsilon[0], even)
        m0, m1, m2, m3 = load(mean, c, even)
        b0, b1, b2, b3 = load(beta, c, even)
        row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
        while row < rows:
            p, q, r, s = load(x, row * columns + c, even)
            p, q = _scaled(p, m0, k0, b0, relu), _scaled(q, m1, k1, b1, relu)
            r, s = _scaled(r, m2, k2, b2, relu), _scaled(s, m3, k3, b3, relu)
            store(y, row * columns + c, (p, q, r, s), even)
            row += cuda.gridDim.x * cuda.blockDim.y
        c += cuda.blockDim.x * (4 if even else 1)


@device_function
def _are_aligned(a, b, c, d):
    return is_aligned(a) and is_aligned(b) and is_aligned(c) and is_aligned(d)


@device_function
def _passed(x, g, mean, scale, beta, relu):
    """The gradient g, 0 where relu is in force; the argument of relu is computed as forwards."""
    return g if not relu or multiply_add(x - mean, scale, beta) > _0 else g - g


@kernel(threads=THREADS, blocks=4)
def column_products(
    x, gamma, beta, mean, variance, epsilon, g, dgamma, dbeta, slopes, work, counters, rows, columns, relu
):
    """The gradients of scale and offset, by sums of the gradient g that relu lets through, and of g (x - mean).

    slopes: (2, columns), what the two change in the gradient of x.
    """
    shared = cuda.shared.array(_TWICE, np.float64)
    total, moment, column = np.float64(0), np.float64(0), _column()
    row, last = _rows_of_part(rows)
    if column < columns:
        center, offset = mean[column], beta[column]
        scale = gamma[column] / sqrt(variance[column] + epsilon[0])
        while row < last:
            i = row * columns + column
            h = np.float64(_passed(x[i], g[i], center, scale, offset, relu))
            total += h
            moment += h * np.float64(x[i] - center)
            row += cuda.blockDim.y
    if _add_parts(total, moment, work, counters, columns, shared):
        total, moment = shared[cuda.threadIdx.x], shared[THREADS + cuda.threadIdx.x]
        inverse = np.float64(1) / sqrt(np.float64(variance[column]) + np.float64(epsilon[0]))
        scale = np.float64(gamma[column]) * inverse / np.float64(rows)
        dgamma[column], dbeta[column] = inverse * moment, total
        slopes[column], slopes[columns + column] = scale * inverse * inverse * moment, scale * total


@kernel(threads=THREADS)
def gradient_columns(x, gamma, beta, mean, variance, epsilon, g, slopes, dx, rows, columns, relu):
    """``dx = scale g - slope (x - mean) - offset``, g = 0 where relu is in force; threads as in `scale_columns`."""
    even = columns % 4 == 0 and is_aligned(x) and is_aligned(g) and is_aligned(dx)
    even = even and _are_aligned(gamma, beta, mean, variance) and is_aligned(slopes)
    c = cuda.threadIdx.x * (4 if even else 1)
    while c < columns:
        k0, k1, k2, k3 = _scales(gamma, variance, c, epsilon[0], even)
        m0, m1, m2, m3 = load(mean, c, even)
        b0, b1, b2, b3 = load(beta, c, even)
        s0, s1, s2, s3 = load(slopes, c, even)
        o0, o1, o2, o3 = load(slopes, columns + c, even)
        row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
        while row < rows:
            i = row * columns + c
            p, q, r, s = load(x, i, even)
            a, b, d, e = load(g, i, even)
            a, b = _passed(p, a, m0, k0, b0, relu), _passed(q, b, m1, k1, b1, relu)
            d, e = _passed(r, d, m2, k2, b2, relu), _passed(s, e, m3, k3, b3, relu)
            a, b = (k0 * a - o0) - s0 * (p - m0), (k1 * b - o1) - s1 * (q - m1)
            d, e = (k2 * d - o2) - s2 * (r - m2), (k3 * e - o3) - s3 * (s - m3)
            store(dx, i, (a, b, d, e), even)
            row += cuda.gridDim.x * cuda.blockDim.y
        c += cuda.blockDim.x * (4 if even else 1)


# -------------------------------------------------------------------------------------- groups of columns, and rows


@kernel(threads=THREADS, blocks=4)
def group_products(x, mean, inverse, g, dgamma, dbeta, work, counters, rows, columns, height, width):
    """The gradients of scale and offset: the sums over rows of ``g (x - mean) inverse``, and of g.

    A sample has `height` of the rows, a group `width` of the columns; each group has a mean and an inverse deviation.
    """
    shared = cuda.shared.array(_TWICE, np.float64)
    total, moment, column, groups = np.float64(0), np.float64(0), _column(), columns // width
    row, last = _rows_of_part(rows)
    if column < columns:
        group = column // width
        while row < last:
            i, k = row * columns + column, (row if height == 1 else row // height) * groups + group
            total += np.float64(g[i])
            moment += np.float64(g[i]) * np.float64((x[i] - mean[k]) * inverse[k])
            row += cuda.blockDim.y
    if _add_parts(total, moment, work, counters, columns, shared):
        dgamma[column], dbeta[column] = shared[THREADS + cuda.threadIdx.x], shared[cuda.threadIdx.x]
