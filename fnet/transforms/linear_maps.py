"""Linear maps: the primitives in which derivative rules are written, each beside the one that is its transpose.

| map | its transpose |
|---|---|
| reshape, transpose, a slice of everything | their inverses |
| broadcast_to | sum |
| slice | place |
| concatenate | slices |
| cast | cast |
| add | sums over what was broadcast |

The primitives take what they are given as it is; `fnet.ops` has the functions that check arguments for users.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.device_array import DeviceArray
from fnet.errors import ShapeError
from fnet.spec import ArraySpec, Unknown
from fnet.transforms.operand import is_known
from fnet.transforms.primitive import Primitive, spec_of

Shape = tuple[int, ...]


def linear(name: str, abstract: Callable, vjp: Callable, **computed_by: Any) -> Primitive:
    """A primitive of one operand that is linear in it, so that it is its own JVP."""

    def jvp(tangents: tuple[Any, ...], y: Any, x: Any, **params: Any) -> Any:
        return primitive(tangents[0], **params)

    primitive = Primitive(name, abstract, vjp=vjp, jvp=jvp, **computed_by)
    return primitive


def _view(
    name: str, view: Callable, shape: Callable[..., Shape], vjp: Callable, of_row_major: bool = False
) -> Primitive:
    """A linear primitive that NumPy computes as a view, of the shape ``shape(shape of x, **params)``."""

    def abstract(x: ArraySpec, **params: Any) -> ArraySpec:
        return ArraySpec(shape(x.shape, **params), x.dtype)

    return linear(name, abstract, vjp, view=view, of_row_major=of_row_major)


# ----------------------------------------------------------------------------------------------- views


def _reshape_view(x: np.ndarray, *, shape: Shape) -> np.ndarray:
    return np.reshape(x, shape)


def _transpose_view(x: np.ndarray, *, axes: Shape) -> np.ndarray:
    return np.transpose(x, axes)


def _broadcast_view(x: np.ndarray, *, shape: Shape) -> np.ndarray:
    return np.broadcast_to(x, shape)


def _slice_view(x: np.ndarray, *, index: tuple[Any, ...]) -> np.ndarray:
    # the Ellipsis makes it a view even where integers on every axis would give a scalar, which is a copy
    return x[(*(slice(*i) if isinstance(i, tuple) else i for i in index), ...)]


def _given_shape(have: Shape, *, shape: Shape) -> Shape:
    return tuple(shape)


def _transposed_shape(have: Shape, *, axes: Shape) -> Shape:
    return tuple([have[a] for a in axes])


def _sliced_shape(have: Shape, *, index: tuple[Any, ...]) -> Shape:
    """What NumPy makes of it, on an array without memory; sizes that are not known stay so."""
    sizes = _slice_view(np.ndarray(have, np.int8, b"\0", strides=(0,) * len(have)), index=index).shape
    if any(type(n) is Unknown for n in have):
        return tuple(next((size for size in have if size == n), n) for n in sizes)
    return sizes


def _reshape_vjp(g: Any, y: Any, x: Any, *, shape: Shape) -> tuple[Any]:
    return (reshape(g, shape=x.shape),)


def _transpose_vjp(g: Any, y: Any, x: Any, *, axes: Shape) -> tuple[Any]:
    return (transpose(g, axes=tuple(np.argsort(axes).tolist())),)


def _broadcast_vjp(g: Any, y: Any, x: Any, *, shape: Shape) -> tuple[Any]:
    return (sum_to(g, x.shape),)


def _slice_vjp(g: Any, y: Any, x: Any, *, index: tuple[Any, ...]) -> tuple[Any]:
    if all(i in ((None, None, None), (None, None, -1)) for i in index):  # some axes turned round: its own inverse
        return (basic_slice(g, index=index),)
    return (place(g, shape=x.shape, index=index),)


reshape = _view("reshape", _reshape_view, _given_shape, _reshape_vjp, of_row_major=True)
transpose = _view("transpose", _transpose_view, _transposed_shape, _transpose_vjp)
broadcast_to = _view("broadcast_to", _broadcast_view, _given_shape, _broadcast_vjp)
basic_slice = _view("slice", _slice_view, _sliced_shape, _slice_vjp)


# ----------------------------------------------------------------------------------------------- sums


def fold_abstract(x: ArraySpec, *, axes: tuple[int, ...]) -> ArraySpec:
    """The shape rule of a fold: the folded axes are gone."""
    return ArraySpec(tuple([n for a, n in enumerate(x.shape) if a not in axes]), x.dtype)


def _sum_vjp(g: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> tuple[Any]:
    shape = x.shape
    return (repeated(keep_axes(g, shape, axes), shape),)


reduce_sum = linear("sum", fold_abstract, _sum_vjp, reduction="sum")


def _add_abstract(a: ArraySpec, b: ArraySpec) -> ArraySpec:
    return ArraySpec(broadcast_shapes("add", a.shape, b.shape), b.dtype)


def _add_vjp(g: Any, y: Any, *operands: Any) -> tuple[Any, ...]:
    return tuple([sum_to(g, x.shape) if x.dtype.kind == "f" else None for x in operands])


def _add_jvp(tangents: tuple[Any, ...], y: Any, *operands: Any) -> Any:
    parts = [repeated(t, y.shape) for t in tangents if t is not None]
    return add(*parts) if len(parts) > 1 else parts[0]


add = Primitive("add", _add_abstract, template="{0} + {1}", vjp=_add_vjp, jvp=_add_jvp)


def broadcast_shapes(name: str, *shapes: Shape) -> Shape:
    """The shape NumPy would broadcast to, or a `ShapeError` that shows the shapes."""
    if shapes.count(shapes[0]) == len(shapes):
        return shapes[0]
    rank = max(map(len, shapes))
    sizes = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if sizes[axis] == 1:
                sizes[axis] = size
            elif size not in (1, sizes[axis]):
                listed = " and ".join(map(str, shapes))
                raise ShapeError(
                    f"{name} cannot combine shapes {listed}: expected equal sizes, or 1, on each axis counted from the "
                    f"last. Reshape or transpose one of them."
                )
    return tuple(sizes)


# ----------------------------------------------------------------------------------------------- parts and wholes


def _place_abstract(x: ArraySpec, *, shape: Shape, index: tuple[Any, ...]) -> ArraySpec:
    return ArraySpec(shape, x.dtype)


def _place_vjp(g: Any, y: Any, x: Any, *, shape: Shape, index: tuple[Any, ...]) -> tuple[Any]:
    return (basic_slice(g, index=index),)


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


def _concatenate_vjp(g: Any, y: Any, *inputs: Any, axis: int) -> tuple[Any, ...]:
    parts, start = [], 0
    for x in inputs:
        size = x.shape[axis]
        parts.append(part(g, start, start + size, axis))
        start += size
    return tuple(parts)


def _concatenate_jvp(tangents: tuple[Any, ...], y: Any, *inputs: Any, axis: int) -> Any:
    filled = [zeros_like(x) if t is None else t for t, x in zip(tangents, inputs, strict=True)]
    return concatenate(*filled, axis=axis)


place = linear("place", _place_abstract, _place_vjp, lowered="linear_maps")
concatenate = Primitive(
    "concatenate",
    _concatenate_abstract,
    lowered="linear_maps",
    vjp=_concatenate_vjp,
    jvp=_concatenate_jvp,
)


# ----------------------------------------------------------------------------------------------- element types


def _cast_abstract(x: ArraySpec, *, dtype: np.dtype) -> ArraySpec:
    return ArraySpec(x.shape, dtype)


def _cast_vjp(g: Any, y: Any, x: Any, *, dtype: np.dtype) -> tuple[Any]:
    return (as_dtype(g, x.dtype) if x.dtype.kind == "f" else None,)


def _cast_jvp(tangents: tuple[Any, ...], y: Any, x: Any, *, dtype: np.dtype) -> Any:
    return as_dtype(tangents[0], dtype)


cast = Primitive("cast", _cast_abstract, template="{0}", vjp=_cast_vjp, jvp=_cast_jvp)
cast.seen_through = True


# ----------------------------------------------------------------------------------------------- where there is need


def as_dtype(x: Any, dtype: np.dtype) -> Any:
    """`x` with elements of type `dtype`, which is not boolean."""
    if is_known(x):
        return np.asarray(x, dtype)
    return x if x.dtype == dtype and not x.weak else cast(x, dtype=dtype)


def reshaped(x: Any, shape: Shape) -> Any:
    """The same elements in this shape."""
    return x if x.shape == shape else reshape(x, shape=shape)


def repeated(x: Any, shape: Shape) -> Any:
    """`x` broadcast to this shape."""
    return x if x.shape == shape else broadcast_to(x, shape=shape)


def keep_axes(y: Any, shape: Shape, axes: tuple[int, ...]) -> Any:
    """The result of a fold of `shape` with its folded axes back, of size 1."""
    return reshaped(y, tuple([1 if a in axes else n for a, n in enumerate(shape)]))


def sum_to(x: Any, shape: Shape) -> Any:
    """Sum out the axes along which `shape` was broadcast to the shape of `x`."""
    have = x.shape
    if have == shape:
        return x
    lead = len(have) - len(shape)
    axes = list(range(lead))
    for axis, size in enumerate(shape, lead):
        if axis < 0 or have[axis] == 1 < size:
            return broadcast_to(x, shape=shape)
        if size == 1 != have[axis]:
            axes.append(axis)
    return reshaped(reduce_sum(x, axes=tuple(axes)) if axes else x, shape)


def part(x: Any, start: int, stop: int, axis: int) -> Any:
    """Elements ``start:stop`` along `axis`."""
    if start == 0 and stop == x.shape[axis]:
        return x
    return basic_slice(x, index=((None, None, None),) * axis + ((start, stop, None),))


def zeros_like(x: Any) -> Any:
    """Zeros of the shape and dtype of `x`, which may be traced, where it is."""
    spec = spec_of(x)
    zeros = np.zeros(spec.shape, spec.dtype)
    return x.home.put(zeros) if isinstance(x, DeviceArray) else zeros
