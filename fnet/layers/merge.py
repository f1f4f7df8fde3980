"""Layers that make one array of a tuple of them, and the same as functions.

Element by element, sizes broadcast; an array with fewer axes than another gets axes of size 1 behind the batch axis.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.layer import Layer, is_single
from fnet.layers.names import make_layer
from fnet.ops.promotion import lift, promote
from fnet.transforms.primitive import spec_of

Merge = Callable[[Sequence[Any]], Any]


def Add(name: str | None = None) -> Layer:
    """``x_1 + x_2 + ...`` of a tuple of inputs. Source: Keras ``Add``.

    >>> Add().out_shape(((3,), (3,)))
    (3,)
    """
    return _merging("Add", add, {}, name)


def Subtract(name: str | None = None) -> Layer:
    """``x_1 - x_2`` of two inputs. Source: Keras ``Subtract``."""
    return _merging("Subtract", subtract, {}, name)


def Multiply(name: str | None = None) -> Layer:
    """``x_1 x_2 ...`` of a tuple of inputs, element by element. Source: Keras ``Multiply``."""
    return _merging("Multiply", multiply, {}, name)


def Average(name: str | None = None) -> Layer:
    """``(x_1 + ... + x_k) / k`` of a tuple of inputs. Source: Keras ``Average``."""
    return _merging("Average", average, {}, name)


def Maximum(name: str | None = None) -> Layer:
    """The largest of a tuple of inputs, element by element; NaN where one of them is. Source: Keras ``Maximum``."""
    return _merging("Maximum", maximum, {}, name)


def Minimum(name: str | None = None) -> Layer:
    """The smallest of a tuple of inputs, element by element; NaN where one of them is. Source: Keras ``Minimum``."""
    return _merging("Minimum", minimum, {}, name)


def Concatenate(axis: int = -1, name: str | None = None) -> Layer:
    """A tuple of inputs joined along `axis`, which counts the batch axis; the other sizes must be equal.

    Source: Keras ``Concatenate``.

    >>> Concatenate().out_shape(((5, 3), (5, 4)))
    (5, 7)
    """
    return _merging("Concatenate", functools.partial(concatenate, axis=_checked_axis(axis)), {"axis": axis}, name)


def Dot(axes: int | tuple[int, int], normalize: bool = False, name: str | None = None) -> Layer:
    """``y[n, i, j] = sum_k a[n, i, k] b[n, j, k]``: two inputs contracted over one axis of each, sample by sample.

    axes: the axis of both, or one for each, counted with the batch axis. a: (N, ..., K), b: (N, ..., K) -> the axes of
    a without the contracted one, then those of b without it and the batch, (N, 1) for two matrices. With `normalize`
    both are divided by their Euclidean length along the contracted axis first, which gives the cosine.
    Raises `ShapeError` where the contracted sizes differ. Source: Keras ``Dot``.

    >>> Dot(axes=-1).out_shape(((5, 8), (7, 8)))
    (5, 7)
    """
    merge = functools.partial(dot, axes=_checked_axes(axes), normalize=normalize)
    return _merging("Dot", merge, {"axes": axes, "normalize": normalize}, name)


def add(inputs: Sequence[Any]) -> Any:
    """``x_1 + x_2 + ...``, see `Add`.

    >>> import numpy as np
    >>> add([np.ones((1, 2)), np.ones((1, 2))])
    array([[2., 2.]])
    """
    return functools.reduce(ops.add, _aligned("Add", inputs))


def subtract(inputs: Sequence[Any]) -> Any:
    """``x_1 - x_2``, see `Subtract`."""
    return ops.subtract(*_aligned("Subtract", _checked_inputs("Subtract", inputs, 2)))


def multiply(inputs: Sequence[Any]) -> Any:
    """``x_1 x_2 ...``, see `Multiply`."""
    return functools.reduce(ops.multiply, _aligned("Multiply", inputs))


def average(inputs: Sequence[Any]) -> Any:
    """``(x_1 + ... + x_k) / k``, see `Average`."""
    parts = _aligned("Average", inputs)
    return functools.reduce(ops.add, parts) * (1 / len(parts))


def maximum(inputs: Sequence[Any]) -> Any:
    """The largest element by element, see `Maximum`."""
    return functools.reduce(ops.maximum, _aligned("Maximum", inputs))


def minimum(inputs: Sequence[Any]) -> Any:
    """The smallest element by element, see `Minimum`."""
    return functools.reduce(ops.minimum, _aligned("Minimum", inputs))


def concatenate(inputs: Sequence[Any], axis: int = -1) -> Any:
    """Joined along `axis`, see `Concatenate`."""
    return ops.concatenate([lift(x) for x in _checked_inputs("Concatenate", inputs)], axis=_checked_axis(axis))


def dot(inputs: Sequence[Any], axes: int | tuple[int, int], normalize: bool = False) -> Any:
    """Contracted over one axis of each, sample by sample, see `Dot`."""
    a, b = promote(*_checked_inputs("Dot", inputs, 2), floating=True)
    shapes = spec_of(a).shape, spec_of(b).shape
    over = [_normalized(axis, len(shape)) for axis, shape in zip(_checked_axes(axes), shapes, strict=True)]
    sizes = [shape[axis] for axis, shape in zip(over, shapes, strict=True)]
    if sizes[0] != sizes[1]:
        raise ShapeError(
            f"Dot: the contracted axes must have equal sizes: axis {over[0]} of {shapes[0]} has {sizes[0]}, axis "
            f"{over[1]} of {shapes[1]} has {sizes[1]}."
        )
    if normalize:
        a, b = ops.l2_normalize(a, over[0]), ops.l2_normalize(b, over[1])
    letters = iter("cdefghijklm")
    left, right = (["n", *(next(letters) for _ in shape[1:])] for shape in shapes)
    left[over[0]] = right[over[1]] = "k"
    kept = [c for c in (*left, *right[1:]) if c != "k"]
    y = ops.einsum(f"{''.join(left)},{''.join(right)}->{''.join(kept)}", a, b)
    return ops.expand_dims(y, 1) if spec_of(y).ndim == 1 else y


def _merging(kind: str, merge: Merge, config: dict[str, Any], name: str | None) -> Layer:
    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        if is_single(shape) or isinstance(shape, dict):
            raise ShapeError(f"{kind} merges a tuple of inputs, so it expects a tuple of shapes, received {shape}.")
        return {}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return merge(x), state

    return make_layer(kind, init, apply, config, name)


def _checked_inputs(kind: str, inputs: Any, count: int | None = None) -> Sequence[Any]:
    if not isinstance(inputs, tuple | list) or not inputs or (count is not None and len(inputs) != count):
        received = f"{len(inputs)}" if isinstance(inputs, tuple | list) else f"one {type(inputs).__name__}"
        raise StructureError(f"{kind} merges a tuple of {count or 'one or more'} inputs, received {received}.")
    return inputs


def _aligned(kind: str, inputs: Any) -> list[Any]:
    """The inputs with equally many axes, which broadcast."""
    parts = [lift(x) for x in _checked_inputs(kind, inputs)]
    shapes = [spec_of(x).shape for x in parts]
    rank = max(len(shape) for shape in shapes)
    if rank == 0 or any(not shape for shape in shapes):
        raise ShapeError(f"{kind}: expected inputs with a batch axis, received shapes {_listed(shapes)}.")
    wanted = [(shape[0], *(1,) * (rank - len(shape)), *shape[1:]) for shape in shapes]
    try:
        np.broadcast_shapes(*wanted)
    except ValueError:
        raise ShapeError(
            f"{kind}: inputs of shapes {_listed(shapes)} do not broadcast: sizes must be equal, or 1, axis by axis."
        ) from None
    return [ops.reshape(x, shape) for x, shape in zip(parts, wanted, strict=True)]


def _listed(shapes: Sequence[Any]) -> str:
    return ", ".join(str(shape) for shape in shapes)


def _checked_axis(axis: Any) -> int:
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise DtypeError(f"Concatenate: axis is an integer, received {type(axis).__name__} {axis!r:.40}.")
    if axis == 0:
        raise ValueRangeError("Concatenate: axis 0 is the batch; expected another axis, such as -1 for the features.")
    return int(axis)


def _checked_axes(axes: Any) -> tuple[int, int]:
    pair = tuple(axes) if isinstance(axes, tuple | list) else (axes, axes)
    if len(pair) != 2 or not all(type(axis) is int for axis in pair):
        raise DtypeError(f"Dot: axes is an integer or a pair of them, received {axes!r}.")
    return pair


def _normalized(axis: int, rank: int) -> int:
    if not -rank <= axis < rank or axis % rank == 0:
        raise ShapeError(f"Dot: axis {axis} is not an axis of an array with {rank} axes behind the batch axis.")
    return axis % rank
