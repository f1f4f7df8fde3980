"""Arrays with elements around them that are their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.arguments import one_of
from fnet.errors import ShapeError, ValueRangeError
from fnet.ops.index import take
from fnet.ops.promotion import lift
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of

MODES = ("edge", "reflect", "symmetric", "wrap")


def pad_with_itself(x: Any, widths: Sequence[tuple[int, int]], mode: str) -> Any:
    """`widths[a]` = (before, after) elements around axis a, which x has at its ends, mirrored or from its other side.

    mode: "edge", the last one; "reflect", mirrored at it; "symmetric", mirrored behind it; "wrap", again from the other
    end. Raises `ValueRangeError` for other modes and widths, `ShapeError` where an axis has nothing to repeat.
    Source: NumPy ``pad``.

    >>> pad_with_itself(np.array([1.0, 2.0, 3.0]), [(1, 2)], "reflect")
    array([2., 1., 2., 3., 2., 1.])
    """
    one_of("pad", "mode", mode, MODES)
    x = lift(x)
    if len(widths) != x.ndim or any(n < 0 for pair in widths for n in pair):
        raise ValueRangeError(f"pad: expected {x.ndim} pairs of non-negative widths, received {widths}.")
    for axis, (before, behind) in enumerate(widths):
        if before or behind:
            if not x.shape[axis]:
                raise ShapeError(f"pad: axis {axis} of {spec_of(x)} has nothing to repeat. Use mode='constant'.")
            places = np.pad(np.arange(x.shape[axis]), (before, behind), mode)  # type: ignore[call-overload]
            x = take(x, beside(places, x), axis)
    return x
