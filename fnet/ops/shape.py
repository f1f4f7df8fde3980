"""Shapes: views that cost nothing in a plan (reshape, transpose, slices, broadcasts), joins and padding."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.errors import AxisSizeError, ShapeError, ValueRangeError
from fnet.ops.promotion import lift, promote
from fnet.spec import Unknown
from fnet.transforms import linear_maps
from fnet.transforms.operand import beside, is_known
from fnet.transforms.primitive import spec_of


def normalize_axis(axis: int, ndim: int, name: str) -> int:
    """A non-negative axis, or a `ShapeError`."""
    if not -ndim <= axis < ndim:
        raise ShapeError(f"{name}: axis {axis} is out of range for an array with {ndim} axes.")
    return axis % ndim


def reshape(x: Any, shape: int | Sequence[int]) -> Any:
    """The same elements, row-major, in another shape; one size may be -1.

    >>> import numpy as np
    >>> reshape(np.arange(6.0), (2, -1)).shape
    (2, 3)
    """
    x = lift(x)
    old = x.shape
    wanted = (
        (shape,)
        if isinstance(shape, int | np.integer)
        else tuple([n if type(n) is Unknown else operator.index(n) for n in shape])
    )
    known = math.prod([n for n in wanted if n != -1])
    if wanted.count(-1) == 1 and known and math.prod(old) % known == 0:
        wanted = tuple(math.prod(old) // known if n == -1 else n for n in wanted)
    if -1 in wanted or math.prod(wanted) != math.prod(old):
        raise ShapeError(
            f"cannot reshape {old} ({math.prod(old)} elements) to {wanted}: the numbers of elements differ."
        )
    return x if wanted == old else linear_maps.reshape(x, shape=wanted)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Axes in another order, by default reversed."""
    x = lift(x)
    ndim = x.ndim
    order = tuple(reversed(range(ndim))) if axes is None else tuple(normalize_axis(a, ndim, "transpose") for a in axes)
    if sorted(order) != list(range(ndim)):
        raise ShapeError(f"transpose: axes {axes} are not a permutation of the {ndim} axes of {spec_of(x)}.")
    return x if order == tuple(range(ndim)) else linear_maps.transpose(x, axes=order)


def swapaxes(x: Any, a: int, b: int) -> Any:
    """Axes `a` and `b` exchanged."""
    x = lift(x)
    ndim = x.ndim
    order = list(range(ndim))
    a, b = normalize_axis(a, ndim, "swapaxes"), normalize_axis(b, ndim, "swapaxes")
    order[a], order[b] = order[b], order[a]
    return transpose(x, order)


def moveaxis(x: Any, source: int, destination: int) -> Any:
    """Axis `source` moved to position `destination`."""
    x = lift(x)
    ndim = x.ndim
    order = list(range(ndim))
    order.insert(normalize_axis(destination, ndim, "moveaxis"), order.pop(normalize_axis(source, ndim, "moveaxis")))
    return transpose(x, order)


def expand_dims(x: Any, axis: int) -> Any:
    """A new axis of size 1 at position `axis`."""
    x = lift(x)
    shape = list(x.shape)
    shape.insert(normalize_axis(axis, len(shape) + 1, "expand_dims"), 1)
    return reshape(x, shape)


def squeeze(x: Any, axis: int | tuple[int, ...] | None = None) -> Any:
    """Without axes of size 1: all of them, or those given."""
    x = lift(x)
    shape = x.shape
    if axis is None:
        return reshape(x, [n for n in shape if n != 1])
    axes = {normalize_axis(a, len(shape), "squeeze") for a in ((axis,) if isinstance(axis, int) else axis)}
    if any(shape[a] != 1 for a in axes):
        raise ShapeError(f"squeeze: expected size 1 on axis {axis}, received shape {shape}.")
    return reshape(x, [n for a, n in enumerate(shape) if a not in axes])


def ravel(x: Any) -> Any:
    """All elements on one axis."""
    return reshape(x, (-1,))


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """`x` repeated along new axes and axes of size 1, without copying."""
    x = lift(x)
    wanted, old = tuple(shape), x.shape
    if wanted == old:
        return x
    tail = wanted[len(wanted) - len(old) :]
    if len(old) > len(wanted) or any(n not in (1, w) for n, w in zip(old, tail, strict=False)):
        raise ShapeError(f"cannot broadcast {old} to {wanted}: expected equal sizes, or 1, counted from the last axis.")
    return linear_maps.broadcast_to(x, shape=wanted)


def basic_slice(x: Any, index: tuple[Any, ...]) -> Any:
    """``x[index]`` for a full index of integers, slices and None (`fnet.ops.index` prepares it)."""
    encoded = tuple((i.start, i.stop, i.step) if isinstance(i, slice) else i for i in index)
    return linear_maps.basic_slice(x, index=encoded)


def flip(x: Any, axis: int = -1) -> Any:
    """Elements along `axis` in reverse order."""
    x = lift(x)
    axis = normalize_axis(axis, x.ndim, "flip")
    return basic_slice(x, (slice(None),) * axis + (slice(None, None, -1),))


def pad(x: Any, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Any:
    """`widths[a]` = (before, after) elements of `value` added around axis a."""
    x = lift(x)
    shape = x.shape
    if len(widths) != len(shape) or any(w < 0 for pair in widths for w in pair):
        raise ValueRangeError(f"pad: expected {len(shape)} pairs of non-negative widths, received {widths}.")
    grown = tuple(n + before + after for n, (before, after) in zip(shape, widths, strict=True))
    index = tuple((before, before + n, None) for n, (before, _) in zip(shape, widths, strict=True))
    placed = linear_maps.place(x, shape=grown, index=index)
    if value == 0:
        return placed
    around = np.full(grown, value, x.dtype)
    around[tuple(slice(*i) for i in index)] = -0.0  # which keeps the sign of zeros
    return placed + beside(around, x)


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Arrays joined along an existing axis.

    >>> import numpy as np
    >>> concatenate([np.zeros((2, 1)), np.ones((2, 2))], axis=1).shape
    (2, 3)
    """
    if not arrays:
        raise ShapeError("concatenate needs at least one array, received none.")
    parts = promote(*arrays)
    axis = normalize_axis(axis, parts[0].ndim, "concatenate")
    return parts[0] if len(parts) == 1 else linear_maps.concatenate(*parts, axis=axis)


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape joined along a new axis."""
    parts = [lift(a) for a in arrays]
    like = next((a for a in parts if not is_known(a)), None)
    return concatenate([expand_dims(a if a.ndim else beside(a, like), axis) for a in parts], axis)


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """`x` cut along `axis` into equal sections, or at the given positions."""
    x = lift(x)
    size = x.shape[normalize_axis(axis, x.ndim, "split")]
    if isinstance(sections, int):
        if sections < 1 or size % sections:
            raise AxisSizeError(
                f"split: cannot cut axis {axis} of size {size} into {sections} equal sections.",
                size,
                multiple=max(1, sections),
            )
        cuts = [size // sections * i for i in range(1, sections)]
    else:
        cuts = list(sections)
    edges = [0, *cuts, size]
    axis %= x.ndim
    return [linear_maps.part(x, a, b, axis) for a, b in itertools.pairwise(edges)]
