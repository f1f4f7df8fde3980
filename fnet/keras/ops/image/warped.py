"""Images seen at other places."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import known_word
from fnet.errors import ShapeError, ValueRangeError
from fnet.keras import random
from fnet.keras.ops.calls import of_arrays
from fnet.keras.ops.image.batches import floating, seen
from fnet.keras.ops.image.filters import bell, filtered
from fnet.layers.random_distortion import inverse, mapped, perspective
from fnet.layers.warp import INSIDE, INTERPOLATIONS, rounded, sampled
from fnet.transforms.operand import beside


@of_arrays
def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """``y[i, j] = images[(b0 j + b1 i + b2) / k, (a0 j + a1 i + a2) / k]`` with ``k = c0 j + c1 i + 1``.

    transform: (8,) or (N, 8), a0 to a2, b0 to b2, c0 and c1.
    """
    if len(transform.shape) not in (1, 2) or transform.shape[-1] != 8:
        raise ShapeError(f"affine_transform: expected transforms (8,) or (N, 8), received {transform.shape}.")
    parts = ops.reshape(transform, (-1, 8))
    matrix = [ops.reshape(parts[:, i], (-1, 1, 1)) for i in range(8)]

    def of_last(x: Any) -> Any:
        x = floating(x)
        return _seen_at(x, *mapped([*matrix, 1.0], *_places(x)), interpolation, fill_mode, fill_value)

    return seen(of_last, images, data_format)


@of_arrays
def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Images of which four points come to other places: (4, 2) or (N, 4, 2), x and y of each."""
    for points in (start_points, end_points):
        if points.shape[-2:] != (4, 2) or len(points.shape) > 3:
            raise ShapeError(f"perspective_transform: expected points (4, 2) or (N, 4, 2), received {points.shape}.")

    def of_last(x: Any) -> Any:
        x = floating(x)
        to_start, to_end = (
            [ops.reshape(part, (-1, 1, 1)) for part in perspective(ops.reshape(points, (-1, 4, 2)), 2, 2)]
            for points in (ops.astype(start_points, x.dtype), ops.astype(end_points, x.dtype))
        )
        places = mapped(to_start, *mapped(inverse(to_end), *_places(x)))
        return _seen_at(x, *places, interpolation, "constant", fill_value)

    return seen(of_last, images, data_format)


@of_arrays
def elastic_transform(
    images: Any,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Any:
    """Images whose pixels are moved by smooth noise: of deviation `sigma`, blurred by `sigma`, times `alpha`.

    Keras 3.15 draws the same numbers for both directions; here each has its own.
    """

    def of_last(x: Any) -> Any:
        x = floating(x)
        row = bell(int(6 * sigma) | 1, sigma, x)
        noise = random.normal((*x.shape[:3], 2), 0.0, sigma, x.dtype, seed)
        moved = alpha * filtered(noise, ops.outer(row, row), "same")
        columns, rows = _places(x)
        return _seen_at(x, columns + moved[..., 0], rows + moved[..., 1], interpolation, fill_mode, fill_value)

    return seen(of_last, images, data_format)


def _places(x: Any) -> tuple[Any, Any]:
    """The column and the row of each pixel: (W,), (H, 1)."""
    _, height, width, _ = x.shape
    return beside(np.arange(width, dtype=x.dtype), x), beside(np.arange(height, dtype=x.dtype)[:, None], x)


def _seen_at(x: Any, columns: Any, rows: Any, interpolation: str, fill_mode: str, fill: float) -> Any:
    known_word("images", "interpolation", interpolation, INTERPOLATIONS)
    known_word("images", "fill_mode", fill_mode, tuple(INSIDE))
    return ops.astype(sampled(x, rows, columns, interpolation, fill_mode, fill), x.dtype)


@of_arrays
def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0.0
) -> Any:
    """The values of an array at places: those of the nearest element, or between neighbours.

    inputs: (n1, ..., nR), coordinates: (R, ...), order: 0 or 1 -> the shape of one coordinate.

    >>> map_coordinates(np.array([0.0, 10.0]), np.array([[0.25, 1.0]]), 1)
    array([ 2.5, 10. ])
    """
    known_word("map_coordinates", "fill_mode", fill_mode, tuple(INSIDE))
    sizes = inputs.shape
    if len(coordinates.shape) < 2 or coordinates.shape[0] != len(sizes):
        raise ShapeError(
            f"map_coordinates: expected coordinates ({len(sizes)}, ...) for an array {sizes}, received "
            f"{coordinates.shape}."
        )
    if order not in (0, 1):
        raise ValueRangeError(f"map_coordinates: expected order 0 or 1, received {order}.")
    x, places = floating(inputs), ops.unstack(floating(coordinates))
    flat = ops.ravel(x)
    if order == 0:
        return _elements(flat, sizes, [rounded(place) for place in places], fill_mode, fill_value)
    lower = [ops.floor(place) for place in places]
    beyond = [place - low for place, low in zip(places, lower, strict=True)]
    parts = []
    for corner in itertools.product((0, 1), repeat=len(sizes)):
        weights = [part if up else 1.0 - part for up, part in zip(corner, beyond, strict=True)]
        at = [low + float(up) for up, low in zip(corner, lower, strict=True)]
        found = _elements(flat, sizes, at, fill_mode, fill_value)
        parts.append(functools.reduce(ops.multiply, weights, found))
    return functools.reduce(ops.add, parts)


def _elements(flat: Any, sizes: tuple[int, ...], places: list[Any], fill_mode: str, fill: float) -> Any:
    """Elements at whole places, which may be beyond the edges."""
    index: Any = 0
    there: Any = True
    for place, size in zip(places, sizes, strict=True):
        index = index * size + ops.astype(INSIDE[fill_mode](ops.astype(place, np.int64), size), np.int64)
        there = ops.logical_and(there, ops.logical_and(ops.greater_equal(place, 0), ops.less(place, size)))
    found = ops.take(flat, index)
    return ops.where(there, found, fill) if fill_mode == "constant" else found
