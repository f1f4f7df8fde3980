"""Weighted means, spreads, counts, and running products."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import ShapeError, ValueRangeError
from fnet.ops import reduce
from fnet.ops.accumulate import bincount
from fnet.ops.arithmetic import clip, divide, less, logical_and, multiply, not_equal, subtract, where
from fnet.ops.diagonals import diagonal
from fnet.ops.linalg import dot, matmul
from fnet.ops.maths import sqrt
from fnet.ops.promotion import astype, lift, promote
from fnet.ops.search import searchsorted
from fnet.ops.shape import concatenate, expand_dims, moveaxis, normalize_axis, ravel, reshape, transpose
from fnet.ops.summation import Axes, sum, widened
from fnet.transforms import linear_maps
from fnet.transforms.operand import beside, is_known
from fnet.transforms.primitive import spec_of


def average(x: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Any:
    """``sum(w x) / sum(w)`` along an axis, or along all; the mean without weights.

    weights: shaped like x, or a row along one axis.

    >>> float(average(np.array([1.0, 3.0]), weights=np.array([3.0, 1.0])))
    1.5
    """
    if weights is None:
        return reduce.mean(x, axis, keepdims)
    x, weights = promote(x, weights, floating=True)
    if weights.shape != x.shape:
        if weights.ndim != 1 or not isinstance(axis, int | np.integer) or weights.shape[0] != x.shape[axis]:
            raise ShapeError(
                f"average: expected weights {x.shape}, or a row as long as one axis; received {weights.shape} for axis "
                f"{axis}."
            )
        place = normalize_axis(int(axis), x.ndim, "average")
        weights = reshape(weights, (-1,) + (1,) * (x.ndim - 1 - place))
    total = sum(multiply(x, weights), axis, keepdims)
    return divide(total, sum(linear_maps.repeated(weights, x.shape), axis, keepdims))


def ptp(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The largest minus the smallest element."""
    return subtract(reduce.max(x, axis, keepdims), reduce.min(x, axis, keepdims))


def count_nonzero(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """How many elements are not zero: int64."""
    return sum(not_equal(lift(x), 0), axis, keepdims)


def cov(x: Any, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Any:
    """Covariances: x: (variables, samples), by ``rowvar=False`` (samples, variables) -> (variables, variables).

    Divided by the number of samples less `ddof`, which is 1, or 0 by `bias`. Source: NumPy ``cov``.

    >>> float(cov(np.array([1.0, 2.0, 3.0])))
    1.0
    """
    (x,) = promote(x, floating=True)
    if x.ndim > 2:
        raise ShapeError(f"cov: expected a row or a matrix, received {spec_of(x)}.")
    rows = x if x.ndim == 2 and rowvar else transpose(x) if x.ndim == 2 else reshape(x, (1, -1))
    off = subtract(rows, reduce.mean(rows, 1, keepdims=True))
    left = rows.shape[1] - ((0 if bias else 1) if ddof is None else ddof)
    found = divide(matmul(off, transpose(off)), max(left, 0))
    return found if x.ndim == 2 and rows.shape[0] > 1 else reshape(found, ()) if rows.shape[0] == 1 else found


def corrcoef(x: Any, rowvar: bool = True) -> Any:
    """Correlations: covariances divided by both standard deviations, within [-1, 1].

    >>> corrcoef(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    found = cov(x, rowvar)
    if not found.ndim:
        return divide(found, found)
    spread = sqrt(diagonal(found))
    return clip(divide(divide(found, expand_dims(spread, 1)), expand_dims(spread, 0)), -1, 1)


def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """For each element the bin it falls into: how many edges are at or below it, or below it by `right`."""
    bins = lift(bins)
    if is_known(bins) and bins.size > 1 and bins[0] > bins[-1]:
        return subtract(bins.size, searchsorted(bins[::-1], x, "right" if right else "left"))
    return searchsorted(bins, x, "left" if right else "right")


def histogram(x: Any, bins: int = 10, range: tuple[float, float] | None = None) -> tuple[Any, Any]:
    """How many elements fall into each of `bins` intervals of equal width: counts (bins,) int64, edges (bins + 1,).

    range: from where to where, by default from the smallest to the largest element. Raises `ValueRangeError` for other
    bins than a positive number of them. Source: NumPy ``histogram``.
    """
    if not isinstance(bins, int | np.integer) or bins < 1:
        raise ValueRangeError(f"histogram: expected how many bins there are, received {bins!r}.")
    (x,) = promote(ravel(x), floating=True)
    low, high = (reduce.min(x), reduce.max(x)) if range is None else promote(*range, x)[:2]
    one = reduce.all(less(subtract(high, low), np.finfo(x.dtype).tiny)) if range is None else False
    low, high = (low, high) if one is False else (where(one, subtract(low, 0.5), low), where(one, low + 0.5, high))
    steps = beside(np.arange(bins + 1).astype(x.dtype) / np.asarray(bins, x.dtype), x)
    edges = multiply(steps, subtract(high, low)) + low
    inside = logical_and(x >= low, x <= high)
    place = clip(subtract(searchsorted(edges, x, "right"), 1), 0, int(bins) - 1)
    counts = bincount(where(inside, place, -1), astype(inside, np.float64), int(bins))
    return astype(counts, np.int64), edges


def cumprod(x: Any, axis: int | None = None) -> Any:
    """Products of the elements up to each one along an axis, or of all in a row; products of pairs of products.

    >>> cumprod(np.array([1.0, 2.0, 3.0]))
    array([1., 2., 6.])
    """
    x = widened(x)
    x, axis = (ravel(x), 0) if axis is None else (x, normalize_axis(axis, x.ndim, "cumprod"))
    x = moveaxis(x, axis, -1)
    size, last, step = x.shape[-1], x.ndim - 1, 1
    while step < size:
        head = linear_maps.part(x, 0, step, last)
        tail = multiply(linear_maps.part(x, step, size, last), linear_maps.part(x, 0, size - step, last))
        x = concatenate([head, tail], -1)
        step *= 2
    return moveaxis(x, -1, axis)


def inner(a: Any, b: Any) -> Any:
    """Sums of products along the last axis of both: a: (..., n), b: (..., n) -> (...a, ...b)."""
    a, b = lift(a), lift(b)
    if not a.ndim or not b.ndim:
        return multiply(a, b)
    return dot(a, moveaxis(b, -1, max(b.ndim - 2, 0)), floating=False)


def vdot(a: Any, b: Any) -> Any:
    """The sum of all products of elements."""
    return dot(ravel(a), ravel(b), floating=False)


def cross(a: Any, b: Any, axis: int = -1) -> Any:
    """The vector product of vectors of three elements along an axis.

    >>> cross(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    array([0., 0., 1.])
    """
    a, b = (moveaxis(x, axis, -1) for x in promote(a, b))
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ShapeError(f"cross: expected vectors of 3 elements along axis {axis}, received {a.shape}, {b.shape}.")
    (a1, a2, a3), (b1, b2, b3) = ([x[..., k : k + 1] for k in range(3)] for x in (a, b))
    parts = [a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, a1 * b2 - a2 * b1]
    return moveaxis(concatenate(parts, -1), -1, axis)
