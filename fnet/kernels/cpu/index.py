"""Gather and scatter along one axis; an index outside the table gives NaN (0 for integers), never a stray read.

Threads share a gather by output rows and a scatter by columns, so that every element of a scatter is summed in the
order of the indices on any number of threads.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector import spans
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar

_LINE = 32  # neighbouring elements that one thread writes, at least: cache lines are not shared
_ELEMENTS = 4096  # of a task that copies or clears
_AHEAD, _FETCHED = 16, 128  # rows between a fetch and its use, elements of a row that are fetched
_WRITTEN = 8  # rows between one that is written and one whose lines are fetched to be written


@scalar
def _pieces(size, piece):
    return (size + piece - 1) // piece


@scalar
def _row_of(index, c, size):
    """The row that an index means, or -1."""
    k = np.int64(index[np.uint64(c)])
    k = k + size if k < 0 else k
    return k if 0 <= k < size else -1


def taking(inner, itemsize):
    """The kernel that gathers rows of so many elements: ``y[o, c, i] = x[o, index[c], i]``.

    It is called with ``(x, index, missing, y, outer, size, count, inner)`` for x: (outer, size, inner), index:
    (count,), y: (outer, count, inner).
    """
    if inner == 1:
        return take_numbers
    return take_short_rows if inner * itemsize < spans.BLOCK_BYTES else take_rows


@kernel
def _rows(task, x, index, missing, y, size, count, inner, rows):
    outer = task // _pieces(count, rows)
    first = (task - outer * _pieces(count, rows)) * rows
    last = min(first + rows, count)
    in_blocks = inner * y.itemsize % spans.BLOCK_BYTES == 0
    for c in range(first, last):
        ahead = max(0, _row_of(index, min(c + _AHEAD, last - 1), size))
        k, target = _row_of(index, c, size), (outer * count + c) * inner
        source, later = at(x, (outer * size + k) * inner), at(x, (outer * size + ahead) * inner)
        if in_blocks and k >= 0:
            written = at(y, (outer * count + min(c + _WRITTEN, last - 1)) * inner)
            spans.copy_fetching(at(y, target), source, written, later, inner)
            continue
        spans.fetch(later, min(inner, _FETCHED))
        if k >= 0:
            spans.copy(at(y, target), source, inner)
        else:
            for i in range(target, target + inner):
                y[i] = missing[0]


@kernel
def take_rows(x, index, missing, y, outer, size, count, inner):
    """`taking` rows of some lines, which are fetched ahead."""
    rows = max(1, _ELEMENTS // inner)
    tasks, threads = outer * _pieces(count, rows), threads_for(outer * count * (4 + inner // 5))
    parallel_for(_rows, tasks, threads, x, index, missing, y, size, count, inner, rows)


@kernel(shared=True)
def _short_rows(task, x, index, missing, y, size, count, inner, rows):
    outer = task // _pieces(count, rows)
    first = (task - outer * _pieces(count, rows)) * rows
    for c in range(first, min(first + rows, count)):
        k, target = _row_of(index, c, size), (outer * count + c) * inner
        if k >= 0:
            spans.copy(at(y, target), at(x, (outer * size + k) * inner), inner)
        else:
            for i in range(target, target + inner):
                y[i] = missing[0]


@kernel
def take_short_rows(x, index, missing, y, outer, size, count, inner):
    """`taking` rows that the processor fetches ahead by itself, many at a time.

    A single task is called here: to hand it over takes 70 ns, longer than a gather of few rows.
    """
    rows = max(1, _ELEMENTS // max(1, inner))
    tasks, threads = outer * _pieces(count, rows), threads_for(outer * count * (4 + inner // 5))
    if tasks == 1:
        _short_rows(0, x, index, missing, y, size, count, inner, rows)
    else:
        parallel_for(_short_rows, tasks, threads, x, index, missing, y, size, count, inner, rows)


@kernel
def _numbers(task, x, index, missing, y, size, count, rows):
    outer = task // _pieces(count, rows)
    first = (task - outer * _pieces(count, rows)) * rows
    for c in range(first, min(first + rows, count)):
        k = _row_of(index, c, size)
        y[np.uint64(outer * count + c)] = x[np.uint64(outer * size + k)] if k >= 0 else missing[0]


@kernel
def take_numbers(x, index, missing, y, outer, size, count, inner):
    """`taking` rows of a single element, as `take_short_rows` does."""
    tasks, threads = outer * _pieces(count, _ELEMENTS), threads_for(outer * count * 4)
    if tasks == 1:
        _numbers(0, x, index, missing, y, size, count, _ELEMENTS)
    else:
        parallel_for(_numbers, tasks, threads, x, index, missing, y, size, count, _ELEMENTS)


@kernel
def _clear(task, y, piece, total):
    first = task * piece
    spans.clear(at(y, first), min(piece, total - first))


@kernel
def _add_columns(task, g, index, y, size, count, inner, columns):
    outer = task // _pieces(inner, columns)
    first = (task - outer * _pieces(inner, columns)) * columns
    width = min(columns, inner - first)
    for c in range(count):
        k = _row_of(index, c, size)
        if k >= 0:
            source, target = (outer * count + c) * inner, (outer * size + k) * inner
            spans.add(at(y, target + first), at(g, source + first), width)


@kernel
def scatter_add(g, index, y, outer, size, count, inner):
    """``y[o, index[c], i] += g[o, c, i]`` in the order of c, from zeros; indices outside the table are left out."""
    total = outer * size * inner
    piece = 16 * _ELEMENTS
    parallel_for(_clear, _pieces(total, piece), threads_for(total // 16), y, piece, total)
    threads = threads_for(outer * count * (4 + inner // 4))
    columns = max(_LINE, _pieces(_pieces(inner, threads), _LINE) * _LINE)
    parallel_for(_add_columns, outer * _pieces(inner, columns), threads, g, index, y, size, count, inner, columns)
