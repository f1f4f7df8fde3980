"""Shapes: views that cost nothing in a plan (reshape, transpose, slices, broadcasts), joins and padding."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, copy
from fnet.errors import AxisSizeError, ShapeError, ValueRangeError
from fnet.spec import ArraySpec, Unknown
from fnet.transforms.arithmetic import provide
from fnet.transforms.primitive import Primitive, spec_of

Shape = tuple[int, ...]


def linear(name: str, abstract: Callable, vjp: Callable, **computed_by: Any) -> Primitive:
    """A primitive of one operand that is linear in it, so that it is its own JVP."""

    def jvp(tangents: tuple[Any, ...], y: Any, x: Any, **params: Any) -> Any:
        return primitive(tangents[0], **params)

    primitive = Primitive(name, abstract, vjp=vjp, jvp=jvp, **computed_by)
    return primitive


def _view(name: str, view: Callable, vjp: Callable, strided: bool = True) -> Primitive:
    """A linear primitive that NumPy computes as a view; its shape rule asks NumPy, on an array without memory."""

    def abstract(x: ArraySpec, **params: Any) -> ArraySpec:
        shape = view(np.broadcast_to(np.zeros((), x.dtype), x.shape), **params).shape
        if any(type(n) is Unknown for n in x.shape):
            given = params.get("shape", x.shape)
            shape = tuple(next((size for size in given if size == n), n) for n in shape)
        return ArraySpec(shape, x.dtype)

    return linear(name, abstract, vjp, view=view, strided=strided)


def _slice_view(x: np.ndarray, *, index: tuple[Any, ...]) -> np.ndarray:
    # the Ellipsis makes it a view even where integers on every axis would give a scalar, which is a copy
    return x[(*(slice(*i) if isinstance(i, tuple) else i for i in index), ...)]


def _reshape_view(x: np.ndarray, *, shape: Shape) -> np.ndarray:
    return np.reshape(x, shape)


def _broadcast_view(x: np.ndarray, *, shape: Shape) -> np.ndarray:
    return np.broadcast_to(x, shape)


def _transpose_view(x: np.ndarray, *, axes: Shape) -> np.ndarray:
    return np.transpose(x, axes)


def _broadcast_vjp(g: Any, y: Any, x: Any, *, shape: Shape) -> tuple[Any]:
    from fnet.ops.summation import sum_to

    return (sum_to(g, spec_of(x).shape),)


_reshape = _view(
    "reshape", _reshape_view, lambda g, y, x, *, shape: (_reshape(g, shape=spec_of(x).shape),), strided=False
)
_transpose = _view(
    "transpose", _transpose_view, lambda g, y, x, *, axes: (_transpose(g, axes=tuple(np.argsort(axes).tolist())),)
)
_broadcast = provide(_view("broadcast_to", _broadcast_view, _broadcast_vjp))


def _slice_vjp(g: Any, y: Any, x: Any, *, index: tuple[Any, ...]) -> tuple[Any]:
    if all(i in ((None, None, None), (None, None, -1)) for i in index):  # some axes turned round: its own inverse
        return (_slice(g, index=index),)
    return (_place(g, shape=spec_of(x).shape, index=index),)


_slice = _view("slice", _slice_view, _slice_vjp)


def _place_lower(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, shape: Shape, index: tuple) -> None:
    from fnet.kernels import cpu

    (source,), (target,) = inputs, outputs
    zero = emit.constant(np.zeros(1, target.dtype))
    emit.call(cpu.copy.fill, target, zero, target.size)
    copy(source, target.viewed(_slice_view, index=index), emit)


_place = linear(
    "place",
    lambda x, *, shape, index: ArraySpec(shape, x.dtype),
    lambda g, y, x, *, shape, index: (_slice(g, index=index),),
    lower=_place_lower,
    strided=True,
)


def _concatenate_abstract(*specs: ArraySpec, axis: int) -> ArraySpec:
    first = specs[0]
    for position, spec in enumerate(specs):
        same = [a == b for i, (a, b) in enumerate(zip(first.shape, spec.shape, strict=False)) if i != axis]
        if spec.ndim != first.ndim or not all(same):
            raise ShapeError(
                f"concatenate on axis {axis} needs equal sizes on the other axes: expected {first.shape}, "
                f"received {spec.shape} as input {position}."
            )
    size = sum(s.shape[axis] for s in specs)
    return ArraySpec((*first.shape[:axis], size, *first.shape[axis + 1 :]), first.dtype)


def _concatenate_lower(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axis: int) -> None:
    (target,) = outputs
    start = 0
    for source in inputs:
        offset = target.offset + start * target.strides[axis]
        copy(source, replace(target, shape=source.shape, offset=offset), emit)
        start += source.shape[axis]


def _concatenate_vjp(g: Any, y: Any, *inputs: Any, axis: int) -> tuple[Any, ...]:
    parts, start = [], 0
    for x in inputs:
        size = spec_of(x).shape[axis]
        parts.append(take_range(g, start, start + size, axis))
        start += size
    return tuple(parts)


def _concatenate_jvp(tangents: tuple[Any, ...], y: Any, *inputs: Any, axis: int) -> Any:
    filled = [
        np.zeros(spec_of(x).shape, spec_of(x).dtype) if t is None else t for t, x in zip(tangents, inputs, strict=True)
    ]
    return _concatenate(*filled, axis=axis)


_concatenate = Primitive(
    "concatenate",
    _concatenate_abstract,
    lower=_concatenate_lower,
    vjp=_concatenate_vjp,
    jvp=_concatenate_jvp,
    strided=True,
)


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
    from fnet.ops.promotion import lift

    x = lift(x)
    old = spec_of(x).shape
    wanted = (
        (shape,)
        if isinstance(shape, int | np.integer)
        else tuple(n if type(n) is Unknown else operator.index(n) for n in shape)
    )
    known = math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and known and math.prod(old) % known == 0:
        wanted = tuple(math.prod(old) // known if n == -1 else n for n in wanted)
    if -1 in wanted or math.prod(wanted) != math.prod(old):
        raise ShapeError(
            f"cannot reshape {old} ({math.prod(old)} elements) to {wanted}: the numbers of elements differ."
        )
    return x if wanted == old else _reshape(x, shape=wanted)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Axes in another order, by default reversed."""
    from fnet.ops.promotion import lift

    x = lift(x)
    ndim = spec_of(x).ndim
    order = tuple(reversed(range(ndim))) if axes is None else tuple(normalize_axis(a, ndim, "transpose") for a in axes)
    if sorted(order) != list(range(ndim)):
        raise ShapeError(f"transpose: axes {axes} are not a permutation of the {ndim} axes of {spec_of(x)}.")
    return x if order == tuple(range(ndim)) else _transpose(x, axes=order)


def swapaxes(x: Any, a: int, b: int) -> Any:
    """Axes `a` and `b` exchanged."""
    ndim = spec_of(x).ndim
    order = list(range(ndim))
    a, b = normalize_axis(a, ndim, "swapaxes"), normalize_axis(b, ndim, "swapaxes")
    order[a], order[b] = order[b], order[a]
    return transpose(x, order)


def moveaxis(x: Any, source: int, destination: int) -> Any:
    """Axis `source` moved to position `destination`."""
    ndim = spec_of(x).ndim
    order = list(range(ndim))
    order.insert(normalize_axis(destination, ndim, "moveaxis"), order.pop(normalize_axis(source, ndim, "moveaxis")))
    return transpose(x, order)


def expand_dims(x: Any, axis: int) -> Any:
    """A new axis of size 1 at position `axis`."""
    shape = list(spec_of(x).shape)
    shape.insert(normalize_axis(axis, len(shape) + 1, "expand_dims"), 1)
    return reshape(x, shape)


def squeeze(x: Any, axis: int | tuple[int, ...] | None = None) -> Any:
    """Without axes of size 1: all of them, or those given."""
    shape = spec_of(x).shape
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
    from fnet.ops.promotion import lift

    x = lift(x)
    wanted, old = tuple(shape), spec_of(x).shape
    if wanted == old:
        return x
    tail = wanted[len(wanted) - len(old) :]
    if len(old) > len(wanted) or any(n not in (1, w) for n, w in zip(old, tail, strict=False)):
        raise ShapeError(f"cannot broadcast {old} to {wanted}: expected equal sizes, or 1, counted from the last axis.")
    return _broadcast(x, shape=wanted)


def basic_slice(x: Any, index: tuple[Any, ...]) -> Any:
    """``x[index]`` for a full index of integers, slices and None (`fnet.ops.index` prepares it)."""
    encoded = tuple((i.start, i.stop, i.step) if isinstance(i, slice) else i for i in index)
    return _slice(x, index=encoded)


def take_range(x: Any, start: int, stop: int, axis: int) -> Any:
    """Elements ``start:stop`` along `axis`."""
    if start == 0 and stop == spec_of(x).shape[axis]:
        return x
    return basic_slice(x, (slice(None),) * axis + (slice(start, stop),))


def flip(x: Any, axis: int = -1) -> Any:
    """Elements along `axis` in reverse order."""
    axis = normalize_axis(axis, spec_of(x).ndim, "flip")
    return basic_slice(x, (slice(None),) * axis + (slice(None, None, -1),))


def pad(x: Any, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Any:
    """`widths[a]` = (before, after) elements of `value` added around axis a."""
    from fnet.ops.promotion import lift

    x = lift(x)
    shape = spec_of(x).shape
    if len(widths) != len(shape) or any(w < 0 for pair in widths for w in pair):
        raise ValueRangeError(f"pad: expected {len(shape)} pairs of non-negative widths, received {widths}.")
    grown = tuple(n + before + after for n, (before, after) in zip(shape, widths, strict=True))
    index = tuple((before, before + n, None) for n, (before, _) in zip(shape, widths, strict=True))
    placed = _place(x, shape=grown, index=index)
    if value == 0:
        return placed
    around = np.full(grown, value, spec_of(x).dtype)
    around[tuple(slice(*i) for i in index)] = -0.0  # which keeps the sign of zeros
    return placed + around


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Arrays joined along an existing axis.

    >>> import numpy as np
    >>> concatenate([np.zeros((2, 1)), np.ones((2, 2))], axis=1).shape
    (2, 3)
    """
    from fnet.ops.promotion import promote

    if not arrays:
        raise ShapeError("concatenate needs at least one array, received none.")
    parts = promote(*arrays)
    axis = normalize_axis(axis, spec_of(parts[0]).ndim, "concatenate")
    return parts[0] if len(parts) == 1 else _concatenate(*parts, axis=axis)


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape joined along a new axis."""
    return concatenate([expand_dims(a, axis) for a in arrays], axis)


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """`x` cut along `axis` into equal sections, or at the given positions."""
    size = spec_of(x).shape[normalize_axis(axis, spec_of(x).ndim, "split")]
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
    axis %= spec_of(x).ndim
    return [take_range(x, a, b, axis) for a, b in itertools.pairwise(edges)]
