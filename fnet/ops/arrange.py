"""Elements in other places: shifted around, repeated, turned, and arrays side by side, as NumPy's functions do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.errors import ShapeError, ValueRangeError
from fnet.ops.arithmetic import multiply
from fnet.ops.index import take
from fnet.ops.promotion import lift
from fnet.ops.shape import (
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    normalize_axis,
    ravel,
    reshape,
    split,
    swapaxes,
)
from fnet.ops.summation import Axes
from fnet.transforms import linear_maps
from fnet.transforms.operand import beside, is_known


def roll(x: Any, shift: int | Sequence[int], axis: Axes = None) -> Any:
    """Elements moved along an axis by `shift` places; what leaves at one end enters at the other. Source: NumPy.

    axis: None rolls all elements as one row; several axes have a shift each, or one for all.

    >>> roll(np.arange(5.0), 2)
    array([3., 4., 0., 1., 2.])
    """
    x = lift(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    axes = [axis] if isinstance(axis, int | np.integer) else list(axis)
    shifts = [shift] * len(axes) if isinstance(shift, int | np.integer) else list(shift)
    if len(shifts) != len(axes):
        raise ShapeError(f"roll: expected a shift for each axis of {tuple(axes)}, received {tuple(shifts)}.")
    for by, a in zip(shifts, axes, strict=True):
        a = normalize_axis(a, x.ndim, "roll")
        size = x.shape[a]
        cut = (size - int(by)) % size if size else 0
        if cut:
            x = concatenate([linear_maps.part(x, cut, size, a), linear_maps.part(x, 0, cut, a)], a)
    return x


def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Any:
    """Each element along an axis several times in a row; without an axis, of all elements in a row.

    repeats: one number, or one for each element. Raises `ShapeError` where there are others than elements.

    >>> repeat(np.array([1.0, 2.0]), 2), repeat(np.array([1.0, 2.0]), [1, 2])
    (array([1., 1., 2., 2.]), array([1., 2., 2.]))
    """
    x = lift(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis(axis, x.ndim, "repeat")
    size, shape = x.shape[axis], x.shape
    if np.size(repeats) == 1:
        (times,) = np.reshape(repeats, -1).tolist()
        if times < 0:
            raise ValueRangeError(f"repeat: expected 0 or more repeats, received {times}.")
        wide = broadcast_to(expand_dims(x, axis + 1), (*shape[: axis + 1], times, *shape[axis + 1 :]))
        return reshape(wide, (*shape[:axis], size * times, *shape[axis + 1 :]))
    if np.shape(repeats) != (size,):
        raise ShapeError(f"repeat: expected one number or {size} of them, received shape {np.shape(repeats)}.")
    return take(x, beside(np.repeat(np.arange(size), repeats), x), axis)


def tile(x: Any, reps: int | Sequence[int]) -> Any:
    """The whole array several times along each axis; missing axes are put before the others.

    >>> tile(np.array([1.0, 2.0]), (2, 2))
    array([[1., 2., 1., 2.],
           [1., 2., 1., 2.]])
    """
    x = lift(x)
    times = [int(n) for n in np.reshape(reps, -1)]
    if min(times, default=0) < 0:
        raise ValueRangeError(f"tile: expected 0 or more repetitions of each axis, received {tuple(times)}.")
    ndim = max(len(times), x.ndim)
    times = [1] * (ndim - len(times)) + times
    shape = (1,) * (ndim - x.ndim) + x.shape
    wide = reshape(x, [n for size in shape for n in (1, size)])
    wide = broadcast_to(wide, [n for pair in zip(times, shape, strict=True) for n in pair])
    return reshape(wide, [a * b for a, b in zip(times, shape, strict=True)])


def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """x turned by k right angles in the plane of two axes, from the first towards the second."""
    x = lift(x)
    first, second = (normalize_axis(a, x.ndim, "rot90") for a in axes)
    if first == second:
        raise ShapeError(f"rot90: expected two different axes, received {axes}.")
    turns = k % 4
    if turns == 2:
        return flip(flip(x, first), second)
    if turns == 1:
        return swapaxes(flip(x, second), first, second)
    return flip(swapaxes(x, first, second), second) if turns else x


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """The parts of x along an axis, without it."""
    x = lift(x)
    axis = normalize_axis(axis, x.ndim, "unstack")
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    return tuple(reshape(linear_maps.part(x, i, i + 1, axis), shape) for i in range(x.shape[axis]))


def array_split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """x cut along an axis into sections whose sizes differ by at most one, the larger ones first."""
    if not isinstance(sections, int | np.integer):
        return split(x, sections, axis)
    if sections < 1:
        raise ValueRangeError(f"array_split: expected 1 or more sections, received {sections}.")
    size = np.shape(x)[axis] if is_known(x) else x.shape[axis]
    each, more = divmod(size, int(sections))
    sizes = [each + 1] * more + [each] * (int(sections) - more)
    return split(x, np.cumsum(sizes)[:-1].tolist(), axis)


def at_least(x: Any, ndim: int) -> Any:
    """x with at least so many axes: a row gets one before it, a matrix one behind it."""
    x = lift(x)
    if x.ndim >= ndim:
        return x
    return reshape(x, {0: (1,) * ndim, 1: (1, *x.shape, 1)[:ndim], 2: (*x.shape, 1)}[x.ndim])


def vstack(arrays: Sequence[Any]) -> Any:
    """Arrays below each other: rows become matrices of one row."""
    return concatenate([at_least(a, 2) for a in arrays], 0)


def hstack(arrays: Sequence[Any]) -> Any:
    """Arrays beside each other, along the second axis; rows along their only one."""
    parts = [at_least(a, 1) for a in arrays]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1)


def dstack(arrays: Sequence[Any]) -> Any:
    """Arrays behind each other, along the third axis."""
    return concatenate([at_least(a, 3) for a in arrays], 2)


def column_stack(arrays: Sequence[Any]) -> Any:
    """Rows as the columns of a matrix; matrices beside each other."""
    parts = [lift(a) for a in arrays]
    return concatenate([reshape(a, (-1, 1)) if a.ndim < 2 else a for a in parts], 1)


def append(x: Any, values: Any, axis: int | None = None) -> Any:
    """`values` behind x along an axis; without one, all elements of both in a row."""
    return concatenate([ravel(x), ravel(values)], 0) if axis is None else concatenate([x, values], axis)


def meshgrid(*rows: Any, indexing: str = "xy") -> tuple[Any, ...]:
    """For each row an array of the points of a grid: x along the second axis and y along the first, or by "ij".

    rows: (X,), (Y,) -> two arrays (Y, X), or (X, Y) by "ij".
    """
    if indexing not in ("xy", "ij"):
        raise ValueRangeError(f"meshgrid: expected indexing='xy' or 'ij', received {indexing!r}.")
    parts = [ravel(row) for row in rows]
    sizes = tuple(part.shape[0] for part in parts)
    grids = [broadcast_to(reshape(part, (-1,) + (1,) * (len(parts) - 1 - k)), sizes) for k, part in enumerate(parts)]
    return tuple(swapaxes(grid, 0, 1) if indexing == "xy" and len(parts) > 1 else grid for grid in grids)


def kron(a: Any, b: Any) -> Any:
    """The product of matrices by blocks: each element of a times the whole of b.

    >>> kron(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([1., 1., 2., 2.])
    """
    a, b = lift(a), lift(b)
    ndim = max(a.ndim, b.ndim)
    of_a, of_b = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    wide_a = reshape(a, [n for size in of_a for n in (size, 1)])
    wide_b = reshape(b, [n for size in of_b for n in (1, size)])
    return reshape(multiply(wide_a, wide_b), [m * n for m, n in zip(of_a, of_b, strict=True)])


def broadcast_arrays(*arrays: Any) -> list[Any]:
    """The arrays with the shape that they have together."""
    parts = [lift(a) for a in arrays]
    shape = linear_maps.broadcast_shapes("broadcast_arrays", *(part.shape for part in parts))
    return [broadcast_to(part, shape) for part in parts]
