"""Places in an order: where a number falls among sorted edges, and the largest elements of a row."""

from __future__ import annotations

from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar

_PIECE = 4096  # numbers that one task looks up
_FEW = 4  # edges that are not worth a search


@scalar
def _beyond(x, edge, right):
    """Whether x is behind an edge; NaN is behind all of them, and nothing else behind an edge that is NaN."""
    return (edge <= x if right else edge < x) or x != x


@scalar
def _halving(edges, edge_count, x, right):
    """How many edges x is behind."""
    low, high = 0, edge_count
    while low < high:
        middle = (low + high) // 2
        if _beyond(x, edges[middle], right):
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _count(task, edges, x, y, edge_count, count, right):
    """Where there are few edges, x is compared with all of them."""
    for i in range(task * _PIECE, min((task + 1) * _PIECE, count)):
        place = 0
        for j in range(edge_count):
            place += 1 if _beyond(x[i], edges[j], right) else 0
        y[i] = place


@kernel
def _look_up(task, edges, x, y, edge_count, count, right):
    """Where edges are evenly spaced, the place is known but for rounding; every other one is found by halving."""
    width = edges[edge_count - 1] - edges[0]
    scale = (edge_count - 1) / width if width > 0 else width
    for i in range(task * _PIECE, min((task + 1) * _PIECE, count)):
        value = x[i]
        position = (value - edges[0]) * scale
        place = int(position) + 1 if 0 <= position < edge_count else 0
        if place > 0 and not _beyond(value, edges[place - 1], right):
            place -= 1
        elif place < edge_count and _beyond(value, edges[place], right):
            place += 1
        below_next = place == edge_count or not _beyond(value, edges[place], right)
        if below_next and (place == 0 or _beyond(value, edges[place - 1], right)):
            y[i] = place
        else:
            y[i] = _halving(edges, edge_count, value, right)


@kernel
def searchsorted(edges, x, y, edge_count, count, right):
    """``y[i]``: how many of the sorted edges are below x[i] (or equal to it, if `right`); all of them for NaN."""
    tasks = (count + _PIECE - 1) // _PIECE
    if edge_count <= _FEW:
        parallel_for(_count, tasks, threads_for(2 * count), edges, x, y, edge_count, count, right)
    else:
        parallel_for(_look_up, tasks, threads_for(5 * count), edges, x, y, edge_count, count, right)


@scalar
def _before(x, i, j):
    """Whether element i comes before element j: NaN first, then the larger one, then the first of equals."""
    a, b = x[i], x[j]
    if a != a or b != b:
        return a != a and (b == b or i < j)
    return a > b or (a == b and i < j)


@kernel
def _sift_down(x, heap, i, count):
    """Restore a heap of positions, the last one in order at its root, after element i has moved down in order."""
    while 2 * i + 1 < count:
        child = 2 * i + 1
        if child + 1 < count and _before(x, heap[child], heap[child + 1]):
            child += 1
        if not _before(x, heap[i], heap[child]):
            return
        heap[i], heap[child] = heap[child], heap[i]
        i = child


@kernel
def _largest_of_row(row, x, y, columns, k):
    x, heap = at(x, row * columns), at(y, row * k)
    for i in range(k):
        heap[i] = i
    for i in range(k // 2 - 1, -1, -1):
        _sift_down(x, heap, i, k)
    for c in range(k, columns):
        if not x[c] <= x[heap[0]] and _before(x, c, heap[0]):
            heap[0] = c
            _sift_down(x, heap, 0, k)
    for last in range(k - 1, 0, -1):
        heap[0], heap[last] = heap[last], heap[0]
        _sift_down(x, heap, 0, last)


@kernel
def top_k(x, y, rows, columns, k):
    """y: (rows, k), the columns of the k largest elements of each row of x: (rows, columns), the largest first."""
    parallel_for(_largest_of_row, rows, threads_for(rows * (2 * columns + 10 * k)), x, y, columns, k)
