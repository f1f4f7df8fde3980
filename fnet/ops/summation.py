"""Sums over axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.ops.promotion import astype, lift
from fnet.ops.shape import normalize_axis
from fnet.transforms import linear_maps

Axes = int | Sequence[int] | None


def normalize_axes(axis: Axes, ndim: int, name: str) -> tuple[int, ...]:
    """Sorted non-negative axes; None means all."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    return tuple(sorted({normalize_axis(int(a), ndim, name) for a in axes}))


def widened(x: Any) -> Any:
    """Integers and booleans as 64-bit integers, in which NumPy adds and multiplies them up."""
    x = lift(x)
    kind = x.dtype.kind
    return astype(x, "uint64" if kind == "u" else "int64") if kind in "biu" else x


def sum(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Sum over `axis` (all axes by default), accumulated in float64; integers and booleans sum as int64.

    >>> import numpy as np
    >>> sum(np.ones((2, 3)), axis=1)
    array([3., 3.])
    """
    x = widened(x)
    axes = normalize_axes(axis, x.ndim, "sum")
    total = linear_maps.reduce_sum(x, axes=axes) if axes else x
    return linear_maps.keep_axes(total, x.shape, axes) if keepdims else total
