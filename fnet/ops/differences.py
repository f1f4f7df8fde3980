"""Differences of neighbours, integrals, and values between given points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.arguments import one_of
from fnet.errors import ShapeError, ValueRangeError
from fnet.ops.arithmetic import add, clip, divide, equal, greater, less, multiply, not_equal, subtract, where
from fnet.ops.conv import conv
from fnet.ops.index import take
from fnet.ops.promotion import astype, lift, promote
from fnet.ops.search import searchsorted
from fnet.ops.shape import concatenate, expand_dims, flip, moveaxis, normalize_axis, reshape
from fnet.ops.summation import sum, widened
from fnet.transforms import linear_maps
from fnet.transforms.primitive import spec_of


def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences of neighbours along an axis, n times: x: (..., M) -> (..., M - n).

    >>> diff(np.array([1.0, 4.0, 9.0]))
    array([3., 5.])
    """
    x = lift(x)
    if n < 0:
        raise ValueRangeError(f"diff: expected n >= 0, received {n}.")
    axis = normalize_axis(axis, x.ndim, "diff")
    for _ in range(n):
        size = x.shape[axis]
        step = not_equal if x.dtype.kind == "b" else subtract
        begin = min(1, size)
        x = step(linear_maps.part(x, begin, size, axis), linear_maps.part(x, 0, size - begin, axis))
    return x


def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """The integral by trapezoids along an axis: ``sum (y_i + y_{i+1}) / 2 * (x_{i+1} - x_i)``.

    x: where y was taken, (n,) or shaped like y; without it places are `dx` apart.

    >>> float(trapezoid(np.array([1.0, 2.0, 3.0])))
    4.0
    """
    (y,) = promote(y, floating=True)
    y = moveaxis(y, normalize_axis(axis, y.ndim, "trapezoid"), -1)
    size, last = y.shape[-1], y.ndim - 1
    means = multiply(add(linear_maps.part(y, 1, size, last), linear_maps.part(y, 0, size - 1, last)), 0.5)
    if x is None:
        return multiply(sum(means, -1), dx)
    x = lift(x)
    return sum(multiply(means, diff(x if x.ndim == 1 else moveaxis(x, axis, -1))), -1)


def gradient(y: Any, *spacing: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Central differences within, one-sided ones at both ends, along one axis or a list of them.

    spacing: the distance of places, one number for all axes or one for each. Raises `ShapeError` for fewer than two
    places, `ValueRangeError` for spacings of another number. Source: NumPy ``gradient`` for even spacing.

    >>> gradient(np.array([1.0, 2.0, 4.0]))
    array([1. , 1.5, 2. ])
    """
    (y,) = promote(y, floating=True)
    axes = range(y.ndim) if axis is None else [axis] if isinstance(axis, int | np.integer) else axis
    axes = [normalize_axis(a, y.ndim, "gradient") for a in axes]
    steps = list(spacing) * len(axes) if len(spacing) == 1 else list(spacing) or [1.0] * len(axes)
    if len(steps) != len(axes) or any(np.ndim(step) for step in steps):
        raise ValueRangeError(f"gradient: expected one number as spacing, or {len(axes)} of them, received {spacing}.")
    found = [_slope(y, a, step) for a, step in zip(axes, steps, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _slope(y: Any, axis: int, step: Any) -> Any:
    size = y.shape[axis]
    if size < 2:
        raise ShapeError(f"gradient: expected 2 places or more along axis {axis}, received {spec_of(y)}.")
    within = subtract(linear_maps.part(y, 2, size, axis), linear_maps.part(y, 0, size - 2, axis))
    first, last = (diff(linear_maps.part(y, a, a + 2, axis), axis=axis) for a in (0, size - 2))
    return divide(concatenate([first, multiply(within, 0.5), last], axis), step)


def interp(x: Any, points: Any, values: Any, left: Any = None, right: Any = None) -> Any:
    """Values on the lines between given points; before the first and behind the last one theirs, or `left`, `right`.

    x: any shape, points: (P,) in rising order, values: (P,) -> the shape of x.

    >>> interp(np.array([0.5, 9.0]), np.array([0.0, 1.0]), np.array([10.0, 20.0]))
    array([15., 20.])
    """
    x, points, values = promote(x, points, values, floating=True)
    if points.ndim != 1 or points.shape != values.shape or not points.shape[0]:
        raise ShapeError(f"interp: expected points and values of shape (P,), received {points.shape}, {values.shape}.")
    count = points.shape[0]
    after = clip(searchsorted(points, x, "right"), 1, max(1, count - 1))
    before = subtract(after, 1)
    after = clip(after, 0, count - 1)
    x0, x1, y0, y1 = take(points, before), take(points, after), take(values, before), take(values, after)
    width = subtract(x1, x0)
    share = divide(subtract(x, x0), where(equal(width, 0), 1, width))
    found = add(y0, multiply(subtract(y1, y0), share))
    first, last = points[0], points[count - 1]
    found = where(less(x, first), values[0] if left is None else left, found)
    found = where(greater(x, last), values[count - 1] if right is None else right, found)
    return where(equal(x, last), values[count - 1], where(not_equal(x, x), x, found))


def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """``c_k = sum_n a_{n+k} v_n`` of two rows.

    a: (N,), v: (M,) -> "valid" ``(|N - M| + 1,)``, "same" (max(N, M),), "full" (N + M - 1,).

    >>> correlate(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0]), "full")
    array([1., 2., 3., 0.])
    """
    one_of("correlate", "mode", mode, ("valid", "same", "full"))
    a, v = promote(a, v)
    if a.ndim != 1 or v.ndim != 1 or not a.shape[0] or not v.shape[0]:
        raise ShapeError(f"correlate: expected two rows that are not empty, received {spec_of(a)} and {spec_of(v)}.")
    if a.shape[0] < v.shape[0]:
        return flip(correlate(v, a, mode))
    dtype, (size, width) = a.dtype, (a.shape[0], v.shape[0])
    if dtype.kind != "f":
        a, v = astype(a, np.float64), astype(v, np.float64)
    before = {"valid": 0, "same": width // 2, "full": width - 1}[mode]
    behind = {"valid": 0, "same": (width - 1) - width // 2, "full": width - 1}[mode]
    padded = linear_maps.place(a, shape=(before + size + behind,), index=((before, before + size, None),))
    found = conv(reshape(padded, (1, -1, 1)), reshape(v, (-1, 1, 1)), padding="valid")
    return astype(reshape(found, (-1,)), dtype)


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """``c_k = sum_n a_{k-n} v_n``, by `correlate` with v reversed.

    >>> convolve(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([1., 3., 2.])
    """
    a, v = promote(a, v)
    if np.shape(a)[:1] < np.shape(v)[:1]:
        a, v = v, a
    return correlate(a, flip(v), mode)


def vander(x: Any, columns: int | None = None, increasing: bool = False) -> Any:
    """Powers of each element: x: (N,) -> (N, columns), the highest first."""
    x = widened(x)
    count = x.shape[0] if columns is None else columns
    powers = [np.ones_like(x)] if count else []
    for _ in range(count - 1):
        powers.append(multiply(powers[-1], x))
    parts = [expand_dims(p, -1) for p in (powers if increasing else reversed(powers))]
    return concatenate(parts, -1) if parts else linear_maps.part(expand_dims(x, -1), 0, 0, 1)


def polyval(coefficients: Any, x: Any) -> Any:
    """The value of a polynomial, its highest coefficient first, by Horner's rule."""
    coefficients = lift(coefficients)
    value: Any = np.zeros_like(x)
    for k in range(coefficients.shape[0]):
        value = add(multiply(value, x), coefficients[k])
    return value
