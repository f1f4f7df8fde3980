"""Bounding boxes of what is in images: their formats, where they go when images change, and their number.

They are a dict of "boxes", (N, B, 4), and "labels", (N, B). A label below 0 says that there is no box. Pixel j of a row
lies between j and j + 1, and a box goes where its pixels go.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

from fnet import ops
from fnet.arguments import integer, known_word, positive_integer
from fnet.errors import ShapeError, StructureError
from fnet.layers.augmentation import Change, OfPart, changing
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.warp import Affine
from fnet.ops.promotion import astype, lift, promote
from fnet.regularizers import RegularizerLike

BoxFormat = Literal[
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
]
"""What the numbers of a box are: corners, or a corner or the middle and the size; "rel_": as parts of the image."""

_FORMATS = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw")
_Y_FIRST = ("yxyx", "center_yxhw")
BOX_FORMATS = (*_FORMATS, *(f"rel_{form}" for form in _FORMATS[:4]))

Corners = tuple[Any, Any, Any, Any]
"""Left, top, right and bottom edges in pixels, each (N, B)."""
Move = Callable[[Corners, Any, Any], Corners]


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def MaxNumBoundingBoxes(
    max_number: int,
    fill_value: int = -1,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Each image has `max_number` bounding boxes: those behind are left out, missing ones are of `fill_value`.

    x: a dict of "images" and "bounding_boxes", (N, B, 4) and (N, B) -> (N, max_number, 4) and (N, max_number). Images
    alone stay as they are. Source: Keras ``MaxNumBoundingBoxes``.

    >>> import numpy as np
    >>> boxes = {"boxes": np.ones((1, 2, 4)), "labels": np.array([[5, 7]])}
    >>> x = {"images": np.zeros((1, 4, 4, 3)), "bounding_boxes": boxes}
    >>> MaxNumBoundingBoxes(3).apply({}, {}, x)[0]["bounding_boxes"]["labels"]
    array([[ 5,  7, -1]])
    """
    most = positive_integer("MaxNumBoundingBoxes", "max_number", max_number)
    fill = integer("MaxNumBoundingBoxes", "fill_value", fill_value, -(2**31))

    def counted(part: Any, images: Any, key: Any) -> Any:
        boxes, labels = checked_boxes("MaxNumBoundingBoxes", part, images)
        missing = max(most - labels.shape[1], 0)
        return {
            "boxes": ops.pad(boxes[:, :most], ((0, 0), (0, missing), (0, 0)), fill),
            "labels": ops.pad(labels[:, :most], ((0, 0), (0, missing)), fill),
        }

    return changing("MaxNumBoundingBoxes", Change(lambda x, key: x, bounding_boxes=counted))


def check_box_format(kind: str, form: Any) -> str | None:
    """A format of bounding boxes, in small letters, or None."""
    if form is None:
        return None
    return known_word(kind, "bounding_box_format", form.lower() if isinstance(form, str) else form, BOX_FORMATS)


def moving(kind: str, form: str | None, move: Move, size: tuple[int, int] | None = None) -> OfPart:
    """What becomes of bounding boxes whose corners `move` moves: they end at the edges of the images.

    size: of the images afterwards, where it is another one. A box of which nothing is left gets the label -1.
    """

    def moved(part: Any, images: Any, key: Any) -> Any:
        if form is None:
            raise StructureError(
                f"{kind}: bounding boxes have a format: {kind}(..., bounding_box_format='xyxy'), or one of "
                f"{', '.join(BOX_FORMATS[1:])}."
            )
        boxes, labels = checked_boxes(kind, part, images)
        before = images.shape[1:3]
        height, width = after = before if size is None else size
        left, top, right, bottom = move(_corners(boxes, form, before), images, key)
        left, right = ops.clip(left, 0.0, float(width)), ops.clip(right, 0.0, float(width))
        top, bottom = ops.clip(top, 0.0, float(height)), ops.clip(bottom, 0.0, float(height))
        some = ops.logical_and(ops.less(left, right), ops.less(top, bottom))
        there = ops.greater_equal(labels, 0)
        made = _of_corners((left, top, right, bottom), form, after)
        return {
            "boxes": ops.where(ops.expand_dims(there, -1), made, boxes),
            "labels": ops.where(ops.logical_or(some, ops.logical_not(there)), labels, astype(-1, labels.dtype)),
        }

    return moved


def checked_boxes(kind: str, part: Any, images: Any) -> tuple[Any, Any]:
    """Boxes, floating, and labels, or an error that says what they should be."""
    if not isinstance(part, Mapping) or set(part) != {"boxes", "labels"}:
        given = f"a dict of {', '.join(map(repr, part))}" if isinstance(part, Mapping) else type(part).__name__
        raise StructureError(f"{kind}: bounding_boxes are a dict of 'boxes' and 'labels', received {given}.")
    (boxes,), labels = promote(part["boxes"], floating=True), lift(part["labels"])
    count = labels.shape[1:2]
    if labels.shape != (images.shape[0], *count) or boxes.shape != (*labels.shape, 4):
        raise ShapeError(
            f"{kind}: expected boxes of shape (batch, boxes, 4) and labels (batch, boxes), received {boxes.shape} and "
            f"{labels.shape} for {images.shape[0]} images."
        )
    return boxes, labels


def through(corners: Corners, matrix: Affine) -> Corners:
    """The smallest boxes around corners where `fnet.layers.warp.affine` puts them."""
    a0, a1, a2, b0, b1, b2 = (ops.reshape(part, (-1, 1)) if hasattr(part, "shape") else part for part in matrix)
    left, top, right, bottom = (corner - 0.5 for corner in corners)
    over = a0 * b1 - a1 * b0
    points = [(x - a2, y - b2) for x in (left, right) for y in (top, bottom)]
    return around(
        [(b1 * x - a1 * y) / over + 0.5 for x, y in points], [(a0 * y - b0 * x) / over + 0.5 for x, y in points]
    )


def around(xs: list[Any], ys: list[Any]) -> Corners:
    """The smallest boxes around points."""
    least, most = (functools.partial(functools.reduce, choose) for choose in (ops.minimum, ops.maximum))
    return least(xs), least(ys), most(xs), most(ys)


def _corners(boxes: Any, form: str, size: tuple[int, int]) -> Corners:
    """The edges of boxes of a format, in pixels."""
    relative = form.startswith("rel_")
    form = form.removeprefix("rel_")
    a, b, c, d = (boxes[..., i] for i in range(4))
    if form in _Y_FIRST:
        a, b, c, d = b, a, d, c
    if "center" in form:
        a, b = a - c / 2.0, b - d / 2.0
    if "wh" in form or "hw" in form:
        c, d = a + c, b + d
    height, width = (float(n) for n in size) if relative else (1.0, 1.0)
    return a * width, b * height, c * width, d * height


def _of_corners(corners: Corners, form: str, size: tuple[int, int]) -> Any:
    """Boxes of a format from their edges: the inverse of `_corners`."""
    height, width = (float(n) for n in size) if form.startswith("rel_") else (1.0, 1.0)
    form = form.removeprefix("rel_")
    a, b, c, d = corners[0] / width, corners[1] / height, corners[2] / width, corners[3] / height
    if "wh" in form or "hw" in form:
        c, d = c - a, d - b
    if "center" in form:
        a, b = a + c / 2.0, b + d / 2.0
    if form in _Y_FIRST:
        a, b, c, d = b, a, d, c
    return ops.stack([a, b, c, d], axis=-1)
