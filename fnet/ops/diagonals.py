"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.ops.arithmetic import where
from fnet.ops.promotion import lift
from fnet.ops.shape import moveaxis, normalize_axis, pad, reshape
from fnet.ops.summation import sum
from fnet.transforms import linear_maps
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements (i, i + offset) of two axes, along a new last axis. x: (..., N, M) -> (..., length).

    A slice with a stride of the row-major elements, so nothing is looked up.

    >>> diagonal(np.arange(6.0).reshape(2, 3), 1)
    array([1., 5.])
    """
    x = lift(x)
    if x.ndim < 2:
        raise ShapeError(f"diagonal: expected 2 axes or more, received {spec_of(x)}.")
    axis1, axis2 = normalize_axis(axis1, x.ndim, "diagonal"), normalize_axis(axis2, x.ndim, "diagonal")
    if axis1 == axis2:
        raise ShapeError(f"diagonal: expected two different axes, received {axis1} twice.")
    x = moveaxis(moveaxis(x, axis1, -1), axis2 - (axis1 < axis2), -1)
    *lead, rows, columns = x.shape
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    first = max(offset, 0) - min(offset, 0) * columns
    flat = reshape(x, (*lead, rows * columns))
    if length == 0:
        return linear_maps.part(flat, 0, 0, len(lead))
    stop = first + (length - 1) * (columns + 1) + 1
    index = (*(slice(None),) * len(lead), slice(first, stop, columns + 1))
    return flat[index]


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal.

    >>> float(trace(np.eye(3)))
    3.0
    """
    return sum(diagonal(x, offset, axis1, axis2), -1)


def diag(x: Any, k: int = 0) -> Any:
    """The matrix with a row on its k-th diagonal, (N,) -> ``(N + |k|, N + |k|)``; of a matrix its diagonal.

    >>> diag(np.array([1.0, 2.0]))
    array([[1., 0.],
           [0., 2.]])
    """
    x = lift(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(f"diag: expected a row or a matrix, received {spec_of(x)}.")
    (size,), wide = x.shape, x.shape[0] + abs(k)
    spread = reshape(pad(reshape(x, (size, 1)), [(0, 0), (0, wide)]), (-1,))  # a zero row after each element
    first = max(k, 0) - min(k, 0) * wide
    whole = pad(spread, [(first, max(0, wide * wide - first - size * (wide + 1)))])
    return reshape(linear_maps.part(whole, 0, wide * wide, 0), (wide, wide))


def diagflat(x: Any, k: int = 0) -> Any:
    """The matrix with all elements of x on its k-th diagonal."""
    return diag(reshape(x, (-1,)), k)


def tril(x: Any, k: int = 0) -> Any:
    """Matrices with zeros above their k-th diagonal. x: (..., N, M)."""
    return _triangle("tril", x, k, True)


def triu(x: Any, k: int = 0) -> Any:
    """Matrices with zeros below their k-th diagonal. x: (..., N, M).

    >>> triu(np.ones((2, 2)))
    array([[1., 1.],
           [0., 1.]])
    """
    return _triangle("triu", x, k - 1, False)


def _triangle(name: str, x: Any, k: int, kept: bool) -> Any:
    """Zeros where an element is in the lower triangle, or where it is not."""
    x = lift(x)
    if x.ndim < 2:
        raise ShapeError(f"{name}: expected matrices of shape (..., rows, columns), received {spec_of(x)}.")
    rows, columns = x.shape[-2:]
    lower = np.tri(rows, columns, k, dtype=bool)
    return where(beside(lower if kept else ~lower, x), x, np.zeros((), x.dtype))
