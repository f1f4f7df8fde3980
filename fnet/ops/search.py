"""Places in an order: where numbers fall among sorted edges, and the largest elements along an axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.arguments import one_of
from fnet.errors import ShapeError, ValueRangeError
from fnet.ops.arithmetic import add
from fnet.ops.index import take
from fnet.ops.promotion import lift, promote
from fnet.ops.shape import reshape
from fnet.spec import ArraySpec
from fnet.transforms.operand import beside, is_known
from fnet.transforms.primitive import Primitive

_INT = np.dtype(np.int64)


_search = Primitive("searchsorted", lambda edges, x, *, right: ArraySpec(x.shape, _INT), lowered="search")
_top = Primitive("top_k", lambda x, *, k: ArraySpec((*x.shape[:-1], k), _INT), lowered="search")


def searchsorted(edges: Any, x: Any, side: str = "left") -> Any:
    """How many of the sorted `edges` are below each element of x, or with ``side="right"`` not above it.

    edges: (E,) in rising order, x: any shape -> int64 of this shape; NaN is behind all edges. Raises `ShapeError` for
    edges of another rank, `ValueRangeError` for edges that fall where they are known. Source: NumPy ``searchsorted``.

    >>> import numpy as np
    >>> searchsorted(np.array([0.0, 1.0]), np.array([-1.0, 1.0, 2.0]))
    array([0, 1, 2])
    """
    one_of("searchsorted", "side", side, ("left", "right"))
    edges, x = promote(lift(edges), lift(x))
    if edges.ndim != 1:
        raise ShapeError(f"searchsorted: expected edges of shape (edges,), received {edges.shape}.")
    if is_known(edges) and np.any(edges[1:] < edges[:-1]):
        place = int(np.flatnonzero(edges[1:] < edges[:-1])[0])
        raise ValueRangeError(f"searchsorted: edge {place + 1} is below the one before it. Sort the edges first.")
    return _search(edges, x, right=side == "right")


def top_k(x: Any, k: int) -> tuple[Any, Any]:
    """The k largest elements of each row and their positions, the largest first, of equal ones the first.

    x: (..., C) -> values and int64 positions (..., k). NaN counts as largest. The derivative of a value goes to its
    element. Raises `ValueRangeError` for k outside [1, C].

    >>> import numpy as np
    >>> values, positions = top_k(np.array([[1.0, 7.0, 7.0]]), 2)
    >>> values, positions
    (array([[7., 7.]]), array([[1, 2]]))
    """
    x = lift(x)
    shape = x.shape
    if not shape:
        raise ShapeError("top_k: expected rows of shape (..., elements), received a scalar.")
    if not 1 <= k <= shape[-1]:
        raise ValueRangeError(f"top_k: expected 1 <= k <= {shape[-1]} for rows of {shape[-1]} elements, received {k}.")
    positions = _top(x, k=int(k))
    starts = np.arange(math.prod(shape[:-1])).reshape((*shape[:-1], 1)) * shape[-1]
    flat = reshape(add(positions, beside(starts, x)), (-1,))
    return reshape(take(reshape(x, (-1,)), flat), (*shape[:-1], k)), positions
