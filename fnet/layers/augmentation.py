"""What layers share that change images: one draw for each image, and what happens to all that belongs to it.

Such a layer takes images, or a dict: "images", and as far as they are there "labels", "segmentation_masks" and
"bounding_boxes". The same key draws the same numbers for all of them. Other parts stay as they are; layers that mix
images refuse them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fnet import ops, random
from fnet.arguments import integer_or_none, number, sequence
from fnet.errors import StructureError, ValueRangeError
from fnet.layers.activation import nothing
from fnet.layers.checks import image, stream
from fnet.layers.constructor import Pair
from fnet.networks.layer import Layer
from fnet.ops.promotion import astype, lift
from fnet.random import fold_in

Factor = float | Sequence[float]
Range = tuple[float, float]
Changed = Callable[[Any, Any], Any]
OfPart = Callable[[Any, Any, Any], Any]

PARTS = ("images", "labels", "segmentation_masks", "bounding_boxes")


def as_it_is(part: Any, images: Any, key: Any) -> Any:
    """A part of the data that a layer does not change."""
    return part


class Change(NamedTuple):
    """What a layer does to images, ``images(x, key)``, and to the other parts of the data, ``labels(part, x, key)``.

    The key is None for a layer that draws nothing. The images are those before the change. A part whose function is
    None is refused.
    """

    images: Changed
    labels: OfPart | None = as_it_is
    segmentation_masks: OfPart | None = as_it_is
    bounding_boxes: OfPart | None = as_it_is


def augmenting(
    kind: str,
    change: Changed | Change,
    seed: int | None,
    otherwise: Change | None = None,
) -> Pair:
    """The pair of a layer that changes images and what belongs to them in training, by a key.

    otherwise: what it does in inference, nothing by default. x: (N, H, W, C), or a dict; integers become float32.
    """
    seed = integer_or_none(kind, "seed", seed)
    change = change if isinstance(change, Change) else Change(change)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if train:
            return changed(kind, change, x, stream(kind, key, seed)), state
        return changed(kind, otherwise or _NOTHING, x, None), state

    return nothing, apply


def changing(kind: str, change: Changed | Change) -> Pair:
    """The pair of a layer that does the same in training and in inference, without a key."""
    always = change if isinstance(change, Change) else Change(change)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return changed(kind, always, x, None), state

    return nothing, apply


def changed(kind: str, change: Change, x: Any, key: Any) -> Any:
    """Images, or a dict with images, after a change."""
    if not isinstance(x, Mapping):
        return change.images(_images(kind, x), key)
    if "images" not in x or (change.labels is not as_it_is and not set(x) <= set(PARTS)):
        raise StructureError(
            f"{kind}: expected images, or a dict of 'images' and any of {', '.join(map(repr, PARTS[1:]))}, "
            f"received {', '.join(map(repr, x))}."
        )
    images = _images(kind, x["images"])
    made = {"images": change.images(images, key)}
    for name in PARTS[1:]:
        if name in x:
            of_part: OfPart | None = getattr(change, name)
            if of_part is None:
                raise StructureError(f"{kind} cannot change {name}. Leave them out of what it is called on.")
            part = x[name] if name == "bounding_boxes" else lift(x[name])
            made[name] = of_part(part, images, key)
    return {name: made.get(name, x[name]) for name in x}


def change_of(layer: Layer) -> Changed:
    """``(x, key) -> y``: what a layer of images does in training."""
    _, apply = layer.plain

    def run(x: Any, key: Any) -> Any:
        return apply({}, {}, x, key=key, train=True)[0]

    return run


def _images(kind: str, x: Any) -> Any:
    x = image(kind, x, 2)
    return x if x.dtype.kind == "f" else astype(x, np.float32)


_NOTHING = Change(lambda x, key: x)


def drawn(key: Any, number_of: int, bounds: Range, x: Any) -> Any:
    """One uniform number between the bounds for each image: (N,), of the dtype of x."""
    return random.uniform(key, (number_of,), x.dtype, *bounds)


def bounds(kind: str, argument: str, given: Any, least: float, most: float, one: float | None = None) -> Range:
    """The bounds that a factor says: two numbers, or one for minus and plus it, as far as they lie in the range.

    one: the lower bound where the factor is one number.
    """
    if isinstance(given, list | tuple):
        low, high = (number(kind, argument, part) for part in _two(kind, argument, given))
    else:
        high = number(kind, argument, given)
        low = max(-high, least) if one is None else one
    if not least <= low <= high <= most:
        raise ValueRangeError(
            f"{kind}: {argument} is a number, or two that rise, from {least:g} to {most:g}, received {given!r:.60}."
        )
    return low, high


def range_of(kind: str, argument: str, given: Any, most: float = math.inf) -> Range:
    """The bounds of a number that is drawn, at least 0; one number is always the same."""
    return bounds(kind, argument, given if isinstance(given, list | tuple) else (given, given), 0.0, most)


def least_and_largest(kind: str, given: Any) -> Range:
    """The least and the largest value of images."""
    low, high = (number(kind, "value_range", part) for part in _two(kind, "value_range", given))
    if low >= high:
        raise ValueRangeError(f"{kind}: value_range is (least, largest), received {given!r:.60}.")
    return low, high


def in_range(x: Any, source: Range, target: Range) -> Any:
    """Values of images between the numbers of `source`, as such between those of `target`."""
    if source == target:
        return x
    return (x - source[0]) / (source[1] - source[0]) * (target[1] - target[0]) + target[0]


def chance(kind: str, argument: str, given: Any) -> Range:
    """Bounds of a probability; one number is the upper."""
    return bounds(kind, argument, given, 0.0, 1.0)


def chosen(x: Any, key: Any, chance: Range) -> Any:
    """Which images are changed: (N, 1, 1, 1)."""
    limit = drawn(fold_in(key, 0), x.shape[0], chance, x)
    return each(ops.less(drawn(fold_in(key, 1), x.shape[0], (0.0, 1.0), x), limit))


def each(values: Any) -> Any:
    """One value for each image beside images."""
    return ops.reshape(values, (-1, 1, 1, 1))


def _two(kind: str, argument: str, given: Any) -> list[Any]:
    parts = sequence(kind, argument, given)
    if len(parts) != 2:
        raise ValueRangeError(f"{kind}: {argument} has two numbers, received {given!r:.60}.")
    return parts
