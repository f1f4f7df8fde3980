"""Normalisation of the columns of a matrix: batch normalisation, forwards and backwards.

Statistics take one pass over memory: a chunk of rows is read twice, for its means and for its squared distances from
them, while it is in the cache, and chunks are combined by Chan's formula in float64, so that no large mean cancels.
Means are sums of differences from a first row, and what they lose by rounding is made good in the squares.
A task takes a fixed range of chunks whatever the number of threads, and tasks are combined in order. The first pass of
each thread goes from behind: what wrote the matrix ended there, and the second pass begins where the first one ended.

Narrow matrices are seen as wider ones, ``repeat`` rows beside each other, so that the inner loops fill vectors: a
*line* has ``width = repeat * cols`` elements, and the rows left over make one short line at the end.

Source: S. Ioffe and C. Szegedy 2015; T. Chan, G. Golub and R. LeVeque 1983.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.runtime.parallel import RANGES
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar

_0 = np.float32(0)
_TASKS = 64
_CHUNK = 4096  # elements of a chunk, which stays in the first-level cache while it is read twice
_WIDTH = 64  # lines are at least about this wide
_MIN_LINES = 8


def plan(rows: int, cols: int) -> tuple[int, int, int]:
    """How the work is cut, by its shape alone: rows side by side in a line, lines in a chunk, tasks."""
    repeat = max(1, min(rows, _WIDTH // max(cols, 1)))
    lines = rows // repeat
    chunk = max(_MIN_LINES, _CHUNK // max(1, repeat * cols))
    return repeat, chunk, max(1, min(_TASKS, -(-lines // chunk)))


def work_sizes(rows: int, cols: int) -> tuple[int, int]:
    """Elements of scratch memory that the kernels need: of the dtype of the data, and of float64."""
    repeat, _, tasks = plan(rows, cols)
    return (3 * tasks + 5) * repeat * cols, 2 * tasks * cols


# ---------------------------------------------------------------------------------------- sums over a few lines


@scalar
def _clear(x, n):
    for j in range(n):
        x[j] = 0


@kernel
def _add_differences(x, total, lines, width, used):
    """total[j] += sum over the lines of what column j has more than in the first one."""
    whole = lines - lines % 4
    for i in range(0, whole, 4):
        a, b, c, d = at(x, i * width), at(x, (i + 1) * width), at(x, (i + 2) * width), at(x, (i + 3) * width)
        for j in range(used):
            m = x[j]
            total[j] += ((a[j] - m) + (b[j] - m)) + ((c[j] - m) + (d[j] - m))
    for i in range(whole, lines):
        a = at(x, i * width)
        for j in range(used):
            total[j] += a[j] - x[j]


@kernel
def _add_squares(x, center, total, lines, width, used):
    """total[j] += sum over the lines of (x[j] - center[j])^2."""
    whole = lines - lines % 4
    for i in range(0, whole, 4):
        a, b, c, d = at(x, i * width), at(x, (i + 1) * width), at(x, (i + 2) * width), at(x, (i + 3) * width)
        for j in range(used):
            m = center[j]
            p, q, r, s = a[j] - m, b[j] - m, c[j] - m, d[j] - m
            total[j] += (p * p + q * q) + (r * r + s * s)
    for i in range(whole, lines):
        a = at(x, i * width)
        for j in range(used):
            p = a[j] - center[j]
            total[j] += p * p


@kernel
def _merge(mean, squares, count, other_mean, other_squares, taken, cols):
    """Add the moments of `taken` rows to those of `count` rows."""
    weight = taken / (count + taken)
    for c in range(cols):
        gap = other_mean[c] - mean[c]
        mean[c] += gap * weight
        squares[c] += other_squares[c] + gap * gap * (count * weight)


@kernel
def _merge_chunk(mean, squares, count, center, lost, spread, taken, cols):
    """Add a chunk of `taken` rows, whose squares are about `center`, which lacks `lost` of its mean."""
    weight = taken / (count + taken)
    for c in range(cols):
        off = np.float64(lost[c])
        gap = center[c] + off - mean[c]
        mean[c] += gap * weight
        squares[c] += max(spread[c] - taken * off * off, 0.0) + gap * gap * (count * weight)


@scalar
def _from_behind(task, tasks, threads):
    """The number of a task if each thread goes through its range of `tasks` from behind.

    >>> [int(_from_behind(task, 5, 2)) for task in range(5)]
    [1, 0, 4, 3, 2]
    """
    ranges = min(max(threads, 1), RANGES)
    number = ((task + 1) * ranges - 1) // tasks  # of the range
    return tasks * number // ranges + tasks * (number + 1) // ranges - 1 - task


@scalar
def _lines_of(task, tasks, lines, rest, chunk):
    """The first and last line of a task: whole chunks, as many for each task as for the others but for one."""
    chunks = -(-lines // chunk)
    short = 1 if rest > 0 and task == tasks - 1 else 0
    return min(lines, task * chunks // tasks * chunk), min(lines, (task + 1) * chunks // tasks * chunk) + short


@scalar
def _next_chunk(first, last, lines, width, rest, chunk):
    """How many lines to take from `first` on, and how much of them is used: the short line stands alone."""
    return (min(chunk, min(last, lines) - first), width) if first < lines else (1, rest)


# -------------------------------------------------------------------------------------------------- forwards


@kernel
def column_moments(x, part, record, first, last, lines, width, rest, cols, chunk):
    """record = the mean of each column, then its sum of squared distances from it, over a range of lines."""
    center, spread, lost, mean, squares = part, at(part, width), at(part, 2 * width), record, at(record, cols)
    count = 0
    _clear(mean, 2 * cols)
    while first < last:
        taken, used = _next_chunk(first, last, lines, width, rest, chunk)
        _clear(center, 2 * width)
        line = at(x, first * width)
        _add_differences(line, center, taken, width, used)
        lost[0] = 1 / taken
        share = lost[0]  # in the type of the data
        for j in range(used):
            more = center[j] * share
            center[j] = line[j] + more
            lost[j] = more - (center[j] - line[j])
        _add_squares(line, center, spread, taken, width, used)
        for j in range(0, used, cols):
            _merge_chunk(mean, squares, count, at(center, j), at(lost, j), at(spread, j), taken, cols)
            count += taken
        first += taken


@kernel
def _moments_task(task, x, part, record, lines, width, rest, cols, chunk, tasks, threads):
    task = _from_behind(task, tasks, threads)
    first, last = _lines_of(task, tasks, lines, rest, chunk)
    part, record = at(part, task * 3 * width), at(record, task * 2 * cols)
    column_moments(x, part, record, first, last, lines, width, rest, cols, chunk)


@kernel
def _merge_records(record, mean, variance, lines, repeat, extra, cols, chunk, tasks):
    """Combine what the tasks found, in order, in the record of the first."""
    total, squares, count = record, at(record, cols), 0
    for task in range(tasks):
        first, last = _lines_of(task, tasks, lines, 0, chunk)
        taken = (last - first) * repeat + (extra if task == tasks - 1 else 0)
        if task > 0:
            other = at(record, task * 2 * cols)
            _merge(total, squares, count, other, at(other, cols), taken, cols)
        count += taken
    for c in range(cols):
        mean[c] = total[c] if count > 0 else np.nan
        variance[c] = squares[c] / count


@kernel
def scale_lines(x, y, coefficients, first, last, lines, width, rest, relu):
    """y = (x - mean) scale + beta, and relu of it if `relu` is not 0."""
    mean, scale, beta = at(coefficients, 0), at(coefficients, width), at(coefficients, 2 * width)
    for i in range(first, last):
        a, b = at(x, i * width), at(y, i * width)
        used = width if i < lines else rest
        if relu:
            for j in range(used):
                value = (a[j] - mean[j]) * scale[j] + beta[j]
                b[j] = _0 if value <= _0 else value
        else:
            for j in range(used):
                b[j] = (a[j] - mean[j]) * scale[j] + beta[j]


@kernel
def _scale_task(task, x, y, coefficients, lines, width, rest, chunk, tasks, relu):
    first, last = _lines_of(task, tasks, lines, rest, chunk)
    scale_lines(x, y, coefficients, first, last, lines, width, rest, relu)


@kernel
def _spread_coefficients(mean, variance, gamma, beta, epsilon, coefficients, width, cols):
    """Rows of mean, scale and beta as wide as a line."""
    for first in range(0, width, cols):
        for c in range(cols):
            coefficients[first + c] = mean[c]
            coefficients[width + first + c] = gamma[c] / np.sqrt(variance[c] + epsilon)
            coefficients[2 * width + first + c] = beta[c]


@kernel
def batch_norm(x, gamma, beta, epsilon, y, mean, variance, part, record, rows, cols, repeat, chunk, tasks, relu):
    """y = (x - mean) gamma / sqrt(variance + epsilon) + beta for each column, and relu of it if `relu` is not 0."""
    width, lines, extra = cols * repeat, rows // repeat, rows % repeat
    rest, threads = extra * cols, threads_for(rows * cols * 0.3)
    source, parts, records = at(x, 0), at(part, 0), at(record, 0)
    parallel_for(
        _moments_task, tasks, threads, source, parts, records, lines, width, rest, cols, chunk, tasks, threads
    )  # fmt: skip
    _merge_records(records, at(mean, 0), at(variance, 0), lines, repeat, extra, cols, chunk, tasks)
    coefficients = at(part, 3 * tasks * width)
    _spread_coefficients(at(mean, 0), at(variance, 0), at(gamma, 0), at(beta, 0), epsilon[0], coefficients, width, cols)
    parallel_for(_scale_task, tasks, threads, source, at(y, 0), coefficients, lines, width, rest, chunk, tasks, relu)


# ------------------------------------------------------------------------------------------------- backwards


@kernel
def _add_products(x, g, mean, total, moment, lines, width, used):
    """total[j] += sum of g[j]; moment[j] += sum of g[j] (x[j] - mean[j]) over the lines."""
    whole = lines - lines % 4
    for i in range(0, whole, 4):
        a, b, c, d = at(x, i * width), at(x, (i + 1) * width), at(x, (i + 2) * width), at(x, (i + 3) * width)
        p, q, r, s = at(g, i * width), at(g, (i + 1) * width), at(g, (i + 2) * width), at(g, (i + 3) * width)
        for j in range(used):
            m = mean[j]
            total[j] += (p[j] + q[j]) + (r[j] + s[j])
            moment[j] += (p[j] * (a[j] - m) + q[j] * (b[j] - m)) + (r[j] * (c[j] - m) + s[j] * (d[j] - m))
    for i in range(whole, lines):
        a, p = at(x, i * width), at(g, i * width)
        for j in range(used):
            total[j] += p[j]
            moment[j] += p[j] * (a[j] - mean[j])


@kernel
def _add_open_products(x, g, coefficients, total, moment, lines, width, used):
    """The same of g where (x - mean) scale + beta, the argument of relu, is positive."""
    mean, scale, beta = at(coefficients, 0), at(coefficients, width), at(coefficients, 2 * width)
    whole = lines - lines % 4
    for i in range(0, whole, 4):
        a, b, c, d = at(x, i * width), at(x, (i + 1) * width), at(x, (i + 2) * width), at(x, (i + 3) * width)
        p, q, r, s = at(g, i * width), at(g, (i + 1) * width), at(g, (i + 2) * width), at(g, (i + 3) * width)
        for j in range(used):
            m, k, o = mean[j], scale[j], beta[j]
            t, u, v, w = a[j] - m, b[j] - m, c[j] - m, d[j] - m
            e = p[j] if t * k + o > _0 else _0
            f = q[j] if u * k + o > _0 else _0
            h = r[j] if v * k + o > _0 else _0
            n = s[j] if w * k + o > _0 else _0
            total[j] += (e + f) + (h + n)
            moment[j] += (e * t + f * u) + (h * v + n * w)
    for i in range(whole, lines):
        a, p = at(x, i * width), at(g, i * width)
        for j in range(used):
            u = a[j] - mean[j]
            h = p[j] if u * scale[j] + beta[j] > _0 else _0
            total[j] += h
            moment[j] += h * u


@kernel
def column_products(x, g, coefficients, part, record, first, last, lines, width, rest, cols, chunk, relu):
    """record = the sum of g in each column, then that of g (x - mean), over a range of lines."""
    _clear(record, 2 * cols)
    total, moment = at(part, 0), at(part, width)
    while first < last:
        taken, used = _next_chunk(first, last, lines, width, rest, chunk)
        _clear(part, 2 * width)
        a, b = at(x, first * width), at(g, first * width)
        if relu:
            _add_open_products(a, b, coefficients, total, moment, taken, width, used)
        else:
            _add_products(a, b, coefficients, total, moment, taken, width, used)
        for start in range(0, used, cols):
            for c in range(cols):
                record[c] += total[start + c]
                record[cols + c] += moment[start + c]
        first += taken


@kernel
def _products_task(task, x, g, coefficients, part, record, lines, width, rest, cols, chunk, tasks, threads, relu):
    task = _from_behind(task, tasks, threads)
    first, last = _lines_of(task, tasks, lines, rest, chunk)
    part, record = at(part, task * 2 * width), at(record, task * 2 * cols)
    column_products(x, g, coefficients, part, record, first, last, lines, width, rest, cols, chunk, relu)


@kernel
def _merge_products(record, variance, epsilon, dgamma, dbeta, coefficients, width, cols, rows, tasks):
    """Add up what the tasks found, in order, and make rows of slope and offset."""
    for task in range(1, tasks):
        other = at(record, task * 2 * cols)
        for c in range(2 * cols):
            record[c] += other[c]
    slope, offset = at(coefficients, 3 * width), at(coefficients, 4 * width)
    for c in range(cols):
        inverse = 1 / np.sqrt(np.float64(variance[c]) + epsilon)
        dgamma[c] = inverse * record[cols + c]
        dbeta[c] = record[c]
        for j in range(c, width, cols):
            scale = np.float64(coefficients[width + j])
            slope[j] = scale * inverse * inverse * record[cols + c] / rows
            offset[j] = scale * record[c] / rows


@kernel
def gradient_lines(x, g, dx, coefficients, first, last, lines, width, rest, relu):
    """dx = scale g - slope (x - mean) - offset, with g = 0 where relu is in force."""
    mean, scale, beta = at(coefficients, 0), at(coefficients, width), at(coefficients, 2 * width)
    slope, offset = at(coefficients, 3 * width), at(coefficients, 4 * width)
    for i in range(first, last):
        a, b, d = at(x, i * width), at(g, i * width), at(dx, i * width)
        used = width if i < lines else rest
        if relu:
            for j in range(used):
                u = a[j] - mean[j]
                h = b[j] if u * scale[j] + beta[j] > _0 else _0
                d[j] = (scale[j] * h - offset[j]) - slope[j] * u
        else:
            for j in range(used):
                d[j] = (scale[j] * b[j] - offset[j]) - slope[j] * (a[j] - mean[j])


@kernel
def _gradient_task(task, x, g, dx, coefficients, lines, width, rest, chunk, tasks, relu):
    first, last = _lines_of(task, tasks, lines, rest, chunk)
    gradient_lines(x, g, dx, coefficients, first, last, lines, width, rest, relu)


@kernel
def batch_norm_vjp(
    x, gamma, beta, mean, variance, epsilon, g, dx, dgamma, dbeta, part, record, rows, cols, repeat, chunk, tasks, relu
):
    """The gradient of `batch_norm` in x, gamma and beta, for the gradient g of its y."""
    width, lines, extra = cols * repeat, rows // repeat, rows % repeat
    rest, threads = extra * cols, threads_for(rows * cols * 0.4)
    coefficients = at(part, 2 * tasks * width)
    _spread_coefficients(at(mean, 0), at(variance, 0), at(gamma, 0), at(beta, 0), epsilon[0], coefficients, width, cols)
    source, slopes, parts, records = at(x, 0), at(g, 0), at(part, 0), at(record, 0)
    parallel_for(
        _products_task, tasks, threads, source, slopes, coefficients, parts, records, lines, width, rest, cols, chunk,
        tasks, threads, relu,
    )  # fmt: skip
    _merge_products(
        records, at(variance, 0), epsilon[0], at(dgamma, 0), at(dbeta, 0), coefficients, width, cols, rows, tasks
    )
    parallel_for(
        _gradient_task, tasks, threads, source, slopes, at(dx, 0), coefficients, lines, width, rest, chunk, tasks, relu
    )
