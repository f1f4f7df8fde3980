"""The positions of numbers in rising order, row by row: runs that are sorted by insertion, then merged pair by pair."""

from __future__ import annotations

from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar

_RUN = 16  # numbers that insertion sorts faster than merging


@scalar
def _after(a, b):
    """Whether a comes after b: the larger one, and NaN after all that are not."""
    return a > b or (a != a and b == b)


@kernel
def _insert(x, order, begin, end):
    """Sort the positions from begin to end."""
    for i in range(begin + 1, end):
        place = order[i]
        value = x[place]
        j = i
        while j > begin and _after(x[order[j - 1]], value):
            order[j] = order[j - 1]
            j -= 1
        order[j] = place


@kernel
def _merge(x, order, merged, begin, middle, end):
    """Two sorted runs of positions as one; of equal numbers those of the first run come first."""
    i, j = begin, middle
    for k in range(begin, end):
        if j == end or (i < middle and not _after(x[order[i]], x[order[j]])):
            merged[k] = order[i]
            i += 1
        else:
            merged[k] = order[j]
            j += 1


@kernel
def _sort_row(row, x, y, other, columns, passes):
    x, y, other = at(x, row * columns), at(y, row * columns), at(other, row * columns)
    source, target = (other, y) if passes % 2 == 1 else (y, other)
    for i in range(columns):
        source[i] = i
    for begin in range(0, columns, _RUN):
        _insert(x, source, begin, min(begin + _RUN, columns))
    width = _RUN
    for _ in range(passes):
        for begin in range(0, columns, 2 * width):
            _merge(x, source, target, begin, min(begin + width, columns), min(begin + 2 * width, columns))
        source, target = target, source
        width *= 2


@kernel
def argsort(x, y, other, rows, columns):
    """``y: (rows, columns)``: the columns of each row of x in rising order, NaN last, equal ones as they are.

    other: memory like y.
    """
    passes, width = 0, _RUN
    while width < columns:
        passes, width = passes + 1, 2 * width
    threads = threads_for(rows * columns * (8 + 4 * passes))
    parallel_for(_sort_row, rows, threads, x, y, other, columns, passes)
