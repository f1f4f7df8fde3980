"""Images seen at other places: values between pixels, and beyond the edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from fnet import ops
from fnet.transforms.operand import beside

Interpolation = Literal["nearest", "bilinear"]
FillMode = Literal["constant", "nearest", "wrap", "reflect"]

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("constant", "nearest", "wrap", "reflect")

Affine = tuple[Any, Any, Any, Any, Any, Any]


def affine(images: Any, matrix: Affine, interpolation: str, fill_mode: str, fill_value: float) -> Any:
    """``y[n, i, j] = images[n, b0 j + b1 i + b2, a0 j + a1 i + a2]`` for ``matrix = (a0, a1, a2, b0, b1, b2)``.

    images: (N, H, W, C) floating; each part of the matrix: (N,), or a number -> (N, H, W, C). Rows and columns that are
    not whole are read as `sampled` says. Source: Keras ``ops.image.affine_transform``.
    """
    _, height, width, _ = images.shape
    i = beside(np.arange(height, dtype=np.float32)[:, None], images)
    j = beside(np.arange(width, dtype=np.float32), images)
    a0, a1, a2, b0, b1, b2 = (ops.reshape(part, (-1, 1, 1)) if hasattr(part, "shape") else part for part in matrix)
    return sampled(images, b0 * j + b1 * i + b2, a0 * j + a1 * i + a2, interpolation, fill_mode, fill_value)


def sampled(images: Any, rows: Any, columns: Any, interpolation: str, fill_mode: str, fill_value: float) -> Any:
    """The values of images at places: those of the nearest pixel, or between the four around by ``(1 - d) a + d b``.

    images: (N, H, W, C); rows, columns: (N, I, J), (1, I, J) or (I, J) floating -> (N, I, J, C).
    fill_mode: what is beyond the edges: "constant" has `fill_value`, "nearest" repeats the edge, "wrap" the image,
    "reflect" mirrors it with the edge.
    """
    if interpolation == "nearest":
        return _pixels(images, rounded(rows), rounded(columns), fill_mode, fill_value)
    top, left = ops.floor(rows), ops.floor(columns)
    down, right = ops.expand_dims(rows - top, -1), ops.expand_dims(columns - left, -1)
    lines = []
    for line in (top, top + 1.0):
        a, b = (_pixels(images, line, place, fill_mode, fill_value) for place in (left, left + 1.0))
        lines.append((1.0 - right) * a + right * b)
    return (1.0 - down) * lines[0] + down * lines[1]


def _pixels(images: Any, rows: Any, columns: Any, fill_mode: str, fill_value: float) -> Any:
    """The pixels in whole rows and columns, which may be beyond the edges."""
    n, height, width, channels = images.shape
    i, j = (
        ops.astype(INSIDE[fill_mode](ops.astype(p, np.int64), s), np.int64)
        for p, s in ((rows, height), (columns, width))
    )
    first = beside(np.arange(n)[:, None, None] * (height * width), images)
    index = first + i * width + j
    shape = index.shape
    flat = ops.reshape(images, (n * height * width, channels))
    found = ops.reshape(ops.take(flat, ops.reshape(index, (-1,))), (*shape, channels))
    if fill_mode != "constant":
        return found
    there = ops.logical_and(_within(rows, height), _within(columns, width))
    return ops.where(ops.expand_dims(there, -1), found, fill_value)


def _within(places: Any, size: int) -> Any:
    return ops.logical_and(ops.greater_equal(places, 0), ops.less(places, size))


def rounded(places: Any) -> Any:
    """The nearest whole numbers; halves away from zero."""
    return ops.sign(places) * ops.floor(ops.absolute(places) + 0.5)


def _nearest(index: Any, size: int) -> Any:
    return ops.clip(index, 0, size - 1)


def _wrapped(index: Any, size: int) -> Any:
    return index % size


def _reflected(index: Any, size: int) -> Any:
    """With the edge: c b a | a b c | c b a."""
    place = index % (2 * size)
    return ops.minimum(place, 2 * size - 1 - place)


def _mirrored(index: Any, size: int) -> Any:
    """Without the edge: c b | a b c | b a."""
    turn = max(2 * (size - 1), 1)
    place = index % turn
    return ops.minimum(place, turn - place) if size > 1 else place


INSIDE: dict[str, Callable[[Any, int], Any]] = {
    "constant": _nearest,
    "nearest": _nearest,
    "wrap": _wrapped,
    "reflect": _reflected,
    "mirror": _mirrored,
}
"""The place within an axis of a size that stands for a whole number, by what is beyond the edges."""
