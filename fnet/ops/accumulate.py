"""Running sums along an axis, and sums of weights by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.ops.arithmetic import greater_equal, less, logical_and, where
from fnet.ops.index import take
from fnet.ops.promotion import astype, lift
from fnet.ops.shape import moveaxis, normalize_axis, reshape
from fnet.ops.summation import widened
from fnet.spec import ArraySpec
from fnet.transforms.linear_maps import linear
from fnet.transforms.primitive import Primitive, spec_of


def _bincount_vjp(g: Any, y: Any, index: Any, weights: Any, *, length: int) -> tuple[Any, ...]:
    """Each weight has the cotangent of its sum; those left out have none."""
    if length == 0:
        return None, None
    inside = logical_and(greater_equal(index, 0), less(index, length))
    return None, where(inside, take(g, where(inside, index, 0)), 0)


_cumsum = linear(
    "cumsum",
    lambda x, *, reverse: x,
    lambda g, y, x, *, reverse: (_cumsum(g, reverse=not reverse),),
    lowered="accumulate",
)
_bincount = Primitive(
    "bincount",
    lambda index, weights, *, length: ArraySpec((length,), weights.dtype),
    lowered="accumulate",
    vjp=_bincount_vjp,
    jvp=lambda tangents, y, index, weights, *, length: _bincount(index, tangents[1], length=length),
)


def cumsum(x: Any, axis: int = -1, reverse: bool = False) -> Any:
    """Sums of the elements up to each one along an axis, or of those from it on with `reverse`.

    Floats are added up in float64, integers and booleans as int64.

    >>> import numpy as np
    >>> cumsum(np.array([1.0, 2.0, 4.0])), cumsum(np.array([1.0, 2.0, 4.0]), reverse=True)
    (array([1., 3., 7.]), array([7., 6., 4.]))
    """
    x = widened(x)
    axis = normalize_axis(axis, x.ndim, "cumsum")
    return moveaxis(_cumsum(moveaxis(x, axis, -1), reverse=bool(reverse)), -1, axis)


def bincount(index: Any, weights: Any, length: int) -> Any:
    """``y[k]``, the sum of the weights whose index is k, in their order; an index outside [0, length) is left out.

    index: integers of any shape, weights: floats of this shape -> (length,). Raises `DtypeError` for an index of
    another kind, `ShapeError` for weights of another shape, `ValueRangeError` for a negative length.

    >>> import numpy as np
    >>> bincount(np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0]), 4)
    array([1., 0., 5., 0.])
    """
    index, weights = lift(index), lift(weights)
    if index.dtype.kind not in "iu":
        raise DtypeError(f"bincount: the index holds integers, received {spec_of(index)}. Use .astype('int64').")
    if index.shape != weights.shape:
        raise ShapeError(
            f"bincount: expected weights shaped like the index, {index.shape}, received "
            f"{weights.shape}. Broadcast them first."
        )
    if length < 0:
        raise ValueRangeError(f"bincount: expected a length of 0 or more, received {length}.")
    flat = reshape(astype(index, np.int64), (-1,))
    return _bincount(flat, reshape(weights, (-1,)), length=int(length))
