"""Layers that make one array of a tuple of them, and the same as functions of arrays or of nodes of a graph.

Element by element, sizes broadcast; an array with fewer axes than another gets axes of size 1 behind the batch axis.
Where all inputs are masked, so is the output, at the steps that count in one of them; the layers say what differs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet import ops, tree
from fnet.arguments import described, is_integer
from fnet.errors import ArgumentError, ShapeError, StructureError, ValueRangeError
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.masking import either, join_mask, mask_of_joined, over, values_and_masks
from fnet.networks.layer import Layer
from fnet.networks.samples import is_single
from fnet.ops.promotion import lift, promote
from fnet.regularizers import RegularizerLike
from fnet.transforms.primitive import spec_of

Merge = Callable[[list[Any], list[Any]], Any]


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def Add(
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``x_1 + x_2 + ...`` of a tuple of inputs. Source: Keras ``Add``.

    >>> Add().out_shape(((3,), (3,)))
    (3,)
    """
    return _elementwise("Add", ops.add)


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def Subtract(
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``x_1 - x_2`` of two inputs. Source: Keras ``Subtract``."""
    return _elementwise("Subtract", ops.subtract, count=2)


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def Multiply(
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``x_1 x_2 ...`` of a tuple of inputs, element by element; a masked entry is a factor of 1.

    Where every input is masked, the output is 0. Source: Keras ``Multiply``.
    """

    def merge(parts: list[Any], masks: list[Any]) -> Any:
        factors = [x if m is None else ops.where(over(m, x), x, 1) for x, m in zip(parts, masks, strict=True)]
        product = functools.reduce(ops.multiply, factors)
        mask = either(masks)
        return product if mask is None else ops.where(over(mask, product), product, 0)

    return _merging("Multiply", lambda parts, masks: join_mask(merge(parts, masks), either(masks)))


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def Average(
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``(x_1 + ... + x_k) / k`` of a tuple of inputs. Source: Keras ``Average``."""
    return _elementwise("Average", ops.add, finish=lambda total, count: total * (1 / count))


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def Maximum(
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The largest of a tuple of inputs, element by element; NaN where one of them is; masked entries do not count.

    Source: Keras ``Maximum``.
    """
    return _merging("Maximum", functools.partial(_chosen, ops.maximum))


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def Minimum(
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The smallest of a tuple of inputs, element by element; NaN where one of them is; masked entries do not count.

    Source: Keras ``Minimum``.
    """
    return _merging("Minimum", functools.partial(_chosen, ops.minimum))


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def Concatenate(
    axis: int = -1, *, activity_regularizer: RegularizerLike = None, trainable: bool = True, name: str | None = None
) -> Pair:
    """A tuple of inputs joined along `axis`, which counts the batch axis; the other sizes must be equal.

    Along the steps masks are joined, too; an input without a mask counts in all of its steps. Source: Keras
    ``Concatenate``.

    >>> Concatenate().out_shape(((5, 3), (5, 4)))
    (5, 7)
    """
    axis = _checked_axis(axis)

    def merge(parts: list[Any], masks: list[Any]) -> Any:
        return join_mask(ops.concatenate(parts, axis=axis), mask_of_joined(parts, masks, axis))

    return _merging("Concatenate", merge, align=False)


@LAYERS.named()
@layer_constructor(several=True)
def Dot(
    axes: int | tuple[int, int],
    normalize: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y[n, i, j] = sum_k a[n, i, k] b[n, j, k]``: two inputs contracted over one axis of each, sample by sample.

    axes: the axis of both, or one for each, counted with the batch axis. a: (N, ..., K), b: (N, ..., K) -> the axes of
    a without the contracted one, then those of b without it and the batch, (N, 1) for two matrices. With `normalize`
    both are divided by their Euclidean length along the contracted axis first, which gives the cosine.
    Raises `ShapeError` where the contracted sizes differ. Source: Keras ``Dot``.

    >>> Dot(axes=-1).out_shape(((5, 8), (7, 8)))
    (5, 7)
    """
    pair = _checked_axes(axes)
    return _merging("Dot", lambda parts, masks: _contracted(parts, pair, normalize), count=2, align=False)


def add(inputs: Sequence[Any]) -> Any:
    """``x_1 + x_2 + ...``, see `Add`.

    >>> import numpy as np
    >>> add([np.ones((1, 2)), np.ones((1, 2))])
    array([[2., 2.]])
    """
    return _called(Add(), inputs)


def subtract(inputs: Sequence[Any]) -> Any:
    """``x_1 - x_2``, see `Subtract`."""
    return _called(Subtract(), inputs)


def multiply(inputs: Sequence[Any]) -> Any:
    """``x_1 x_2 ...``, see `Multiply`."""
    return _called(Multiply(), inputs)


def average(inputs: Sequence[Any]) -> Any:
    """``(x_1 + ... + x_k) / k``, see `Average`."""
    return _called(Average(), inputs)


def maximum(inputs: Sequence[Any]) -> Any:
    """The largest element by element, see `Maximum`."""
    return _called(Maximum(), inputs)


def minimum(inputs: Sequence[Any]) -> Any:
    """The smallest element by element, see `Minimum`."""
    return _called(Minimum(), inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1) -> Any:
    """Joined along `axis`, see `Concatenate`."""
    return _called(Concatenate(axis), inputs)


def dot(inputs: Sequence[Any], axes: int | tuple[int, int], normalize: bool = False) -> Any:
    """Contracted over one axis of each, sample by sample, see `Dot`."""
    return _called(Dot(axes, normalize), inputs)


def _called(layer: Layer, inputs: Any) -> Any:
    if any(hasattr(leaf, "feed") for leaf in tree.leaves(inputs)):
        return layer(inputs)
    return layer.apply({}, {}, inputs)[0]


def _merging(kind: str, merge: Merge, count: int | None = None, align: bool = True) -> Pair:
    """The pair of a layer that does ``merge(parts, masks)``, the masks None where there are none."""

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        if is_single(shape) or isinstance(shape, dict):
            raise ShapeError(f"{kind} merges a tuple of inputs, so it expects a tuple of shapes, received {shape}.")
        return {}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if not isinstance(x, tuple | list) or not x or (count is not None and len(x) != count):
            received = f"{len(x)}" if isinstance(x, tuple | list) else f"one {type(x).__name__}"
            raise StructureError(f"{kind} merges a tuple of {count or 'one or more'} inputs, received {received}.")
        parts, masks = values_and_masks(kind, x)
        parts = [lift(part) for part in parts]
        return merge(_aligned(kind, parts) if align else parts, masks), state

    return init, apply


def _elementwise(
    kind: str, combine: Callable, count: int | None = None, finish: Callable[[Any, int], Any] | None = None
) -> Pair:
    def merge(parts: list[Any], masks: list[Any]) -> Any:
        y = functools.reduce(combine, parts)
        return join_mask(finish(y, len(parts)) if finish else y, either(masks))

    return _merging(kind, merge, count)


def _chosen(choose: Callable[[Any, Any], Any], parts: list[Any], masks: list[Any]) -> Any:
    """The largest or smallest of the entries that count, element by element, from the first input to the last."""
    y, kept = parts[0], masks[0]
    for x, mask in zip(parts[1:], masks[1:], strict=True):
        x = x if mask is None else ops.where(over(mask, x), x, y)
        y = y if kept is None else ops.where(over(kept, y), y, x)
        y, kept = choose(y, x), either([kept, mask])
    return join_mask(y, kept)


def _contracted(parts: list[Any], axes: tuple[int, int], normalize: bool) -> Any:
    a, b = promote(*parts, floating=True)
    shapes = a.shape, b.shape
    over = [_normalized(axis, len(shape)) for axis, shape in zip(axes, shapes, strict=True)]
    sizes = [shape[axis] for axis, shape in zip(over, shapes, strict=True)]
    if shapes[0][0] != shapes[1][0]:
        raise ShapeError(f"Dot: expected two inputs of equal batches, received shapes {shapes[0]} and {shapes[1]}.")
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
    return ops.expand_dims(y, 1) if y.ndim == 1 else y


def _aligned(kind: str, parts: list[Any]) -> list[Any]:
    """The inputs with equally many axes, which broadcast."""
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
    if not is_integer(axis):
        raise ArgumentError(f"Concatenate: axis is an integer, received {described(axis)}.")
    if axis == 0:
        raise ValueRangeError("Concatenate: axis 0 is the batch; expected another axis, such as -1 for the features.")
    return int(axis)


def _checked_axes(axes: Any) -> tuple[int, int]:
    pair = tuple(axes) if isinstance(axes, tuple | list) else (axes, axes)
    if len(pair) != 2 or not all(is_integer(axis) for axis in pair):
        raise ArgumentError(f"Dot: axes is an integer or a pair of them, received {axes!r}.")
    return int(pair[0]), int(pair[1])


def _normalized(axis: int, rank: int) -> int:
    if not -rank <= axis < rank or axis % rank == 0:
        raise ShapeError(f"Dot: axis {axis} is not an axis of an array with {rank} axes behind the batch axis.")
    return axis % rank
