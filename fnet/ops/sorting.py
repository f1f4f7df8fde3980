"""Elements in order, and what is found at a place in it: medians and quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.arguments import one_of
from fnet.errors import ShapeError, ValueRangeError
from fnet.ops.arithmetic import add, equal, logical_not, maximum, minimum, multiply, negative, subtract, where
from fnet.ops.bits import bitwise_not
from fnet.ops.index import getitem, take
from fnet.ops.maths import floor, isnan
from fnet.ops.promotion import astype, lift, promote
from fnet.ops.reduce import any as any_
from fnet.ops.shape import expand_dims, moveaxis, normalize_axis, ravel, reshape
from fnet.ops.summation import Axes, normalize_axes, sum
from fnet.spec import ArraySpec
from fnet.transforms import linear_maps
from fnet.transforms.operand import beside
from fnet.transforms.primitive import Primitive, spec_of

_argsort = Primitive("argsort", lambda x: ArraySpec(x.shape, np.dtype(np.int64)), lowered="search")
_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def argsort(x: Any, axis: int | None = -1, descending: bool = False) -> Any:
    """The positions of the elements along an axis in rising order, equal ones as they are, NaN last: int64.

    axis: None sorts all elements in a row; descending: the largest first, equal ones as they are, NaN last.

    >>> argsort(np.array([3.0, 1.0, 2.0]))
    array([1, 2, 0])
    """
    x, axis = _row_if_none(x, axis)
    axis = normalize_axis(axis, x.ndim, "argsort")
    moved = moveaxis(astype(x, np.int8) if x.dtype.kind == "b" else x, axis, -1)
    return moveaxis(_argsort(_falling(moved) if descending else moved), -1, axis)


def sort(x: Any, axis: int | None = -1, descending: bool = False) -> Any:
    """The elements along an axis in rising order, NaN last; the derivative of each goes to where it was.

    >>> sort(np.array([3.0, 1.0, 2.0]))
    array([1., 2., 3.])
    """
    x, axis = _row_if_none(x, axis)
    return take_along_axis(x, argsort(x, axis, descending), axis)


def _row_if_none(x: Any, axis: int | None) -> tuple[Any, int]:
    return (ravel(x), 0) if axis is None else (lift(x), axis)


def _falling(x: Any) -> Any:
    """Numbers whose rising order is the falling one of x; NaN stays."""
    if x.dtype.kind == "f":
        return negative(x)
    return bitwise_not(x)  # -1 - x, which does not overflow


def take_along_axis(x: Any, index: Any, axis: int | None = -1) -> Any:
    """For each row along an axis the elements at positions of its own.

    x: (..., n), index: (..., k) integers, with sizes before the axis that broadcast -> (..., k).

    >>> take_along_axis(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1], [0]]), 1)
    array([[2.],
           [3.]])
    """
    x, axis = _row_if_none(x, axis)
    index = beside(lift(index), x)
    axis = normalize_axis(axis, x.ndim, "take_along_axis")
    if index.ndim != x.ndim:
        raise ShapeError(f"take_along_axis: expected an index with {x.ndim} axes, received {spec_of(index)}.")
    places = []
    for a, (size, other) in enumerate(zip(x.shape, index.shape, strict=True)):
        if a != axis and size != other and 1 not in (size, other):
            raise ShapeError(
                f"take_along_axis: expected axes of equal sizes, or of size 1, beside axis {axis}; received "
                f"{spec_of(x)} and an index {spec_of(index)}."
            )
        along = np.arange(size)
        places.append(index if a == axis else beside(along.reshape([-1 if b == a else 1 for b in range(x.ndim)]), x))
    return getitem(x, tuple(places))


def quantile(
    x: Any, q: float | Sequence[float], axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """What a share q of the elements is below, by interpolation of the sorted ones: at place ``q (n - 1)``.

    x: floats (..., n), q: one number, or (Q,) -> (...) or (Q, ...). NaN where an element is NaN. method: "linear"
    between the two neighbours, or "lower", "higher", "midpoint", "nearest". Raises `ValueRangeError` for q outside of
    [0, 1]. Source: NumPy, Hyndman and Fan 1996.

    >>> float(quantile(np.array([1.0, 2.0, 3.0]), 0.25))
    1.5
    """
    one_of("quantile", "method", method, _METHODS)
    shares = np.asarray(q, np.float64)
    if not np.all((shares >= 0) & (shares <= 1)):
        raise ValueRangeError(f"quantile: expected q within [0, 1], received {q}.")
    (x,) = promote(x, floating=True)
    axes, shape = normalize_axes(axis, x.ndim, "quantile"), x.shape
    rows = _last(x, axes)
    size = rows.shape[-1]
    if size == 0:
        raise ShapeError(f"quantile: expected one element or more, received shape {shape}.")
    ordered = sort(rows, -1)
    place = shares * (size - 1)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, size - 1)
    weight = {
        "linear": place - low,
        "lower": np.zeros_like(place),
        "higher": np.ceil(place) - low,
        "midpoint": 0.5 * (place > low),
        "nearest": np.rint(place) - low,
    }[method]
    below, above = (take(ordered, beside(at, x), -1) for at in (low, high))
    found = where(beside(weight == 0, x), below, _between(below, above, weight))
    missing = any_(isnan(rows), -1)
    found = where(expand_dims(missing, -1) if shares.ndim else missing, np.asarray(np.nan, x.dtype), found)
    if shares.ndim:
        found = moveaxis(found, -1, 0)
    if keepdims:
        kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
        found = reshape(found, (*shares.shape, *kept))
    return found


def _between(below: Any, above: Any, weight: np.ndarray) -> Any:
    """What is at a share of the way; reckoned from the nearer end, which it gives exactly."""
    late = weight >= 0.5
    from_nearer = np.asarray(np.where(late, weight - 1, weight), below.dtype)
    start = where(beside(late, below), above, below)
    found = add(start, multiply(subtract(above, below), beside(from_nearer, below)))
    return where(equal(below, above), below, found)  # infinities have no difference


def percentile(
    x: Any, q: float | Sequence[float], axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """`quantile` with q in percent."""
    return quantile(x, (np.asarray(q, np.float64) / 100).tolist(), axis, method, keepdims)


def median(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The middle element, or the mean of the two in the middle; NaN where an element is NaN.

    >>> float(median(np.array([1.0, 5.0, 2.0])))
    2.0
    """
    return quantile(x, 0.5, axis, "midpoint", keepdims)


def _last(x: Any, axes: tuple[int, ...]) -> Any:
    """x with these axes as one behind the others."""
    others = [a for a in range(x.ndim) if a not in axes]
    moved = linear_maps.transpose(x, axes=(*others, *axes))
    return reshape(moved, (*(x.shape[a] for a in others), -1 if x.size else int(np.prod([x.shape[a] for a in axes]))))


def argpartition(x: Any, kth: int, axis: int = -1) -> Any:
    """Positions in an order in which the element at `kth` is where sorting puts it: those of `argsort`."""
    return argsort(x, axis)


def quantile_of_present(x: Any, q: float, axis: Axes = None, keepdims: bool = False) -> Any:
    """The quantile of what is not NaN, interpolated between neighbours; NaN where there is nothing."""
    if not 0 <= q <= 1:
        raise ValueRangeError(f"nanquantile: expected q as one number within [0, 1], received {q}.")
    (x,) = promote(x, floating=True)
    axes, shape = normalize_axes(axis, x.ndim, "nanquantile"), x.shape
    ordered = sort(_last(x, axes), -1)
    last = subtract(sum(logical_not(isnan(ordered)), -1, keepdims=True), 1)
    place = multiply(astype(last, np.float64), q)
    low = maximum(astype(floor(place), np.int64), 0)
    below = take_along_axis(ordered, low, -1)
    above = take_along_axis(ordered, minimum(add(low, 1), maximum(last, 0)), -1)
    weight = astype(subtract(place, astype(low, np.float64)), x.dtype)
    found = where(equal(below, above), below, add(below, multiply(subtract(above, below), weight)))
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
    return reshape(found, kept if keepdims else tuple(n for a, n in enumerate(shape) if a not in axes))
