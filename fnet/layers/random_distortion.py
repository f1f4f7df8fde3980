"""Images seen from aside, and through a surface that is not even, by chance while training."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import ops, random
from fnet.arguments import known_word, number
from fnet.layers.augmentation import (
    Change,
    Factor,
    augmenting,
    chance,
    chosen,
    drawn,
    each,
    least_and_largest,
)
from fnet.layers.bounding_boxes import BoxFormat, Corners, around, check_box_format, moving
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.random_blur import blurred
from fnet.layers.warp import FILL_MODES, INTERPOLATIONS, FillMode, Interpolation, sampled
from fnet.ops.promotion import astype
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomPerspective(
    factor: Factor = 1.0,
    scale: float = 1.0,
    interpolation: Interpolation = "bilinear",
    fill_value: float = 0.0,
    seed: int | None = None,
    data_format: str | None = None,
    bounding_box_format: BoxFormat | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, with a probability, each image is seen from aside: its right and lower corners are moved.

    factor: the probability is drawn from 0 to it, or between two numbers from 0 to 1, for each image. scale: each
    coordinate of a corner is multiplied by a number between ``1 - scale / 2`` and ``1 + scale / 2``. fill_value: what
    is beyond the edges. x: (N, H, W, C) -> (N, H, W, C). Source: Keras ``RandomPerspective``.

    >>> RandomPerspective(scale=0.4).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    kind = "RandomPerspective"
    probability, part = chance(kind, "factor", factor), number(kind, "scale", scale, "[0, 1]") / 2
    known_word(kind, "interpolation", interpolation, INTERPOLATIONS)
    fill, form = number(kind, "fill_value", fill_value), check_box_format(kind, bounding_box_format)
    check_data_format(kind, data_format)

    def corners(images: Any, key: Any) -> Any:
        n, height, width, _ = images.shape
        start = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], images.dtype)
        moved = random.uniform(fold_in(key, 2), (n, 4, 2), images.dtype, -part, part) if part else 0.0
        return beside(start, images) * (1.0 + moved)

    def seen(x: Any, images: Any, key: Any, method: str) -> Any:
        height, width = images.shape[1:3]
        if min(height, width) < 2:
            return x
        back = inverse(perspective(corners(images, key), height, width))
        rows = beside(np.arange(height, dtype=images.dtype)[:, None], images)
        columns = beside(np.arange(width, dtype=images.dtype), images)
        across, down = mapped([ops.reshape(part, (-1, 1, 1)) for part in back], columns, rows)
        # No pixel is farther away than the next one beyond the edge.
        across, down = ops.clip(across, -2.0, width + 1.0), ops.clip(down, -2.0, height + 1.0)
        y = sampled(x, down, across, method, "constant", fill)
        return ops.where(chosen(images, key, probability), astype(y, x.dtype), x)

    def moved(edges: Corners, images: Any, key: Any) -> Corners:
        height, width = images.shape[1:3]
        if min(height, width) < 2:
            return edges
        there = [ops.reshape(part, (-1, 1)) for part in perspective(corners(images, key), height, width)]
        left, top, right, bottom = (edge - 0.5 for edge in edges)
        points = [mapped(there, x, y) for x in (left, right) for y in (top, bottom)]
        new = around([x + 0.5 for x, _ in points], [y + 0.5 for _, y in points])
        which = ops.reshape(chosen(images, key, probability), (-1, 1))
        left, top, right, bottom = (ops.where(which, a, b) for a, b in zip(new, edges, strict=True))
        return left, top, right, bottom

    change = Change(
        lambda x, key: seen(x, x, key, interpolation),
        segmentation_masks=lambda part, images, key: seen(part, images, key, "nearest"),
        bounding_boxes=moving(kind, form, moved),
    )
    return augmenting(kind, change, seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandomElasticTransform(
    factor: Factor = 1.0,
    scale: Factor = 1.0,
    interpolation: Interpolation = "bilinear",
    fill_mode: FillMode = "reflect",
    fill_value: float = 0.0,
    value_range: tuple[float, float] = (0.0, 255.0),
    seed: int | None = None,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, with a probability, pixels of each image are moved, near ones alike: by smooth noise.

    factor: the probability is drawn from 0 to it, or between two numbers from 0 to 1, for each image. scale: s, drawn
    in the same way. The noise has the deviation ``0.05 s min(H, W)``, is blurred with this deviation, and multiplied by
    ``0.1 s max(H, W)``. fill_mode, fill_value: what is beyond the edges, see `fnet.layers.warp.sampled`.
    x: (N, H, W, C) -> (N, H, W, C), within `value_range`. Source: P. Y. Simard et al. 2003 (Keras
    ``RandomElasticTransform``, which in 3.15 moves all pixels along the diagonal, as it draws the same numbers twice,
    and has one s for a batch).

    >>> RandomElasticTransform(scale=0.3).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    kind = "RandomElasticTransform"
    probability, scales = chance(kind, "factor", factor), chance(kind, "scale", scale)
    known_word(kind, "interpolation", interpolation, INTERPOLATIONS)
    known_word(kind, "fill_mode", fill_mode, FILL_MODES)
    fill, (least, largest) = number(kind, "fill_value", fill_value), least_and_largest(kind, value_range)
    check_data_format(kind, data_format)

    def seen(x: Any, images: Any, key: Any, method: str) -> Any:
        n, height, width, _ = images.shape
        s = drawn(fold_in(key, 2), n, scales, images)
        unit, distance = 0.05 * min(height, width), ops.reshape(0.1 * max(height, width) * s, (-1, 1, 1))
        places = []
        for i, side in enumerate((height, width)):
            noise = random.normal(fold_in(key, 3 + i), (n, height, width, 1), images.dtype) * each(unit * s)
            moved = smoothed(noise, unit * s, unit * scales[1])[..., 0] * distance
            at = np.arange(side, dtype=images.dtype)
            places.append(beside(at[:, None] if i == 0 else at, images) + moved)
        y = sampled(x, places[0], places[1], method, fill_mode, fill)
        return ops.where(chosen(images, key, probability), astype(y, x.dtype), x)

    change = Change(
        lambda x, key: ops.clip(seen(x, x, key, interpolation), least, largest),
        segmentation_masks=lambda part, images, key: seen(part, images, key, "nearest"),
        bounding_boxes=None,
    )
    return augmenting(kind, change, seed)


def perspective(corners: Any, height: int, width: int) -> list[Any]:
    """How the pixels of images are moved so that their corners come to these places, as `mapped` takes it.

    corners: (N, 4, 2), x and y of those at the upper left, upper right, lower left and lower right; images of at least
    2 rows and columns. Source: P. S. Heckbert 1989, Fundamentals of texture mapping and image warping.
    """
    x0, x1, x3, x2 = (corners[:, i, 0] for i in range(4))
    y0, y1, y3, y2 = (corners[:, i, 1] for i in range(4))
    dx1, dx2, dx3 = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, dy3 = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    over = dx1 * dy2 - dx2 * dy1
    g, h = (dx3 * dy2 - dx2 * dy3) / over, (dx1 * dy3 - dx3 * dy1) / over
    wide, tall = width - 1.0, height - 1.0
    by_x = (x1 - x0 + g * x1) / wide, (y1 - y0 + g * y1) / wide, g / wide
    by_y = (x3 - x0 + h * x3) / tall, (y3 - y0 + h * y3) / tall, h / tall
    return [by_x[0], by_y[0], x0, by_x[1], by_y[1], y0, by_x[2], by_y[2], x0 * 0.0 + 1.0]


def inverse(m: list[Any]) -> list[Any]:
    """The way back of `mapped`: the adjugate of the matrix."""
    a, b, c, d, e, f, g, h, i = m
    return [
        e * i - f * h, c * h - b * i, b * f - c * e,
        f * g - d * i, a * i - c * g, c * d - a * f,
        d * h - e * g, b * g - a * h, a * e - b * d,
    ]  # fmt: skip


def mapped(m: list[Any], x: Any, y: Any) -> tuple[Any, Any]:
    """Where points come to: ``(m0 x + m1 y + m2) / w`` and ``(m3 x + m4 y + m5) / w`` with ``w = m6 x + m7 y + m8``."""
    w = m[6] * x + m[7] * y + m[8]
    return (m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w


def smoothed(x: Any, deviation: Any, most: float) -> Any:
    """Images blurred by a Gaussian kernel of ``int(6 d) | 1`` pixels, for one deviation d of each, at most `most`."""
    radius = ops.floor(ops.floor(6.0 * deviation) / 2.0)
    distances = range(-(int(6 * most) // 2), int(6 * most) // 2 + 1)
    safe = ops.maximum(deviation, 1e-6)
    weights = [
        ops.where(ops.less_equal(float(abs(d)), radius), ops.exp(-0.5 * ops.square(d / safe)), 0.0) for d in distances
    ]
    total = sum(weights[1:], weights[0])
    weights = [each(weight / total) for weight in weights]
    return blurred(blurred(x, weights, 2), weights, 1)
