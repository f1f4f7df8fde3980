"""Indexing: basic slices as views, integer arrays as gathers, and what is built on them."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.errors import DtypeError, TracingError, ValueRangeError
from fnet.ops.arithmetic import add, equal, multiply
from fnet.ops.promotion import astype, lift
from fnet.ops.shape import basic_slice, expand_dims, normalize_axis, reshape
from fnet.spec import ArraySpec
from fnet.transforms.primitive import Primitive, spec_of
from fnet.transforms.tracer import Tracer


def _take_abstract(x: ArraySpec, index: ArraySpec, *, axis: int) -> ArraySpec:
    return ArraySpec((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]), x.dtype)


def _take_lower(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axis: int) -> None:
    from fnet.kernels import cpu

    x, index = inputs
    missing = emit.constant(np.full(1, np.nan if x.dtype.kind == "f" else 0, x.dtype))
    (y,) = outputs
    touched = 2 * y.size * y.dtype.itemsize + index.size * index.dtype.itemsize
    emit.call(cpu.index.take, x, index, missing, y, *_blocks(x.shape, axis, index.size), touched=touched)


def _scatter_abstract(g: ArraySpec, index: ArraySpec, *, shape: tuple[int, ...], axis: int) -> ArraySpec:
    return ArraySpec(shape, g.dtype)


def _scatter_lower(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, shape: tuple[int, ...], axis: int) -> None:
    from fnet.kernels import cpu

    g, index = inputs
    emit.call(cpu.index.scatter_add, g, index, outputs[0], *_blocks(shape, axis, index.size))


def _blocks(shape: tuple[int, ...], axis: int, count: int) -> tuple[int, int, int, int]:
    return math.prod(shape[:axis]), shape[axis], count, math.prod(shape[axis + 1 :])


_take = Primitive(
    "take",
    _take_abstract,
    lower=_take_lower,
    vjp=lambda g, y, x, index, *, axis: (_scatter_add(g, index, shape=spec_of(x).shape, axis=axis), None),
    jvp=lambda tangents, y, x, index, *, axis: _take(tangents[0], index, axis=axis),
)
_scatter_add = Primitive(
    "scatter_add",
    _scatter_abstract,
    lower=_scatter_lower,
    vjp=lambda g, y, x, index, *, shape, axis: (_take(g, index, axis=axis), None),
    jvp=lambda tangents, y, x, index, *, shape, axis: _scatter_add(tangents[0], index, shape=shape, axis=axis),
)


def take(x: Any, index: Any, axis: int = 0) -> Any:
    """Elements of `x` at integer positions along `axis`; negative positions count from the end.

    x: (A, n, B), index: (I,) of integers -> (A, I, B) for axis 1. Raises `ValueRangeError` for a position outside
    [-n, n); under jit, where positions are not known in advance, such an element is NaN (0 for integers).

    >>> import numpy as np
    >>> take(np.array([10.0, 20.0, 30.0]), np.array([2, 0]))
    array([30., 10.])
    """
    x, index = lift(x), lift(index)
    axis = normalize_axis(axis, spec_of(x).ndim, "take")
    if spec_of(index).dtype.kind not in "iu":
        raise DtypeError(f"take: positions must be integers, received {spec_of(index)}. Use .astype('int64').")
    size = spec_of(x).shape[axis]
    if not isinstance(index, Tracer):
        wrong = np.flatnonzero((index < -size) | (index >= size))
        if wrong.size:
            value = np.reshape(index, -1)[wrong[0]]
            raise ValueRangeError(f"take: position {value} (element {wrong[0]}) is outside axis {axis} of size {size}.")
    return _take(x, astype(index, np.int64), axis=axis)


def one_hot(labels: Any, classes: int, dtype: Any = "float32") -> Any:
    """Rows of zeros with a one at the label; a label outside [0, classes) gives a row of zeros.

    labels: (N,) integers -> (N, classes).

    >>> import numpy as np
    >>> one_hot(np.array([1, 0]), 2)
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    return astype(equal(expand_dims(lift(labels), -1), np.arange(classes)), dtype)


def getitem(x: Any, index: Any) -> Any:
    """``x[index]``: integers, slices, None and Ellipsis as in NumPy, and integer arrays on neighbouring axes."""
    ndim = spec_of(x).ndim
    parts = _expand(index if isinstance(index, tuple) else (index,), ndim)
    if not any(_is_array(p) for p in parts):
        return basic_slice(x, tuple(_basic(p) for p in parts))
    arrays = [i for i, p in enumerate(parts) if _is_array(p)]
    if any(p is None for p in parts) or arrays[-1] - arrays[0] >= len(arrays) or _separated(parts, arrays[0]):
        raise TracingError(
            "indexing with arrays works on neighbouring axes, with slices elsewhere. "
            "Use fnet.ops.take(x, index, axis) once for each axis, or reshape first."
        )
    x = basic_slice(x, tuple(slice(None) if _is_array(p) else _basic(p) for p in parts))
    first = arrays[0] - sum(isinstance(p, int | np.integer) for p in parts[: arrays[0]])
    return _gather(x, [lift(parts[i]) for i in arrays], first)


def _gather(x: Any, indices: list[Any], axis: int) -> Any:
    """Indices on neighbouring axes from `axis` on become one index into their product."""
    shape = spec_of(x).shape
    for index in indices:
        if spec_of(index).dtype.kind == "b":
            raise TracingError("a traced boolean mask has no fixed number of elements. Use fnet.ops.where instead.")
    position = _wrapped(indices[0], shape[axis])
    for offset, index in enumerate(indices[1:], start=1):
        size = shape[axis + offset]
        position = add(multiply(position, size), _wrapped(index, size))
    merged = math.prod(shape[axis : axis + len(indices)])
    return take(reshape(x, (*shape[:axis], merged, *shape[axis + len(indices) :])), position, axis)


def _wrapped(index: Any, size: int) -> Any:
    """Negative positions counted from the end; refused outside the axis where the values are known."""
    if isinstance(index, Tracer):
        from fnet.ops.arithmetic import less, where

        return where(less(index, 0), add(index, size), index)
    if index.size and (index.min() < -size or index.max() >= size):
        bad = index.min() if index.min() < -size else index.max()
        raise ValueRangeError(f"index {bad} is outside an axis of size {size}.")
    return np.where(index < 0, index + size, index)


def _expand(parts: tuple[Any, ...], ndim: int) -> list[Any]:
    """Concrete boolean masks as positions, the Ellipsis as slices, and slices for the axes not named."""
    listed: list[Any] = []
    for part in parts:
        if isinstance(part, list):
            part = np.asarray(part, None if part else np.int64)
        if isinstance(part, bool | np.bool_):
            raise TracingError("indexing with a single True or False is not supported. Use None for a new axis.")
        if isinstance(part, np.ndarray) and part.dtype == bool:
            listed += list(np.nonzero(part))
        else:
            listed.append(part)
    used = sum(p is not None and p is not Ellipsis for p in listed)
    if used > ndim:
        raise ValueRangeError(f"too many indices: {used} for an array with {ndim} axes.")
    fill = [slice(None)] * (ndim - used)
    dots = next((i for i, p in enumerate(listed) if p is Ellipsis), len(listed))
    return listed[:dots] + fill + listed[dots + 1 :]


def _is_array(part: Any) -> bool:
    return isinstance(part, Tracer | np.ndarray) and not (isinstance(part, np.ndarray) and part.ndim == 0)


def _separated(parts: list[Any], first: int) -> bool:
    """NumPy moves the gathered axes to the front when an integer stands apart from the arrays: not supported."""
    integers = [i for i, p in enumerate(parts) if isinstance(p, int | np.integer)]
    return any(any(isinstance(p, slice) for p in parts[min(i, first) : max(i, first)]) for i in integers)


def _basic(part: Any) -> Any:
    if part is None or isinstance(part, slice):
        return part
    return operator.index(part)
