"""Layers that give each sample another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fnet import ops
from fnet.arguments import is_integer, one_of, positive_integer
from fnet.errors import AxisSizeError, ShapeError
from fnet.layers.activation import nothing
from fnet.layers.checks import one_shape
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.networks.samples import is_single
from fnet.ops.promotion import lift
from fnet.regularizers import RegularizerLike


@LAYERS.named()
@layer_constructor()
def Flatten(
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """All axes of a sample as one, row-major: (N, ...) -> (N, D), and (N,) -> (N, 1).

    With data_format "channels_first", (N, C, ...), the channels are moved to the end first, so that the order is that
    of images with channels last. Source: Keras ``Flatten``.

    >>> Flatten().out_shape((2, 3))
    (6,)
    """
    if data_format is not None:
        formats = ("channels_last", "channels_first")
        one_of("Flatten", "data_format", data_format, formats, f"{{argument}} is {' or '.join(formats)}")

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        one_shape("Flatten", shape)
        return {}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x = lift(x)
        batch, *sample = _with_batch("Flatten", x)
        if data_format == "channels_first" and len(sample) > 1:
            x = ops.moveaxis(x, 1, -1)
        return ops.reshape(x, (batch, math.prod(sample))), state

    return init, apply


@LAYERS.named()
@layer_constructor()
def Reshape(
    target_shape: Sequence[int],
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Each sample in another shape, row-major: (N, ...) -> (N, *target_shape); one size may be -1.

    Raises `ShapeError` where the numbers of elements differ. Source: Keras ``Reshape``.

    >>> Reshape((2, -1)).out_shape((6,))
    (2, 3)
    """
    target = _target(target_shape)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        if None not in one_shape("Reshape", shape):
            _resolved(target, shape)
        return {}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x = lift(x)
        batch, *sample = _with_batch("Reshape", x)
        return ops.reshape(x, (batch, *_resolved(target, tuple(sample)))), state

    return init, apply


@LAYERS.named()
@layer_constructor()
def Permute(
    dims: Sequence[int],
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The axes of each sample in another order: axis i of the result is axis ``dims[i]`` of x, counted from 1.

    x: (N, ...) -> (N, ...). Raises `ShapeError` where `dims` is not an order of the axes. Source: Keras ``Permute``.

    >>> Permute((2, 1)).out_shape((10, 64))
    (64, 10)
    """
    order = tuple(dims) if isinstance(dims, tuple | list) else (dims,)
    if not all(map(is_integer, order)) or sorted(order) != list(range(1, len(order) + 1)):
        raise ShapeError(f"Permute: dims is an order of the axes 1, 2, ... of a sample, received {dims!r}.")

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x = lift(x)
        if x.ndim != len(order) + 1:
            raise ShapeError(
                f"Permute: expected samples with {len(order)} axes for dims {order}, received an input of shape "
                f"{x.shape}."
            )
        return ops.transpose(x, (0, *order)), state

    return nothing, apply


@LAYERS.named()
@layer_constructor()
def RepeatVector(
    n: int, *, activity_regularizer: RegularizerLike = None, trainable: bool = True, name: str | None = None
) -> Pair:
    """Each sample `n` times, as steps: (N, D) -> (N, n, D). Source: Keras ``RepeatVector``.

    >>> RepeatVector(5).out_shape((3,))
    (5, 3)
    """
    count = positive_integer("RepeatVector", "n", n)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x = lift(x)
        shape = x.shape
        if len(shape) != 2:
            raise ShapeError(f"RepeatVector: expected an input (batch, features), received {shape}.")
        return ops.broadcast_to(ops.expand_dims(x, 1), (shape[0], count, shape[1])), state

    return nothing, apply


def _with_batch(layer: str, x: Any) -> tuple[int, ...]:
    shape = x.shape
    if not shape:
        raise ShapeError(f"{layer}: expected an input (batch, ...), received a scalar.")
    return shape


def _target(target_shape: Any) -> tuple[int, ...]:
    """The target as a tuple of positive sizes with at most one -1."""
    sizes = tuple(target_shape) if isinstance(target_shape, tuple | list) else target_shape
    if not is_single(sizes) or not all(is_integer(n) and (n > 0 or n == -1) for n in sizes) or sizes.count(-1) > 1:
        raise ShapeError(
            f"Reshape: target_shape is a tuple of positive integers without the batch axis, at most one of them -1, "
            f"received {target_shape!r}."
        )
    return tuple(map(int, sizes))


def _resolved(target: tuple[int, ...], sample: tuple[int, ...]) -> tuple[int, ...]:
    """The target with its -1 worked out for samples of this shape."""
    count, known = math.prod(sample), math.prod(n for n in target if n != -1)
    sizes = tuple(count // known if n == -1 else n for n in target)
    if math.prod(sizes) != count:
        raise AxisSizeError(
            f"Reshape: samples of shape {sample} have {count} elements, which do not fit target_shape {target}.",
            count,
            multiple=known // math.gcd(known, count) if -1 in target else 1,
        )
    return sizes
