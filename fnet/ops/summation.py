"""Sums over axes, and the sum that undoes a broadcast: what the derivative rules of all operations rest on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.ops.promotion import astype, lift
from fnet.ops.shape import broadcast_to, linear, normalize_axis, reshape
from fnet.spec import ArraySpec
from fnet.transforms.primitive import spec_of

Axes = int | Sequence[int] | None


def fold_abstract(x: ArraySpec, *, axes: tuple[int, ...]) -> ArraySpec:
    """The shape rule of a fold: the folded axes are gone."""
    return ArraySpec(tuple(n for a, n in enumerate(x.shape) if a not in axes), x.dtype)


def keep_axes(y: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """The result of a fold of `shape` with its folded axes back, of size 1."""
    return reshape(y, tuple(1 if a in axes else n for a, n in enumerate(shape)))


def normalize_axes(axis: Axes, ndim: int, name: str) -> tuple[int, ...]:
    """Sorted non-negative axes; None means all."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    return tuple(sorted({normalize_axis(int(a), ndim, name) for a in axes}))


def _sum_vjp(g: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> tuple[Any]:
    shape = spec_of(x).shape
    return (broadcast_to(keep_axes(g, shape, axes), shape),)


_sum = linear("sum", fold_abstract, _sum_vjp, reduction="sum")


def widened(x: Any) -> Any:
    """Integers and booleans as 64-bit integers, in which NumPy adds and multiplies them up."""
    x = lift(x)
    kind = spec_of(x).dtype.kind
    return astype(x, "uint64" if kind == "u" else "int64") if kind in "biu" else x


def sum(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Sum over `axis` (all axes by default), accumulated in float64; integers and booleans sum as int64.

    >>> import numpy as np
    >>> sum(np.ones((2, 3)), axis=1)
    array([3., 3.])
    """
    x = widened(x)
    spec = spec_of(x)
    axes = normalize_axes(axis, spec.ndim, "sum")
    total = _sum(x, axes=axes) if axes else x
    return keep_axes(total, spec.shape, axes) if keepdims else total


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Sum out the axes along which `shape` was broadcast to the shape of `x`."""
    have = spec_of(x).shape
    if have == shape:
        return x
    if len(have) < len(shape) or any(h == 1 < n for h, n in zip(have[len(have) - len(shape) :], shape, strict=True)):
        return broadcast_to(x, shape)
    lead = len(have) - len(shape)
    axes = tuple(range(lead)) + tuple(lead + a for a, n in enumerate(shape) if n == 1 and have[lead + a] != 1)
    return reshape(_sum(x, axes=axes) if axes else x, shape)
