"""Layers with parameters for some axes of their input: which axes, of what sizes, and vectors taken along them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fnet import initializers, ops
from fnet.arguments import is_integer
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.layers.checks import entries, one_shape
from fnet.ops.promotion import astype, promote
from fnet.random import fold_in
from fnet.transforms.primitive import spec_of

Makers = dict[str, Callable[..., Any]]


def over_axes(layer: str, axes: tuple[int, ...], parameters: Makers, normalize: Callable) -> tuple[Callable, Callable]:
    """The init and apply of a layer; its `normalize` takes vectors on the last axis, and the parameters by name."""

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        return (made(parameters, key, axis_sizes(layer, shape, axes), dtype), {}) if parameters else ({}, {})

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        given = dict(zip(parameters, entries(layer, params, *parameters), strict=True))
        (x,) = promote(x, floating=True)
        sizes = same_sizes(layer, given)
        for value in given.values():
            x = astype(x, spec_of(value).dtype)
        places = axis_places(layer, x, axes, sizes)
        order = [a for a in range(spec_of(x).ndim) if a not in places] + list(places)
        x = ops.transpose(x, order)
        shape, first = spec_of(x).shape, len(order) - len(places)
        vectors = ops.reshape(x, (*shape[:first], math.prod(shape[first:])))
        y = normalize(vectors, **{name: ops.reshape(p, (-1,)) for name, p in given.items()})
        return ops.transpose(ops.reshape(y, shape), [order.index(a) for a in range(len(order))]), state

    return init, apply


def makers(**initializer: Any) -> Makers:
    """The initializers of the parameters, by name."""
    return {name: initializers.get(made) for name, made in initializer.items()}


def made(parameters: Makers, key: Any, sizes: tuple[int, ...], dtype: Any) -> dict[str, Any]:
    """Parameters of these sizes, each from a key of its own."""
    return {name: make(fold_in(key, i), sizes, dtype) for i, (name, make) in enumerate(parameters.items())}


def named_axes(layer: str, axis: Any, several: bool = True) -> tuple[int, ...]:
    """The argument `axis` as a tuple. It counts the batch axis, and must not name it."""
    axes = tuple(axis) if several and isinstance(axis, list | tuple) else (axis,)
    if not axes or not all(map(is_integer, axes)):
        kind = "an integer or several" if several else "an integer"
        raise DtypeError(f"{layer}: axis is {kind}, received {axis!r:.40}.")
    if 0 in axes or len(set(axes)) < len(axes):
        raise ValueRangeError(f"{layer}: axis counts the batch axis 0, name others and each once, received {axis}.")
    return tuple(int(a) for a in axes)


def axis_sizes(layer: str, shape: Any, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of the axes, in ascending order, of samples of `shape`."""
    full = (None, *one_shape(layer, shape))
    sizes = tuple(full[a] for a in axis_numbers(layer, axes, full))
    if None in sizes:
        raise ShapeError(f"{layer} makes parameters for axis {_listed(axes)}, so its size must be known: {shape}.")
    return tuple(n for n in sizes if n is not None)


def axis_places(layer: str, x: Any, axes: tuple[int, ...], expected: tuple[int, ...] | None) -> tuple[int, ...]:
    """Where the axes are in `x`, in ascending order; their sizes must be those of the parameters."""
    shape = spec_of(x).shape
    places = axis_numbers(layer, axes, shape)
    sizes = tuple(shape[a] for a in places)
    if expected is not None and sizes != expected:
        raise ShapeError(
            f"{layer}: expected {_listed(expected)} on axis {_listed(axes)}, received {_listed(sizes)} in an input of "
            f"shape {shape}. Init for this shape."
        )
    return places


def same_sizes(layer: str, given: dict[str, Any]) -> tuple[int, ...] | None:
    """The shape that all parameters have, None without any, or a `ShapeError`."""
    sizes = next((spec_of(value).shape for value in given.values()), None)
    for name, value in given.items():
        check_size(layer, name, value, sizes)
    return sizes


def check_size(layer: str, name: str, value: Any, sizes: tuple[int, ...] | None) -> None:
    """Raise a `ShapeError` for a parameter of another shape than the others."""
    if spec_of(value).shape != sizes:
        raise ShapeError(
            f"{layer}: expected '{name}' of shape {sizes}, as the others, received {spec_of(value).shape}. Pass what "
            f"init of this network returned."
        )


def axis_numbers(layer: str, axes: tuple[int, ...], shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """The axes counted from 0 and in ascending order, in an array of `shape`, which includes the batch."""
    places = sorted({a % len(shape) for a in axes if -len(shape) <= a < len(shape)} if shape else ())
    if len(places) < len(axes) or 0 in places:
        raise ShapeError(
            f"{layer}: axis {_listed(axes)} is not in an input (batch, ...) with {len(shape)} axes, or is the batch."
        )
    return tuple(places)


def _listed(numbers: tuple[int, ...]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else str(numbers)
