"""Indexing: basic slices as views, integer arrays as gathers, and what is built on them."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from fnet.device import device_of
from fnet.device_array import DeviceArray
from fnet.errors import DeviceError, DtypeError, IndexRangeError, TracingError, ValueRangeError
from fnet.ops.arithmetic import add, equal, greater_equal, less, logical_or, minimum, multiply, where
from fnet.ops.promotion import astype, lift
from fnet.ops.shape import basic_slice, expand_dims, normalize_axis, reshape
from fnet.spec import ArraySpec
from fnet.transforms.operand import array_behind, beside, is_known, is_operand
from fnet.transforms.primitive import Primitive, spec_of


def _take_abstract(x: ArraySpec, index: ArraySpec, *, axis: int) -> ArraySpec:
    return ArraySpec((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]), x.dtype)


def _scatter_abstract(g: ArraySpec, index: ArraySpec, *, shape: tuple[int, ...], axis: int) -> ArraySpec:
    return ArraySpec(shape, g.dtype)


_take = Primitive(
    "take",
    _take_abstract,
    lowered="index",
    vjp=lambda g, y, x, index, *, axis: (scatter_add(g, index, shape=x.shape, axis=axis), None),
    jvp=lambda tangents, y, x, index, *, axis: _take(tangents[0], index, axis=axis),
)
scatter_add = Primitive(
    "scatter_add",
    _scatter_abstract,
    lowered="index",
    vjp=lambda g, y, x, index, *, shape, axis: (_take(g, index, axis=axis), None),
    jvp=lambda tangents, y, x, index, *, shape, axis: scatter_add(tangents[0], index, shape=shape, axis=axis),
)


def take(x: Any, index: Any, axis: int = 0) -> Any:
    """Elements of `x` at integer positions along `axis`; negative positions count from the end.

    x: (A, n, B), index: (I,) of integers -> (A, I, B) for axis 1. Raises `ValueRangeError` for a position outside
    [-n, n); under jit, where positions are not known in advance, such an element is NaN (0 for integers).

    >>> import numpy as np
    >>> take(np.array([10.0, 20.0, 30.0]), np.array([2, 0]))
    array([30., 10.])
    """
    given = index
    x, index = lift(x), lift(index)
    axis = normalize_axis(axis, x.ndim, "take")
    if index.dtype.kind not in "iu":
        raise DtypeError(f"take: positions must be integers, received {spec_of(index)}. Use .astype('int64').")
    size = x.shape[axis]
    if is_known(index):
        wrong = np.flatnonzero((index < -size) | (index >= size))
        if wrong.size:
            value = np.reshape(index, -1)[wrong[0]]
            raise ValueRangeError(f"take: position {value} (element {wrong[0]}) is outside axis {axis} of size {size}.")
    if not isinstance(given, np.ndarray):  # lists are Python's numbers, which go anywhere
        index = beside(index, x)
    # Kernels read int32, too: a copy of it would lie in the caches of one core, while others need it.
    return _take(x, index if index.dtype == np.int32 else _positions(index), axis=axis)


def _positions(index: Any) -> Any:
    """Positions as int64, in which their arithmetic is exact; what is beyond that is beyond any axis."""
    if index.dtype == np.uint64:
        index = minimum(index, np.uint64(np.iinfo(np.int64).max))
    return astype(index, np.int64)


def one_hot(labels: Any, classes: int, dtype: Any = "float32") -> Any:
    """Rows of zeros with a one at the label; a label outside [0, classes) gives a row of zeros.

    labels: (N,) integers -> (N, classes).

    >>> import numpy as np
    >>> one_hot(np.array([1, 0]), 2)
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    labels = lift(labels)
    return astype(equal(expand_dims(labels, -1), beside(np.arange(classes), labels)), dtype)


def getitem(x: Any, index: Any) -> Any:
    """``x[index]``: integers, slices, None and Ellipsis as in NumPy, and integer arrays on neighbouring axes."""
    given = index if isinstance(index, tuple) else (index,)
    parts = _expand(given, x.shape)
    if not any(_is_array(p) for p in parts):
        return basic_slice(x, tuple(_basic(p) for p in parts))
    arrays = [i for i, p in enumerate(parts) if _is_array(p)]
    if any(p is None for p in parts) or arrays[-1] - arrays[0] >= len(arrays) or _separated(parts, arrays[0]):
        raise TracingError(
            "indexing with arrays works on neighbouring axes, with slices elsewhere. "
            "Use fnet.ops.take(x, index, axis) once for each axis, or reshape first."
        )
    if any(isinstance(p, np.ndarray) for p in given):  # of the host, whatever becomes of it
        device_of([array_behind(x), *(p for p in given if isinstance(p, np.ndarray))])
    x = basic_slice(x, tuple(slice(None) if _is_array(p) else _basic(p) for p in parts))
    first = arrays[0] - sum(isinstance(p, int | np.integer) for p in parts[: arrays[0]])
    return _gather(x, [lift(parts[i]) for i in arrays], first)


def _gather(x: Any, indices: list[Any], axis: int) -> Any:
    """Indices on neighbouring axes from `axis` on become one index into their product."""
    shape = x.shape
    for index in indices:
        if index.dtype.kind == "b":
            if isinstance(index, DeviceArray):
                raise DeviceError(
                    f"a boolean mask on '{index.device}' selects a number of elements that only the device knows. "
                    f"Use fnet.ops.where instead."
                )
            raise TracingError("a traced boolean mask has no fixed number of elements. Use fnet.ops.where instead.")
        if index.dtype.kind not in "iu":
            raise DtypeError(f"take: positions must be integers, received {spec_of(index)}. Use .astype('int64').")
    if len(indices) == 1:
        return take(x, beside(_checked(indices[0], shape[axis]), x), axis)
    position: Any = 0
    outside: Any = False
    for index, size in zip(indices, shape[axis:], strict=False):
        index = _positions(beside(_checked(index, size), x))
        index = where(less(index, 0), add(index, size), index)
        position = add(multiply(position, size), index)
        if not is_known(index):
            outside = logical_or(outside, logical_or(less(index, 0), greater_equal(index, size)))
    merged = math.prod(shape[axis : axis + len(indices)])
    if outside is not False:
        position = where(outside, merged, position)
    return take(reshape(x, (*shape[:axis], merged, *shape[axis + len(indices) :])), position, axis)


def _checked(index: Any, size: int) -> Any:
    """Positions on an axis of this size; refused outside of it where the values are known."""
    if is_known(index) and index.size and (index.min() < -size or index.max() >= size):
        bad = index.min() if index.min() < -size else index.max()
        raise IndexRangeError(f"index {bad} is outside an axis of size {size}.")
    return index


def _expand(parts: tuple[Any, ...], shape: tuple[int, ...]) -> list[Any]:
    """The Ellipsis as slices, slices for the axes not named, and concrete boolean masks as positions."""
    parts = tuple(np.asarray(p, None if p else np.int64) if isinstance(p, list) else p for p in parts)
    for part in parts:
        if isinstance(part, bool | np.bool_) or (_is_mask(part) and part.ndim == 0):
            raise TracingError("indexing with a single True or False is not supported. Use None for a new axis.")
    used = sum(part.ndim if _is_mask(part) else part is not None and part is not Ellipsis for part in parts)
    if used > len(shape):
        raise IndexRangeError(f"too many indices: {used} for an array with {len(shape)} axes.")
    dots = next((i for i, p in enumerate(parts) if p is Ellipsis), len(parts))
    listed: list[Any] = []
    axis = 0
    for part in (*parts[:dots], *[slice(None)] * (len(shape) - used), *parts[dots + 1 :]):
        if _is_mask(part):
            masked = shape[axis : axis + part.ndim]
            if part.shape != masked:
                raise IndexRangeError(
                    f"a boolean mask of shape {part.shape} was given for axes of sizes {masked}. They must agree."
                )
            listed += list(np.nonzero(part))
            axis += part.ndim
        else:
            listed.append(part)
            axis += part is not None
    return listed


def _is_mask(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype == bool


def _is_array(part: Any) -> bool:
    return is_operand(part) and not (is_known(part) and part.ndim == 0)


def _separated(parts: list[Any], first: int) -> bool:
    """NumPy moves the gathered axes to the front when an integer stands apart from the arrays: not supported."""
    integers = [i for i, p in enumerate(parts) if isinstance(p, int | np.integer)]
    return any(any(isinstance(p, slice) for p in parts[min(i, first) : max(i, first)]) for i in integers)


def _basic(part: Any) -> Any:
    if part is None or isinstance(part, slice):
        return part
    return operator.index(part)
